# SPDX-License-Identifier: Apache-2.0
"""A policy that takes long to compile delays nothing but itself. The process that compiles is stopped
(SIGSTOP) where a test needs it to take long: then no test depends on how fast anything is."""

import json
import os
import select
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sidecar import CONFIG, POLICY, Sidecar, UnixConnection, request, wait_until

HEAD, TAIL = POLICY.read_text().split("\n  tests:\n")
PARTS, PART_RULES = 10, 10_000  # files of a folder: one alone may have 8 MiB
BY_ITSELF = "a policy is compiled by a process of its own"
WEB = "spiffe://prod.example/ns/search/sa/web"


def rules(first, count):
    return "".join(
        f'\n    - {{allow: extra-{i}, subjects: {{workload: {{namespace: team-{i}}}}}, actions: [predict], resources: {{ids: ["model-{i}"]}}}}'
        for i in range(first, first + count)
    )


def large(count=15_000, first=0):
    """More than child_above, and by how many rules it is told from another."""
    return HEAD + rules(first, count) + "\n"


def http_status(reply):
    return 200 if reply.status.code == 0 else reply.denied_response.status.code


@pytest.fixture
def run():
    started = []

    def start(config=CONFIG, **options):
        sidecar = Sidecar(config, **options)
        started.append(sidecar)
        return sidecar.start("--log-level", "debug")

    yield start
    for sidecar in started:
        for pid in [sidecar.children().get("compile")] if sidecar.process.poll() is None else []:
            if pid:
                os.kill(pid, signal.SIGCONT)
        sidecar.__exit__()


def stop_compile(sidecar, other_than=None):
    """Waits for a compile and stops it where it is."""
    pid = wait_until(
        lambda: (p := sidecar.children().get("compile")) and p != other_than and p, 15, "a compile", every=0.001
    )
    os.kill(pid, signal.SIGSTOP)
    return pid


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def begin(sidecar, policy=None):
    sidecar.policy.write_text(policy or large())
    pid = stop_compile(sidecar)
    wait_until(lambda: sidecar.status()["policy_under_way"], 10, "what status says of it")
    return pid


def revoke(sidecar, verb="add", *more):
    return sidecar.cli("revoke", verb, "--config", sidecar.config, "--spiffe", WEB, *more)


def changes(sidecar, *what):
    found = [r["change"] for r in sidecar.records() if r["kind"] == "change"]
    return [c for c in found if not what or c["what"] in what]


def count_of(sidecar):
    return sidecar.status()["snapshot"]["policy"]["rules"]


def test_a_caller_is_revoked_while_a_policy_compiles(run):
    sidecar = run()
    client = sidecar.client()
    assert http_status(client.check(request(caller=sidecar.web))) == 200
    pid = begin(sidecar)
    done = revoke(sidecar, "add", "--reason", "stolen")
    assert done.returncode == 0 and "in force after" in done.stdout, done.stderr
    assert state_of(pid) == "T" and sidecar.status()["policy_under_way"] is not None
    assert "a policy is in the making for" in sidecar.cli("status", "--config", sidecar.config).stdout
    assert http_status(client.check(request(caller=sidecar.web))) == 403
    assert count_of(sidecar) == 5
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: count_of(sidecar) == 15_005, 30, "the new policy")
    assert sidecar.status()["policy_under_way"] is None
    assert http_status(client.check(request(caller=sidecar.web))) == 403
    done = revoke(sidecar, "remove")
    assert done.returncode == 0, done.stderr
    assert http_status(client.check(request(caller=sidecar.web))) == 200
    expected = ["revocations", "policy", "revocations"]
    wait_until(lambda: [c["what"] for c in changes(sidecar)][-3:] == expected, 10, "the records")


