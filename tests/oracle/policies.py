# SPDX-License-Identifier: Apache-2.0
"""Policies that both Bartizan and Envoy's RBAC filter can say, in a form that is neither's.

Seeded: the same seed gives the same policies. What is left out of the language, because
the filter has no word for it, stands in docs/oracles.md."""

import random
import re
from dataclasses import dataclass, field

ISSUER = "https://sso.example"
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]

# Who calls, in two trust domains; None is a caller without a certificate. Near misses of each
# other: one more byte, one more segment, another domain.
IDENTITIES = [
    None,
    "spiffe://prod.example/ns/ml/sa/web",
    "spiffe://prod.example/ns/ml/sa/web-1",
    "spiffe://prod.example/ns/ml/sa/we",
    "spiffe://prod.example/ns/ml-x/sa/web",
    "spiffe://prod.example/ns/ops/sa/console",
    "spiffe://prod.example/ns/ml/sa/web/extra",
    "spiffe://prod.example/job/batch",
    "spiffe://partner.example/ns/ml/sa/web",
    "spiffe://partner.example/ns/ops/sa/console",
]
GLOBS = [
    "spiffe://prod.example/ns/ml/sa/web*", "spiffe://prod.example/ns/*/sa/web", "spiffe://prod.example/ns/ml/**",
    "spiffe://prod.example/ns/ml/sa/w*b", "spiffe://*/ns/ml/sa/web", "spiffe://*/ns/**", "spiffe://prod.example/**",
    "spiffe://prod.example/ns/ml*/sa/*", "spiffe://partner.example/ns/*/sa/*", "spiffe://prod.example/job/*",
    "spiffe://prod.example/ns/ml/sa/web/**", "spiffe://prod.example/*/*/*/*-*",
]  # fmt: skip

# Claims of the user, beside iss, sub and the times; None is a request without a token.
USERS = [
    None,
    {"roles": ["op"], "team": "blue"},
    {"roles": ["op", "admin"], "team": "blue-1", "org": {"unit": "ml"}},
    {"team": "", "roles": []},
    {"roles": "op", "org": {"unit": "ml-x"}},
    {"team": "red", "roles": ["operator"], "org": {"unit": ["ml", "ops"]}},
]
CLAIM_VALUES = {"roles": ["op", "admin", "operator", "o"], "team": ["blue", "blue-1", "red", "b"], "org.unit": ["ml", "ops", "ml-x"]}

SOURCES = ["127.0.0.1", "127.1.2.3", "127.1.2.4", "127.1.127.255", "127.1.128.0", "127.2.0.0", "127.200.0.9"]
CIDRS = ["127.0.0.0/8", "127.1.0.0/16", "127.1.0.0/17", "127.1.128.0/17", "127.1.2.2/31", "127.1.2.4/31", "127.1.2.3/32",
         "127.1.2.3", "127.2.0.0/15", "127.128.0.0/9", "10.0.0.0/8", "127.1.127.255/32"]  # fmt: skip
PORTS = 3  # listening ports, known by index until they are bound
SNIS = [None, "models.example", "eu.models.example", "other.example"]

HOSTS = ["models.example", "eu.models.example", "a.eu.models.example", "other.example", "xmodels.example", "my-models.example"]
HOST_PATTERNS = ["models.example", "eu.models.example", "*.models.example", "*.example", "models.example:8443", "*.models.example:8443", "Other.Example"]
LITERALS = ["v1", "v2", "items", "models", "caf%C3%A9", "a%20b", "a:b", "k=v", "x.y", "a+b", "~me", "(1)", "u@d", "$x&y", "a,b'"]
PLAIN_LITERALS = ["v1", "v2", "items", "models", "x.y", "~me", "a_b-c"]
VERBS = ["predict", "go.1", "x-y"]
HEADER_VALUES = ["alpha", "alpha-1", "beta", "a", "", "17", "-3", "1x", "007", "alphabet", "ALPHA"]
HEADERS = ["x-tier", "x-team", "x-run"]
QUERY_VALUES = ["alpha", "alpha-1", "a", "", "17", "ALPHA", "be~ta", "b.c", "x=y", "(1)"]
QUERIES = ["q", "id"]


