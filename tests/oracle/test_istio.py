# SPDX-License-Identifier: Apache-2.0
"""Istio's published pairs of an AuthorizationPolicy and the Envoy RBAC that Istio makes of it:
a real Envoy with the RBAC, a direct reading of the policy, and Bartizan with its translation
answer the same requests. docs/oracles.md tells what is renamed, and what v1alpha1 cannot say."""

import os
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import bartizan_form
import istio
import pytest
import traffic
import wire
import yaml
from oracle import Oracle
from policies import ISSUER

SEED = os.environ.get("BARTIZAN_ORACLE_SEED", "1")
REQUESTS = 2 * int(os.environ.get("BARTIZAN_ORACLE", "20x100").split("x")[1])
VECTORS = Path(os.environ.get("BARTIZAN_VECTORS", Path(__file__).resolve().parents[3] / "shared" / "vectors")) / "istio-authz"
PAIRS = {
    "allow-full-rule": ["allow-full-rule-out"],
    "allow-nil-rule": ["allow-nil-rule-out"],
    "allow-path": ["allow-path-out"],
    "deny-and-allow": ["deny-and-allow-out1", "deny-and-allow-out2"],
    "dry-run-allow": ["dry-run-allow-out"],
    "multiple-policies": ["multiple-policies-out"],
    "simple-policy-principal-with-wildcard": ["simple-policy-principal-with-wildcard-out"],
    "single-policy": ["single-policy-out"],
    "trust-domains": ["trust-domains-out"],
}
DOMAINS = ["prod.example", "td1", "cluster.local", "another.local", "bad.example", "badder", "untrusted", "untrusted.not"]

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="no Istio pairs: BARTIZAN_VECTORS names no folder with istio-authz")

# Of the full rule, by field or condition: the values that v1alpha1 has no word for. `not`: the others.
UNSAID = {
    "hosts": ["prefix.*", "not"],
    "methods": ["P*", "*ETE", "not"],
    "paths": ["*/suffix", "/{**}/path/template", "not"],
    "connection.sni": ["prefix.*", "*", "not"],
    "experimental.envoy.filters.a.b[c]": ["exact", "prefix-*", "*-suffix", "*", "not"],
    "principals": ["*-suffix-principal", "not"],
    "source.principal": ["*-suffix-principal", "not"],
    "namespaces": ["ns-prefix-*", "*-ns-suffix", "*", "not"],
    "source.namespace": ["ns-prefix-*", "*-ns-suffix", "*", "not"],
    "requestPrincipals": ["requestPrincipals-prefix-*", "*-suffix-requestPrincipals", "*", "not"],
    "request.auth.principal": ["requestPrincipals-prefix-*", "*-suffix-requestPrincipals", "*", "https://example.com/*", "not"],
    "request.auth.audiences": ["*-suffix-audiences", "*", "not"],
    "request.auth.presenter": ["*-suffix-presenter", "*", "not"],
    "request.auth.claims[iss]": ["*-suffix-iss", "*", "not"],
    "request.auth.claims[nested1][nested2]": ["*-suffix-nested", "*", "not"],
}

# ---- names that a request can have ----