def test_a_bundle_and_a_key_set_are_taken_while_a_policy_compiles(run):
    sidecar = run()
    before = sidecar.status()["snapshot"]
    pid = begin(sidecar)
    keys = json.loads((sidecar.folder / "jwks.json").read_text())
    (sidecar.folder / "jwks.json").write_text(json.dumps(keys, indent=1))
    bundle = (sidecar.folder / "bundle.pem").read_text()
    (sidecar.folder / "bundle.pem").write_text(bundle + bundle)

    def is_taken():
        now = sidecar.status()["snapshot"]
        return all(now[part]["generation"] > before[part]["generation"] for part in ("bundles", "keys"))

    wait_until(is_taken, 10, "bundle and keys")
    assert state_of(pid) == "T" and count_of(sidecar) == 5
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: count_of(sidecar) == 15_005, 30, "the new policy")


def test_a_smaller_policy_that_comes_meanwhile_counts_and_the_compile_ends(run):
    sidecar = run()
    client = sidecar.client()
    pid = begin(sidecar)
    sidecar.policy.write_text(POLICY.read_text().replace("[checkout, search]", "[checkout]"))
    assert sidecar.admin("POST", "/reload")[0] == 200
    assert http_status(client.check(request(caller=sidecar.web))) == 403
    wait_until(lambda: state_of(pid) is None, 10, "the end of the compile")
    assert sidecar.status()["policy_under_way"] is None and count_of(sidecar) == 5


def test_the_policy_in_force_put_back_ends_the_compile(run):
    sidecar = run()
    before = sidecar.status()["snapshot"]["policy"]
    pid = begin(sidecar)
    sidecar.policy.write_text(POLICY.read_text())
    assert sidecar.admin("POST", "/reload")[0] == 200
    wait_until(lambda: state_of(pid) is None, 10, "the end of the compile")
    assert sidecar.status()["snapshot"]["policy"] == before and sidecar.status()["policy_under_way"] is None


def test_of_two_large_policies_the_later_one_counts(run):
    sidecar = run()
    first = begin(sidecar)
    sidecar.policy.write_text(large(16_000))
    second = stop_compile(sidecar, other_than=first)
    assert state_of(first) is None
    os.kill(second, signal.SIGCONT)
    assert sidecar.admin("POST", "/reload")[0] == 200
    assert count_of(sidecar) == 16_005
    policies = wait_until(lambda: (c := changes(sidecar, "policy")) and len(c) > 1 and c, 10, "the record")
    assert [c["after"] for c in policies[1:]] == [sidecar.status()["snapshot"]["policy"]["digest"]]


def test_a_file_that_is_only_touched_does_not_begin_anew(run):
    sidecar = run()
    pid = begin(sidecar)
    os.utime(sidecar.policy)
    assert json.loads(sidecar.admin("POST", "/reload?wait=files")[1])["policy_under_way"] is True
    os.kill(pid, signal.SIGCONT)
    assert sidecar.admin("POST", "/reload")[0] == 200
    assert count_of(sidecar) == 15_005 and sidecar.log().count(BY_ITSELF) == 1


def test_a_reload_waits_for_the_policy_and_health_waits_for_no_reload(run):
    sidecar = run()
    pid = begin(sidecar)
    with ThreadPoolExecutor() as pool:
        reloads = [pool.submit(sidecar.admin, "POST", "/reload") for _ in range(3)]
        for _ in range(3):
            assert sidecar.admin("GET", "/healthz") == (200, "ok\n")
            assert sidecar.admin("GET", "/readyz")[0] == 200
            assert "bartizan_ready 1" in sidecar.admin("GET", "/metrics")[1]
            assert sidecar.status()["policy_under_way"]["seconds"] >= 0
        assert revoke(sidecar, "add", "--reason", "stolen").returncode == 0
        assert not any(r.done() for r in reloads)
        os.kill(pid, signal.SIGCONT)
        answers = [r.result(30) for r in reloads]
    digest = sidecar.status()["snapshot"]["policy"]["digest"]
    assert [code for code, _ in answers] == [200] * 3
    assert {json.loads(body)["policy_digest"] for _, body in answers} == {digest}
    assert count_of(sidecar) == 15_005


