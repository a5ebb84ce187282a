# SPDX-License-Identifier: Apache-2.0
"""Certificates of three makers before two judges: go-spiffe's x509svid.Verify and ours. docs/oracles.md argues for each class in which they
differ. BARTIZAN_JUDGES=PAIRS sets how many combinations of two changes are tried beside every single one, BARTIZAN_JUDGES_SEED which."""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from certificate_form import Case
from minters import Go, Keys, OpenSSL, Python, Unable, mint_each
from mutations import AXES, ISSUER_AXES, LEAF_AXES, Value

PAIRS = int(os.environ.get("BARTIZAN_JUDGES", "300"))
SEED = int(os.environ.get("BARTIZAN_JUDGES_SEED", "1"))


@pytest.fixture(scope="session")
def judge() -> Path:
    program = os.environ.get("BARTIZAN_SVID_JUDGE")
    if not program:
        pytest.skip("SKIPPED: go-spiffe as a judge: set BARTIZAN_SVID_JUDGE to the program of tests/go/svid_judge")
    return Path(program)


@pytest.fixture(scope="session")
def verifier(binaries) -> Path:
    return binaries.parent / "tests" / "svid_verify"


def made_of(values: list[Value]) -> Case:
    case = Case()
    for each in sorted(values, key=lambda value: value.axis in LEAF_AXES):  # who issues first, then the leaf
        each.change(case)
    case.values = values
    return case


def combines(a: Value, b: Value) -> bool:
    """Both change the same thing, or one gives the other another meaning."""
    axes = {a.axis, b.axis}
    if len(axes) == 1 or axes <= set(ISSUER_AXES) or axes == {"id", "constraints"} or axes == {"validity", "chain"}:
        return False
    if {a.name, b.name} == {"policy", "demands-a-policy"}:
        return False
    raws = [part for each in (a, b) for part in made_of([each])["leaf"]["raw"]]
    if len({part["oid"] for part in raws}) < len(raws):
        return False
    touched = [{key for key, now in made_of([each])["leaf"].items() if now != Case()["leaf"][key] and key not in ("raw", "issuer")} for each in (a, b)]
    return not touched[0] & touched[1]


def pairs(count: int) -> list[list[Value]]:
    chance = random.Random(SEED)
    all_values = [value for axis in LEAF_AXES + ISSUER_AXES for value in AXES[axis]]
    possible = [[a, b] for a, b in itertools.combinations(all_values, 2) if combines(a, b)]
    return chance.sample(possible, min(count, len(possible)))


