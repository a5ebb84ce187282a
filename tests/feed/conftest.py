# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "process"))

from workload_api import WorkloadApi  # noqa: E402


@pytest.fixture
def api(tmp_path_factory):
    with WorkloadApi() as running:
        yield running
