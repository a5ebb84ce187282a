# SPDX-License-Identifier: Apache-2.0
"""`bartizan policy shadow`, with a decider that says what a test wants; the real one is in tests/process."""

import json

import pytest

import test_cli
from test_cli import STATUS, Decider, answer

PAIR = {
    "from": {"verdict": "allow", "rule": "operators\x1b[31m"},
    "to": {"verdict": "deny", "rule": None},
    "count": 7,
    "decision_id": "b3f1",
    "time": "2026-11-24T21:54:58Z",
}
SHADOW = {
    "path": "/etc/candidate",
    "loaded": True,
    "generation": 6,
    "digest": "77ab00112233445566",
    "rules": 15,
    "since": "2026-11-24T20:00:00Z",
    "checks": 90,
    "differences": 12,
    "others": 5,
    "pairs": [PAIR],
}


def shadow(place, body, *words):
    decider = Decider(place.folder / "admin.sock", answer("200 OK", body))
    result = place.run("policy", "shadow", "--config", place.config, *words)
    decider.end()
    return result


def status(place, body):
    (place.folder / "admin.sock").unlink(missing_ok=True)
    return test_cli.status(place, body)


def test_differences_are_shown_by_pair_and_fail(place):
    result = shadow(place, STATUS | {"shadow": SHADOW})
    assert result.returncode == 1, result.stderr
    for part in ("/etc/candidate", "15 rules", "digest 77ab00112233\n", "90 checks", "12 would", "deny default", "b3f1", "5  of more pairs"):
        assert part in result.stdout, part
    assert "\x1b" not in result.stdout


def test_no_difference_is_good(place):
    result = shadow(place, STATUS | {"shadow": SHADOW | {"differences": 0, "others": 0, "pairs": []}})
    assert result.returncode == 0 and "0 would" in result.stdout and "in force" not in result.stdout


def test_json_is_what_the_decider_says(place):
    result = shadow(place, STATUS | {"shadow": SHADOW}, "--format", "json")
    assert result.returncode == 1 and json.loads(result.stdout) == SHADOW


def test_a_refused_shadow_fails_and_says_why(place):
    result = shadow(place, STATUS | {"shadow": SHADOW | {"loaded": False, "digest": None}})
    assert result.returncode == 2 and "policy.yaml:12:5: unknown role" in result.stderr


@pytest.mark.parametrize("body", [STATUS, STATUS | {"shadow": None}])
def test_without_a_shadow_it_fails(place, body):
    result = shadow(place, body)
    assert result.returncode == 2 and "policy.shadow" in result.stderr


def test_when_nobody_answers_it_fails(place):
    result = place.run("policy", "shadow", "--config", place.config)
    assert result.returncode == 4 and "no decider answers" in result.stderr


def test_help_fits_a_terminal_and_a_wrong_format_is_refused(place):
    text = place.run("policy", "shadow", "--help")
    assert text.returncode == 0 and all(len(line) <= 100 for line in text.stdout.splitlines())
    assert place.run("policy", "shadow", "--format", "xml").returncode == 3


def test_status_has_a_line_for_it(place):
    assert "generation 6, 12 of 90 checks would differ" in status(place, STATUS | {"shadow": SHADOW}).stdout
    assert "shadow     REFUSED" in status(place, STATUS | {"shadow": SHADOW | {"loaded": False}}).stdout
    assert "shadow" not in status(place, STATUS | {"shadow": None}).stdout


def test_status_counts_what_was_only_reported(place):
    spared = {"report_only": {"would_deny": 3, "would_challenge": 4}}
    assert "3 would_deny, 4 would_challenge" in status(place, STATUS | spared).stdout
    assert "would_" not in status(place, STATUS).stdout


def test_check_takes_a_good_shadow_and_refuses_a_broken_one(place):
    place.config.write_text(place.config.read_text().replace("policy: {path: policy.yaml}", "policy: {path: policy.yaml, shadow: next.yaml}"))
    (place.folder / "next.yaml").write_text(place.policy.read_text())
    assert place.run("check", "--config", place.config).returncode == 0
    (place.folder / "next.yaml").write_text("kind: AccessPolicy\n")
    result = place.run("check", "--config", place.config)
    assert result.returncode == 2 and "next.yaml" in result.stderr and "good" not in result.stdout
    assert place.run("check", "--config", place.config, "--request", "-", text=place.request()).returncode == 0
