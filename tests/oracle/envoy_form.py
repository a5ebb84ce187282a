# SPDX-License-Identifier: Apache-2.0
"""Policies of policies.py as Envoy RBAC (envoy.config.rbac.v3).

A rule is one RBAC policy for each conjunction of its condition's disjunctive normal form:
the filter joins permissions and principals by AND, and source addresses are principals,
ports and server names permissions.

What Bartizan cannot judge does not match an allow and matches a deny. Envoy knows two values;
so each test is written here as "true" for an allow and as "not false" for a deny."""

import itertools
import re

from policies import glob_regex, selector_regex

JWT = "envoy.filters.http.jwt_authn"
URI_TEMPLATE = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
INTEGER = "-?[0-9]{1,18}"  # more may be over 64 bits: no integer to Bartizan, nothing to range_match


def both(rules, kind):
    word = {"permission": ("and_rules", "rules"), "principal": ("and_ids", "ids")}[kind]
    return rules[0] if len(rules) == 1 else {word[0]: {word[1]: rules}}


def either(rules, kind):
    word = {"permission": ("or_rules", "rules"), "principal": ("or_ids", "ids")}[kind]
    return rules[0] if len(rules) == 1 else {word[0]: {word[1]: rules}}


def negated(rule, kind):
    return {{"permission": "not_rule", "principal": "not_id"}[kind]: rule}


ANY = {"any": True}
NONE = {"permission": {"not_rule": ANY}, "principal": {"not_id": ANY}}

# ---- paths ----


def octet(char: str) -> str:
    """The octet itself or its escape: segments are compared decoded. Unreserved octets have
    one canonical form, themselves; of others both are canonical."""
    if re.fullmatch(r"[A-Za-z0-9._~-]", char):
        return re.escape(char)
    escape = f"%{ord(char):02X}"
    return "(?:" + re.escape(char) + "|(?i:" + escape + "))"


def literal(segment: str) -> str:
    out = ""
    for escaped, char in re.findall(r"(%[0-9A-F]{2})|(.)", segment):
        out += f"(?i:{escaped})" if escaped else octet(char)
    return out


def path_regex(path) -> str:
    out = "".join("/" + ("[^/]+" if segment is None else literal(segment)) for segment in path.segments)
    if path.verb:
        out += octet(":") + "".join(map(octet, path.verb))
    return out + ("(?:/.*)?" if path.rest else "")


def url_path(regex: str) -> dict:
    return {"url_path": {"path": {"safe_regex": {"regex": regex}}}}


def path_permission(path, uses_templates) -> dict:
    if not uses_templates:
        return url_path(path_regex(path))
    words = "/" + "/".join("*" if segment is None else segment for segment in path.segments)
    templates = [words] + [words + "/**"] * path.rest
    return either([{"uri_template": {"name": "t", "typed_config": {"@type": URI_TEMPLATE, "path_template": each}}} for each in templates], "permission")


def host_regex(pattern: str) -> str:
    name, _, port = pattern.partition(":")
    name = ".+" + re.escape(name[1:]) if name.startswith("*") else re.escape(name)
    return "(?i)" + name + (":" + port if port else "(?::[0-9]+)?")


def header(name, **matcher) -> dict:
    return {"header": {"name": name} | matcher}


# ---- queries ----

# Any text without `&`, by whole octets: an escape is never cut in two.
OCTETS = "(?:[^&%]|%[0-9A-Fa-f]{2})*"
BEFORE = r"[^?]*\?(?:[^&]*&)*"
AFTER = "(?:&.*)?"


def escaped(text: str) -> str:
    """The text with any of its octets escaped: a query is percent-decoded once."""
    return "".join(f"(?:{re.escape(char)}|(?i:%{ord(char):02X}))" for char in text)


def in_target(regex) -> dict:
    return header(":path", string_match={"safe_regex": {"regex": regex}})


