#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it takes to know who is calling: the cache of verified callers, a certificate that was
never seen beside what OpenSSL itself takes for it, and what new callers do to known ones: an
open loop at a part of what the sidecar can do, interleaved with and without new certificates.

The client runs on core 1 and the decider with its verifying threads on core 0 where there are
two, so that verifying has no processor of its own."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from bench import HOST, PATH, pin, world

from credentials import Authority  # noqa: E402  (bench has put its folder on the path)
from request import check_request
from stack import Stack, runtime_folder

SHARE = 0.3  # of the capacity
EVERY = 100  # one check in so many brings a new certificate


def spread(values) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


def in_process(programs: Path, rounds: int):
    results = [json.loads(subprocess.run(pin([programs / "identity_cost"], 1), check=True, capture_output=True).stdout)
               for _ in range(rounds)]
    first = results[0]
    warm, crowd = first["warm_ns"], first["crowd"]
    print(f"a known caller, ns: p50 {spread([r['warm_ns']['p50'] for r in results])}, "
          f"p99 {spread([r['warm_ns']['p99'] for r in results])}; certificate of {warm['text_bytes']} bytes, "
          f"deny list of {warm['deny_list']}")
    print(f"a new caller, us: {spread([r['cold_us']['ours'] for r in results])}; OpenSSL alone "
          f"{spread([r['cold_us']['openssl'] for r in results])}; ratio "
          f"{statistics.median(r['cold_us']['ratio'][1] for r in results):.2f} "
          f"({min(r['cold_us']['ratio'][0] for r in results):.2f}-{max(r['cold_us']['ratio'][2] for r in results):.2f})")
    print(f"{crowd['callers']} callers one after the other: {crowd['kept']} kept, "
          f"{max(r['crowd']['memory'] for r in results)} bytes taken of {crowd['configured']} configured")


class NewCallers:
    """Requests like the known one, each with a certificate that was never seen."""

    def __init__(self, authority: Authority, known: dict, folder: Path):
        self.authority, self.known, self.folder, self.count = authority, known, folder, 0

    def file(self, count: int) -> Path:
        path = self.folder / "new-callers.bin"
        with path.open("wb") as out:
            for _ in range(count):
                self.count += 1
                svid = self.authority.issue("/ns/ops/sa/console", f"new-{self.count}")
                message = check_request("POST", HOST, PATH, self.known, svid.spiffe_id, svid.certificate_file.read_text())
                out.write(len(message).to_bytes(4, "little") + message)
        return path


def run_client(command: list) -> dict:
    out = subprocess.run(pin(command, 1), check=True, capture_output=True, text=True).stdout
    result = json.loads(out.splitlines()[1])
    if result["other"]:
        raise RuntimeError(f"{result['other']} answers were no allow")
    return result


def open_loop(programs: Path, options):
    folder = runtime_folder()
    try:
        with Stack(folder, options.bin.resolve(), Path("/nonexistent")) as stack:
            request, authority, headers = world(stack)
            stack.bartizan = options.bin.resolve() / "bartizan"
            stack.start_bartizan()
            status = json.loads(stack.run("status", "--config", stack.config_file, "--format", "json").stdout)
            subprocess.run(["taskset", "-acp", "0", str(status["pid"])], capture_output=True)
            client = [str(programs / "load_client"), str(stack.check_socket), str(request)]
            capacity = statistics.median(
                (lambda r: r["requests"] / r["seconds"])(run_client([*client, "64", "2"])) for _ in range(3))
            rate = SHARE * capacity
            callers = NewCallers(authority, headers, folder)
            needed = int(rate * options.seconds / EVERY) + 1
            known, beside = [], []
            for _ in range(options.rounds):
                known.append(run_client([*client, "256", str(options.seconds), str(rate)]))
                cold = callers.file(needed)
                beside.append(run_client([*client, "256", str(options.seconds), str(rate), str(cold), str(EVERY)]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"open loop, {rate:.0f} checks/s ({SHARE:.0%} of {capacity:.0f}), {options.rounds} rounds of {options.seconds:g} s, "
          f"interleaved; {sum(r['cold'] for r in beside)} new certificates, 1 in {EVERY}")
    for name, rounds in (("known callers alone", known), ("beside new ones", beside)):
        print(f"  {name:20} p50 us {spread([r['p50_us'] for r in rounds]):20} p99 us {spread([r['p99_us'] for r in rounds])}")
    print(f"  {'the new ones':20} p50 us {spread([r['cold_p50_us'] for r in beside]):20} "
          f"p99 us {spread([r['cold_p99_us'] for r in beside])}")
    ratios = [b["p99_us"] / a["p99_us"] for a, b in zip(known, beside)]
    print(f"  p99 of known callers, beside new ones / alone: {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench identity", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="the folder of the built programs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round")
    options = parser.parse_args()
    programs = options.bin.resolve().parent / "bench"
    print(f"{os.cpu_count()} cores")
    in_process(programs, options.rounds)
    open_loop(programs, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
