# SPDX-License-Identifier: Apache-2.0
"""Bartizan beside a real Envoy's RBAC filter: generated policies, printed for both, asked about
the same requests over the same wire. docs/oracles.md tells what is compared and what is not.

BARTIZAN_ORACLE=POLICIESxREQUESTS sets the size, BARTIZAN_ORACLE_SEED the seed."""

import os
from collections import Counter

import bartizan_form
import envoy_form
import policies
import pytest
import traffic
import wire
from oracle import Oracle

SEED = os.environ.get("BARTIZAN_ORACLE_SEED", "1")
POLICIES, REQUESTS = map(int, os.environ.get("BARTIZAN_ORACLE", "20x100").split("x"))


class Trial:
    """Every request with the answers of: Envoy's RBAC filter, the library with the policy alone,
    and a running Bartizan with all policies, asked by the same Envoy."""

    def __init__(self, oracle):
        self.policies = policies.generate(SEED, POLICIES)
        self.requests = {policy.name: traffic.generate(policy, SEED, REQUESTS) for policy in self.policies}
        oracle.start_bartizan(bartizan_form.text(bartizan_form.document(policy, oracle.ports, policy.name) for policy in self.policies))
        routes = []
        for policy in self.policies:
            routes.append(wire.rbac_route("rbac-" + policy.name, envoy_form.rbac(policy, oracle.ports)))
            routes.append(wire.check_route("check-" + policy.name, policy.name))
        oracle.start_envoy(routes, ["deny", "allow"], oracle.stack.check_socket)
        pairs = [(request, policy) for policy in self.policies for request in self.requests[policy.name]]
        rbac = oracle.client.ask([(request, "rbac-" + policy.name) for request, policy in pairs])
        check = oracle.client.ask([(request, "check-" + policy.name) for request, policy in pairs])
        alone = []
        for policy in self.policies:
            text = bartizan_form.text([bartizan_form.document(policy, oracle.ports)])
            alone += oracle.evaluate(text, [bartizan_form.given(request, oracle.ports) for request in self.requests[policy.name]])
        self.answers = list(zip(pairs, rbac, check, alone))

    def disagreements(self, without, differs):
        """In words, of requests that are in none of the classes `without`."""
        out = []
        for (request, policy), rbac, check, alone in self.answers:
            if not request.classes & without and differs(rbac, check, alone):
                out.append(f"{policy.name}: rbac {rbac}, check {check}, library {alone['verdict']} {alone['rule']} {alone['reason']}: {request}")
        return out


@pytest.fixture(scope="module")
def trial(binaries, envoy):
    with Oracle(binaries, envoy, policies.IDENTITIES, policies.USERS, policies.PORTS) as oracle:
        yield Trial(oracle)


def none_of(found):
    assert not found, f"{len(found)} disagreements, of which the first:\n" + "\n".join(found[:5])


def test_the_running_sidecar_and_the_library_give_the_same_status(trial):
    none_of(trial.disagreements(set(), lambda rbac, check, alone: check != (200 if alone["verdict"] == "allow" else alone["http_status"])))


def test_bartizan_allows_exactly_what_the_rbac_filter_allows(trial):
    classes = {"refused", "repeated"}
    none_of(trial.disagreements(classes, lambda rbac, check, alone: (rbac == 200) != (check == 200) or rbac not in (200, 403)))


def test_what_is_not_canonical_is_refused_before_any_rule(trial):
    for (request, policy), _, check, alone in trial.answers:
        if "refused" in request.classes:
            assert alone["http_status"] in (400, 414) and check in (400, 414), (request, alone)


def test_a_repeated_header_opens_nothing_that_the_rbac_filter_keeps_shut(trial):
    none_of(trial.disagreements({"refused"}, lambda rbac, check, alone: check == 200 and rbac != 200))


def test_enough_is_compared_and_both_answers_are_common(trial):
    compared = [rbac == 200 for (request, _), rbac, _, _ in trial.answers if not request.classes]
    excluded = Counter(name for (request, _), *_ in trial.answers for name in request.classes)
    rules = Counter((policy.name, alone["rule"]) for (_, policy), _, _, alone in trial.answers)
    total = sum(len(policy.rules) for policy in trial.policies)
    deciding = sum(1 for _, rule in rules if rule)
    print(f"{len(trial.policies)} policies, {len(trial.answers)} requests; {len(compared)} compared, {sum(compared)} allowed; "
          f"left out {dict(excluded)}; {deciding} of {total} rules decided")  # fmt: skip
    assert len(compared) > 0.8 * len(trial.answers)
    assert 0.15 < sum(compared) / len(compared) < 0.85
    assert deciding > 0.6 * total
