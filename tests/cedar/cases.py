# SPDX-License-Identifier: Apache-2.0
"""Policies and requests out of a seed, within what Bartizan's language and Cedar can both say, as plain
values; document_form.py and cedar_form.py print them. Values of requests are those that rules name, or
their neighbours."""

import random
from dataclasses import dataclass, field

DOMAINS = ["prod.example", "lab.example"]
NAMESPACES = ["ops", "web", "batch"]
ACCOUNTS = ["app", "job"]
GROUPS = ["blue", "red", "green", "greenish", ""]
SUBJECTS = ["ada", "bob", "cyd"]
TYPES = {"item": "items.example", "box": "boxes.example"}
IDS = ["a1", "a2", "ab", "b1", "z9"]  # z9 is never in the catalog
LABELS = {"tier": ["low", "high"], "data": ["phi", "open"]}
METHODS = ["GET", "POST", "DELETE"]
PATHS = ["one", "two", "three"]
HEADERS = ["x-tenant", "x-level"]
WORDS = ["t1", "t12", "x", "T1", ""]
CONTEXT = ["zone", "stage"]
LEVELS = [-1, 0, 3, 4, 10]


@dataclass
class Rule:
    name: str
    effect: str
    workload: object = None  # None, "any", [role..] or {"trustDomain" | "namespace" | "serviceAccount" | "spiffe": [..]}
    user: object = None  # None, "any", "none" or [role..]
    actions: object = None
    types: list = field(default_factory=list)
    ids: list = field(default_factory=list)
    labels: dict = field(default_factory=dict)
    not_labels: dict = field(default_factory=dict)
    when: object = None
    unless: object = None

    @property
    def has_resources(self) -> bool:
        return bool(self.types or self.ids or self.labels or self.not_labels)


@dataclass
class Policy:
    roles: dict  # name to {"kind": "workload" | "user", "members": [..], "inherits": [..]}
    actions: dict  # name to [(methods, path)..]
    catalog: dict  # (type, id) to labels
    rules: list


def some(rng: random.Random, items: list, most: int = 2) -> list:
    return rng.sample(items, rng.randint(1, min(most, len(items))))


def spiffe(rng: random.Random) -> str:
    return f"spiffe://{rng.choice(DOMAINS)}/ns/{rng.choice(NAMESPACES)}/sa/{rng.choice(ACCOUNTS)}"


def workload_selector(rng: random.Random) -> dict:
    made = {
        "trustDomain": lambda: some(rng, DOMAINS, 1),
        "namespace": lambda: some(rng, NAMESPACES),
        "serviceAccount": lambda: [f"{rng.choice(NAMESPACES)}/{rng.choice(ACCOUNTS)}"],
        "spiffe": lambda: [spiffe(rng) for _ in range(rng.randint(1, 2))],
    }
    return {key: made[key]() for key in some(rng, list(made))}


def user_selector(rng: random.Random) -> dict:
    return {"groups": some(rng, GROUPS)} if rng.random() < 0.6 else {"subject": some(rng, SUBJECTS)}


def make_roles(rng: random.Random) -> dict:
    roles: dict = {}
    for kind, member, count in (("workload", lambda: spiffe(rng), 4), ("user", lambda: user_selector(rng), 4)):
        for i in range(count):
            earlier = [name for name, role in roles.items() if role["kind"] == kind]
            inherits = some(rng, earlier) if earlier and rng.random() < 0.4 else []
            roles[f"{kind[0]}{i}"] = {"kind": kind, "members": [member() for _ in range(rng.randint(1, 2))], "inherits": inherits}
    return roles


def make_actions(rng: random.Random) -> dict:
    """Several may be one request."""
    return {f"act{i}": [(some(rng, METHODS), rng.choice(PATHS)) for _ in range(rng.randint(1, 2))] for i in range(4)}


def make_catalog(rng: random.Random) -> dict:
    return {(kind, item): {key: rng.choice(values) for key, values in LABELS.items() if rng.random() < 0.7}
            for kind in TYPES for item in IDS if item != "z9" and rng.random() < 0.8}  # fmt: skip


