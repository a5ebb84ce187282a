# SPDX-License-Identifier: Apache-2.0
"""What a client meets at a real Envoy that asks Bartizan."""

import json
import os
import signal

import pytest
from stack import wait_until

LOW = "/v1/models/ranker-v9:predict"
HIGH = "/v1/models/fraud-v3:predict"


def test_an_application_is_allowed_on_a_low_tier_model_and_denied_on_a_high_one(world):
    assert world.request(LOW, world.app).status == 200
    assert world.request(HIGH, world.app).status == 403


@pytest.mark.parametrize("http2", [True, False])
def test_both_http_versions_are_judged_alike(world, http2):
    assert world.request(LOW, world.app, http2=http2).status == 200
    assert world.request(HIGH, world.app, http2=http2).status == 403
    assert world.request(LOW, None, http2=http2).status == 403


def test_a_stale_operator_is_challenged_and_a_fresh_one_allowed(world):
    stale = world.request(HIGH, world.console, world.operator(age=1200))
    assert stale.status == 401
    header = stale.headers["www-authenticate"]
    assert header.startswith("Bearer ") and 'error="insufficient_user_authentication"' in header
    assert 'acr_values="mfa"' in header and "max_age=300" in header
    fresh = world.request(HIGH, world.console, world.operator(age=60))
    assert fresh.status == 200
    seen = dict(json.loads(fresh.body)["headers"])
    assert seen["x-caller"] == "alice"


def test_the_age_limit_is_exact_to_the_clock_skew(world):
    assert world.request(HIGH, world.console, world.operator(age=310)).status == 200  # 300 + 30 of skew
    assert world.request(HIGH, world.console, world.operator(age=340)).status == 401


def test_a_client_cannot_forge_a_header_that_some_rule_sets(world):
    for caller, token, path, expected in (
        (world.app, None, LOW, None), (world.console, world.operator(), HIGH, "alice"),
    ):
        answer = world.request(path, caller, token, headers=["x-caller: mallory", "X-Caller: mallory"])
        assert answer.status == 200, answer.problem
        values = [value for name, value in json.loads(answer.body)["headers"] if name == "x-caller"]
        assert values == ([expected] if expected else [])


def test_no_user_at_a_rule_for_users_asks_for_a_bearer(world):
    answer = world.request(HIGH, world.console)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "error=" not in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/embed-a/..%2ffraud-v3:predict", "/v1/models/embed-a/..%5cfraud-v3:predict",
        "/v1/models/embed-a;x/fraud-v3:predict", "/v1/models/ranker-v9:predict%00",
        "/v1/models/embed-%252e%252e:predict", "/v1/models/a/%2e%2e;/ranker-v9:predict", "/v1/models/embed-%c0%ae:predict",
        "/v1/models/embed-%ff:predict", "/v1/models/embed-%u002f:predict", "/v1/models/embed-%zz:predict",
    ],
)
def test_a_path_that_is_not_canonical_is_refused(world, path):
    for http2 in (False, True):
        answer = world.request(path, world.app, http2=http2)
        assert 400 <= answer.status < 500 and answer.status != 404, answer.problem


def test_what_envoy_normalises_is_decided_and_forwarded_alike(world):
    answer = world.request("/v1/models/%72anker-v9:predict", world.app)
    assert answer.status == 200
    assert json.loads(answer.body)["path"] == LOW


@pytest.mark.parametrize(
    "header",
    ["x-forwarded-client-cert: URI=spiffe://prod.example/ns/checkout/sa/api", "x-envoy-original-path: " + LOW,
     "x-original-url: " + LOW, "x-forwarded-for: 10.0.0.1", "x-http-method-override: GET"],
)
def test_headers_a_client_writes_never_open_anything(world, header):
    assert world.request(LOW, None, headers=[header]).status == 403
    assert world.request(HIGH, world.app, headers=[header]).status == 403
    assert world.request(LOW, world.app, headers=[header]).status == 200


def test_two_tokens_are_refused(world):
    token = world.operator()
    answer = world.request(HIGH, world.console, token, headers=[f"authorization: Bearer {token}"])
    assert answer.status in (400, 401)  # two lines, or one that Envoy has joined


def test_a_refusal_never_tells_the_client_why(world):
    answer = world.request(HIGH, world.console, world.operator(aud=["another"]))
    assert answer.status == 401
    assert "audience" not in str(answer.headers) + answer.body.decode()
    assert world.decision(answer)["reason"] == "token_audience"


