# SPDX-License-Identifier: Apache-2.0
"""Files that another process writes: what `bartizan serve` does until they are there."""

import json

import pytest
from sidecar import CONFIG, Sidecar, health, request, wait_until

BUNDLE, KEYS = "{bundle: bundle.pem}", "{file: jwks.json}"
FRAUD = "/v1/models/fraud-v3:predict"
OPERATOR = {"roles": ["ml-operator"], "purpose": "incident", "amr": ["pwd", "hwk"], "acr": "mfa"}
NOT_SERVING = health.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def own():
    config = CONFIG.replace(BUNDLE, "{bundle: {file: bundle.pem, owner: feed}}").replace(
        KEYS, "{file: jwks.json, owner: feed}"
    )
    with Sidecar(config) as sidecar:
        yield sidecar


def ask(sidecar, client, message):
    """HTTP status and the reason that the operator is told, of an allow 200 and nothing."""
    reply = client.check(message)
    if reply.status.code == 0:
        return 200, None
    refusal = sidecar.status()["recent_refusals"][0]
    assert refusal["decision_id"] == reply.dynamic_metadata.fields["decision_id"].string_value
    return reply.denied_response.status.code, refusal["reason"]


def operator(sidecar):
    bound = {"x5t#S256": sidecar.console.x5t_s256, "spiffe_id": sidecar.console.spiffe_id}
    return request(path=FRAUD, caller=sidecar.console, token=sidecar.issuer.token("alice", 60, **OPERATOR, cnf=bound))


def take_away(sidecar, name):
    """Removes a file before the start; gives what puts it there, whole, as a well-behaved writer does."""
    file, beside = sidecar.folder / name, sidecar.folder / f".{name}.new"
    file.rename(beside)
    return file, lambda: beside.rename(file)


def start_without(sidecar, name):
    file, appear = take_away(sidecar, name)
    sidecar.spawn()
    wait_until(lambda: "serving, not ready in_ms=" in sidecar.log(), 20, "the start")
    return file, appear


def assert_not_ready_for(sidecar, file):
    probe = sidecar.cli("healthcheck", "--config", sidecar.config, "--ready")
    assert probe.returncode == 1 and probe.stderr == "not ready\n"
    assert sidecar.cli("healthcheck", "--config", sidecar.config, "--live").returncode == 0
    code, body = sidecar.admin("GET", "/readyz")
    assert code == 503 and body.count("\n") == 1 and body.endswith(f" is not there yet: {file}\n")
    assert sidecar.status()["not_ready_reasons"] == [body[:-1]]
    shown = sidecar.cli("status", "--config", sidecar.config).stdout
    assert "NOT READY" in shown and str(file) in shown
    assert f'not ready: a file is not there yet file="{file}"' in sidecar.log()
    assert "bartizan_ready 0" in sidecar.admin("GET", "/metrics")[1]


def assert_becomes_ready(sidecar, pid):
    def is_ready():
        return sidecar.cli("healthcheck", "--config", sidecar.config, "--ready").returncode == 0

    wait_until(is_ready, 12, "readiness", every=0.1)
    assert sidecar.admin("GET", "/readyz") == (200, "ready\n")
    assert sidecar.status()["not_ready_reasons"] == []
    assert sidecar.children()["decide"] == pid  # without a restart


def test_without_a_key_set_rules_for_workloads_go_on_and_those_for_users_wait(own):
    file, appear = start_without(own, "jwks.json")
    pid, client = own.children()["decide"], own.client()
    assert_not_ready_for(own, file)
    assert client.health() == NOT_SERVING
    assert ask(own, client, request(caller=own.web)) == (200, None)
    assert ask(own, client, operator(own)) == (503, "keys-unavailable")
    appear()
    assert_becomes_ready(own, pid)
    assert ask(own, client, operator(own)) == (200, None)


def test_without_a_bundle_callers_are_not_judged_and_those_without_one_go_on(own):
    file, appear = start_without(own, "bundle.pem")
    pid, client = own.children()["decide"], own.client()
    assert_not_ready_for(own, file)
    assert ask(own, client, request(caller=own.web)) == (503, "keys-unavailable")
    assert ask(own, client, operator(own)) == (503, "keys-unavailable")
    assert ask(own, client, request(path="/v2/health/live", method="GET")) == (200, None)
    appear()
    assert_becomes_ready(own, pid)
    assert ask(own, client, request(caller=own.web)) == (200, None)
    assert ask(own, client, operator(own)) == (200, None)


def test_a_key_set_in_a_folder_that_comes_later_is_taken(own):
    own.config.write_text(own.config.read_text().replace("file: jwks.json", "file: later/keys/jwks.json"))
    own.spawn()
    wait_until(lambda: "serving, not ready in_ms=" in own.log(), 20, "the start")
    pid = own.children()["decide"]
    (own.folder / "later" / "keys").mkdir(parents=True)
    (own.folder / "jwks.json").rename(own.folder / "later" / "keys" / "jwks.json")
    assert_becomes_ready(own, pid)


def test_a_broken_file_that_appears_is_refused_and_a_good_one_after_it_is_taken(own):
    file, appear = start_without(own, "jwks.json")
    pid, client = own.children()["decide"], own.client()
    file.write_text("{")
    wait_until(lambda: own.status()["last_reload_error"], 12, "the refusal", every=0.1)
    assert_not_ready_for(own, file)
    assert ask(own, client, operator(own)) == (503, "keys-unavailable")
    appear()
    assert_becomes_ready(own, pid)
    assert own.status()["last_reload_error"] is None


def test_a_key_set_that_is_taken_away_is_trusted_no_longer(own):
    own.start()
    client = own.client()
    assert ask(own, client, operator(own)) == (200, None)
    take_away(own, "jwks.json")
    wait_until(lambda: ask(own, client, operator(own)) == (503, "keys-unavailable"), 12, "the end of trust")
    assert ask(own, client, request(caller=own.web)) == (200, None)
    assert own.admin("GET", "/readyz")[0] == 503


def test_check_answers_offline_and_notes_what_is_missing(own):
    file, _ = take_away(own, "jwks.json")
    out = own.cli("check", "--config", own.config)
    assert out.returncode == 0 and f"note: {file} is not there yet" in out.stderr
    message = own.folder / "request.bin"
    message.write_bytes(operator(own).SerializeToString())
    out = own.cli("check", "--config", own.config, "--request", message, "--format", "json")
    assert json.loads(out.stdout)["record"]["decision"]["reason"] == "keys-unavailable"


@pytest.mark.parametrize("content, status", [(None, 2), ("{", 2)])
@pytest.mark.parametrize("name", ["jwks.json", "bundle.pem"])
def test_without_that_owner_a_missing_file_refuses_the_start_and_so_does_a_broken_one(name, content, status):
    with Sidecar() as sidecar:
        take_away(sidecar, name)
        if content is not None:
            (sidecar.folder / name).write_text(content)
        assert sidecar.spawn().wait(20) == status
        assert f"{sidecar.folder}/{name}" in sidecar.log()
        assert not (sidecar.folder / "check.sock").exists()