# The published names are no SPIFFE IDs, methods or paths; each is renamed, in both files of a
# pair, to one that a certificate or a request can carry.
RENAMED = [
    (r"rule\\?\[(\d)\\?\]-from\\?\[(\d)\\?\]-principal\\?\[(\d)\\?\]", r"prod.example/ns/r\1f\2n1/sa/p\3"),
    (r"rule\\?\[(\d)\\?\]-from\\?\[(\d)\\?\]-ns\\?\[(\d)\\?\]", r"r\1f\2n\3"),
    (r"rule\[(\d)\]-to\[(\d)\]-host\[(\d)\]", r"r\1t\2h\3.example"),
    (r"rule\[(\d)\]-to\[(\d)\]-path\[(\d)\]", r"/r\1/t\2/p\3"),
    (r"\bprincipals([12])\b", r"prod.example/ns/p/sa/principals\1"),
    (r"spiffe://(deny|allow)$", r"spiffe://prod.example/ns/p/sa/\1"),
    (r'principals: \["(deny|allow)"\]', r'principals: ["prod.example/ns/p/sa/\1"]'),
    (r'exact: rule\[(\d)\]-from\[(\d)\]-requestPrincipal\[(\d)\]((?:.|\n)*?)exact: ""', rf"exact: {ISSUER}\4exact: r\1f\2u\3"),
    (r"rule\[(\d)\]-from\[(\d)\]-requestPrincipal\[(\d)\]", rf"{ISSUER}/r\1f\2u\3"),
]
FULL = [
    (r'"(not-)?principal("|-prefix-\*")', r'"prod.example/ns/full/sa/\1principal\2'),
    (r"spiffe://(not-)?principal(-prefix-)?$", r"spiffe://prod.example/ns/full/sa/\1principal\2"),
    (r'"method"|(?<=exact: )method$', "GET"),
    (r'"method-prefix-\*"', '"P*"'),
    (r"(?<=prefix: )method-prefix-$", "P"),
    (r'"\*-suffix-method"', '"*ETE"'),
    (r"(?<=suffix: )-suffix-method$", "ETE"),
    (r'"not-method"|(?<=exact: )not-method$', "HEAD"),
    (r'"not-method-prefix-\*"', '"OPT*"'),
    (r"(?<=prefix: )not-method-prefix-$", "OPT"),
    (r'"\*-not-suffix-method"', '"*CH"'),
    (r"(?<=suffix: )-not-suffix-method$", "CH"),
]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]
METHOD_NAMES = {
    f"rule[{rule}]-to[{to}]-method[{index}]": METHODS[(4 * rule + 2 * to + index - 1) % 7] for rule in (0, 1) for to in (0, 1) for index in (1, 2)
}


class Loopback:
    """a.b.c.d as 127.x.c.d, one x for each a.b: clients can have any address of 127.0.0.0/8,
    and the published blocks are at least 16 bits long."""

    def __init__(self):
        self.seen = {}

    def __call__(self, block: str) -> str:
        a, b, rest = block.split(".", 2)
        return f"127.{self.seen.setdefault((a, b), 10 + len(self.seen))}.{rest}"


def renamed(name: str, text: str) -> str:
    own = {"simple-policy-principal-with-wildcard": RENAMED[1:], "allow-full-rule": FULL}
    for pattern, replacement in own.get(name, RENAMED):
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    for name, method in METHOD_NAMES.items():
        text = text.replace(name, method)
    return text


