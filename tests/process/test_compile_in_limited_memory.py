# SPDX-License-Identifier: Apache-2.0
"""A large policy is compiled by a process of its own, within limits; what becomes of that process harms nobody."""

import os
import re
import signal
from pathlib import Path

import pytest
from sidecar import CONFIG, POLICY, Sidecar, request, wait_until

RULES = 20_000
HEAD, TAIL = POLICY.read_text().split("\n  tests:\n")
LARGE = HEAD + "".join(
    f'\n    - {{allow: extra-{i}, subjects: {{workload: {{namespace: team-{i}}}}}, actions: [predict], resources: {{ids: ["model-{i}"]}}}}'
    for i in range(RULES)
) + "\n"  # fmt: skip


def configured(**compile):
    words = ", ".join(f"{key}: {value}" for key, value in compile.items())
    return CONFIG.replace("enforcement: enforce", f"enforcement: enforce, compile: {{{words}}}")


def http_status(reply):
    return 200 if reply.status.code == 0 else reply.denied_response.status.code


def peak(pid):
    """The most memory that a process had, and has now, in MiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return tuple(int(re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE).group(1)) / 1024 for key in ("VmHWM", "VmRSS"))


@pytest.fixture
def run():
    """Starts a sidecar whose compiles are configured so."""
    started = []

    def start(*extra, policy=None, **compile):
        sidecar = Sidecar(configured(**compile), policy)
        started.append(sidecar)
        return sidecar.start(*extra)

    yield start
    for sidecar in started:
        sidecar.__exit__()


BY_ITSELF = "a policy is compiled by a process of its own"


def test_a_small_policy_is_compiled_in_place_and_a_larger_one_by_itself(run):
    small = run("--log-level", "debug", child_above="1MiB")
    assert BY_ITSELF not in small.log()
    small.policy.write_text(LARGE)
    assert small.admin("POST", "/reload")[0] == 200
    assert small.log().count(BY_ITSELF) == 1
    assert small.status()["snapshot"]["policy"]["rules"] == RULES + 5


def test_what_comes_back_decides_as_what_was_compiled_in_place(run):
    here, there = run(child_above="64MiB"), run("--log-level", "debug", child_above=0)
    assert BY_ITSELF in there.log() and BY_ITSELF not in here.log()
    assert here.status()["snapshot"]["policy"]["digest"] == there.status()["snapshot"]["policy"]["digest"]
    for sidecar in (here, there):
        client = sidecar.client()
        assert http_status(client.check(request(caller=sidecar.web))) == 200
        assert http_status(client.check(request(path="/v1/models/fraud-v3:predict", caller=sidecar.web))) == 403
    assert [[r["decision"].get(key) for r in s.records() if r["kind"] == "decision"] for s in (here,) for key in ("rule", "closest", "missing")] == [
        [r["decision"].get(key) for r in s.records() if r["kind"] == "decision"] for s in (there,) for key in ("rule", "closest", "missing")
    ]


def test_findings_of_that_process_are_told_with_their_lines(run):
    sidecar = run(child_above=0)
    sidecar.policy.write_text(POLICY.read_text().replace("subjects: any, actions: [health]", "subjcts: any, actions: [health]"))
    code, body = sidecar.admin("POST", "/reload")
    assert code == 409 and "E0203" in body and "did you mean `subjects`?" in body and '"line":27' in body
    assert http_status(sidecar.client().check(request(caller=sidecar.web))) == 200


def test_owners_of_priorities_are_asked_for_in_what_comes_back(run):
    sidecar = run(child_above=0)
    sidecar.policy.write_text(POLICY.read_text().replace("{allow: health-is-public,", "{allow: health-is-public, priority: 9,"))
    code, body = sidecar.admin("POST", "/reload")
    assert code == 409 and "E0223" in body


def test_a_limit_of_memory_that_is_too_small_refuses_and_what_was_in_force_stays(run):
    sidecar = run(child_above="1MiB", memory="16MiB")
    client = sidecar.client()
    sidecar.policy.write_text(LARGE)
    code, body = sidecar.admin("POST", "/reload")
    assert code == 409 and "compiling the policy takes more than 16 MiB of memory" in body and "policy.compile.memory" in body
    assert http_status(client.check(request(caller=sidecar.web))) == 200
    assert sidecar.status()["snapshot"]["policy"]["rules"] == 5
    sidecar.policy.write_text(POLICY.read_text().replace("[checkout, search]", "[checkout]"))
    assert sidecar.admin("POST", "/reload")[0] == 200
    assert http_status(client.check(request(caller=sidecar.web))) == 403


def test_at_the_start_a_limit_that_is_too_small_is_an_invalid_policy():
    with Sidecar(configured(child_above="1MiB", memory="16MiB"), LARGE) as sidecar:
        assert sidecar.spawn().wait(30) == 2
        assert "compiling the policy takes more than 16 MiB of memory" in sidecar.log()


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGXCPU, 2, "compiling the policy takes more than 1 s of CPU time: policy.compile.seconds"),
        (signal.SIGKILL, 4, "the process that tries the files was killed by signal 9"),
    ],
)
def test_at_the_start_the_end_of_the_trial_is_told(number, code, words):
    with Sidecar(configured(seconds=1), LARGE) as sidecar:
        pid = sidecar.spawn().pid
        tries = wait_until(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), 10, "the trial", every=0.001)
        os.kill(int(tries[0]), number)
        assert sidecar.process.wait(30) == code
        assert words in sidecar.log()


def test_a_large_policy_starts(run):
    sidecar = run("--log-level", "debug", policy=LARGE, child_above="1MiB")
    assert BY_ITSELF in sidecar.log()
    assert http_status(sidecar.client().check(request(caller=sidecar.web))) == 200


def test_a_compile_that_dies_leaves_the_policy_and_the_next_one_is_taken(run):
    sidecar = run(child_above="1MiB")
    sidecar.policy.write_text(LARGE)
    pid = wait_until(lambda: sidecar.children().get("compile"), 15, "a compile", every=0.001)
    os.kill(pid, signal.SIGKILL)
    error = wait_until(lambda: sidecar.status()["last_reload_error"], 10, "the refusal")
    assert "the process that compiles the policy was killed by signal 9" in error["message"]
    assert http_status(sidecar.client().check(request(caller=sidecar.web))) == 200
    assert sidecar.status()["snapshot"]["policy"]["rules"] == 5
    assert sidecar.admin("POST", "/reload")[0] == 200
    assert sidecar.status()["snapshot"]["policy"]["rules"] == RULES + 5
    assert "compile" not in sidecar.children()


def test_the_end_does_not_wait_for_a_compile(run):
    sidecar = run(child_above="1MiB")
    sidecar.policy.write_text(LARGE)
    sidecar.process.send_signal(signal.SIGHUP)
    wait_until(lambda: sidecar.children().get("compile"), 10, "a compile", every=0.001)
    assert sidecar.stop(10) == 0


def test_a_decider_that_died_asks_again(run):
    sidecar = run(child_above=0)
    os.kill(sidecar.children()["decide"], signal.SIGKILL)
    sidecar.wait_ready(2)
    assert http_status(sidecar.client().check(request(caller=sidecar.web))) == 200


def test_the_process_that_compiles_has_no_other_descriptors(run):
    sidecar = run(child_above="1MiB")
    sidecar.policy.write_text(LARGE)
    sidecar.process.send_signal(signal.SIGHUP)

    def descriptors():
        pid = sidecar.children().get("compile")
        try:
            return {int(name): os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")} if pid else None
        except FileNotFoundError:
            return None

    seen = wait_until(lambda: (found := descriptors()) and 4 in found and found, 10, "a compile", every=0.001)
    assert "memfd:policy" in seen[3] and "memfd:compiled policy" in seen[4]
    assert not [target for target in seen.values() if "socket" in target]


def test_a_compile_that_takes_too_much_costs_the_decider_little_more_than_its_text(run):
    grown, text = {}, len(LARGE) / 2**20
    for name, options in (("in place", {"child_above": "64MiB"}), ("ended", {"child_above": "1MiB", "memory": "16MiB"})):
        sidecar = run(**options)
        decider = sidecar.children()["decide"]
        before = peak(decider)[0]
        sidecar.policy.write_text(LARGE)
        assert sidecar.admin("POST", "/reload")[0] == (200 if name == "in place" else 409)
        grown[name] = peak(decider)[0] - before
    print(f"{RULES} rules, {text:.1f} MiB of text: peak grew by {grown['in place']:.1f} MiB in place, {grown['ended']:.1f} MiB when ended")
    assert grown["ended"] < 3 * text < grown["in place"]
