# SPDX-License-Identifier: Apache-2.0
"""What `bartizan policy` tells about the language itself: its codes, its operations, its keys."""

import json
import re
import subprocess

import pytest

from policy_text import whole

def check(place, fragment, command="check"):
    place.policy.write_text(whole(fragment))
    result = place.run("policy", command, place.policy, "--format", "json")
    return result.returncode, {finding["code"] for finding in json.loads(result.stdout)}, result.stdout


@pytest.fixture(scope="module")
def codes(binaries):
    result = subprocess.run([binaries / "bartizan", "policy", "explain", "--format", "json"], capture_output=True, text=True, timeout=60)
    return {entry["code"]: entry for entry in json.loads(result.stdout)}


# ---- explain ----


def test_every_code_has_a_meaning_and_a_mend(place, codes):
    assert len(codes) >= 50
    for code, entry in codes.items():
        assert re.fullmatch(r"[EW]\d{4}", code) and entry["meaning"] and entry["mend"], code
        assert (entry["mistake"] is None) == (entry["mended"] is None), code


def test_every_code_has_an_example_but_where_a_few_lines_cannot_show_it(codes):
    without = {code for code, entry in codes.items() if entry["mistake"] is None}
    assert without == {"E0102", "E0103", "E0104", "E0221", "E0223", "E0601", "E0602", "E0603"}


def test_the_document_around_the_examples_is_good(place):
    assert check(place, "")[:2] == (0, set())


def test_every_mistake_has_its_code_and_every_mend_has_none(place, codes):
    wrong = []
    for code, entry in codes.items():
        if entry["mistake"] is None or code.startswith("W"):
            continue
        status, found, output = check(place, entry["mistake"])
        if status != 2 or found != {code}:
            wrong.append(f"{code}: the mistake has {found or 'nothing'}\n{output}")
        status, found, output = check(place, entry["mended"])
        if status != 0 or found:
            wrong.append(f"{code}: the mend has {found}\n{output}")
    assert not wrong, "\n".join(wrong)


def test_lint_warns_of_every_example_and_not_of_its_mend(place, codes):
    """Other warnings may stand beside: the document around an example uses little of itself."""
    wrong = []
    for code, entry in codes.items():
        if code.startswith("W"):
            is_found = [code in check(place, entry[part], "lint")[1] for part in ("mistake", "mended")]
            wrong += [] if is_found == [True, False] else [(code, is_found)]
            assert check(place, entry["mistake"])[0] == 0 and check(place, entry["mended"])[0] == 0, code
    assert not wrong


def test_explain_tells_meaning_mistake_and_mend(place):
    result = place.run("policy", "explain", "e0214")
    assert result.returncode == 0 and result.stdout.startswith("E0214: no role of this document has that name\n")
    assert "the mistake:\n" in result.stdout and "its mend:\n" in result.stdout and "user: [operator]" in result.stdout


def test_explain_lists_every_code_on_a_line(place, codes):
    lines = place.run("policy", "explain").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(codes)


def test_explain_of_no_code_names_the_nearest(place):
    result = place.run("policy", "explain", "E0999")
    assert result.returncode == 3 and "no finding has the code `E0999`" in result.stderr and result.stdout == ""


# ---- catalog ----


