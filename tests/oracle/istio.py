# SPDX-License-Identifier: Apache-2.0
"""Istio's AuthorizationPolicy (security.istio.io/v1): a direct reading of its documentation
and a translation into a Bartizan document, as far as v1alpha1 can say it.

Only what the published pairs need, for tests: no importer."""

import ipaddress
import itertools
import re

from policies import ISSUER

# ---- a direct reading ----


def text_fits(pattern: str, value, is_presence=False) -> bool:
    """`*` is any text that is not empty (with `is_presence`: any); `*s`, `p*`; else the text itself."""
    if value is None:
        return False
    if pattern == "*":
        return is_presence or value != ""
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern


def principal_fits(pattern: str, identity) -> bool:
    if identity is None or pattern == "*":
        return identity is not None
    if pattern.startswith("*"):
        return re.fullmatch("spiffe://.*" + re.escape(pattern[1:]), identity) is not None
    return text_fits("spiffe://" + pattern, identity)


def namespace_fits(pattern: str, identity) -> bool:
    regex = ".*/ns/" + re.escape(pattern).replace(r"\*", ".*") + "/.*"
    return identity is not None and re.fullmatch(regex, identity) is not None


def account_fits(pattern: str, identity, own_namespace: str) -> bool:
    namespace, _, account = pattern.rpartition("/")
    regex = f"spiffe://.+/ns/{re.escape(namespace or own_namespace)}/(.+/|)sa/{re.escape(account)}(/.+)?"
    return identity is not None and re.fullmatch(regex, identity) is not None


def domain_fits(pattern: str, identity) -> bool:
    found = re.match("spiffe://([^/]*)/", identity or "")
    return found is not None and text_fits(pattern, found[1])


def user_fits(pattern: str, claims) -> bool:
    issuer, _, subject = ("*", "", "*") if pattern == "*" else pattern.rpartition("/")
    if pattern != "*" and "/" not in pattern:
        issuer, subject = pattern, ""
    return claims is not None and text_fits(issuer, claims["iss"]) and text_fits(subject, claims["sub"])


