# SPDX-License-Identifier: Apache-2.0
"""The two classes of requests on which Envoy's RBAC filter and Bartizan differ, each beside its
nearest request on which they do not. test_rbac.py leaves these classes out of its comparison."""

import bartizan_form
import envoy_form
import policies
import pytest
import wire
from oracle import Oracle
from policies import Operation, Path, Policy, Rule
from traffic import Request

TEMPLATE = Policy("template", {}, {}, {"x": [Operation([], [], [Path(("x", None))])]}, [Rule("any-x", "allow", actions=["x"])], True)
HEADER = Policy("header", {}, {}, {}, [Rule("betas", "allow", when=("header", "x-tier", "equals", ["beta"]))], False)
FORBIDDEN = Policy(
    "forbidden", {}, {}, {}, [Rule("all", "allow"), Rule("no-beta", "deny", when=("header", "x-tier", "equals", ["beta"]))], False
)
OPEN = Policy("open", {}, {}, {}, [Rule("everybody", "allow")], False)


def request(path="/", headers=(), host="models.example"):
    return Request("GET", host, path, list(headers), None, 0, "127.0.0.1", 0, None)


# Policy, request, Envoy's RBAC filter, Bartizan.
CASES = [
    (TEMPLATE, request("/x/ab"), 200, 200),
    (TEMPLATE, request("/x/a=b"), 200, 200),
    (TEMPLATE, request("/x/a*b"), 200, 200),
    (TEMPLATE, request("/x/"), 403, 403),
    (HEADER, request(headers=[("x-tier", "beta")]), 200, 200),
    (HEADER, request(headers=[("x-tier", "beta"), ("x-tier", "x")]), 200, 403),
    (HEADER, request(headers=[("x-tier", "x"), ("x-tier", "beta")]), 200, 403),
    (HEADER, request(headers=[("x-tier", "x")]), 403, 403),
    (FORBIDDEN, request(headers=[("x-tier", "x")]), 200, 200),
    (FORBIDDEN, request(headers=[("x-tier", "x"), ("x-tier", "y")]), 200, 403),
    (FORBIDDEN, request(headers=[("x-tier", "x"), ("x-tier", "beta")]), 403, 403),
    (OPEN, request("/a/b"), 200, 200),
    (OPEN, request("/a//b"), 200, 400),
    (OPEN, request("/a/../b"), 200, 400),
    (OPEN, request("/a;b"), 200, 400),
    (OPEN, request("/a%2Fb"), 200, 400),
    (OPEN, request("/a%41"), 200, 400),
    (OPEN, request(host="models.example."), 200, 400),
]


@pytest.fixture(scope="module")
def answers(binaries, envoy):
    with Oracle(binaries, envoy, policies.IDENTITIES[:2], [None], 1) as oracle:
        used = (TEMPLATE, HEADER, FORBIDDEN, OPEN)
        oracle.start_bartizan(bartizan_form.text(bartizan_form.document(policy, oracle.ports, policy.name) for policy in used))
        routes = []
        for policy in used:
            routes.append(wire.rbac_route("rbac-" + policy.name, envoy_form.rbac(policy, oracle.ports)))
            routes.append(wire.check_route("check-" + policy.name, policy.name))
        oracle.start_envoy(routes, ["deny", "allow"], oracle.stack.check_socket)
        both = [oracle.client.ask([(asked, side + policy.name) for policy, asked, *_ in CASES]) for side in ("rbac-", "check-")]
        yield list(zip(*both))


@pytest.mark.parametrize("index", range(len(CASES)), ids=lambda i: f"{CASES[i][0].name}-{i}")
def test_envoy_and_bartizan_differ_as_documented_and_nowhere_else(answers, index):
    assert answers[index] == CASES[index][2:], CASES[index][1]