def query_test(name, kind, values, side="principal") -> tuple:
    """The test, and when it cannot be judged: the name is given twice."""
    name = escaped(name)
    there = in_target(f"{BEFORE}{name}(?:[=&].*)?")
    if kind == "present":
        return there if values else negated(there, side), None
    around = {"prefix": ("", OCTETS), "suffix": (OCTETS, ""), "contains": (OCTETS, OCTETS)}.get(kind, ("", ""))
    wanted = ["=" + around[0] + escaped(value) + around[1] if value else "=?" for value in values]
    twice = in_target(f"{BEFORE}{name}(?:=[^&]*)?&(?:[^&]*&)*{name}(?:[=&].*)?")
    return either([in_target(f"{BEFORE}{name}{value}{AFTER}") for value in wanted], side), twice


def sided(test, unknown, effect, side) -> dict:
    """A deny also takes what cannot be judged, an allow never."""
    if unknown is None:
        return test
    return either([test, unknown], side) if effect == "deny" else both([test, negated(unknown, side)], side)


def operation(each, effect, uses_templates) -> dict:
    if each.grpc:
        regex = "/" + "".join("[^/]*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", each.grpc))
        regex = regex.replace("/[^/]*", "/[^/]+")
        return both([header(":method", string_match={"exact": "POST"}), url_path(regex)], "permission")
    parts = [either([path_permission(path, uses_templates) for path in each.paths], "permission")]
    if each.methods:
        parts.append(either([header(":method", string_match={"exact": method}) for method in each.methods], "permission"))
    if each.hosts:
        parts.append(either([header(":authority", string_match={"safe_regex": {"regex": host_regex(host)}}) for host in each.hosts], "permission"))
    for name, values in each.queries.items():
        parts.append(sided(*query_test(name, "anyOf", values, "permission"), effect, "permission"))
    return both(parts, "permission")


# ---- callers ----


def authenticated(regex: str) -> dict:
    return {"authenticated": {"principal_name": {"safe_regex": {"regex": regex}}}}


def authenticated_as(key, value) -> dict:
    """By the plain matcher where there is one."""
    if key == "spiffe" and "*" not in value:
        return {"authenticated": {"principal_name": {"exact": value}}}
    if key == "trustDomain":
        return {"authenticated": {"principal_name": {"prefix": f"spiffe://{value}/"}}}
    return authenticated(glob_regex(value) if key == "spiffe" else selector_regex(key, value))


def workload(selector) -> dict:
    return both([either([authenticated_as(key, value) for value in values], "principal") for key, values in selector.items()], "principal")


def claim(path, matcher) -> dict:
    keys = [{"key": "payload"}] + [{"key": key} for key in path.split(".")]
    return {"metadata": {"filter": JWT, "path": keys, "value": matcher}}


HAS_USER = claim("iss", {"present_match": True})


def claim_has(path, matcher) -> dict:
    """A list has it, or the text is it."""
    return either([claim(path, {"string_match": matcher}), claim(path, {"list_match": {"one_of": {"string_match": matcher}}})], "principal")


def claim_test(path, kind, values) -> dict:
    if kind == "present":
        there = claim(path, {"present_match": True})
        return there if values else both([HAS_USER, negated(there, "principal")], "principal")
    if kind == "prefix":
        return claim_has(path, {"prefix": values[0]})
    each = [claim_has(path, {"exact": value}) for value in values]
    return both(each, "principal") if kind == "containsAll" else either(each, "principal")


def subjects(rule, policy) -> list:
    out = []
    if rule.workload == "any":
        out.append(authenticated("spiffe://.+"))
    elif isinstance(rule.workload, dict):
        out.append(workload(rule.workload))
    elif rule.workload:
        out.append(either([workload(selector) for role in rule.workload for selector in policy.workload_roles[role]], "principal"))
    if rule.user == "any":
        out.append(HAS_USER)
    elif rule.user == "none":
        out.append(negated(HAS_USER, "principal"))
    elif rule.user:
        members = [member for role in rule.user for member in policy.user_roles[role]]
        out.append(either([both([claim_test(name, *test) for name, test in member.items()], "principal") for member in members], "principal"))
    return out


