# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that a compiler does not hold: floors, names, one way to allow, hardening."""

import re
import shutil
import subprocess

import pytest


def tracked(root, *patterns):
    names = subprocess.run(["git", "ls-files", *patterns], cwd=root, capture_output=True, text=True, check=True)
    return [root / name for name in names.stdout.split()]


def test_every_source_file_names_its_licence(root):
    lacking = [
        str(path.relative_to(root))
        for path in tracked(root, "*.c", "*.h", "*.py")
        if "SPDX-License-Identifier: Apache-2.0" not in path.read_text()[:300]
    ]
    assert not lacking


def test_allow_is_produced_in_one_place(root):
    producers = []
    for path in tracked(root, "policy-engine/*.c", "sidecar/*.c"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"(?<![=!<>])=\s*VERDICT_ALLOW|return\s+VERDICT_ALLOW", line):
                producers.append(f"{path.relative_to(root)}:{number}")
    assert len(producers) == 1, producers


def test_no_goto_and_no_unbounded_string_calls(root):
    banned = re.compile(r"\b(goto|strcpy|strcat|sprintf|gets|strtok|atoi|atol)\b\s*[\w(]")
    found = []
    for path in tracked(root, "policy-engine/*.[ch]", "sidecar/*.[ch]"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line).split("/*")[0].split(" * ")[0]
            if banned.search(code):
                found.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    assert not found


def configure(root, tmp_path, floors):
    """Configures a small house with the real floor() function."""
    house = tmp_path / "house"
    shutil.copytree(root / "cmake", house / "cmake")
    text = 'cmake_minimum_required(VERSION 3.25)\nproject(house C)\nset(BARTIZAN_WARNINGS "")\ninclude(cmake/floor.cmake)\n'
    for name, call, source in floors:
        folder = house / name
        folder.mkdir()
        (folder / f"{name}.h").write_text("int zero(void);\n")
        (folder / f"{name}.c").write_text(source)
        (folder / "CMakeLists.txt").write_text(call)
        text += f"add_subdirectory({name})\n"
    (house / "CMakeLists.txt").write_text(text)
    build = tmp_path / "out"
    done = subprocess.run(
        ["cmake", "-G", "Ninja", "-S", house, "-B", build], capture_output=True, text=True
    )
    if done.returncode != 0:
        return done
    return subprocess.run(["cmake", "--build", build], capture_output=True, text=True)


LOWER = ("lower", "floor(lower LEVEL 1 SOURCES lower.c)\n", "int lower_value(void);\nint lower_value(void) { return 1; }\n")


def test_a_floor_may_use_a_lower_one(root, tmp_path):
    upper = ("upper", "floor(upper LEVEL 2 SOURCES upper.c USES lower)\n", '#include "lower.h"\n')
    done = configure(root, tmp_path, [LOWER, upper])
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_floor_that_uses_one_above_it_does_not_configure(root, tmp_path):
    upward = ("upper", "floor(upper LEVEL 1 SOURCES upper.c USES lower)\n", "int upper;\n")
    done = configure(root, tmp_path, [LOWER, upward])
    assert done.returncode != 0 and "may not use lower of level 1" in done.stderr


def test_a_floor_that_uses_one_declared_later_does_not_configure(root, tmp_path):
    early = ("upper", "floor(upper LEVEL 2 SOURCES upper.c USES lower)\n", "int upper;\n")
    done = configure(root, tmp_path, [early, LOWER])
    assert done.returncode != 0 and "not declared above it" in done.stderr


def test_an_include_of_a_floor_that_is_not_named_does_not_compile(root, tmp_path):
    upper = ("upper", "floor(upper LEVEL 2 SOURCES upper.c)\n", '#include "lower.h"\n')
    done = configure(root, tmp_path, [LOWER, upper])
    assert done.returncode != 0 and "lower.h" in done.stdout + done.stderr


def readelf(path, *options):
    return subprocess.run(["readelf", "-W", *options, path], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["bartizan", "bartizan-ship"])
def test_the_programs_are_hardened(binaries, name):
    program = binaries / name
    header, segments = readelf(program, "-h"), readelf(program, "-l")
    dynamic, symbols = readelf(program, "-d"), readelf(program, "-s")
    assert "DYN (Position-Independent Executable file)" in header
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK\s.*\sRW\s", segments), "the stack must not be executable"
    assert not re.search(r"LOAD\s.*\sRWE\s", segments)
    assert "BIND_NOW" in dynamic or re.search(r"FLAGS.*NOW", dynamic)
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__(memcpy|snprintf|vsnprintf|read|fprintf)_chk", symbols), "_FORTIFY_SOURCE is off"
    if "X86-64" in header:
        landing_pads = program.read_bytes().count(b"\xf3\x0f\x1e\xfa")  # endbr64
        assert landing_pads > 50, "-fcf-protection is off"