def catalog(place, *words):
    result = place.run("policy", "catalog", *words, "--format", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_every_operation_of_the_catalog_is_one_that_a_policy_may_use(place):
    names = sorted({entry["operation"] for entry in catalog(place)})
    assert len(names) >= 23
    assert check(place, f"actions:\n  read: {{uses: [{', '.join(names)}]}}\n")[:2] == (0, set())


def test_the_catalog_tells_what_reaches_an_operation(place):
    infer = catalog(place, "kserve-v2.infer")
    assert {entry["operation"] for entry in infer} == {"kserve-v2.infer"}
    versioned = next(entry for entry in infer if "versions" in entry.get("path", ""))
    assert versioned["method"] == "POST" and versioned["variables"] == ["model", "version"]
    grpc = next(entry for entry in infer if "grpc" in entry)
    assert grpc["grpc"].startswith("inference.GRPCInferenceService/") and grpc["body"] == "kserve" and grpc["variables"] == []
    call = catalog(place, "mcp.tools-call")[0]
    assert (call["path"], call["call"], call["body"]) == ("/mcp", "tools/call", "mcp")


def test_every_variable_of_the_catalog_can_name_a_resource(place):
    for entry in catalog(place):
        for variable in entry["variables"]:
            text = f"actions:\n  read: {{uses: [{entry['operation']}]}}\nresourceTypes:\n  item: {{id: [path.{variable}]}}\n"
            assert check(place, text)[:2] == (0, set()), (entry, variable)


def test_a_catalog_name_lists_its_operations_only(place):
    assert {entry["operation"].split(".")[0] for entry in catalog(place, "openai")} == {"openai"}
    text = place.run("policy", "catalog", "kserve-v1").stdout
    assert text.startswith("kserve-v1.explain\n  POST    /v1/models/{model}:explain")


def test_an_unknown_operation_names_the_nearest(place):
    result = place.run("policy", "catalog", "kserve-v2.infr")
    assert result.returncode == 3 and "did you mean `kserve-v2.infer`?" in result.stderr and result.stdout == ""
    names = {entry["operation"].split(".")[0] for entry in catalog(place)}
    assert f"catalogs: {', '.join(sorted(names))}\n" in result.stderr


# ---- schema ----


@pytest.fixture(scope="module")
def schema(binaries):
    result = subprocess.run([binaries / "bartizan", "policy", "schema"], capture_output=True, text=True, timeout=60)
    return json.loads(result.stdout)


def references(value):
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "$ref":
                yield part
            else:
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_the_schema_is_of_2020_12_and_closed(schema):
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(references(schema)) == {f"#/$defs/{name}" for name in schema["$defs"]}
    for name, block in schema["$defs"].items():
        assert block["type"] == "object" and block["additionalProperties"] is False, name
        for key, value in block["properties"].items():
            assert value["description"].endswith("."), (name, key)
        known = set(block["properties"])
        assert set(block.get("required", [])) <= known, name
        for key, others in block.get("dependentRequired", {}).items():
            assert {key, *others} <= known, name


def test_each_block_of_the_language_is_in_the_schema_once(root, schema):
    """Every table of the loaders is reached from a document, so that none is left out of the schema."""
    declared = []
    for path in sorted((root / "policy-engine" / "policy").glob("load*.c")):
        text = path.read_text()
        declared += re.findall(r'BLOCK(?:_SOME)?\(\s*"(\w+)"', text) + re.findall(r'\.name = "(\w+)", \.what', text)
    assert sorted(declared) == sorted(schema["$defs"])


def test_the_loaders_read_no_map_by_a_table_of_their_own(root):
    """Words that are compared with a key by hand are keys that the schema could miss."""
    for path in sorted((root / "policy-engine" / "policy").glob("load*.c")):
        text = path.read_text()
        known = set(re.findall(r'(?:FIELD\w*\(\s*(?:"\w+",\s*)?|FIELD_ROW\()"(\w+)"', text))
        asked = set(re.findall(r'node_get\([^;]*?VIEW\("(\w+)"\)\)', text))
        elsewhere = set(re.findall(r'(?:FIELD\w*\(\s*(?:"\w+",\s*)?|FIELD_ROW\()"(\w+)"', "".join(p.read_text() for p in path.parent.glob("load*.c"))))
        claims = {"amr", "act", "cnf", "aud", "exp", "iat", "nbf"} if path.name == "load_given.c" else set()
        assert asked - known - elsewhere - claims == set(), path.name


def test_no_key_is_known_and_read_by_nobody(root):
    """A row without a reader is read by name somewhere: else the key would be taken and ignored."""
    texts = {path.name: path.read_text() for path in sorted((root / "policy-engine" / "policy").glob("load*.c"))}
    everything = "".join(texts.values())
    unread = []
    for name, text in texts.items():
        rows = re.findall(r'FIELD_SEEN(?:_MUST)?\(\s*"(\w+)"|FIELD_(?:ONE_OF|WHOLE|WHOLE_MUST)\(\s*"(\w+)",\s*NULL', text)
        for key in map("".join, rows):
            if f'VIEW("{key}")' not in everything and f'{{WORD("{key}"), load_' not in everything:
                unread.append((name, key))
    assert not unread


def test_the_reference_of_keys_is_what_the_program_prints(place, root):
    printed = place.run("policy", "schema", "--format", "markdown").stdout
    assert (root / "docs" / "policy-keys.md").read_text() == printed, (
        "run: bartizan policy schema --format markdown >docs/policy-keys.md"
    )


def test_the_reference_has_every_key_of_the_schema(root, schema):
    text = (root / "docs" / "policy-keys.md").read_text()
    sections = {part.split("\n", 1)[0]: part for part in text.split("\n## ")[1:]}
    assert set(sections) == set(schema["$defs"])
    for name, block in schema["$defs"].items():
        printed = set(re.findall(r"(?m)^\| `(\w+)` \| (?!\|)", sections[name]))
        assert printed == set(block["properties"]), name


# ---- SARIF ----


def sarif(place, fragment):
    place.policy.write_text(whole(fragment))
    result = place.run("policy", "check", place.policy, "--format", "sarif")
    log = json.loads(result.stdout)
    assert log["version"] == "2.1.0" and "sarif" in log["$schema"] and len(log["runs"]) == 1
    assert result.stderr == ""
    return result.returncode, log["runs"][0]


def test_sarif_has_rules_results_and_places(place):
    mistakes = "roles:\n  app: {members: [{workload: {namespace: checkout}}]}\nrules:\n  - allow: a\n    subject: any\n  - allow: b\n    subjects: {workload: [ap, shop]}\n"
    status, run = sarif(place, mistakes)
    plain = json.loads(place.run("policy", "check", place.policy, "--format", "json").stdout)
    assert status == 2 and run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert driver["name"] == "bartizan" and re.fullmatch(r"\d+\.\d+\.\d+.*", driver["semanticVersion"])
    assert [rule["id"] for rule in driver["rules"]] == ["E0203", "E0214"]
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in driver["rules"])
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert [result["ruleId"] for result in run["results"]] == [finding["code"] for finding in plain] == ["E0203", "E0214", "E0214"]
    for result, finding in zip(run["results"], plain, strict=True):
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] and result["level"] == "error"
        assert finding["message"] in result["message"]["text"]
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) == (finding["line"], finding["column"])
        assert region["endColumn"] > region["startColumn"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == f"file://{place.policy}"
        assert location["logicalLocations"] == [{"fullyQualifiedName": finding["path"]}]


def test_sarif_has_the_warnings_of_lint_as_well(place):
    place.policy.write_text(whole("rules:\n  - allow: read\n    subjects: {user: [operator]}\n"))
    result = place.run("policy", "lint", place.policy, "--format", "sarif")
    run = json.loads(result.stdout)["runs"][0]
    assert result.returncode == 1 and result.stderr == ""
    assert "W1001" in [found["ruleId"] for found in run["results"]] and {found["level"] for found in run["results"]} == {"warning"}
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in run["tool"]["driver"]["rules"])
    place.policy.write_text(whole("kind: Other\n"))
    result = place.run("policy", "lint", place.policy, "--format", "sarif")
    assert result.returncode == 2 and json.loads(result.stdout)["runs"][0]["results"][0]["ruleId"] == "E0202"