def ask(words: list, questions: list[dict]) -> list[dict]:
    done = subprocess.run(words, input="".join(json.dumps(each) + "\n" for each in questions), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers


def question(case: Case, pems: dict[str, str]) -> dict:
    return {"chain": [pems[name] for name in case.chain], "bundles": {domain: [pems[name] for name in names] for domain, names in case.bundles.items()},
            "time": case.time}  # fmt: skip


class Sitting:
    """All cases of one maker, judged."""

    def __init__(self, maker: str):
        self.maker, self.cases, self.unable, self.wrong = maker, [], [], []
        self.counts, self.classes = collections.Counter(), collections.Counter()

    def judge(self, case: Case, pems: dict, ours: dict, theirs: dict):
        self.cases.append((case, pems, ours["reason"]))
        is_ours, is_theirs = ours["reason"] == "none", theirs["error"] == ""
        bad = {value.reason for value in case.values if value.reason}
        named = " ".join(map(str, case.values)) or "good"
        if is_ours == bool(bad) or (bad and ours["reason"] not in bad):
            self.wrong.append(f"{self.maker}: {named}: we say {ours['reason']}, expected {sorted(bad) or 'none'}; go-spiffe: {theirs['error'] or 'good'}")
        if is_theirs != all(value.go for value in case.values):
            self.wrong.append(f"{self.maker}: {named}: go-spiffe says {theirs['error'] or 'good'}; we say {ours['reason']}")
        if is_ours and is_theirs and ours["id"] != theirs["id"]:
            self.wrong.append(f"{self.maker}: {named}: {ours['id']} and {theirs['id']}")
        self.counts["accepted" if is_ours and is_theirs else "refused" if not is_ours and not is_theirs else "differ"] += 1
        if is_ours != is_theirs:
            self.classes.update({value.why for value in case.values if value.why})


@pytest.fixture(scope="module")
def sittings(judge, verifier, tmp_path_factory) -> list[Sitting]:
    keys = Keys()
    makers = [Python(keys), OpenSSL(keys, tmp_path_factory.mktemp("openssl")), Go(keys, judge)]
    singles = [[], *([value] for axis in AXES.values() for value in axis)]
    combined = pairs(PAIRS)
    out = []
    for turn, maker in enumerate(makers):
        cases = [made_of(values) for values in [*singles, *combined[turn::3]]]
        sitting = Sitting(maker.name)
        judged = []
        for case, pems in zip(cases, mint_each(maker, [case.order() for case in cases])):
            if isinstance(pems, Unable):
                sitting.unable.append((case, pems))
            else:
                judged.append((case, pems))
        questions = [question(case, pems) for case, pems in judged]
        for (case, pems), ours, theirs in zip(judged, ask([verifier], questions), ask([judge, "verify"], questions)):
            sitting.judge(case, pems, ours, theirs)
        out.append(sitting)
    return out


def test_both_judges_say_of_every_certificate_what_the_specification_says(sittings):
    for sitting in sittings:
        counts, classes = sitting.counts, ", ".join(f"{name} {count}" for name, count in sorted(sitting.classes.items()))
        print(f"{sitting.maker}: {len(sitting.cases)} judged ({counts['accepted']} accepted, {counts['refused']} refused by both, {counts['differ']} "
              f"differ: {classes}), {len(sitting.unable)} that it cannot make")  # fmt: skip
    wrong = [each for sitting in sittings for each in sitting.wrong]
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:60])


def test_enough_was_made_and_judged(sittings):
    for sitting in sittings:
        assert len(sitting.cases) >= 150, [str(why) for _, why in sitting.unable][:5]
        assert sitting.counts["accepted"] >= 50 and sitting.counts["refused"] >= 50
    seen = {value for sitting in sittings for case, _, _ in sitting.cases for value in case.values}
    missing = [str(value) for axis in AXES.values() for value in axis if value not in seen]
    assert not missing, missing


def test_every_class_of_differences_is_argued_for_in_the_manual(sittings, root):
    text = (root / "docs" / "oracles.md").read_text()
    classes = {value.why for axis in AXES.values() for value in axis if value.why}
    assert {name for name in classes if f"| `{name}` |" not in text} == set()
    assert classes == set().union(*(sitting.classes for sitting in sittings))


def test_pki_verify_prints_the_verdict_with_its_reason(sittings, binaries, tmp_path):
    chance = random.Random(SEED)
    rfc3339 = "2027-01-15T08:00:00Z"
    simple = [(case, pems, reason) for case, pems, reason in sittings[0].cases
              if list(case.bundles) == ["prod.example"] and case.bundles["prod.example"] and reason not in ("certificate_malformed", "certificate_domain")]  # fmt: skip
    for case, pems, reason in chance.sample(simple, 25):
        (tmp_path / "chain.pem").write_text("".join(pems[name] for name in case.chain))
        (tmp_path / "bundle.pem").write_text("".join(pems[name] for name in case.bundles["prod.example"]))
        done = subprocess.run([binaries / "bartizan", "pki", "verify", tmp_path / "chain.pem", "--bundle", tmp_path / "bundle.pem", "--at", rfc3339],
                              capture_output=True, text=True, timeout=60)  # fmt: skip
        first = done.stdout.splitlines()[0] if done.stdout else done.stderr
        named = " ".join(map(str, case.values))
        if reason == "none":
            assert done.returncode == 0 and first.startswith("good: spiffe://prod.example/"), (named, first)
        else:
            assert done.returncode == 1 and first.startswith(f"refused: {reason}: "), (named, first)
            assert done.stdout.splitlines()[1].startswith("  do: "), named
