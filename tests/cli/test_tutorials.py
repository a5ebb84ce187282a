# SPDX-License-Identifier: Apache-2.0
"""A new user follows the tutorials: every command of theirs, in order, from a folder with the repository's files."""

import os
import re
import subprocess

import pytest

TUTORIALS = ["agents", "inference-gateway", "training-data"]


def commands(root, name):
    """The code blocks of a tutorial as one script each."""
    text = (root / "docs" / "tutorials" / f"{name}.md").read_text()
    return re.findall(r"```\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def follow(root, place, tmp_path):
    """Runs a script as a new user would type it; the programs are on the path."""
    (tmp_path / "tests").symlink_to(root / "tests")

    def run(script):
        environment = {**os.environ, "PATH": f"{place.program.parent}:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_every_tutorial_is_followed(root):
    assert sorted(path.stem for path in (root / "docs" / "tutorials").glob("*.md")) == TUTORIALS


@pytest.mark.parametrize("name", TUTORIALS)
def test_every_command_of_a_tutorial_does_what_it_says(root, follow, name):
    scripts = commands(root, name)
    assert scripts
    for script in scripts:
        done = follow(script)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


def test_the_gateway_tutorial_finds_what_it_tells_of(root, follow):
    for script in commands(root, "inference-gateway"):
        done = follow(script)
        if "why-not" in script:
            assert "allow inference-gateway/operators-high" in done.stdout
            assert "auth_time is 1200 s old, the rule allows 300 s" in done.stdout
            return
    pytest.fail("no why-not in the tutorial")


def test_every_file_that_a_tutorial_links_is_there(root):
    for name in TUTORIALS:
        page = root / "docs" / "tutorials" / f"{name}.md"
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{name}: {link}"


@pytest.mark.parametrize("name", ["agent-on-behalf-of-user", "inference-gateway", "training-data"])
def test_the_rules_that_a_tutorial_names_are_of_its_policy(root, name):
    """Names in backticks that look like a rule of that policy."""
    policy = (root / "tests" / "policy" / f"{name}.yaml").read_text()
    page = next(path for path in (root / "docs" / "tutorials").glob("*.md") if f"policy/{name}.yaml" in path.read_text())
    named = set(re.findall(r"`(?:[a-z-]+/)?([a-z]+(?:-[a-z0-9]+)+)`", page.read_text()))
    words = set(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)+", policy + page.name))
    unknown = {word for word in named - words if not word.startswith(("x-", "tools-", "kserve-", "embed-"))}
    assert unknown <= {"why-not", "ranker-v9", "agent-on-behalf-of-user"}, unknown