@dataclass(frozen=True)
class Path:
    """Segments: a text, or None for one that is not empty; `rest` for any tail; `verb` on the last."""

    segments: tuple
    rest: bool = False
    verb: str | None = None
    names: bool = False  # {name} rather than {*}


@dataclass
class Operation:
    methods: list
    hosts: list
    paths: list  # of Path
    grpc: str | None = None
    queries: dict = field(default_factory=dict)  # name: values


@dataclass
class Rule:
    name: str
    effect: str  # allow, deny
    workload: object = None  # None, "any", list of role names, or a selector
    user: object = None  # None, "any", "none", or list of role names
    actions: list = field(default_factory=list)
    purpose: list = field(default_factory=list)  # values of the header x-purpose
    when: tuple | None = None
    unless: tuple | None = None


@dataclass
class Policy:
    name: str
    workload_roles: dict  # name: list of selectors
    user_roles: dict  # name: list of {claim: (kind, values)}
    actions: dict  # name: list of Operation
    rules: list
    uses_templates: bool  # Envoy's own uri_template, rather than regular expressions


def glob_regex(glob: str) -> str:
    """RE2 and Python alike. `*` stays in a segment; `**` is zero or more of them, last."""
    glob, rest = (glob[:-3], "(?:/.*)?") if glob.endswith("/**") else (glob, "")
    return "".join("[^/]*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", glob)) + rest


def selects(selector: dict, identity: str | None) -> bool:
    """Only to aim requests; the oracle is Envoy."""
    return identity is not None and all(
        any(re.fullmatch(selector_regex(key, value), identity) for value in values) for key, values in selector.items()
    )


