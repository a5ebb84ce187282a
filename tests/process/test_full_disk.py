# SPDX-License-Identifier: Apache-2.0
"""A disk that takes no more: decisions go on, and what is missing is told (docs/audit.md)."""

import re
import subprocess
from pathlib import Path

import pytest
from sidecar import BINARIES, Sidecar, request, wait_until

MOUNT = 'mount -t tmpfs -o size=1100k none "$0" && head -c 480000 /dev/zero > "$0/filler" && exec "$@"'
NAMESPACE = ["unshare", "--map-root-user", "--mount", "sh", "-c", MOUNT]


@pytest.fixture
def small_disk(tmp_path):
    """A sidecar whose journal stands on a file system of its own, half of it taken by another file."""
    if subprocess.run([*NAMESPACE, tmp_path, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here: a small file system cannot be mounted")
    with Sidecar() as sidecar:
        text, journal = sidecar.config.read_text(), "journal: {path: disk/journal, max_bytes: 1MiB}"
        sidecar.config.write_text(re.sub(r"journal: \{.*\}", journal, text))
        disk = sidecar.folder / "disk"
        disk.mkdir()
        command = [*NAMESPACE, disk, BINARIES / "bartizan", "serve", "--config", sidecar.config]
        with open(sidecar.log_file, "ab") as log:
            sidecar.process = subprocess.Popen(command, stdout=log, stderr=log)
        sidecar.wait_ready()
        yield sidecar


def test_on_a_full_disk_decisions_go_on_and_what_is_missing_is_told(small_disk):
    client = small_disk.client()
    disk = Path(f"/proc/{small_disk.process.pid}/root{small_disk.folder}/disk")
    message = request(caller=small_disk.web)

    def ask_until(question):
        """Each check is answered, whatever the disk says."""
        for _ in range(20000):
            assert client.check(message).status.code == 0
            if question():
                return
        raise AssertionError(small_disk.log())

    def lost():
        return small_disk.status()["journal"]["lost"]

    ask_until(lambda: lost() > 0)
    assert "bartizan_journal_lost_total 0" not in small_disk.admin("GET", "/metrics")[1]
    (disk / "filler").unlink()

    def told():
        client.check(message)
        out = small_disk.cli("audit", "tail", "--journal", disk / "journal", "--from-start", "--no-follow", "--topic", "v1.loss")
        return "lost" in out.stdout

    wait_until(told, 20, "the record of the loss")
    after = lost()
    ask_until(lambda: True)
    assert lost() == after
