# SPDX-License-Identifier: Apache-2.0
"""yaml-language-server, which editors start, with the schema: silent about good policies, and not about others."""

import shutil

import pytest
from language_server import LanguageServer
from policy_text import shipped, whole

MISTAKE = "rules:\n  - allow: read\n    subject: {workload: [app]}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(scope="module")
def server(modules, schema, folder):
    server = LanguageServer(modules, schema, folder)
    yield server
    server.close()


def test_a_misspelt_key_is_marked_where_it_stands(server, folder):
    path = folder / "misspelt.yaml"
    path.write_text(whole(MISTAKE))
    line = path.read_text().splitlines().index("      subject: {workload: [app]}")
    found = server.diagnostics(path)
    assert [item["message"] for item in found] == ["Property subject is not allowed."]
    assert found[0]["range"]["start"] == {"line": line, "character": 6}


@pytest.mark.parametrize("write", ["apiVersion: bartizan.dev/v2\n", "kind: Policy\n", "metadata: {}\n", "rules: []\nroles: [app]\n", "assurance:\n  fresh: {factors: 9}\n"])
def test_what_has_another_shape_is_marked(server, folder, write):
    path = folder / f"{abs(hash(write))}.yaml"
    path.write_text(whole(write))
    assert server.diagnostics(path)


def test_every_shipped_policy_opens_without_a_mark(server, folder, root):
    for index, path in enumerate(shipped(root)):
        copy = folder / f"shipped-{index}.yaml"
        shutil.copy(path, copy)
        assert server.diagnostics(copy) == [], path


def test_a_key_tells_what_it_is(server, folder):
    path = folder / "hover.yaml"
    path.write_text(whole(""))
    assert server.diagnostics(path) == []
    lines = path.read_text().splitlines()
    line = next(index for index, text in enumerate(lines) if "anybody" in text)
    assert "Who asks" in server.hover(path, line, lines[line].index("subjects") + 2)


def test_the_first_line_of_a_policy_can_name_the_schema(modules, schema, folder):
    shutil.copy(schema, folder / "policy.schema.json")
    named = "# yaml-language-server: $schema=policy.schema.json\n"
    (folder / "good.yaml").write_text(named + whole(""))
    (folder / "bad.yaml").write_text(named + whole(MISTAKE))
    server = LanguageServer(modules, None, folder)
    try:
        assert [item["message"] for item in server.diagnostics(folder / "bad.yaml")] == ["Property subject is not allowed."]
        assert server.diagnostics(folder / "good.yaml") == []
    finally:
        server.close()