def selector_regex(key: str, value: str) -> str:
    if key == "spiffe":
        return glob_regex(value)
    if key == "trustDomain":
        return "spiffe://" + re.escape(value) + "/.*"
    if key == "namespace":
        return "spiffe://[^/]+/ns/" + re.escape(value) + "/sa/[^/]+"
    namespace, account = value.split("/")
    return "spiffe://[^/]+/ns/" + re.escape(namespace) + "/sa/" + re.escape(account)


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, items, most):
        return self.random.sample(items, self.random.randint(1, min(most, len(items))))

    def chance(self, p):
        return self.random.random() < p

    def selector(self) -> dict:
        choice = self.random.random()
        if choice < 0.35:
            return {"spiffe": self.some(IDENTITIES[1:], 2)}
        if choice < 0.65:
            return {"spiffe": self.some(GLOBS, 2)}
        if choice < 0.75:
            return {"namespace": self.some(["ml", "ops", "ml-x", "m"], 2)}
        if choice < 0.85:
            return {"serviceAccount": self.some(["ml/web", "ops/console", "ml/web-1"], 2)}
        if choice < 0.92:
            return {"trustDomain": [self.random.choice(["prod.example", "partner.example"])], "namespace": ["ml"]}
        return {"trustDomain": [self.random.choice(["prod.example", "partner.example", "example"])]}

    def claim_test(self, claim):
        kind = self.random.choice(["equals", "anyOf", "containsAll", "prefix"])
        return kind, self.some(CLAIM_VALUES[claim], 1 if kind in ("equals", "prefix") else 2)

    def path(self, plain) -> Path:
        segments = [None if self.chance(0.4) else self.random.choice(PLAIN_LITERALS if plain else LITERALS) for _ in range(self.random.randint(1, 4))]
        tail = self.random.random()
        if tail < 0.25:
            return Path(tuple(segments), rest=True, names=self.chance(0.5))
        if tail < 0.45 and not plain:
            return Path(tuple(segments[:-1]) + (None,), verb=self.random.choice(VERBS), names=True)
        if tail < 0.52 and not plain:
            return Path(tuple(segments) + ("",), names=self.chance(0.5))
        return Path(tuple(segments), names=self.chance(0.5))

    def operation(self, plain) -> Operation:
        if self.chance(0.1):
            return Operation(["POST"], [], [], self.random.choice(["inf.Svc/Infer", "inf.Svc/Inf*", "inf.Svc/*"]))
        methods = self.some(METHODS, 3) if self.chance(0.8) else []
        hosts = self.some(HOST_PATTERNS, 2) if self.chance(0.4) else []
        queries = {self.random.choice(QUERIES): self.some(QUERY_VALUES, 2)} if self.chance(0.15) else {}
        return Operation(methods, hosts, [self.path(plain) for _ in range(self.random.randint(1, 2))], None, queries)

    def leaf(self, about_users) -> tuple:
        kind = self.random.random()
        if kind < 0.12:
            test = self.random.choice(["equals", "anyOf", "prefix", "suffix", "contains", "present"])
            values = [value for value in QUERY_VALUES if value or test in ("equals", "anyOf")]
            return ("query", self.random.choice(QUERIES), test, self.chance(0.5) if test == "present" else self.some(values, 2 if test == "anyOf" else 1))
        if kind < 0.5:
            test = self.random.choice(["equals", "anyOf", "prefix", "suffix", "contains", "present", "intRange"])
            name = self.random.choice(HEADERS)
            if test == "present":
                return ("header", name, test, self.chance(0.5))
            if test == "intRange":
                low = self.random.randint(-5, 18)
                return ("header", name, test, [low, low + self.random.randint(0, 5)])
            values = [value for value in HEADER_VALUES if value or test in ("equals", "anyOf")]
            return ("header", name, test, self.some(values, 3) if test == "anyOf" else [self.random.choice(values)])
        if kind < 0.68:
            return ("sourceIP", self.some(CIDRS, 2))
        if kind < 0.78:
            index, below = self.random.randrange(PORTS), self.random.choice([0, 0, 1, -1])
            return ("port", index, -below, self.random.randint(max(0, -below), 2))
        if kind < 0.86 or not about_users:
            return ("sni", self.some(["models.example", "*.models.example", "*.example", "other.example"], 2))
        claim = self.random.choice(list(CLAIM_VALUES))
        if self.chance(0.2):
            return ("claim", claim, "present", self.chance(0.5))
        return ("claim", claim, *self.claim_test(claim))

    def condition(self, about_users, depth=3) -> tuple:
        choice = self.random.random()
        if depth == 1 or choice < 0.4:
            return self.leaf(about_users)
        if choice < 0.6:
            return ("not", self.leaf(about_users))
        return (self.random.choice(["all", "any"]), [self.condition(about_users, depth - 1) for _ in range(self.random.randint(2, 3))])

    def rule(self, name, policy) -> Rule:
        rule = Rule(name, "deny" if self.chance(0.35) else "allow")
        who = self.random.random()
        if who < 0.45:
            rule.workload = self.some(list(policy.workload_roles), 2)
        elif who < 0.65:
            rule.workload = self.selector()
        elif who < 0.75:
            rule.workload = "any"
        about_users = self.chance(0.4)
        if about_users and self.chance(0.6):
            rule.user = self.random.choice(["any", "none", None]) if self.chance(0.4) else self.some(list(policy.user_roles), 2)
        if self.chance(0.75):
            rule.actions = self.some(list(policy.actions), 3)
        if self.chance(0.55):
            rule.when = self.condition(about_users)
        if rule.effect == "deny" and self.chance(0.3):
            rule.unless = self.condition(about_users)
        if rule.effect == "allow" and self.chance(0.08):
            rule.purpose = self.some(["alpha", "beta", "17"], 2)
        # A deny on everything would hide every other rule.
        if rule.effect == "deny" and not rule.when and not rule.unless and (not rule.actions or not rule.workload):
            rule.when = self.condition(about_users)
        return rule

    def policy(self, name) -> Policy:
        plain = self.chance(0.25)
        policy = Policy(
            name,
            {f"w{i}": [self.selector() for _ in range(self.random.randint(1, 2))] for i in range(3)},
            {f"u{i}": [{claim: self.claim_test(claim) for claim in self.some(list(CLAIM_VALUES), 2)}] for i in range(2)},
            {f"a{i}": [self.operation(plain) for _ in range(self.random.randint(1, 2))] for i in range(4)},
            [],
            plain,
        )
        policy.rules = [self.rule(f"{name}-r{i}", policy) for i in range(self.random.randint(2, 7))]
        if all(rule.effect == "deny" for rule in policy.rules):
            policy.rules[0].effect, policy.rules[0].unless = "allow", None
        return policy


def generate(seed, count) -> list:
    return [Generator(f"{seed}/{i}").policy(f"p{i}") for i in range(count)]
