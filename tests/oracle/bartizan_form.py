# SPDX-License-Identifier: Apache-2.0
"""Policies of policies.py as Bartizan documents, and requests as descriptions for `policy eval`."""

import yaml
from policies import ISSUER


def template(path) -> str:
    names = iter("abcdefgh")
    words = [("{" + (next(names) if path.names else "*") + "}") if segment is None else segment for segment in path.segments]
    return "/" + "/".join(words + ["{**}"] * path.rest) + (f":{path.verb}" if path.verb else "")


def operation(each) -> dict:
    if each.grpc:
        return {"grpc": [each.grpc]}
    entry = {"paths": [template(path) for path in each.paths]}
    if each.methods:
        entry["methods"] = each.methods
    if each.hosts:
        entry["hosts"] = each.hosts
    if each.queries:
        entry["query"] = each.queries
    return {"http": [entry]}


def action(operations) -> dict:
    merged = {}
    for each in map(operation, operations):
        for key, values in each.items():
            merged.setdefault(key, []).extend(values)
    return merged


def value_test(kind, values):
    if kind == "present":
        return {"present": values}
    if kind in ("anyOf", "containsAll", "intRange"):
        return {kind: values}
    return {kind: values[0]}


def condition(node, ports):
    kind = node[0]
    if kind in ("all", "any"):
        return {kind: [condition(child, ports) for child in node[1]]}
    if kind == "not":
        return {"not": condition(node[1], ports)}
    if kind in ("header", "query", "claim"):
        return {kind: {"name": node[1]} | value_test(node[2], node[3])}
    if kind == "sourceIP":
        return {"sourceIP": {"in": node[1]}}
    if kind == "port":
        return {"port": [ports[node[1]] + node[2], ports[node[1]] + node[3]]}
    return {"sni": node[1]}


def rule(each, ports, guard) -> dict:
    out = {each.effect: each.name}
    subjects = {key: value for key, value in (("workload", each.workload), ("user", each.user)) if value is not None}
    out["subjects"] = subjects or "any"
    if each.actions:
        out["actions"] = each.actions
    if each.purpose:
        out["purpose"] = {"from": "header.x-purpose", "anyOf": each.purpose}
    when = [] if guard is None else [{"context": {"name": "case", "equals": guard}}]
    if each.when:
        when.append(condition(each.when, ports))
    if when:
        out["when"] = when[0] if len(when) == 1 else {"all": when}
    if each.unless:
        out["unless"] = condition(each.unless, ports)
    return out


def document(policy, ports, guard=None) -> dict:
    """With a guard the rules hold only where Envoy's route says `case: guard`: so that one
    Bartizan has many policies, told apart by route."""
    roles = {name: {"members": [{"workload": selector} for selector in members]} for name, members in policy.workload_roles.items()}
    for name, members in policy.user_roles.items():
        roles[name] = {
            "members": [
                {"user": {"issuer": "sso", "claims": {claim: value_test(*test) for claim, test in member.items()}}} for member in members
            ]
        }
    return {
        "apiVersion": "bartizan.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": policy.name},
        "spec": {
            "issuers": {"sso": {"url": ISSUER, "audiences": ["oracle"], "profile": "generic"}},
            "roles": roles,
            "actions": {name: action(operations) for name, operations in policy.actions.items()},
            "rules": [rule(each, ports, guard) for each in policy.rules],
        },
    }


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _):
        return True  # a policy has no anchors


def text(documents) -> str:
    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=200)


def given(request, ports) -> dict:
    """The request as a test of a policy describes it."""
    out = {
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "sourceIP": request.source,
        "port": ports[request.port],
    }
    headers = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    if headers:
        out["headers"] = {name: values if len(values) > 1 else values[0] for name, values in headers.items()}
    if request.identity:
        out["workload"] = request.identity
    if request.sni:
        out["sni"] = request.sni
    if request.claims:
        out["jwt"] = request.claims
    return out
