# SPDX-License-Identifier: Apache-2.0
"""A policy of cases.py as Cedar policies, and a request as the call of a Cedar application.

A caller is a workload and perhaps a user with groups: one principal whose parents are these, which in
turn are in roles; a role that inherits another is in it. The action is an entity under all actions that
the request is. Two rules of Bartizan are said out loud, for Cedar has no third truth value: an id that
the catalog does not list has no labels and fails every label test of an allow, and passes every one of
a deny; a test on what is absent is false."""

import json

from cases import TYPES, Policy, Rule

quote = json.dumps


def uid(kind: str, name: str) -> dict:
    return {"type": kind, "id": name}


def any_of(tests: list) -> str:
    return "(" + " || ".join(tests) + ")"


def all_of(tests: list) -> str:
    return "(" + " && ".join(tests) + ")" if tests else "true"


# ---- conditions ----------------------------------------------------------------------


def like(place: str, test: str, value: str) -> str:
    pattern = {"prefix": f"{value}*", "suffix": f"*{value}", "contains": f"*{value}*"}[test]
    return f"{place} like {quote(pattern)}"


def leaf(kind: str, name: str, test: str, values) -> str:
    record = {"header": "context.headers", "context": "context.extensions", "claim": "context.user"}[kind]
    guard = ["context has user"] if kind == "claim" else []
    if test == "present":
        has = f"{record} has {quote(name)}"
        return all_of([*guard, has if values else f"!({has})"])
    if test == "intRange" and kind == "header":
        record = "context.numbers"
    place, has = f"{record}[{quote(name)}]", f"{record} has {quote(name)}"
    if test == "intRange":
        return all_of([*guard, has, f"{place} >= {values[0]}", f"{place} <= {values[1]}"])
    if name == "groups":
        return all_of([*guard, has, f"{place}.{'containsAll' if test == 'containsAll' else 'containsAny'}({quote(values)})"])
    if test in ("equals", "anyOf"):
        return all_of([*guard, has, f"{quote(values)}.contains({place})"])
    return all_of([*guard, has, any_of([like(place, test, value) for value in values])])


def condition(node: tuple) -> str:
    if node[0] in ("all", "any"):
        return (all_of if node[0] == "all" else any_of)([condition(child) for child in node[1]])
    return f"!{leaf(*node[1])}" if node[0] == "not" else leaf(*node)


# ---- rules -----------------------------------------------------------------------------


def selector(wanted: dict) -> list:
    attributes = {"trustDomain": "domain", "namespace": "namespace", "serviceAccount": "account", "spiffe": "spiffe"}
    return [f"principal has {attributes[key]} && {quote(values)}.contains(principal.{attributes[key]})" for key, values in wanted.items()]


def in_roles(roles: list) -> str:
    return any_of([f"principal in Role::{quote(role)}" for role in roles])


def subjects(rule: Rule) -> list:
    tests = []
    if rule.workload is not None:
        tests.append("principal has spiffe")
        tests += selector(rule.workload) if isinstance(rule.workload, dict) else []
        tests += [in_roles(rule.workload)] if isinstance(rule.workload, list) else []
    if rule.user is not None:
        tests.append("!(context has user)" if rule.user == "none" else "context has user")
        tests += [in_roles(rule.user)] if isinstance(rule.user, list) else []
    return tests


def resources(rule: Rule) -> list:
    if not rule.has_resources:
        return []
    tests = [any_of([f"resource is {kind.title()}" for kind in rule.types or TYPES])]
    if rule.ids:
        tests.append(any_of([f"(resource has name && resource.name like {quote(item)})" for item in rule.ids]))
    labels = [f"(resource has {key} && {quote(values)}.contains(resource.{key}))" for key, values in rule.labels.items()]
    labels += [f"!(resource has {key} && {quote(values)}.contains(resource.{key}))" for key, values in rule.not_labels.items()]
    if labels and rule.effect == "allow":
        tests += ["resource has listed", *labels]
    elif labels:
        tests.append(any_of(["!(resource has listed)", all_of(labels)]))
    return tests


def rule_form(rule: Rule) -> str:
    action = "action" if rule.actions is None else f"action in [{', '.join(f'Action::{quote(each)}' for each in rule.actions)}]"
    when = [*subjects(rule), *resources(rule), *([condition(rule.when)] if rule.when else [])]
    text = f"@id({quote(rule.name)}) {'permit' if rule.effect == 'allow' else 'forbid'}(principal, {action}, resource)"
    text += f" when {{ {all_of(when)} }}" if when else ""
    return text + (f" unless {{ {condition(rule.unless)} }}" if rule.unless else "") + ";"


def text(policy: Policy) -> str:
    return "\n".join(rule_form(rule) for rule in policy.rules)


# ---- requests ------------------------------------------------------------------------------


def caller(given: dict) -> dict:
    """The principal's attributes: what its SPIFFE ID says."""
    if "workload" not in given:
        return {}
    spiffe = given["workload"]
    domain, *rest = spiffe.removeprefix("spiffe://").split("/")
    attributes = {"spiffe": spiffe, "domain": domain}
    if len(rest) == 4 and (rest[0], rest[2]) == ("ns", "sa"):
        attributes |= {"namespace": rest[1], "account": f"{rest[1]}/{rest[3]}"}
    return attributes


def members(policy: Policy) -> dict:
    """Entity to the roles that it is directly in."""
    out: dict = {}
    for name, role in policy.roles.items():
        for member in role["members"]:
            if role["kind"] == "workload":
                names = [("Workload", member)]
            else:
                names = [("Group", group) for group in member.get("groups", [])] + [("User", user) for user in member.get("subject", [])]
            for each in names:
                out.setdefault(each, []).append(name)
    return out


def entities(policy: Policy, given: dict, resource: tuple, item: str) -> list:
    user, held = given.get("jwt", {}), members(policy)
    parents = [("Workload", given["workload"])] if "workload" in given else []
    parents += [("User", user["sub"])] if user else []
    parents += [("Group", group) for group in user.get("groups", [])]
    out = [{"uid": uid("Caller", "caller"), "attrs": caller(given), "parents": [uid(*each) for each in parents]}]
    out += [{"uid": uid(*each), "attrs": {}, "parents": [uid("Role", role) for role in held.get(each, [])]} for each in parents]
    out += [{"uid": uid("Role", name), "attrs": {}, "parents": [uid("Role", each) for each in role["inherits"]]}
            for name, role in policy.roles.items()]  # fmt: skip
    labels = policy.catalog.get((resource[0].lower(), item))
    attributes = {"name": item} | ({} if labels is None else {"listed": True, **labels})
    out.append({"uid": uid(*resource), "attrs": attributes, "parents": []})
    _, path, _ = given["path"].split("/")
    fitting = [name for name, entries in policy.actions.items() if any(given["method"] in methods and path == of for methods, of in entries)]
    out.append({"uid": uid("Action", "request"), "attrs": {}, "parents": [uid("Action", name) for name in fitting]})
    return out


def call(policy: Policy, given: dict) -> dict:
    kinds = [name.title() for name, host in TYPES.items() if host == given["host"]]
    item = given["path"].rsplit("/", 1)[1]
    resource = (kinds[0] if kinds else "Nothing", item)
    headers = given["headers"]
    context = {"headers": headers, "extensions": given["context"], "numbers": {"x-level": int(headers["x-level"])} if "x-level" in headers else {}}
    if "jwt" in given:
        context["user"] = given["jwt"]
    return {"principal": uid("Caller", "caller"), "action": uid("Action", "request"), "resource": uid(*resource),
            "context": context, "entities": entities(policy, given, resource, item)}  # fmt: skip
