# SPDX-License-Identifier: Apache-2.0
import shutil
import tempfile
from pathlib import Path

import pytest

from place import Place


@pytest.fixture
def place(binaries):
    folder = Path(tempfile.mkdtemp(prefix="bz-cli-"))  # short: a unix socket's name holds at most 107 bytes
    yield Place(folder, binaries / "bartizan")
    shutil.rmtree(folder)
