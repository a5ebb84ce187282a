# SPDX-License-Identifier: Apache-2.0
"""Cedar as an independent judge of what Bartizan decides: the same generated policies, the same requests,
no disagreement. BARTIZAN_CEDAR_PAIRS=POLICIESxREQUESTS sets how many (500x200)."""

import json
import os
import random
import subprocess
from collections import Counter

import cedar_form
import document_form
import pytest
from cases import make_policy, make_request

POLICIES, REQUESTS = map(int, os.environ.get("BARTIZAN_CEDAR_PAIRS", "500x200").split("x"))


def bartizan(binaries, folder, policy, requests) -> list:
    path, asked = folder / "policy.yaml", folder / "requests.jsonl"
    path.write_text(document_form.text(policy))
    asked.write_text("".join(json.dumps(given) + "\n" for given in requests))
    done = subprocess.run([binaries / "bartizan", "policy", "eval", path, "--requests", asked], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:] + path.read_text()
    return [json.loads(line)["verdict"] for line in done.stdout.splitlines()]


def pair(seed: int) -> tuple:
    rng = random.Random(seed)
    return make_policy(rng), [make_request(rng) for _ in range(REQUESTS)]


def test_cedar_and_bartizan_decide_alike(binaries, cedar, tmp_path):
    verdicts: Counter = Counter()
    for seed in range(POLICIES):
        policy, requests = pair(seed)
        ours = bartizan(binaries, tmp_path, policy, requests)
        theirs = cedar.decide(cedar_form.text(policy), [cedar_form.call(policy, given) for given in requests])
        verdicts.update(ours)
        differ = [(given, one, other) for given, one, other in zip(requests, ours, theirs, strict=True) if one != other]
        assert not differ, (
            f"seed {seed}: {len(differ)} requests, the first: Bartizan {differ[0][1]}, Cedar {differ[0][2]}\n"
            f"{json.dumps(differ[0][0])}\n{cedar_form.text(policy)}\n{document_form.text(policy)}"
        )
    print(f"{POLICIES} policies, {verdicts.total()} requests, {dict(verdicts)}, no disagreement")
    assert min(verdicts["allow"], verdicts["deny"]) > verdicts.total() / 20, "a comparison of one verdict says little"


@pytest.mark.parametrize("change", ["a forbid is dropped", "an allow loses its condition", "a deny loses its exception"])
def test_a_changed_translation_is_noticed(binaries, cedar, tmp_path, change):
    """The comparison sees what it is there to see: each change makes some pair of verdicts differ."""
    for seed in range(60):
        policy, requests = pair(seed)
        ours = bartizan(binaries, tmp_path, policy, requests)
        for rule in list(policy.rules):
            if change == "a forbid is dropped" and rule.effect == "deny":
                policy.rules.remove(rule)
            elif change == "an allow loses its condition" and rule.effect == "allow":
                rule.when = None
            elif change == "a deny loses its exception":
                rule.unless = None
        if ours != cedar.decide(cedar_form.text(policy), [cedar_form.call(policy, given) for given in requests]):
            return
    pytest.fail("no difference in 60 policies")