def address_fits(block: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(block, strict=False)


def path_fits(pattern: str, path: str) -> bool:
    """Without the query. `{*}` is one segment that is not empty, `{**}` any text."""
    path = path.partition("?")[0]
    if "{" not in pattern:
        return text_fits(pattern, path)
    words = {"{*}": "[^/]+", "{**}": ".*"}
    return re.fullmatch("".join(words.get(part, re.escape(part)) for part in re.split(r"(\{\*+\})", pattern)), path) is not None


def header_of(request, name):
    values = [value for each, value in request.headers if each == name.lower()]
    return values[0] if values else None


def claim_fits(pattern: str, value) -> bool:
    return any(text_fits(pattern, each) for each in (value if isinstance(value, list) else [value]))


def condition_fits(key: str, pattern: str, request) -> bool:
    named = re.fullmatch(r"request\.headers\[(.+)\]", key)
    if named:
        return text_fits(pattern, header_of(request, named[1]), True)
    path = re.findall(r"\[([^]]+)\]", key)
    if key.startswith("request.auth.claims"):
        value = request.claims
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return claim_fits(pattern, value)
    claims = request.claims or {}
    return {
        "source.ip": lambda: address_fits(pattern, request.source),
        "remote.ip": lambda: address_fits(pattern, request.remote),
        "destination.ip": lambda: address_fits(pattern, request.destination),
        "destination.port": lambda: int(pattern) == request.destination_port,
        "source.namespace": lambda: namespace_fits(pattern, request.identity),
        "source.principal": lambda: principal_fits(pattern, request.identity),
        "request.auth.principal": lambda: user_fits(pattern, request.claims),
        "request.auth.audiences": lambda: claim_fits(pattern, claims.get("aud")),
        "request.auth.presenter": lambda: claim_fits(pattern, claims.get("azp")),
        "connection.sni": lambda: text_fits(pattern, request.sni or ""),
    }.get(key, lambda: False)()


def source_tests(request, namespace) -> dict:
    return {
        "principals": lambda value: principal_fits(value, request.identity),
        "namespaces": lambda value: namespace_fits(value, request.identity),
        "serviceAccounts": lambda value: account_fits(value, request.identity, namespace),
        "trustDomains": lambda value: domain_fits(value, request.identity),
        "requestPrincipals": lambda value: user_fits(value, request.claims),
        "ipBlocks": lambda value: address_fits(value, request.source),
        "remoteIpBlocks": lambda value: address_fits(value, request.remote),
    }


def operation_tests(request) -> dict:
    return {
        "methods": lambda value: text_fits(value, request.method, True),
        "hosts": lambda value: text_fits(value.lower(), request.host.lower(), True),
        "ports": lambda value: int(value) == request.destination_port,
        "paths": lambda value: path_fits(value, request.path),
    }


def fields_fit(fields: dict, tests: dict) -> bool:
    """Values of a field by OR, fields by AND; `notX` is none of its values."""
    for name, values in fields.items():
        wanted = name in tests
        test = tests[name if wanted else name[3].lower() + name[4:]]
        if any(map(test, values)) != wanted:
            return False
    return True


def rule_fits(rule: dict, request, namespace) -> bool:
    sources = [each["source"] for each in rule.get("from", [])] or [{}]
    operations = [each["operation"] for each in rule.get("to", [])] or [{}]
    return (
        any(fields_fit(source, source_tests(request, namespace)) for source in sources)
        and any(fields_fit(operation, operation_tests(request)) for operation in operations)
        and all(
            ("values" not in each or any(condition_fits(each["key"], value, request) for value in each["values"]))
            and not any(condition_fits(each["key"], value, request) for value in each.get("notValues", []))
            for each in rule.get("when", [])
        )
    )


def enforced(policies) -> list:
    return [each for each in policies if each["metadata"].get("annotations", {}).get("istio.io/dry-run") != "true"]


def rules_of(policy) -> list:
    return policy["spec"].get("rules") or []


def allows(policies, request) -> bool:
    """Any DENY that fits denies; without an ALLOW policy all is allowed; else one must fit."""
    by_action = {"ALLOW": [], "DENY": []}
    for policy in enforced(policies):
        fits = any(rule_fits(rule, request, policy["metadata"]["namespace"]) for rule in rules_of(policy))
        by_action[policy["spec"].get("action", "ALLOW")].append(fits)
    return not any(by_action["DENY"]) and (not by_action["ALLOW"] or any(by_action["ALLOW"]))


# ---- translation ----


class Translation:
    """`unsaid`: what v1alpha1 has no word for, each as "field value": then there is no `document`.
    It means the same as the policy on requests on which the `assumed` conditions hold;
    where it `reads_shape`, of callers whose ID is spiffe://DOMAIN/ns/N/sa/S."""

    def __init__(self, policies, trust_domains):
        self.unsaid, self.assumed, self.actions, self.rules = [], [], {}, []
        self.trust_domains, self.reads_shape = trust_domains, False
        live = enforced(policies)
        for policy in live:
            for index, rule in enumerate(rules_of(policy)):
                self.rule(policy, f"{policy['metadata']['name']}-{index}", rule)
        if not any(policy["spec"].get("action", "ALLOW") == "ALLOW" for policy in live):
            self.rules.append({"allow": "no-allow-policy", "subjects": "any"})
        self.document = None if self.unsaid else self.whole()

    def whole(self) -> dict:
        # A set without a rule is no policy; this rule never decides anything.
        self.rules = self.rules or [{"deny": "nothing", "subjects": "any", "when": never()}]
        return {
            "apiVersion": "bartizan.dev/v1alpha1",
            "kind": "AccessPolicy",
            "metadata": {"name": "istio"},
            "spec": {
                "issuers": {"sso": {"url": ISSUER, "audiences": ["oracle"], "profile": "generic"}},
                "roles": self.roles(),
                "actions": self.actions,
                "rules": self.rules,
            },
        }

    def cannot(self, field, values=()):
        self.unsaid += [f"{field} {value}" for value in values] or [field]

    def roles(self) -> dict:
        members = {subject for rule in self.rules if isinstance(rule["subjects"], dict) for subject in rule["subjects"].get("user", [])}
        return {name: {"members": [{"user": {"issuer": "sso", "subject": name[5:]}}]} for name in sorted(members)}

    def rule(self, policy, name, rule):
        sources = [each["source"] for each in rule.get("from", [])] or [{}]
        if any(set(each) == {"principals"} and "*" in each["principals"] for each in sources):
            sources = [{"principals": ["*"]}] + [each for each in sources if "principals" not in each]  # the others are implied
        operations = [each["operation"] for each in rule.get("to", [])] or [{}]
        for (i, source), (j, operation) in itertools.product(enumerate(sources), enumerate(operations)):
            self.one(policy, f"{name}-{i}-{j}", source, operation, rule.get("when", []))

    def one(self, policy, name, source, operation, when):
        if is_never(source, operation):
            return
        source, when = joined(source, when)
        self.reads_shape = self.reads_shape or "namespaces" in source or "serviceAccounts" in source
        effect = policy["spec"].get("action", "ALLOW").lower()
        subjects, conditions = self.source(source, policy["metadata"]["namespace"])
        if subjects is None:
            return
        out = {effect: name, "subjects": subjects or "any"}
        action, ports = self.operation(operation)
        if action:
            self.actions[name] = {"http": [action]}
            out["actions"] = [name]
        conditions += ports + self.when(when)
        if conditions:
            out["when"] = conditions[0] if len(conditions) == 1 else {"all": conditions}
        self.rules.append(out)
        if "notTrustDomains" in source:
            self.excluded_domains(name, source)

    def excluded_domains(self, name, source):
        """"Everybody but": everybody, and a deny for the rest, among the domains that the sidecar
        knows; right only where no other rule wants to allow the rest."""
        if set(source) != {"notTrustDomains"}:
            return self.cannot("notTrustDomains beside", sorted(set(source) - {"notTrustDomains"}))
        out = [domain for domain in self.trust_domains if any(text_fits(value, domain) for value in source["notTrustDomains"])]
        return self.rules.append({"deny": name + "-not", "subjects": {"workload": {"trustDomain": out}}})

    def source(self, source, namespace):
        """Subjects (None: nobody can be meant) and conditions."""
        workload, user, conditions = {}, [], []
        for field, values in source.items():
            if field == "principals":
                workload |= self.principals(values)
            elif field == "namespaces":
                workload["namespace"] = [value for value in values if "*" not in value]
                self.cannot_any(field, [value for value in values if "*" in value])
            elif field == "serviceAccounts":
                workload["serviceAccount"] = [value if "/" in value else f"{namespace}/{value}" for value in values]
            elif field == "trustDomains":
                workload["trustDomain"] = [value for value in values if "*" not in value]
                self.cannot_any(field, [value for value in values if "*" in value])
            elif field == "requestPrincipals":
                user = self.users(values)
                if not user:
                    return None, []
            elif field in ("ipBlocks", "remoteIpBlocks"):
                conditions.append({"sourceIP" if field == "ipBlocks" else "remoteIP": {"in": values}})
            elif field in ("notIpBlocks", "notRemoteIpBlocks"):
                conditions.append({"not": {"sourceIP" if field == "notIpBlocks" else "remoteIP": {"in": values}}})
            elif field == "notServiceAccounts" and "serviceAccounts" in source and not set(values) & set(source["serviceAccounts"]):
                continue  # an account is not another one
            elif field != "notTrustDomains":
                self.cannot(field, values)
        subjects = {}
        if "principals" in source and not workload:
            subjects["workload"] = "any"
        elif workload:
            subjects["workload"] = workload
        if user:
            subjects["user"] = user
        return subjects, conditions

    def cannot_any(self, field, values):
        if values:
            self.cannot(field, values)

    def principals(self, values) -> dict:
        if "*" in values:
            return {}
        globs = []
        for value in values:
            if "*" not in value and "/" in value:
                globs.append("spiffe://" + value)
            elif value.endswith("*") and "/" in value and "*" not in value[:-1]:
                globs.append("spiffe://" + value + "/**")  # the rest of a segment, which is never empty, and more
            else:
                self.cannot("principals", [value])
        return {"spiffe": globs}

    def users(self, values) -> list:
        """Without `/` the subject is empty, which no token that we take has."""
        for value in values:
            if "*" in value or ("/" in value and value.rpartition("/")[0] != ISSUER):
                self.cannot("requestPrincipals", [value])
        return ["user-" + value.rpartition("/")[2] for value in values if value.startswith(ISSUER + "/")]

    def operation(self, operation):
        action, conditions = {}, []
        for field, values in operation.items():
            if field in ("ports", "notPorts"):
                ports = [{"port": int(value)} for value in values]
                conditions += [{"any": ports}] if field == "ports" else [{"not": port} for port in ports]
            elif field.startswith("not"):
                self.cannot(field, values)
            elif "*" in values:
                continue
            elif field == "paths":
                action["paths"] = [template for value in values for template in self.path(value)]
            elif field == "hosts":
                action["hosts"] = [value for value in values if self.is_sayable(field, value, value.startswith("*."))]
            else:
                action["methods"] = [value for value in values if self.is_sayable(field, value, False)]
        if action and "paths" not in action:
            action["paths"] = ["/{**}"]
        return action, conditions

    def is_sayable(self, field, value, is_good_glob) -> bool:
        if "*" in value and not is_good_glob:
            self.cannot(field, [value])
            return False
        return True

    def path(self, value) -> list:
        if value.endswith("/*") and "*" not in value[:-1]:
            return [value[:-1], value[:-1] + "{*}/{**}"]  # the prefix ends with its slash
        if value.startswith("*") or ("*" in value and re.search(r"\{\*\*\}.|[^{*]\*|\*[^}*]", value)):
            self.cannot("paths", [value])
            return []
        return [value]

    def when(self, conditions) -> list:
        out = []
        for each in conditions:
            key, values, none_of = each["key"], each.get("values"), each.get("notValues", [])
            if key == "destination.ip":
                self.assumed += [each] if each not in self.assumed else []
                continue
            if values:
                leaves = [leaf for value in values for leaf in self.leaf(key, value)]
                out += [{"any": leaves}] if leaves else []
            out += [{"not": leaf} for value in none_of for leaf in self.leaf(key, value)]
        return out

    def leaf(self, key, value) -> list:
        named = re.fullmatch(r"request\.headers\[(.+)\]", key)
        if named:
            return [{"header": {"name": named[1].lower()} | value_test(value)}]
        if key in ("source.ip", "remote.ip"):
            return [{key[:6] + "IP": {"in": [value]}}]
        if key == "destination.port":
            return [{"port": int(value)}]
        claim = {"request.auth.audiences": "aud", "request.auth.presenter": "azp"}.get(key)
        if key.startswith("request.auth.claims"):
            claim = ".".join(re.findall(r"\[([^]]+)\]", key))
        if claim and not value.startswith("*"):
            return [{"claim": {"name": claim} | value_test(value)}]
        if key == "connection.sni" and (value.startswith("*.") or "*" not in value):
            return [{"sni": value}]
        self.cannot(key, [value])
        return []


def joined(source, when) -> tuple:
    """Conditions on the caller as fields of the source, where it has not got them."""
    names = {"source.principal": "principals", "source.namespace": "namespaces", "request.auth.principal": "requestPrincipals"}
    moved = {names[each["key"]]: each["values"] for each in when if each["key"] in names and "notValues" not in each}
    if set(moved) & set(source):
        return source, when
    return source | moved, [each for each in when if names.get(each["key"]) not in moved]


def never() -> dict:
    return {"all": [{"header": {"name": "x-never", "present": True}}, {"header": {"name": "x-never", "present": False}}]}


def value_test(pattern) -> dict:
    if pattern == "*":
        return {"present": True}
    if pattern.startswith("*"):
        return {"suffix": pattern[1:]}
    return {"prefix": pattern[:-1]} if pattern.endswith("*") else {"equals": pattern}


def is_never(source, operation) -> bool:
    """`notX: "*"` leaves nothing: every request has a path, a method and a host, and a caller who
    must be somebody has a principal."""
    if any("*" in operation.get(field, ()) for field in ("notPaths", "notMethods", "notHosts")):
        return True
    return any("*" in source.get("not" + field[0].upper() + field[1:], ()) and field in source for field in ("principals", "requestPrincipals"))