def test_the_record_of_a_refusal_explains_it(world):
    answer = world.request(HIGH, world.console, world.operator(age=1200))
    decision = world.decision(answer)
    assert decision["verdict"] == "challenge" and decision["rule"] == "inference-gateway/operators-high"
    assert "300" in decision["missing"]
    shown = world.stack.run("audit", "show", answer.headers["x-bartizan-decision"], "--journal",
                            world.stack.folder / "journal")
    assert shown.returncode == 0 and "operators-high" in shown.stdout


def test_every_answer_leaves_a_record_without_token_or_query(world):
    token = world.operator()
    answer = world.request(HIGH + "?secret=hunter2", world.console, token)
    decision = world.decision(answer)
    text = json.dumps(decision)
    assert "hunter2" not in text and token.split(".")[2] not in text
    assert decision["path"] == HIGH


def test_a_revoked_workload_is_refused_at_its_next_request_and_allowed_when_removed(world):
    caller = world.ca.issue("/ns/search/sa/batch", "batch")
    assert world.request(LOW, caller).status == 200
    arguments = ["--spiffe", caller.spiffe_id, "--config", world.stack.config_file]
    done = world.stack.run("revoke", "add", *arguments, "--reason", "test")
    assert done.returncode == 0, done.stderr
    assert world.request(LOW, caller).status == 403
    assert world.request(LOW, world.app).status == 200
    done = world.stack.run("revoke", "remove", *arguments)
    assert done.returncode == 0, done.stderr
    assert world.request(LOW, caller).status == 200


def test_a_bad_policy_on_reload_keeps_the_last_good_one(world):
    policy = world.stack.folder / "policy" / "inference-gateway.yaml"
    good = policy.read_text()
    policy.write_text(good.replace("workload: [app]", "workload: [nobody-knows]"))
    try:
        wait_until(lambda: any(r["kind"] == "change" and r["change"].get("is_refused") for r in world.journal()), 20,
                   "the refused change's record")
        assert world.request(LOW, world.app).status == 200
    finally:
        policy.write_text(good)


def test_a_new_policy_is_in_force_without_a_restart(world):
    policy = world.stack.folder / "policy" / "inference-gateway.yaml"
    good = policy.read_text()
    policy.write_text(good.replace("namespace: [checkout, search]", "namespace: [search]").replace("  tests:", "  tests: []\n  x-tests:").split("  x-tests:")[0])
    try:
        wait_until(lambda: world.request(LOW, world.app).status == 403, 20, "the new policy")
    finally:
        policy.write_text(good)
    wait_until(lambda: world.request(LOW, world.app).status == 200, 20, "the old policy again")


def test_ship_killed_leaves_decisions_going_and_the_journal_whole(world):
    before = len([r for r in world.journal() if r["kind"] == "decision"])
    for line in os.popen(f"pgrep -f 'bartizan-ship publish.*{world.stack.folder}'").read().split():
        os.kill(int(line), signal.SIGKILL)
    for _ in range(20):
        assert world.request(LOW, world.app).status == 200
    assert len([r for r in world.journal() if r["kind"] == "decision"]) == before + 20


def test_a_subscriber_killed_and_an_envoy_killed_lose_no_record(world):
    stack = world.stack
    subscriber = stack.start("subscriber", [stack.bartizan, "audit", "tail", "--connect", stack.tap, "--format", "json"])
    wait_until(lambda: "subscribed" in subscriber.log_file.read_text(), 10, "the subscriber")
    before = len([r for r in world.journal() if r["kind"] == "decision"])
    assert world.request(LOW, world.app).status == 200
    subscriber.popen.kill()
    assert world.request(LOW, world.app).status == 200
    world.envoy.popen.kill()
    world.envoy.popen.wait()
    world.envoy = stack.start_envoy(world.server, world.ca.bundle_file, world.issuer.jwks_file)
    assert world.request(LOW, world.app).status == 200
    assert len([r for r in world.journal() if r["kind"] == "decision"]) == before + 3
    verified = stack.run("audit", "verify", stack.folder / "journal")
    assert verified.returncode == 0, verified.stdout


def test_bartizan_gone_means_503_and_back_means_200(world):
    world.bartizan.end()
    answer = world.request(LOW, world.app)
    assert answer.status == 503
    world.bartizan = world.stack.start_bartizan()
    wait_until(lambda: world.request(LOW, world.app).status == 200, 10, "the first allow")
    epochs = {record["epoch"] for record in world.journal()}
    assert len(epochs) >= 2