def leaf(rng: random.Random) -> tuple:
    """(kind, name, test, values)"""
    kind = rng.choice(["header", "context", "claim"])
    if kind == "header":
        name = rng.choice(HEADERS)
        test = rng.choice(["equals", "anyOf", "prefix", "suffix", "contains", "present"]) if name == "x-tenant" else "intRange"
    elif kind == "context":
        name, test = rng.choice(CONTEXT), rng.choice(["equals", "anyOf", "present"])
    else:
        name = rng.choice(["dept", "groups", "level"])
        tests = {"dept": ["equals", "anyOf", "prefix", "present"], "groups": ["anyOf", "containsAll", "present"], "level": ["intRange", "present"]}
        test = rng.choice(tests[name])
    if test == "present":
        return kind, name, test, rng.random() < 0.5
    if test == "intRange":
        return kind, name, test, sorted(rng.sample(LEVELS, 2))
    values = some(rng, GROUPS if name == "groups" else WORDS, 1 if test == "equals" else 2)
    if test in ("prefix", "suffix", "contains"):
        values = [each for each in values if each] or ["t1"]
    return kind, name, test, values


def condition(rng: random.Random, depth: int = 1) -> tuple:
    shape = rng.random()
    if depth < 3 and shape < 0.3:
        return rng.choice(["all", "any"]), [condition(rng, depth + 1) for _ in range(rng.randint(1, 3))]
    return ("not", leaf(rng)) if shape < 0.5 else leaf(rng)


def make_rule(rng: random.Random, name: str, policy: Policy) -> Rule:
    rule = Rule(name, "allow" if rng.random() < 0.65 else "deny")
    roles = {kind: [name for name, role in policy.roles.items() if role["kind"] == kind] for kind in ("workload", "user")}
    chance = rng.random()
    rule.workload = some(rng, roles["workload"]) if chance < 0.4 else workload_selector(rng) if chance < 0.6 else "any" if chance < 0.7 else None
    chance = rng.random()
    rule.user = some(rng, roles["user"]) if chance < 0.35 else "any" if chance < 0.45 else "none" if chance < 0.5 else None
    if rng.random() < 0.6:
        rule.actions = some(rng, list(policy.actions))
    if rng.random() < 0.5:
        rule.types = some(rng, list(TYPES)) if rng.random() < 0.5 else []
        rule.ids = some(rng, [*IDS, "a*", "*"]) if rng.random() < 0.4 else []
        rule.labels = {key: some(rng, LABELS[key]) for key in some(rng, list(LABELS))} if rng.random() < 0.4 else {}
        rule.not_labels = {key: some(rng, LABELS[key]) for key in some(rng, list(LABELS))} if rng.random() < 0.3 else {}
    if rng.random() < 0.5:
        rule.when = condition(rng)
    if rule.effect == "deny" and rng.random() < 0.4:
        rule.unless = condition(rng)
    return rule


def make_policy(rng: random.Random) -> Policy:
    policy = Policy(make_roles(rng), make_actions(rng), make_catalog(rng), [])
    policy.rules = [make_rule(rng, f"r{i}", policy) for i in range(rng.randint(2, 12))]
    return policy


def make_request(rng: random.Random) -> dict:
    """As `given`, without what is not there."""
    host = rng.choice([*TYPES.values(), "else.example"]) if rng.random() < 0.2 else rng.choice(list(TYPES.values()))
    given = {
        "method": rng.choice(METHODS),
        "host": host,
        "path": f"/{rng.choice([*PATHS, 'four'] if rng.random() < 0.2 else PATHS)}/{rng.choice(IDS)}",
        "headers": {},
        "context": {},
    }
    if rng.random() < 0.85:
        given["workload"] = spiffe(rng) if rng.random() < 0.9 else f"spiffe://{rng.choice(DOMAINS)}/other/{rng.choice(NAMESPACES)}"
    if rng.random() < 0.7:
        claims = {"iss": "https://sso.example", "sub": rng.choice([*SUBJECTS, "eve"])}
        if rng.random() < 0.8:
            claims["groups"] = rng.sample(GROUPS, rng.randint(0, 3))
        if rng.random() < 0.6:
            claims["dept"] = rng.choice(WORDS)
        if rng.random() < 0.6:
            claims["level"] = rng.choice(LEVELS)
        given["jwt"] = claims
    if rng.random() < 0.7:
        given["headers"]["x-tenant"] = rng.choice(WORDS)
    if rng.random() < 0.7:
        given["headers"]["x-level"] = str(rng.choice(LEVELS))
    for name in CONTEXT:
        if rng.random() < 0.7:
            given["context"][name] = rng.choice(WORDS)
    return given