def moved(node, loopback):
    """Addresses of the peer itself; those that a proxy vouches for stay."""
    if isinstance(node, list):
        return [moved(each, loopback) for each in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key in ("ipBlocks", "notIpBlocks") or (key in ("values", "notValues") and node.get("key") == "source.ip"):
            out[key] = list(map(loopback, value))
        elif key == "directRemoteIp":
            out[key] = value | {"addressPrefix": loopback(value["addressPrefix"])}
        else:
            out[key] = moved(value, loopback)
    return out


class Pair:
    """Policies, and the settings of the RBAC filters that Istio makes of them."""

    def __init__(self, name, policies, filters, count=REQUESTS):
        self.name, self.policies, self.filters = name, policies, filters
        self.translation = istio.Translation(policies, DOMAINS)
        self.requests = Aim(policies, f"{SEED}/{name}").requests(count)


def published(name) -> Pair:
    loopback = Loopback()

    def read(file):
        text = renamed(name, (VECTORS / f"{file}.yaml").read_text())
        return [moved(each, loopback) for each in yaml.safe_load_all(text) if each]

    policies = read(f"{name}-in")
    filters = [{key: value for key, value in read(file)[0]["typedConfig"].items() if key != "@type"} for file in PAIRS[name]]
    return Pair(name, policies, filters)


def split(pair):
    """A pair of each policy of a pair, with its own entries of the RBAC."""
    for policy in pair.policies:
        name = policy["metadata"]["name"]
        own = {key: value for key, value in pair.filters[0]["rules"]["policies"].items() if f"policy[{name}]" in key}
        assert own
        yield Pair(f"{pair.name}/{name}", [policy], [{"rules": {"policies": own}}], REQUESTS // 2)


# Where Istio puts the fields and conditions of a rule: a group for the values, then one for the others.
PERMISSIONS = ["hosts", "methods", "paths", "ports", "destination.ip", "destination.port", "connection.sni", "experimental.envoy.filters.a.b[c]"]
PRINCIPALS = ["principals", "requestPrincipals", "namespaces", "remoteIpBlocks", "ipBlocks", "request.headers[X-header]", "source.ip", "remote.ip",
              "source.namespace", "source.principal", "request.auth.principal", "request.auth.audiences", "request.auth.presenter",
              "request.auth.claims[iss]", "request.auth.claims[nested1][nested2]"]  # fmt: skip


def kept(node, indices, size):
    """The group with those of its values. An or_match has two at least: one is said twice."""
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key in ("rules", "ids", "valueMatchers") and isinstance(value, list):
            out[key] = [value[i] for i in indices] if len(value) == size else [kept(each, indices, size) for each in value]
            out[key] *= 2 if key == "valueMatchers" and len(out[key]) == 1 else 1
        else:
            out[key] = kept(value, indices, size)
    return out


def of_rule(rule, term) -> tuple:
    """What the rule says under a term: how to say it in a rule of its own, the values, the others."""
    capital = "not" + term[0].upper() + term[1:]
    for each in rule["when"]:
        if each["key"] == term:
            return lambda name, values: {"when": [{"key": term, name: values}]}, each["values"], each["notValues"]
    part, inner = ("to", "operation") if term in rule["to"][0]["operation"] else ("from", "source")
    fields = rule[part][0][inner]
    return lambda name, values: {part: [{inner: {term if name == "values" else capital: values}}]}, fields[term], fields[capital]


def terms(pair):
    """Each value of each field and condition of the full rule as a pair of its own, and the others
    of each, without the `*` that leaves nothing."""
    rule = istio.rules_of(pair.policies[0])[1]
    whole = pair.filters[0]["rules"]["policies"]["ns[foo]-policy[httpbin-1]-rule[1]"]
    groups = {"permissions": whole["permissions"][0]["andRules"]["rules"], "principals": whole["principals"][0]["andIds"]["ids"]}
    anything = {"permissions": [{"any": True}], "principals": [{"any": True}]}
    for kind, names in (("permissions", PERMISSIONS), ("principals", PRINCIPALS)):
        assert len(groups[kind]) == 2 * len(names)
        for i, term in enumerate(names):
            say, values, others = of_rule(rule, term)
            wanted = [("values", [value], [at], groups[kind][2 * i], len(values)) for at, value in enumerate(values)]
            rest = [at for at, value in enumerate(others) if value != "*"]
            wanted.append(("notValues", [others[at] for at in rest], rest, groups[kind][2 * i + 1], len(others)))
            for name, some, indices, group, size in wanted:
                policy = pair.policies[0] | {"spec": {"rules": [say(name, some)]}}
                rbac = {"rules": {"policies": {"one": anything | {kind: [kept(group, indices, size)]}}}}
                label = f"{pair.name}/{term}/{some[0] if name == 'values' else 'not'}"
                yield Pair(label, [policy], [rbac], REQUESTS // 5)


def all_pairs() -> list:
    whole = {name: published(name) for name in PAIRS}
    return [*whole.values(), *split(whole["multiple-policies"]), *terms(whole["allow-full-rule"])]


# ---- requests ----


@dataclass
class Request(traffic.Request):
    remote: str = "10.1.1.1"  # as a PROXY header says it, with the address and port that were asked for
    destination: str = "10.10.10.10"
    destination_port: int = 8080

    def preamble(self) -> bytes:
        return f"PROXY TCP4 {self.remote} {self.destination} 40000 {self.destination_port}\r\n".encode()

    def connection(self) -> tuple:
        return *super().connection(), self.preamble()

    @property
    def claims(self):
        return None if USERS[self.user] is None else {"iss": ISSUER, "aud": ["oracle"]} | USERS[self.user]


SUBJECTS = [f"r{rule}f{source}u{index}" for rule in "01" for source in "01" for index in "12"]
USERS = [
    None,
    *({"sub": subject} for subject in SUBJECTS),
    {"sub": "ada", "azp": "presenter", "nested1": {"nested2": "nested"}},
    {"sub": "requestPrincipals1", "aud": ["oracle", "audiences"], "azp": "presenter-prefix-x", "nested1": {"nested2": ["a", "nested-prefix-"]}},
    {"sub": "ada", "aud": ["audiences-prefix-", "oracle"], "azp": "x-suffix-presenter", "nested1": {"nested2": "x-suffix-nested"}},
    {"sub": "ada", "aud": ["oracle", "x-suffix-audiences"], "azp": "", "nested1": {"nested2": ""}},
    {"sub": "ada", "aud": ["oracle", "not-audiences"], "azp": "not-presenter", "nested1": {"nested2": ["not-nested"]}},
    {"sub": "ada", "aud": ["oracle", "not-audiences-prefix-x"], "azp": "presenterx", "nested1": {"nested2": []}},
    {"sub": "ada", "azp": "not-presenter-prefix-", "nested1": {"nested2": "not-nested-prefix-x", "nested3": "nested"}},
]
NAMED = """
    p/sa/principals1 p/sa/principals2 p/sa/principals p/sa/deny p/sa/allow p/sa/denyx namespaces1/sa/a namespaces2/sa/b
    namespaces1x/sa/a my-ns/sa/my-sa my-ns/sa/my-sa-not foo/sa/sa-only foo/sa/sa-not-only bar/sa/sa-only r0f0n1/sa/p3
    my-ns/x/sa/my-sa my-ns/sa/my-sa/more full/sa/principal full/sa/not-principal full/sa/principal-prefix-x
    full/sa/principal-prefix-x/y full/sa/principal-prefix- full/sa/principal-prefix full/sa/not-principal-prefix-x
    full/sa/x-suffix-principal full/sa/x-not-suffix-principal full/sa/-suffix-principal full/sa/x-suffix-principal/y ns/sa/a
    ns-prefix-x/sa/a ns-prefix-/sa/a x-ns-suffix/sa/a -ns-suffix/sa/a not-ns/sa/a not-ns-prefix-x/sa/a x-not-ns-suffix/sa/a
    ns/a ns ns-x/sa/a
"""
IDENTITIES = [
    None,
    *(f"spiffe://prod.example/ns/r{rule}f{source}n1/sa/p{index}" for rule in "01" for source in "01" for index in "12"),
    *(f"spiffe://prod.example/ns/{name}" for name in NAMED.split()),
    "spiffe://prod.example/x/ns/ns/y", "spiffe://prod.example/ns-prefix-/ns/x",
    *(f"spiffe://{domain}/ns/foo/sa/a" for domain in DOMAINS[1:]),
]  # fmt: skip


def wanted(fields) -> dict:
    """The others of a field are aimed at as well, where it has no values."""
    own = {name[3].lower() + name[4:]: values for name, values in fields.items() if name.startswith("not")}
    return own | {name: values for name, values in fields.items() if not name.startswith("not")}


class Aim:
    """One value of each field of one rule, then up to two fields put to something else."""

    def __init__(self, policies, seed):
        self.random = random.Random(seed)
        self.rules = [rule for policy in policies for rule in istio.rules_of(policy)] or [{}]

    def pick(self, items):
        return self.random.choice(items)

    def text(self, pattern) -> str:
        """A text that fits, mostly; else one that nearly does."""
        fitting = pattern.replace("{**}", self.pick(["a", "a/b"])).replace("{*}", self.pick(["x", "a=b", "a:b"]))
        fitting = "any" if fitting == "*" else fitting.replace("*", self.pick(["x", ""]))
        near = [fitting + "x", "x" + fitting, fitting[:-1], fitting.upper(), ""]
        return fitting if self.random.random() < 0.85 else self.pick(near)

    def inside(self, block) -> str:
        address, _, bits = block.partition("/")
        first, size = traffic.number(address), 1 << (32 - int(bits or 32))
        at = self.pick([first] * 5 + [first + size - 1] * 5 + [first + size, first - 1, first + size // 2])
        return ".".join(str(at >> shift & 255) for shift in (24, 16, 8, 0))

    def identity(self, source, namespace="foo"):
        tests = {"principals": istio.principal_fits, "namespaces": istio.namespace_fits, "trustDomains": istio.domain_fits,
                 "serviceAccounts": lambda value, identity: istio.account_fits(value, identity, namespace)}  # fmt: skip
        asked = {field: values for field, values in source.items() if field in tests}
        if self.random.random() < 0.06:
            return None
        fitting = [each for each in IDENTITIES if all(any(tests[field](value, each) for value in values) for field, values in asked.items())]
        return self.pick(fitting if fitting and self.random.random() < 0.85 else IDENTITIES)

    def user(self, source):
        subjects = [value.rpartition("/")[2] for value in source.get("requestPrincipals", [])]
        fitting = [i for i, claims in enumerate(USERS) if claims and claims["sub"] in subjects]
        return self.pick(fitting) if fitting and self.random.random() < 0.85 else self.random.randrange(len(USERS))

    def request(self) -> Request:
        rule = self.pick(self.rules)
        source = wanted(self.pick(rule.get("from", [{}])).get("source", {}))
        operation = wanted(self.pick(rule.get("to", [{}])).get("operation", {}))
        path = self.text(self.pick(operation.get("paths", ["/v1"])))
        request = Request(
            self.pick([each for each in operation.get("methods", METHODS) if each in METHODS] or METHODS),
            self.text(self.pick(operation.get("hosts", ["google.com"]))) or "x",
            path if path.startswith("/") else "/" + path,
            [], self.identity(source), self.user(source),
            self.inside(self.pick(source.get("ipBlocks", ["127.9.9.9"]))), 0, None,
            remote=self.inside(self.pick(source.get("remoteIpBlocks", ["10.1.1.1"]))),
            destination_port=int(self.pick(operation.get("ports", ["8080"]))),
        )  # fmt: skip
        for each in rule.get("when", []):
            self.condition(each["key"], self.pick(each.get("values", []) + each.get("notValues", [])), request)
        for _ in range(self.pick([0, 0, 0, 1, 2])):
            self.change(request)
        return request

    def condition(self, key, value, request):
        if key.startswith("request.headers"):
            request.headers = [(key[16:-1].lower(), self.text(value))]
        elif key == "destination.ip":
            request.destination = self.inside(value)
        elif key == "remote.ip":
            request.remote = self.inside(value)
        elif key == "source.ip":
            request.source = self.inside(value)
        elif key == "destination.port":
            request.destination_port = int(value)
        elif key == "connection.sni":
            request.sni = self.text(value).lower().strip(".") or None
        elif key == "source.namespace":
            request.identity = self.identity({"namespaces": [value]})
        elif key == "source.principal":
            request.identity = self.identity({"principals": [value]})

    def change(self, request):
        field = self.pick(["method", "host", "path", "identity", "user", "source", "remote", "destination", "port", "headers"])
        if field == "method":
            request.method = self.pick(METHODS)
        elif field == "host":
            request.host = self.pick(["google.com", "GOOGLE.COM", "google.com:80", "httpbin.org", "x.google.com", "oogle.com"])
        elif field == "path":
            request.path = self.pick(["/v1", "/v1/", "/v2?q", "/V1", "/exact", "/exactly", "/", "/prefix/", "/prefix", request.path + "/x", request.path + "?v1"])
        elif field == "identity":
            request.identity = self.pick(IDENTITIES)
        elif field == "user":
            request.user = self.random.randrange(len(USERS))
        elif field == "source":
            request.source = self.pick(["127.0.0.1", "127.10.3.4", "127.10.3.5", "127.11.7.0", "127.11.7.255", "127.11.8.0"])
        elif field == "remote":
            request.remote = self.pick(["172.16.10.10", "10.99.10.8", "10.80.64.0", "10.80.127.255", "172.17.8.255", "1.2.3.4"])
        elif field == "destination":
            request.destination = self.pick(["10.10.10.10", "10.10.10.11", "192.168.10.0", "192.168.11.0"])
        elif field == "port":
            request.destination_port = self.pick([80, 81, 90, 9001, 9002, 9101, 9112])
        else:
            request.headers = [("x-abc", self.pick(["abc1", "abc2", "abc", "", "ABC1"])), ("x-header", self.pick(["header", "", "head"]))]

    def requests(self, count) -> list:
        return [self.request() for _ in range(count)]


def given(request) -> dict:
    return bartizan_form.given(request, [request.destination_port]) | {"remoteIP": request.remote}


def classes(pair, request) -> set:
    """Named in docs/oracles.md."""
    out = set()
    segments = request.path.partition("?")[0][1:].split("/")
    if not traffic.is_canonical_path(segments) or not traffic.is_canonical_host(request.host):
        out.add("refused")
    shape = re.fullmatch("spiffe://[^/]+/ns/[^/]+/sa/[^/]+", request.identity or "spiffe://a/ns/b/sa/c")
    if not shape and pair.translation.reads_shape:
        out.add("shape")
    if ":" in request.host:
        out.add("host-port")
    if not istio.rule_fits({"when": pair.translation.assumed}, request, "foo"):
        out.add("destination-ip")
    return out


# ---- the comparison ----


@dataclass
class Answer:
    pair: Pair
    request: Request
    envoy: int
    reading: bool
    bartizan: str | None  # None: v1alpha1 cannot say the policy

    def is_of(self, name) -> bool:
        return self.pair.name.partition("/")[0] == name


@pytest.fixture(scope="module")
def answers(binaries, envoy):
    pairs = all_pairs()
    with Oracle(binaries, envoy, IDENTITIES, USERS, 1) as oracle:
        proxy = {"name": "proxy", "typed_config": wire.typed("extensions.filters.listener.proxy_protocol.v3.ProxyProtocol")}
        routes = [wire.rbac_route(pair.name, {f"rbac{i}": each for i, each in enumerate(pair.filters)}) for pair in pairs]
        for route in routes:
            del route["typed_per_filter_config"]["check"]
        oracle.start_envoy(routes, ["rbac0", "rbac1"], listener_filters=[proxy])
        asked = [(request, pair.name) for pair in pairs for request in pair.requests]
        statuses = iter(oracle.client.ask(asked))
        out = []
        for pair in pairs:
            verdicts = [None] * len(pair.requests)
            if pair.translation.document:
                text = bartizan_form.text([pair.translation.document])
                verdicts = [each["verdict"] for each in oracle.evaluate(text, map(given, pair.requests))]
            for request, verdict in zip(pair.requests, verdicts, strict=True):
                out.append(Answer(pair, request, next(statuses), istio.allows(pair.policies, request), verdict))
        yield out


def none_of(found):
    words = [f"{a.pair.name}: Envoy {a.envoy}, reading {a.reading}, Bartizan {a.bartizan}: {a.request}" for a in found[:5]]
    assert not found, f"{len(found)}, of which the first:\n" + "\n".join(words)


@pytest.mark.parametrize("name", PAIRS)
def test_envoy_does_what_a_direct_reading_of_the_policy_says(answers, name):
    none_of([a for a in answers if a.is_of(name) and a.envoy != (200 if a.reading else 403)])


@pytest.mark.parametrize("name", PAIRS)
def test_bartizan_decides_as_the_envoy_that_istio_configured(answers, name):
    asked = [a for a in answers if a.is_of(name) and a.bartizan]
    left_out = Counter(each for a in asked for each in classes(a.pair, a.request))
    compared = [a for a in asked if not classes(a.pair, a.request)]
    pairs = len({a.pair.name for a in asked})
    print(f"\n{name}: {pairs} pairs, {len(compared)} compared, {sum(a.envoy == 200 for a in compared)} allowed, left out {dict(left_out)}")
    assert len(compared) > 0.5 * len(asked)
    none_of([a for a in compared if (a.envoy == 200) != (a.bartizan == "allow")])
    none_of([a for a in asked if "refused" in classes(a.pair, a.request) and a.bartizan == "allow"])


def test_the_published_pairs_themselves_can_all_be_said(answers):
    assert all(a.bartizan for a in answers if "/" not in a.pair.name)


def test_what_v1alpha1_cannot_say_is_what_is_listed(answers):
    found = {a.pair.name.removeprefix("allow-full-rule/") for a in answers if a.bartizan is None}
    assert found == {f"{term}/{value}" for term, values in UNSAID.items() for value in values}
