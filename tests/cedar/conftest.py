# SPDX-License-Identifier: Apache-2.0
"""Cedar, asked in one process for all policies. BARTIZAN_CEDAR is the folder with the node_modules of
bench/peers/cedar/package.json; `./run test --all` sets it."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


class Cedar:
    def __init__(self, modules: Path):
        judge = Path(__file__).resolve().parent / "judge.js"
        self.complaints = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["node", judge], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.complaints,
                                        text=True, env={**os.environ, "NODE_PATH": str(modules)})  # fmt: skip

    def decide(self, policies: str, calls: list) -> list:
        self.process.stdin.write(json.dumps({"policies": policies, "calls": calls}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"Cedar ended ({self.process.wait(10)}): {self.complaint()}\n{policies}"
        return json.loads(line)

    def complaint(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read()[-2000:]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.complaints.close()


@pytest.fixture(scope="module")
def cedar():
    folder = os.environ.get("BARTIZAN_CEDAR")
    if folder is None or not (Path(folder) / "node_modules").is_dir() or shutil.which("node") is None:
        pytest.skip("SKIPPED: the comparison with Cedar: no node, or no cedar-wasm in BARTIZAN_CEDAR")
    running = Cedar(Path(folder) / "node_modules")
    yield running
    running.close()