def test_a_reload_that_waits_tells_how_a_broken_policy_ended(run):
    sidecar = run()
    pid = begin(sidecar, large() + "    - {allow: extra-0, subjects: any, actions: [predict]}\n")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(sidecar.admin, "POST", "/reload")
        assert sidecar.status()["last_reload_error"] is None
        os.kill(pid, signal.SIGCONT)
        code, body = waiting.result(30)
    assert code == 409 and "extra-0" in json.loads(body)["error"]
    assert sidecar.status()["last_reload_error"]["message"] == json.loads(body)["error"]
    refused = wait_until(lambda: [c for c in changes(sidecar) if c.get("is_refused")], 10, "the record")
    assert [c["what"] for c in refused] == ["policy"]


def test_an_earlier_refusal_stands_until_the_policy_that_mends_it_is_made(run):
    sidecar = run()
    sidecar.policy.write_text("kind: nonsense\n")
    wait_until(lambda: sidecar.status()["last_reload_error"], 10, "the refusal")
    pid = begin(sidecar)
    assert revoke(sidecar, "add", "--reason", "stolen").returncode == 0
    assert sidecar.status()["last_reload_error"] is not None
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: sidecar.status()["last_reload_error"] is None, 30, "the new policy")
    assert count_of(sidecar) == 15_005


def test_a_list_that_is_refused_is_told_while_a_policy_compiles_and_after(run):
    sidecar = run()
    assert revoke(sidecar, "add", "--reason", "stolen").returncode == 0
    pid = begin(sidecar)
    (sidecar.folder / "revocations" / "revocations.yaml").unlink()
    code, body = sidecar.admin("POST", "/reload?wait=files")
    assert code == 409 and "E0903" in body and json.loads(body)["in_force"]["policy_under_way"] is True
    os.kill(pid, signal.SIGCONT)
    code, body = sidecar.admin("POST", "/reload")
    assert code == 409 and "E0903" in body and json.loads(body)["in_force"]["policy_under_way"] is False
    assert count_of(sidecar) == 15_005
    assert http_status(sidecar.client().check(request(caller=sidecar.web))) == 403


def test_another_word_to_wait_for_is_refused(run):
    assert run().admin("POST", "/reload?wait=ever")[0] == 400


def test_too_many_that_wait_are_refused_and_a_revocation_finds_a_place(run):
    sidecar = run()
    pid = begin(sidecar)
    waiting = [UnixConnection(sidecar.folder / "admin.sock") for _ in range(9)]
    for connection in waiting:
        connection.request("POST", "/reload")
    refused, _, _ = select.select([c.sock for c in waiting], [], [], 10)
    assert len(refused) == 1  # the other eight wait
    assert revoke(sidecar, "add", "--reason", "stolen").returncode == 0
    assert sidecar.admin("GET", "/healthz")[0] == 200
    os.kill(pid, signal.SIGCONT)
    assert sorted(c.getresponse().status for c in waiting) == [200] * 8 + [503]
    for connection in waiting:
        connection.close()


def test_the_end_waits_neither_for_a_compile_nor_for_who_waits_for_it(run):
    sidecar = run()
    pid = begin(sidecar)
    answers = []

    def ask():
        answers.append(sidecar.admin("POST", "/reload"))

    asking = threading.Thread(target=ask)
    asking.start()
    os.kill(sidecar.children()["decide"], signal.SIGTERM)  # it alone: the supervisor would end the compile first
    asking.join(15)
    assert answers and answers[0][0] in (503, 200)  # who waits is told of the end; the next process answers who came late
    sidecar.wait_ready(2)
    assert sidecar.stop(10) == 0 and state_of(pid) is None


def with_shadow(config=CONFIG):
    return config.replace("policy: {path: policy.yaml,", "policy: {path: policy.yaml, shadow: shadow.yaml,")


@pytest.fixture
def shadowed():
    with Sidecar(with_shadow()) as sidecar:
        (sidecar.folder / "shadow.yaml").write_text(POLICY.read_text())
        yield sidecar.start("--log-level", "debug")
        if pid := sidecar.children().get("compile"):
            os.kill(pid, signal.SIGCONT)


