#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a deny list costs by its length: how long `bartizan revoke add` takes until it returns, which is when
the decider refuses; what the decider's CPU takes for the new list, files read and all; and what it takes of memory."""

import argparse
import hashlib
import json
import shutil
import statistics
import sys
import time
from pathlib import Path

from bench import world
from process_cost import cpu_ns, rss_kib

from stack import Stack, runtime_folder  # noqa: E402  (bench has put its folder on the path)

SIZES = [10, 100_000, 1_000_000]


def entry(i: int) -> str:
    """What an operator exports: workloads that left, certificates, sessions and serial numbers, all with an end."""
    kind = (
        lambda: f"spiffe\tspiffe://prod.example/ns/team-{i % 97}/sa/gone-{i}",
        lambda: f"certificateSha256\t{hashlib.sha256(str(i).encode()).hexdigest()}",
        lambda: f"token\tonrtac:{i:08x}-9f1c-4f52-9a43-2f1c5b7a9d10\tissuer=https://sso.example",
        lambda: f"serial\t{i * 7919:032x}\tissuer=keyId:17:8a:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33",
    )[i % 4]
    return f"{kind()}\texpires=2099-11-25T08:00:00Z\n"


def write_lines(folder: Path, count: int) -> int:
    """The file's bytes. Written beside, then put in place."""
    beside = folder / ".export"
    with beside.open("w") as out:
        out.write("bartizan-revocations v1\nsequence 1\n")
        out.writelines(entry(i) for i in range(count))
        out.write("end\n")
    beside.rename(folder / "export.revocations")
    return (folder / "export.revocations").stat().st_size


def spread(values, unit: str, scale: float = 1) -> str:
    values = [value * scale for value in values]
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f}) {unit}"


def measure(count: int, options) -> None:
    folder = runtime_folder()
    try:
        with Stack(folder, options.bin.resolve(), Path("/nonexistent")) as stack:
            world(stack)
            size = write_lines(folder / "revocations", count)
            stack.start_bartizan()
            status = json.loads(stack.run("status", "--config", stack.config_file, "--format", "json").stdout)
            assert status["snapshot"]["revocations"]["entries"] == count
            added, loaded = [], []
            for i in range(options.rounds):
                before, start = cpu_ns(status["pid"]), time.monotonic_ns()
                done = stack.run("revoke", "add", "--config", stack.config_file, "--reason", "bench",
                                 "--spiffe", f"spiffe://prod.example/ns/bench/sa/{i}")
                added.append(time.monotonic_ns() - start)
                loaded.append(cpu_ns(status["pid"]) - before)
                assert done.returncode == 0, done.stderr
            print(f"{count:9} entries, {size / 2**20:6.1f} MiB: revoke add {spread(added, 'ms', 1e-6):22} "
                  f"decider's CPU {spread(loaded, 'ms', 1e-6):20} RSS {rss_kib(status['pid']) / 1024:.0f} MiB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench revocations", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="the folder of the built programs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--entries", type=int, nargs="*", default=SIZES)
    options = parser.parse_args()
    for count in options.entries:
        measure(count, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