# ---- conditions ----


def header_test(name, kind, values) -> tuple:
    """The test, and when it cannot be judged (None: always can)."""
    there = header(name, present_match=True)
    if kind == "present":
        return there if values else negated(there, "principal"), None
    if kind == "intRange":
        integer = header(name, string_match={"safe_regex": {"regex": INTEGER}})
        unknown = both([there, negated(integer, "principal")], "principal")
        return header(name, range_match={"start": values[0], "end": values[1] + 1}), unknown
    word = {"equals": "exact", "anyOf": "exact"}.get(kind, kind)
    return either([header(name, string_match={word: value}) for value in values], "principal"), None


def cidr(text) -> dict:
    address, _, bits = text.partition("/")
    return {"direct_remote_ip": {"address_prefix": address, "prefix_len": int(bits or 32)}}


def server_name(pattern) -> dict:
    matcher = {"suffix": pattern[1:]} if pattern.startswith("*") else {"exact": pattern}
    return {"requested_server_name": matcher}


def leaf(node, ports) -> tuple:
    """kind, test, what cannot be judged."""
    if node[0] == "header":
        return ("principal", *header_test(*node[1:]))
    if node[0] == "query":
        return ("principal", *query_test(*node[1:]))
    if node[0] == "claim":
        return "principal", claim_test(*node[1:]), None
    if node[0] == "sourceIP":
        return "principal", either([cidr(each) for each in node[1]], "principal"), None
    if node[0] == "port":
        port = ports[node[1]]
        return "permission", {"destination_port_range": {"start": port + node[2], "end": port + node[3] + 1}}, None
    return "permission", either([server_name(each) for each in node[1]], "permission"), None


def judged(node, is_wanted, effect, ports) -> tuple:
    """One test or its negation."""
    kind, test, unknown = leaf(node, ports)
    return kind, sided(test if is_wanted else negated(test, kind), unknown, effect, kind)


def normal_form(node, is_wanted) -> list:
    """Conjunctions of (leaf, whether it is wanted)."""
    if node[0] == "not":
        return normal_form(node[1], not is_wanted)
    if node[0] not in ("all", "any"):
        return [[(node, is_wanted)]]
    parts = [normal_form(child, is_wanted) for child in node[1]]
    if (node[0] == "any") == is_wanted:
        return [conjunction for part in parts for conjunction in part]
    return [sum(choice, []) for choice in itertools.product(*parts)]


def rule_policies(rule, policy, ports) -> list:
    permissions = [either([operation(each, rule.effect, policy.uses_templates) for name in rule.actions for each in policy.actions[name]], "permission")] if rule.actions else []
    principals = subjects(rule, policy)
    if rule.purpose:
        principals.append(judged(("header", "x-purpose", "anyOf", rule.purpose), True, rule.effect, ports)[1])
    out = []
    conditions = [normal_form(rule.when, True) if rule.when else [[]], normal_form(rule.unless, False) if rule.unless else [[]]]
    for when, unless in itertools.product(*conditions):
        tests = [judged(node, wanted, rule.effect, ports) for node, wanted in when + unless]
        own = {kind: [test for its, test in tests if its == kind] for kind in NONE}
        out.append(
            {
                "permissions": [both(permissions + own["permission"] or [ANY], "permission")],
                "principals": [both(principals + own["principal"] or [ANY], "principal")],
            }
        )
    return out


def rbac(policy, ports) -> dict:
    """What the filters `deny` and `allow` of a route have."""
    out = {}
    for effect in ("deny", "allow"):
        policies = {}
        for rule in policy.rules:
            if rule.effect == effect:
                for i, each in enumerate(rule_policies(rule, policy, ports)):
                    policies[f"{rule.name}-{i}"] = each
        out[effect] = {"rules": {"action": effect.upper(), "policies": policies}}
    return out
