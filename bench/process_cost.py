# SPDX-License-Identifier: Apache-2.0
"""What a running process has taken so far, read from /proc."""

from pathlib import Path


def cpu_ns(pid: int) -> int:
    """CPU time of all its threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            pass
    return total


def rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
