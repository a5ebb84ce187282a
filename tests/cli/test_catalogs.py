# SPDX-License-Identifier: Apache-2.0
"""The catalogs against what the protocols' own descriptions name (tests/catalogs), as documents, and in the manual."""

import fnmatch
import json
import re

import pytest
import yaml

import catalog_manual

CATALOGS = ["grpc", "kserve-v1", "kserve-v2", "mcp", "mlflow", "openai"]


def entries(place, name):
    result = place.run("policy", "catalog", name, "--format", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(params=CATALOGS)
def catalog(request, place, root):
    """A catalog's requests and the facts about its protocol, both with nameless variables."""
    facts = catalog_manual.Facts(root, request.param)
    return {catalog_manual.nameless(line) for line in catalog_manual.lines(entries(place, request.param))}, facts


def test_a_catalog_has_nothing_that_its_protocol_lacks(catalog):
    ours, facts = catalog
    described = {catalog_manual.nameless(prefix) for line in facts.described for prefix in facts.placed(line)}
    assert ours - described == set()


def test_what_a_protocol_has_is_in_its_catalog_or_left_out_for_a_reason(catalog):
    ours, facts = catalog
    missing = [
        line
        for line in facts.described
        if facts.reason(line) is None and not {catalog_manual.nameless(prefix) for prefix in facts.placed(line)} <= ours
    ]
    assert missing == []


def test_what_is_left_out_is_described_and_is_not_in_the_catalog(catalog):
    ours, facts = catalog
    for _, patterns in facts.left_out:
        for pattern in patterns:
            found = [line for line in facts.described if fnmatch.fnmatchcase(line, pattern)]
            assert found, f"nothing is described as {pattern}"
            for line in found:
                assert not {catalog_manual.nameless(prefix) for prefix in facts.placed(line)} & ours, line


def test_every_catalog_has_facts(place, root):
    names = {entry["operation"].split(".")[0] for entry in json.loads(place.run("policy", "catalog", "--format", "json").stdout)}
    assert names == set(CATALOGS) == {path.stem for path in (root / "tests" / "catalogs").glob("*.yaml")}


# ---- as documents ----


def document(place, name):
    result = place.run("policy", "catalog", name, "--format", "yaml")
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("name", CATALOGS)
def test_the_document_that_is_shipped_is_what_the_program_has(place, root, name):
    shipped = (root / "deploy" / "catalogs" / f"{name}.yaml").read_text()
    assert shipped == document(place, name)
    assert place.run("policy", "fmt", "--check", root / "deploy" / "catalogs" / f"{name}.yaml").returncode == 0


def test_all_catalogs_are_one_file_of_documents(place):
    every = place.run("policy", "catalog", "--format", "yaml").stdout
    assert [part["metadata"]["name"] for part in yaml.safe_load_all(every)] == CATALOGS
    one = yaml.safe_load(place.run("policy", "catalog", "kserve-v2.infer", "--format", "yaml").stdout)
    assert list(one["spec"]["actions"]) == ["infer"]


POLICY = """\
apiVersion: bartizan.dev/v1alpha1
kind: AccessPolicy
metadata: {name: imports}
spec:
  {how}
  resourceTypes: {it: {id: [%s]}}
  rules:
%s"""


def given(entry):
    """A request that is the entry's, with an id wherever one can stand."""
    if "grpc" in entry:
        request = {"grpc": entry["grpc"]}
    else:
        request = {"method": entry["method"], "path": re.sub(r"/\{\*\*\}$", "/b/c", re.sub(r"\{\w+\}", "m", entry["path"]))}
    if entry.get("body") == "mcp":
        request["body"] = {"call": entry["call"], **({"tool": "m"} if entry["call"] == "tools/call" else {})}
    elif "body" in entry:
        request["body"] = {"model": "m"}
    return request


@pytest.mark.parametrize("name", CATALOGS)
def test_a_policy_that_imports_the_document_decides_as_one_that_uses_the_catalog(place, name):
    ours = entries(place, name)
    operations = sorted({entry["operation"].split(".")[1] for entry in ours})
    rules = "".join(f"    - {{allow: {operation}, actions: [{operation}]}}\n" for operation in operations)
    uses = "actions: {" + ", ".join(f"{o}: {{uses: [{name}.{o}]}}" for o in operations) + "}"
    requests = place.folder / "requests.jsonl"
    requests.write_text("".join(json.dumps(given(entry)) + "\n" for entry in ours))
    answers = []
    for how, documents in ((uses, ""), (f"imports: [{{kind: OperationCatalog, name: {name}}}]", "---\n" + document(place, name))):
        place.policy.write_text(POLICY.replace("{how}", how) % ("path.model, body.model, body.tool", rules) + documents if has_model(ours) else
                                POLICY.replace("{how}", how).replace("  resourceTypes: {it: {id: [%s]}}\n", "") % rules + documents)  # fmt: skip
        result = place.run("policy", "eval", place.policy, "--requests", requests)
        assert result.returncode == 0, result.stderr
        answers.append([json.loads(line) for line in result.stdout.splitlines()])
    assert len(answers[0]) == len(ours) and all(answer["verdict"] == "allow" for answer in answers[0])
    keys = ("verdict", "rule", "resource_type", "resource_id")
    assert [[answer.get(key) for key in keys] for answer in answers[0]] == [[answer.get(key) for key in keys] for answer in answers[1]]


def has_model(ours):
    return any("model" in entry["variables"] for entry in ours)


# ---- the manual ----


def test_the_manual_names_every_operation_with_its_source_and_what_is_left_out(place, root):
    manual = (root / "docs" / "catalogs.md").read_text()
    made = catalog_manual.manual(root, json.loads(place.run("policy", "catalog", "--format", "json").stdout))
    assert manual == made, "docs/catalogs.md is made by tests/cli/catalog_manual.py"
