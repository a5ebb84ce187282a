# SPDX-License-Identifier: Apache-2.0
"""Ajv reads the schema in its strict mode, takes what the loader takes, and refuses what has another shape."""

import copy
import functools
import json
import operator
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from policy_text import shipped, whole

HERE = Path(__file__).resolve().parent

# Findings that a schema can have: shapes, keys and words. The others want names, numbers of bits, or a request.
BY_SHAPE = {"E0108", "E0109", "E0201", "E0202", "E0203", "E0204", "E0205", "E0206", "E0207", "E0209", "E0302",
            "E0403", "E0404", "E0405", "E0406", "E0407", "E0412", "E0416", "E0501"}  # fmt: skip


def ajv(modules, schema, *files):
    """What Ajv says of each document, by file."""
    done = subprocess.run(
        ["node", HERE / "validate.js", schema, *files],
        env={**os.environ, "NODE_PATH": str(modules)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        found.setdefault(entry["file"], []).extend(entry["errors"])
    return found


def loader(binaries, path):
    done = subprocess.run([binaries / "bartizan", "policy", "check", path, "--format", "json"], capture_output=True, text=True, timeout=60)
    return {finding["code"] for finding in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def examples(binaries):
    done = subprocess.run([binaries / "bartizan", "policy", "explain", "--format", "json"], capture_output=True, text=True, timeout=60)
    return [entry for entry in json.loads(done.stdout) if entry["mistake"] is not None]


def test_ajv_cli_compiles_the_schema_in_strict_mode(modules, schema):
    done = subprocess.run(
        [modules / ".bin" / "ajv", "compile", "--spec=draft2020", "--strict=true", "--allow-union-types", "-s", schema],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and "is valid" in done.stdout, done.stdout + done.stderr


def test_every_shipped_policy_is_taken(modules, schema, root):
    policies = shipped(root)
    assert len(policies) >= 4
    found = ajv(modules, schema, *policies)
    assert found == {str(path): [] for path in policies}


def test_every_mend_is_taken_and_every_mistake_of_shape_is_refused(modules, schema, examples, tmp_path):
    for entry in examples:
        (tmp_path / f"{entry['code']}-mended.yaml").write_text(whole(entry["mended"]))
        (tmp_path / f"{entry['code']}-mistake.yaml").write_text(whole(entry["mistake"]))
    found = ajv(modules, schema, *sorted(tmp_path.iterdir()))
    assert not {file: errors for file, errors in found.items() if file.endswith("-mended.yaml") and errors}
    refused = {Path(file).name[:5] for file, errors in found.items() if file.endswith("-mistake.yaml") and errors}
    assert BY_SHAPE <= refused, f"taken: {sorted(BY_SHAPE - refused)}"


# One change each to a good policy: what it replaces, and by what. The schema and the loader refuse all of them.
BROKEN = [
    ("apiVersion: bartizan.dev/v1alpha1", "apiVersion: bartizan.dev/v2"),
    ("kind: AccessPolicy", "kind: RoleSets"),
    ("kind: AccessPolicy", "kind: RoleSet"),
    ("rules:\n    - {allow: anybody, subjects: any}\n", "paths: strict\n"),
    ("metadata: {name: example}", "metadata: {}"),
    ("metadata: {name: example}", "metadata: {name: example, colour: red}"),
    ("metadata: {name: example}", 'metadata: {name: "two words"}'),
    ("factors: 2", "factors: 4"),
    ("factors: 2", "factors: two"),
    ("maxAge: 5m", "maxAge: 300"),
    ("maxAge: 5m", "maxAge: [5m]"),
    ("{factors: 2, maxAge: 5m}", "{}"),
    ("{workload: {namespace: checkout}}", "{workload: {}}"),
    ("{workload: {namespace: checkout}}", "{workload: {namespace: []}}"),
    ("{workload: {namespace: checkout}}", "{workload: {namespace: checkout}, user: {issuer: sso}}"),
    ("{workload: {namespace: checkout}}", "{group: admins}"),
    ("{issuer: sso, subject: ada}", "{subject: ada}"),
    ("{issuer: sso, subject: ada}", "{issuer: sso, claims: {groups: {}}}"),
    ("{issuer: sso, subject: ada}", "{issuer: sso, claims: {groups: {equals: a, anyOf: [b]}}}"),
    ("methods: [GET]", "methods: get"),
    ("methods: [GET]", "method: GET"),
    ('paths: ["/v1/items/{item}"]', "paths: []"),
    ('paths: ["/v1/items/{item}"]', "hosts: [api.example]"),
    ('id: ["=shop"]', "id: everything"),
    ("{allow: anybody, subjects: any}", "{permit: anybody}"),
    ("{allow: anybody, subjects: any}", "{allow: a, deny: b}"),
    ("{allow: anybody, subjects: any}", "{allow: a, priority: 16}"),
    ("{allow: anybody, subjects: any}", "{allow: a, subjects: {}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, subjects: everybody}"),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {header: {name: x-a}}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {header: {equals: b}}}"),
    ("{allow: anybody, subjects: any}", '{allow: a, when: {time: {between: ["08:00"]}}}'),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {port: 0}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {all: []}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, unless: {port: 1}}"),
    ("{allow: anybody, subjects: any}", "{deny: a, assurance: fresh}"),
    ("{allow: anybody, subjects: any}", "{allow: a, obligations: {audit: all}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, obligations: {maxStream: forever}}"),
    ("{allow: anybody, subjects: any}", '{allow: a, obligations: {requestHeaders: {set: {"x y": a}}}}'),
]


@pytest.mark.parametrize(("find", "write"), BROKEN, ids=[write for _, write in BROKEN])
def test_one_broken_thing_is_refused_by_the_loader_too(binaries, find, write, tmp_path):
    text = whole("")
    assert text.count(find) == 1
    (tmp_path / "policy.yaml").write_text(text.replace(find, write))
    assert loader(binaries, tmp_path / "policy.yaml")


def test_each_broken_thing_is_refused_by_the_schema(modules, schema, tmp_path):
    for index, (find, write) in enumerate(BROKEN):
        (tmp_path / f"{index}.yaml").write_text(whole("").replace(find, write))
    found = ajv(modules, schema, *(tmp_path / f"{index}.yaml" for index in range(len(BROKEN))))
    taken = [BROKEN[int(Path(file).stem)][1] for file, errors in found.items() if not errors]
    assert not taken


# What YAML reads as a number, a boolean or one thing is text, a word or a list of one to the loader: the schema agrees.
TAKEN = [
    ("metadata: {name: example}", "metadata: {name: 2026, owner: true, labels: {tier: 1}}"),
    ("factors: 2", 'factors: "2"'),
    ("audiences: [api]", "audiences: api"),
    ("subject: ada", "subject: 17"),
    ("subject: ada", 'claims: {groups: {equals: ""}, admin: {present: true}, level: {equals: 3}}'),
    ("methods: [GET]", "methods: GET"),
    ("{allow: anybody, subjects: any}", "{allow: a, subjects: {workload: app, user: any}, actions: read}"),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {port: [80, 81]}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {header: {name: x-a, intRange: [-1, 1]}}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, when: {header: {name: X-A, equals: 1e3}}}"),
    ("{allow: anybody, subjects: any}", "{deny: a, when: {time: {days: mon-fri, from: 2026-01-31T08:00:00Z}}}"),
    ("{allow: anybody, subjects: any}", "{allow: a, obligations: {maxStream: 15m, requestHeaders: {set: {x-n: 1}, remove: x-m}}}"),
]  # fmt: skip


def test_what_yaml_reads_otherwise_is_taken_by_both(binaries, modules, schema, tmp_path):
    for index, (find, write) in enumerate(TAKEN):
        assert whole("").count(find) == 1
        path = tmp_path / f"{index}.yaml"
        path.write_text(whole("").replace(find, write))
        assert not loader(binaries, path), write
    found = ajv(modules, schema, *(tmp_path / f"{index}.yaml" for index in range(len(TAKEN))))
    assert not {TAKEN[int(Path(file).stem)][1]: errors for file, errors in found.items() if errors}


# ---- what the loader takes, the schema takes ----

WORDS = ["any", "none", "app", "read", "item", "sso", "fresh", "1", "2", "0", "true", "false", "5m", "GET", "mfa", "api.example",
         "*.example", "/v1/{item}", "path.item", "=shop", "x-a", "UTC", "mon-fri", "08:00", "10.0.0.0/8", "full", "peer", "no", "1e3"]  # fmt: skip
MUTANTS = int(os.environ.get("BARTIZAN_MUTANTS", "1500"))


def places(value, path=()):
    """Every place in a document, as the steps that lead to it."""
    yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in steps:
        yield from places(part, (*path, step))


def mutate(chance, document):
    """One small change: a scalar, a list of one, its only element, a key less, a value from elsewhere."""
    document = copy.deepcopy(document)
    every = [path for path in places(document) if path]
    path = chance.choice(every)
    above = functools.reduce(operator.getitem, path[:-1], document)
    value = above[path[-1]]
    other = functools.reduce(operator.getitem, chance.choice(every), document)
    choice = chance.randrange(6)
    if choice == 0:
        above.pop(path[-1])
    elif choice == 1:
        above[path[-1]] = [value]
    elif choice == 2 and isinstance(value, list) and len(value) == 1:
        above[path[-1]] = value[0]
    elif choice == 3:
        above[path[-1]] = copy.deepcopy(other)
    elif choice == 4:
        above[path[-1]] = chance.choice([[], {}])
    else:
        above[path[-1]] = chance.choice(WORDS)
    return document


def written(value):
    """Flow YAML with its scalars as plain as they may stand: 1, true and no without quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return value if re.fullmatch(r"[a-z0-9.]+", value) and value != "null" else json.dumps(value)


def test_the_schema_refuses_nothing_that_the_loader_takes(binaries, modules, schema, examples, root, tmp_path):
    chance = random.Random(20260131)
    texts = [path.read_text() for path in shipped(root)] + [whole(entry["mended"]) for entry in examples]
    documents = [yaml.load(text, yaml.BaseLoader) for text in texts]
    taken = []
    for index in range(MUTANTS):
        document = mutate(chance, chance.choice(documents))
        path = tmp_path / f"{index}.yaml"
        path.write_text(written(document))
        if not loader(binaries, path):
            taken.append(path)
    assert len(taken) > MUTANTS / 20
    found = ajv(modules, schema, *taken)
    stricter = {Path(file).read_text(): errors for file, errors in found.items() if errors}
    assert not stricter
