# SPDX-License-Identifier: Apache-2.0
"""Commands that ask a running sidecar."""

import json
import signal
import subprocess
import time

import pytest

from place import WEB


@pytest.fixture
def running(place):
    """The place, with `bartizan serve` ready in it: a fresh one, where nobody was revoked yet."""
    (place.folder / "revocations").rmdir()
    with open(place.folder / "serve.log", "w") as log:
        process = subprocess.Popen([str(place.program), "serve", "--config", str(place.config)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while place.run("healthcheck", "--config", place.config).returncode != 0:
            assert process.poll() is None and time.monotonic() < deadline, (place.folder / "serve.log").read_text()
            time.sleep(0.02)
        yield place
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


def status(place) -> dict:
    result = place.run("status", "--config", place.config, "--format", "json")
    return json.loads(result.stdout)


def test_healthcheck_is_alive_and_ready(running):
    assert running.run("healthcheck", "--config", running.config, "--live").stdout == "alive\n"
    assert running.run("healthcheck", "--config", running.config, "--ready").stdout == "ready\n"


def test_serve_makes_the_folder_of_deny_lists(running):
    folder = running.folder / "revocations"
    assert folder.stat().st_mode & 0o7777 == 0o750 and list(folder.iterdir()) == []


def test_revoke_is_in_force_when_it_returns(running):
    before = status(running)["snapshot"]
    result = running.run("revoke", "add", "--spiffe", WEB, "--reason", "r", "--config", running.config)
    after = status(running)["snapshot"]
    assert result.returncode == 0, result.stderr
    assert f"revoked {WEB} generation {after['generation']} in force after" in result.stdout
    assert after["generation"] > before["generation"]
    assert (after["revocations"]["sequence"], after["revocations"]["entries"]) == (1, 1)
    assert after["policy"]["generation"] == before["policy"]["generation"]


def test_revoke_of_a_folder_that_the_decider_does_not_read_fails(running):
    other = running.folder / "other"
    other.mkdir()
    result = running.run(
        "revoke", "add", "--spiffe", WEB, "--reason", "r", "--dir", other, "--admin", running.folder / "admin.sock"
    )
    assert result.returncode == 1 and "does not read" in result.stderr


def changes_after_the_start(place) -> set:
    """What changed, and whether it was refused, as the journal has it."""
    told = place.run(
        "audit", "tail", "--journal", place.folder / "journal", "--from-start", "--no-follow", "--format", "json"
    )
    records = [json.loads(line) for line in told.stdout.splitlines()]
    changes = [record["change"] for record in records if record["kind"] == "change"]
    return {(change["what"], change.get("is_refused", False)) for change in changes[4:]}


def test_revoke_is_in_force_beside_a_policy_that_is_refused(running):
    running.policy.write_text("kind: nonsense\n")
    result = running.run("revoke", "add", "--spiffe", WEB, "--reason", "r", "--config", running.config)
    assert result.returncode == 0, result.stderr
    assert f"revoked {WEB} generation " in result.stdout and " in force after " in result.stdout
    assert "warning: the decider refused another file" in result.stderr and "policy.yaml" in result.stderr
    state = status(running)
    assert state["ready"] and state["snapshot"]["revocations"]["sequence"] == 1
    assert state["snapshot"]["policy"]["generation"] == 1
    assert "policy.yaml" in state["last_reload_error"]["message"]
    deadline = time.monotonic() + 10
    while not {("policy", True), ("revocations", False)} <= changes_after_the_start(running):
        assert time.monotonic() < deadline, changes_after_the_start(running)
        time.sleep(0.02)
    again = running.run("revoke", "remove", "--spiffe", WEB, "--config", running.config)
    assert again.returncode == 0 and status(running)["snapshot"]["revocations"]["entries"] == 0


def test_revoke_fails_where_a_broken_list_of_another_keeps_it_out(running):
    (running.folder / "revocations" / "other.yaml").write_text("kind: nonsense\n")
    result = running.run("revoke", "add", "--spiffe", WEB, "--reason", "r", "--config", running.config)
    assert result.returncode != 0 and "other.yaml" in result.stderr
    assert status(running)["snapshot"]["revocations"]["sequence"] == 0


def revoke(place, spiffe, *words):
    return place.run("revoke", "add", "--spiffe", spiffe, "--reason", "r", *words)


def test_a_deny_list_that_was_lost_holds_and_the_way_back_of_the_manual_works(running):
    where = ("--config", running.config)
    other = WEB.replace("/web", "/job")
    for spiffe in (WEB, other, WEB.replace("/web", "/third")):
        assert revoke(running, spiffe, *where).returncode == 0
    (running.folder / "revocations" / "revocations.yaml").unlink()

    lost = revoke(running, other, *where)
    assert lost.returncode == 1 and "sequence 1 is older than 3" in lost.stderr
    assert status(running)["snapshot"]["revocations"] == {"generation": 4, "sequence": 3, "entries": 3}

    new = running.folder / "new"
    new.mkdir()
    assert revoke(running, WEB, "--dir", new, "--above", 3).returncode == 0
    assert revoke(running, other, "--dir", new).returncode == 0
    (new / "revocations.yaml").rename(running.folder / "revocations" / "revocations.yaml")
    deadline = time.monotonic() + 15
    while status(running)["snapshot"]["revocations"]["sequence"] != 5:
        assert time.monotonic() < deadline, status(running)
        time.sleep(0.02)
    assert status(running)["snapshot"]["revocations"]["entries"] == 2
    assert status(running)["last_reload_error"] is None
    assert revoke(running, WEB.replace("/web", "/third"), *where).returncode == 0


def test_status_is_the_screen_of_docs_admin_api(running):
    result = running.run("status", "--config", running.config)
    assert result.returncode == 0 and result.stdout.startswith("ready\n")
    members = set(status(running))
    assert members >= {
        "ready",
        "not_ready_reasons",
        "pid",
        "version",
        "time",
        "uptime_seconds",
        "instance",
        "enforcement",
        "config",
        "snapshot",
        "last_reload_error",
        "decisions",
        "refusals",
        "recent_refusals",
        "journal",
        "caches",
        "parked",
        "listeners",
    }