def test_sarif_of_a_good_policy_has_no_results(place):
    status, run = sarif(place, "")
    assert status == 0 and run["results"] == [] and run["tool"]["driver"]["rules"] == []


def test_sarif_tells_how_many_findings_are_not_shown(place):
    rules = "".join(f"  - {{allow: r{i}, wrong: 1}}\n" for i in range(60))
    status, run = sarif(place, f"rules:\n{rules}")
    assert status == 2 and len(run["results"]) == 50
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["level"] == "warning" and note["message"]["text"] == "10 more findings are not shown"


def test_sarif_writes_paths_as_uris(place):
    folder = place.folder / "a b%"
    folder.mkdir()
    (folder / "é.yaml").write_text(whole("kind: Other\n"))
    result = place.run("policy", "check", "a b%", "--format", "sarif", cwd=place.folder)
    (found,) = json.loads(result.stdout)["runs"][0]["results"]
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b%25/%C3%A9.yaml"


def test_sarif_of_a_missing_file_is_a_result_without_a_line(place):
    result = place.run("policy", "check", place.folder / "none.yaml", "--format", "sarif")
    (found,) = json.loads(result.stdout)["runs"][0]["results"]
    assert result.returncode == 4 and found["ruleId"] == "E0601"
    assert "region" not in found["locations"][0]["physicalLocation"]


# ---- docs/policy-mistakes.md ----


def mistakes(root):
    """Each section of the document: its title, the mistake, what is printed, the mend."""
    text = (root / "docs" / "policy-mistakes.md").read_text()
    pattern = r"## ([^\n]+)\n```yaml\n(.*?)```\n```text\n(.*?)```\n.*?```yaml\n(.*?)```\n"
    return re.findall(pattern, text, re.DOTALL)


def test_there_are_ten_commonest_mistakes(root):
    assert len(mistakes(root)) == 10
    assert (root / "docs" / "policy-mistakes.md").read_text().count("\n## ") == 10


def test_the_messages_in_the_document_are_what_the_program_prints(place, root):
    for title, mistake, printed, mended in mistakes(root):
        place.policy.write_text(whole(mistake))
        result = place.run("policy", "check", "policy.yaml", cwd=place.folder)
        assert (result.returncode, result.stderr) == (2, printed), title
        assert check(place, mended)[:2] == (0, set()), title


@pytest.mark.parametrize("name", ["schema", "explain", "catalog"])
def test_each_has_help_that_fits_a_terminal(place, name):
    result = place.run("policy", name, "--help")
    assert result.returncode == 0 and f"usage: bartizan policy {name}" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert place.run("policy", name, "--format", "xml").returncode == 3
