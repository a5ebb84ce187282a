#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The cost of a whole check as a ratio of an empty handler on the same gRPC C core with the
same request reader: interleaved rounds over a unix socket, the median and the spread.

Server CPU is read from the server's own threads (/proc/PID/task/*/schedstat), so the client
does not count. The client runs on core 1 and the servers on core 0 where there are two."""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy" / "demo"))

from credentials import Authority, Issuer  # noqa: E402
from process_cost import cpu_ns, rss_kib  # noqa: E402
from request import check_request  # noqa: E402
from stack import HERE, Stack, runtime_folder, wait_until  # noqa: E402

PATH = "/v1/models/fraud-v3:predict"
HOST = "eu.models.example"


def pin(command: list, core: int) -> list:
    return ["taskset", "-c", str(core), *command] if (os.cpu_count() or 1) > 1 and shutil.which("taskset") else command


class Contender:
    def __init__(self, name: str, socket: Path, pid: int, request: Path):
        self.name, self.socket, self.pid, self.request = name, socket, pid, request
        self.rounds: list = []

    def round(self, client: Path, in_flight: int, seconds: float):
        command = pin([str(client), str(self.socket), str(self.request), str(in_flight), str(seconds)], 1)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout.readline() == "warm\n"
            before = cpu_ns(self.pid)
            result = json.loads(running.stdout.readline())
            after = cpu_ns(self.pid)
        if result["other"]:
            raise RuntimeError(f"{self.name}: {result['other']} answers were no allow")
        result["cpu_us"] = (after - before) / 1000 / result["requests"]
        result["rps"] = result["requests"] / result["seconds"]
        self.rounds.append(result)

    def median(self, what: str) -> float:
        return statistics.median(each[what] for each in self.rounds)


def world(stack: Stack):
    """Files of a sidecar, one request that its policy allows, and what others like it are made of:
    the request's file, the authority, the headers."""
    folder = stack.folder
    ca = Authority("prod.example", folder)
    console = ca.issue("/ns/ops/sa/console", "console")
    issuer = Issuer("https://sso.example", folder)
    shutil.copytree(HERE / "policy", folder / "policy")
    (folder / "revocations").mkdir()
    stack.write_config()
    token = issuer.token("alice", 0, azp="ml-console", roles=["ml-operator"], purpose="incident", amr=["pwd", "hwk"],
                         acr="mfa", name="Alice Liddell", email="alice@example.org", sid="733057a6-1d2c-4c0f-9f5e",
                         groups=["blue", "ml-research", "phi-stewards"], scope="openid email profile inference",
                         preferred_username="alice", given_name="Alice", family_name="Liddell", client_host="10.1.2.3")
    headers = {
        "accept": "application/json", "accept-encoding": "gzip, deflate, br", "authorization": f"Bearer {token}",
        "content-length": "812", "content-type": "application/json", "traceparent": f"00-{'4b' * 16}-{'00f067aa' * 2}-01",
        "user-agent": "ml-console/4.2 (linux; x86_64)", "x-forwarded-for": "10.1.2.3", "x-forwarded-proto": "https",
        "x-request-id": "8c1f4e5a-7a4b-4f52-9a43-2f1c5b7a9d10", "x-tenant": "blue", "x-client-version": "4.2.1",
    }
    certificate = console.certificate_file.read_text()
    path = folder / "request.bin"
    path.write_bytes(check_request("POST", HOST, PATH, headers, console.spiffe_id, certificate))
    return path, ca, headers


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="the folder of the built programs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one round")
    parser.add_argument("--in-flight", type=int, nargs="*", default=[64, 1])
    options = parser.parse_args()
    programs = options.bin.resolve().parent / "bench"
    folder = runtime_folder()
    try:
        with Stack(folder, options.bin.resolve(), Path("/nonexistent")) as stack:
            request, _, _ = world(stack)
            stack.bartizan = options.bin.resolve() / "bartizan"
            stack.start_bartizan()
            status = json.loads(stack.run("status", "--config", stack.config_file, "--format", "json").stdout)
            decider = status["pid"]
            subprocess.run(["taskset", "-acp", "0", str(decider)], capture_output=True)
            empty_socket = folder / "empty.sock"
            empty = stack.start("empty", pin([programs / "empty_server", empty_socket], 0))
            wait_until(empty_socket.exists, 10, "the empty handler")
            print(f"{os.cpu_count()} cores; request {request.stat().st_size} bytes; {options.rounds} rounds of "
                  f"{options.seconds:g} s each, interleaved; unix socket; policy inference-gateway, journal on")
            for in_flight in options.in_flight:
                contenders = [
                    Contender("empty handler", empty_socket, empty.popen.pid, request),
                    Contender("whole check", stack.check_socket, decider, request),
                ]
                for _ in range(options.rounds):
                    for each in contenders:
                        each.round(programs / "load_client", in_flight, options.seconds)
                report(in_flight, contenders)
            print(f"idle CPU of the decider over 3 s: {idle(decider):.2f} %")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def idle(pid: int) -> float:
    before, start = cpu_ns(pid), time.monotonic_ns()
    signal.sigtimedwait([], 3)
    return 100 * (cpu_ns(pid) - before) / (time.monotonic_ns() - start)


def report(in_flight: int, contenders: list):
    print(f"\n{in_flight} in flight      CPU us/request        requests/s   p50 us   p99 us   RSS MiB")
    for each in contenders:
        cpus = [one["cpu_us"] for one in each.rounds]
        print(f"  {each.name:14} {each.median('cpu_us'):7.2f} ({min(cpus):.2f}-{max(cpus):.2f})  {each.median('rps'):10.0f}"
              f" {each.median('p50_us'):8.0f} {each.median('p99_us'):8.0f} {rss_kib(each.pid) / 1024:8.1f}")
    base, ours = contenders
    ratios = [b["cpu_us"] / a["cpu_us"] for a, b in zip(base.rounds, ours.rounds)]
    print(f"  whole check / empty handler, CPU per request: {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    sys.exit(main())