def test_a_large_shadow_delays_neither_the_policy_nor_a_revocation(shadowed):
    (shadowed.folder / "shadow.yaml").write_text(large())
    pid = stop_compile(shadowed)
    wait_until(lambda: shadowed.status()["policy_under_way"], 10, "what status says of it")
    assert revoke(shadowed, "add", "--reason", "stolen").returncode == 0
    shadowed.policy.write_text(POLICY.read_text().replace("[checkout, search]", "[checkout]"))
    before = shadowed.status()["snapshot"]["policy"]["generation"]
    wait_until(lambda: shadowed.status()["snapshot"]["policy"]["generation"] > before, 10, "the policy")
    assert state_of(pid) == "T" and shadowed.status()["shadow"]["rules"] == 5
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: shadowed.status()["shadow"]["rules"] == 15_005, 30, "the shadow")


def test_the_policy_is_compiled_before_the_shadow(shadowed):
    (shadowed.folder / "shadow.yaml").write_text(large(16_000))
    first = stop_compile(shadowed)
    shadowed.policy.write_text(large(15_000))
    second = stop_compile(shadowed, other_than=first)
    assert state_of(first) is None
    os.kill(second, signal.SIGCONT)
    assert shadowed.admin("POST", "/reload")[0] == 200
    status = shadowed.status()
    assert (status["snapshot"]["policy"]["rules"], status["shadow"]["rules"]) == (15_005, 16_005)
    assert shadowed.log().count(BY_ITSELF) == 3  # the shadow twice


def test_a_broken_large_policy_beside_a_large_shadow_is_compiled_once(shadowed):
    shadowed.policy.write_text(large() + "    - {allow: extra-0, subjects: any, actions: [predict]}\n")
    (shadowed.folder / "shadow.yaml").write_text(large(16_000))
    code, body = shadowed.admin("POST", "/reload")
    assert code == 409 and "extra-0" in body
    wait_until(lambda: shadowed.status()["policy_under_way"] is None, 30, "the end of all")
    status = shadowed.status()
    assert status["snapshot"]["policy"]["rules"] == 5 and status["shadow"]["rules"] == 16_005
    assert "extra-0" in status["last_reload_error"]["message"]


def test_a_decider_that_died_in_a_compile_starts_with_the_new_policy(run):
    sidecar = run()
    pid = begin(sidecar)
    os.kill(sidecar.children()["decide"], signal.SIGKILL)
    wait_until(lambda: state_of(pid) is None, 15, "the end of the compile that nobody waits for")
    sidecar.wait_ready(2)
    assert count_of(sidecar) == 15_005 and "compile" not in sidecar.children()


def test_a_caller_is_revoked_while_a_hundred_thousand_rules_compile():
    """By size alone: nothing is stopped. What it took is printed."""
    with Sidecar(CONFIG.replace("path: policy.yaml", "path: policies")) as sidecar:
        folder = sidecar.folder / "policies"
        folder.mkdir()
        (folder / "a.yaml").write_text(POLICY.read_text())
        sidecar.start()
        client = sidecar.client()
        assert http_status(client.check(request(caller=sidecar.web))) == 200
        fresh = sidecar.folder / "fresh"
        fresh.mkdir()
        (fresh / "a.yaml").write_text(HEAD + "\n")
        for part in range(PARTS):
            name = f"part-{part}"
            text = HEAD.split("\n  rules:")[0].replace("name: inference-gateway", f"name: {name}")
            (fresh / f"{name}.yaml").write_text(text + "\n  rules:" + rules(part * PART_RULES, PART_RULES) + "\n")
        shutil.rmtree(folder)
        fresh.rename(folder)
        wait_until(lambda: sidecar.children().get("compile"), 15, "a compile", every=0.001)
        start = time.monotonic()
        done = revoke(sidecar, "add", "--reason", "stolen")
        took = time.monotonic() - start
        status = sidecar.status()
        assert done.returncode == 0, done.stderr
        assert http_status(client.check(request(caller=sidecar.web))) == 403
        assert status["snapshot"]["policy"]["rules"] == 5 and status["policy_under_way"] is not None
        wait_until(lambda: count_of(sidecar) > 100_000, 60, "the new policy")
        print(f"revoked after {took * 1000:.0f} ms; the policy came after {(time.monotonic() - start) * 1000:.0f} ms")
