# SPDX-License-Identifier: Apache-2.0
"""What all Python tests share. BARTIZAN_BIN is the folder of the built programs,
BARTIZAN_ENVOY the Envoy to start; `./run test` sets both."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy" / "demo"))
sys.path.insert(0, str(ROOT / "tests" / "support"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def binaries() -> Path:
    folder = Path(os.environ.get("BARTIZAN_BIN", ROOT / "build" / "bin"))
    assert (folder / "bartizan").exists(), f"no bartizan in {folder}: run ./run build"
    return folder


@pytest.fixture(scope="session")
def envoy() -> Path:
    path = os.environ.get("BARTIZAN_ENVOY") or shutil.which("envoy")
    assert path, "no Envoy: set BARTIZAN_ENVOY"
    return Path(path)
