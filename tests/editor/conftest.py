# SPDX-License-Identifier: Apache-2.0
"""The schema as the program prints it, and the Node packages that read it (package.json).

BARTIZAN_EDITOR is the folder with their node_modules; `./run test --all` sets it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def modules() -> Path:
    folder = os.environ.get("BARTIZAN_EDITOR")
    if folder is None or not (Path(folder) / "node_modules" / "ajv").is_dir() or shutil.which("node") is None:
        pytest.skip("SKIPPED: the editor tests: no node, or no packages of tests/editor/package.json in BARTIZAN_EDITOR")
    return Path(folder) / "node_modules"


@pytest.fixture(scope="session")
def schema(binaries, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "policy.schema.json"
    with path.open("wb") as out:
        subprocess.run([binaries / "bartizan", "policy", "schema"], stdout=out, check=True, timeout=60)
    return path