# CVE-2026-31837: a gateway fell back to a key pair whose private half stood in its source.
@pytest.mark.parametrize("name", ["bartizan", "bartizan-ship"])
def test_the_programs_bring_no_keys(binaries, name):
    data = (binaries / name).read_bytes()
    assert not re.search(rb"-----BEGIN [A-Z ]+-----(\n|\\n|%0A)[A-Za-z0-9+/]{16}", data)
    assert not re.search(rb'"(n|x|d|k)"\s*:\s*"[A-Za-z0-9_-]{32,}"', data)


def test_the_decider_never_maps_libzmq(binaries):
    assert "libzmq" not in readelf(binaries / "bartizan", "-d")
    assert "libzmq" in readelf(binaries / "bartizan-ship", "-d")


def test_grpc_abseil_and_their_runtime_are_linked_statically(binaries):
    needed = readelf(binaries / "bartizan", "-d")
    assert "libgrpc" not in needed and "libabsl" not in needed
    assert "libstdc++" not in needed and "libgcc_s" not in needed
    assert "libcrypto" in needed and "libc.so" in needed


def test_the_floors_of_architecture_are_those_of_the_build(root):
    built = {}
    for path in tracked(root, "*/CMakeLists.txt"):
        level = re.search(r"^floor\(\w+ LEVEL (\d)", path.read_text(), re.MULTILINE)
        if level:
            built[str(path.parent.relative_to(root))] = int(level[1])
    rows = re.findall(r"^\| (\d) \| ([^|]*) \|", (root / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    told = {folder: int(level) for level, folders in rows for folder in re.findall(r"`([\w/-]+)`", folders)}
    assert told.pop("proto") == 0
    assert told == built


def test_links_and_paths_in_documents_lead_somewhere(root):
    broken = []
    for document in (path for path in tracked(root) if path.suffix == ".md"):
        text = document.read_text()
        links = [document.parent / link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
        paths = re.findall(r"`((?:docs|deploy|tests|proto|policy-engine|sidecar|bench)/[\w./-]*)`", text)
        broken += [f"{document.name}: {each}" for each in [*links, *(root / path for path in paths)] if not each.exists()]
    assert not broken


def test_each_test_that_the_table_of_bypasses_names_is_there(root):
    text = (root / "docs" / "bypasses.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| C?[0-9]", line)]
    known = "".join(path.read_text() for path in tracked(root, "tests/*.c", "tests/*.py"))
    assert len(rows) == 44 + 16
    for row in rows:
        names = re.findall(r"`([a-z_0-9]+)`", row[-1])
        assert names or "none:" in row[-1], row[0]
        for name in names:
            assert re.search(rf"^(static void|def) {name}\(", known, re.M), name


def test_commands_in_documents_are_ones_that_the_program_has(root, binaries):
    """The words after `bartizan` up to the first option or name, each asked for its help."""
    asked = set()
    for document in (path for path in tracked(root) if path.suffix == ".md"):
        asked |= set(re.findall(r"(?:^\s*|`)bartizan ((?:policy|revoke|audit|pki) [a-z]+|[a-z]+)(?=[ `\n])", document.read_text(), re.MULTILINE))
    assert {"serve", "policy test", "revoke add", "audit verify", "pki issue"} <= asked
    for words in sorted(asked - {"help"}):
        done = subprocess.run([binaries / "bartizan", *words.split(), "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith(f"usage: bartizan {words.split()[0]}"), words


def test_nothing_in_the_tree_names_a_machine(root):
    found = []
    for path in tracked(root):
        if path.is_symlink() or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"(?<![\w.])/(work|root|home/\w+)/", line) and path.name != "test_house.py":
                found.append(f"{path.relative_to(root)}:{number}")
    assert not found


def test_every_folder_at_the_top_is_one_of_the_house(root):
    tops = {str(path.relative_to(root)).split("/")[0] for path in tracked(root)}
    files = {
        "CMakeLists.txt", "CMakePresets.json", "run", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md",
        "CHANGELOG.md", "LICENSE", ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".ci",
    }
    folders = {"proto", "sidecar", "policy-engine", "deploy", "tests", "bench", "collector", "docs", "cmake"}
    assert tops <= files | folders, tops - files - folders
