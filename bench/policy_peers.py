#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a decision costs in Bartizan and in its peers, on the same generated rules and requests.

For each shape and number of rules policy_export writes the rules and 512 requests, and every engine
loads its own translation of them (bench/peers). It is timed only after it has given the expected answer to
the requests that it is timed on. Rounds are interleaved: what else the machine does falls on all. An
engine that is not loaded within --cap seconds is stopped, and not tried with more rules of that shape.
Prints Markdown, and writes it with a plot beside the build: policy-peers.md, .svg and .json."""

import argparse
import json
import os
import platform
import selectors
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from policy import COLOURS as LINES
from policy import RULES, SHAPES, Panel

HERE = Path(__file__).resolve().parent
ENGINES = ["Bartizan", "OPA", "Cedar", "Cedar wasm", "Casbin", "Envoy RBAC"]
COLOURS = [*LINES, "#c9a227"]
KINDS = {"allow": "allowed", "deny": "refused"}
CHECKED_LEAST = 8  # of 512: fewer within the time of a check, and the engine is stopped


class Stopped(Exception):
    """An engine is left out of a row, and why."""


class Engine:
    """One running program of the conversation that bench/policy_peer.c describes."""

    def __init__(self, name: str, command: list, environment: dict, cap: float):
        self.name, self.version, self.rounds = name, name, {kind: [] for kind in KINDS}
        self.spent, self.checked, self.problem = 0.0, 0, ""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, **environment})  # fmt: skip
        self.guard(self.start, cap)

    def guard(self, step, *words):
        """Does a step unless the engine was stopped before; a step that fails stops it."""
        if not self.problem:
            try:
                step(*words)
            except Stopped as why:
                self.problem = str(why)
                self.close()

    def start(self, cap: float):
        ready = self.read(cap)
        self.version, self.load_ms = ready.get("version", self.name), ready["load_ms"]

    def read(self, limit: float) -> dict:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(limit):
                raise Stopped(f"stopped after {limit:g} s")
        line = self.process.stdout.readline()
        if not line:
            raise Stopped(f"failed: {self.process.stderr.read().decode(errors='replace').strip()[-300:]}")
        return json.loads(line)

    def ask(self, line: str, limit: float) -> dict:
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return self.read(limit)

    def check(self, seconds: float, cap: float):
        answer = self.ask(f"check {seconds}", cap)
        self.checked = answer["checked"]
        if answer["wrong"]:
            raise Stopped(f"another answer to {len(answer['wrong'])} of {self.checked} requests, first in line {answer['wrong'][0]}")
        if self.checked < CHECKED_LEAST:
            raise Stopped(f"stopped after {seconds:g} s")

    def round(self, seconds: float, budget: float, cap: float):
        """Nothing once the budget of the row is spent."""
        if self.spent > budget:
            return
        start = time.monotonic()
        for kind in KINDS:
            self.rounds[kind].append(self.ask(f"round {kind} {seconds}", cap))
        self.spent += time.monotonic() - start

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def result(self) -> dict:
        out = {"version": self.version, "problem": self.problem, "checked": self.checked}
        if not self.problem:
            out["load_ms"] = self.load_ms
            for kind, rounds in self.rounds.items():
                out[kind] = {what: spread([each[what] for each in rounds])
                             for what in ("p50_ns", "p99_ns", "cpu_ns") if what in rounds[0]}  # fmt: skip
        return out


def spread(numbers: list) -> list:
    return [min(numbers), statistics.median(numbers), max(numbers)]


def commands(options, folder: Path) -> dict:
    """Name to command and environment, of those that were named."""
    peers = HERE / "peers"
    known = {
        "Bartizan": ([options.bin / "policy_peer", folder], {}),
        "OPA": ([options.go / "opa", folder], {}),
        "Cedar": ([options.cedar, folder], {}),
        "Cedar wasm": (["node", peers / "cedar" / "peer.js", folder], {"NODE_PATH": str(options.node)}),
        "Casbin": ([options.go / "casbin", folder], {}),
        "Envoy RBAC": ([sys.executable, peers / "envoy" / "peer.py", folder, options.envoy], {}),
    }
    return {name: known[name] for name in known if name in options.engines}


def measure(options, shape: str, rules: int, given_up: set) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.bin / "policy_export", shape, str(rules), folder], check=True)
        if "Cedar" in options.engines and "Cedar" not in given_up:
            subprocess.run(["node", HERE / "peers" / "cedar" / "peer.js", "--write", folder], check=True,
                           env={**os.environ, "NODE_PATH": str(options.node)})  # fmt: skip
        engines = []
        try:
            for name, (command, environment) in commands(options, Path(folder)).items():
                if name not in given_up:
                    engines.append(Engine(name, command, environment, options.cap))
            for engine in engines:
                engine.guard(engine.check, options.check, 10 * options.cap)
            for _ in range(options.rounds):
                for engine in engines:
                    engine.guard(engine.round, options.seconds, options.budget, 10 * options.cap)
        finally:
            for engine in engines:
                engine.close()
        skipped = {"version": "", "problem": "not tried", "checked": 0}
        measured = {engine.name: engine.result() for engine in engines}
        return {name: measured.get(name, skipped) for name in options.engines}


# ---- tables --------------------------------------------------------------------------


def time_text(ns: float) -> str:
    """Three digits."""
    for limit, unit, scale in ((999.5, "ns", 1), (999.5e3, "us", 1e3), (999.5e6, "ms", 1e6)):
        if abs(ns) < limit or unit == "ms":
            value = ns / scale
            return f"{value:.0f} {unit}" if unit == "ns" or abs(value) >= 99.5 else f"{value:.{1 if abs(value) >= 9.95 else 2}f} {unit}"
    raise ValueError(f"{ns} is no time")


def cell(result: dict, kind: str, what: str) -> str:
    if result["problem"]:
        return result["problem"]
    if what not in result[kind]:
        return ""
    low, middle, high = map(time_text, result[kind][what])
    unit = middle.split()[1]
    low, high = (text.removesuffix(f" {unit}") for text in (low, high))
    return f"{middle} ({low}-{high})" if what != "p99_ns" else middle


def heading(title: str, rules: list) -> list:
    return [f"\n{title}\n", "| shape | engine | " + " | ".join(f"{count:,} rules" for count in rules) + " |",
            "|---" * (len(rules) + 2) + "|"]  # fmt: skip


def table(title: str, results: dict, rules: list, kind: str, columns: dict) -> list:
    """A row for each engine and each of `columns` (what it is called after the engine: its key) that it has."""
    lines = heading(title, rules)
    for shape, sizes in results.items():
        for name in next(iter(sizes.values())):
            for word, what in columns.items():
                if any(what in sizes[count][name].get(kind, {}) for count in rules):
                    cells = [cell(sizes[count][name], kind, what) for count in rules]
                    lines.append(f"| {shape} | {name}{word} | " + " | ".join(cells) + " |")
    return lines


def load_table(results: dict, rules: list) -> list:
    lines = heading("Loading, from the files to the first decision that could be asked", rules)
    for shape, sizes in results.items():
        for name in next(iter(sizes.values())):
            cells = [size["problem"] or time_text(size["load_ms"] * 1e6) for size in (sizes[count][name] for count in rules)]
            lines.append(f"| {shape} | {name} | " + " | ".join(cells) + " |")
    return lines


def report(options, results: dict, load: float) -> str:
    rules = options.rules
    versions = {name: each["version"] for sizes in results.values() for size in sizes.values() for name, each in size.items()
                if each["version"] not in ("", name) or name == "Bartizan"}  # fmt: skip
    lines = [f"{os.cpu_count()} cores, {platform.machine()}; load before {load:.2f}, after {os.getloadavg()[0]:.2f}; up to "
             f"{options.rounds} interleaved rounds of {options.seconds:g} s a kind of request; {', '.join(versions.values())}"]  # fmt: skip
    for kind, word in KINDS.items():
        lines += table(f"Median time of {word} requests: the median of the rounds (least-most)", results, rules, kind,
                       {"": "p50_ns", ", CPU": "cpu_ns"})  # fmt: skip
    lines += table("99th percentile of allowed requests, the median of the rounds", results, rules, "allow", {"": "p99_ns"})
    lines += load_table(results, rules)
    fewer = [f"{shape}, {count:,} rules, {name}: {each['checked']}" for shape, sizes in results.items() for count, size in sizes.items()
             for name, each in size.items() if not each["problem"] and each["checked"] < 512]  # fmt: skip
    lines.append("\nThe answers to all 512 requests were compared before the timing" + (
        f"; fewer where {options.check:g} s were not enough, and only those are timed ({'; '.join(fewer)})." if fewer else "."))  # fmt: skip
    return "\n".join(lines) + "\n"


def plot(results: dict, names: list, path: Path):
    parts = []
    for i, (shape, sizes) in enumerate(results.items()):
        panel = Panel(480 * (i % 3), f"{shape}: p50 of an allowed request (Envoy: CPU)", "us", 0.1, 1_000_000)
        panel.axes()
        for name, colour in zip(names, COLOURS):
            good = [(count, size[name]["allow"]) for count, size in sizes.items() if not size[name]["problem"]]
            points = [(count, each.get("cpu_ns", each["p50_ns"])[1] / 1e3) for count, each in good]
            if points:
                panel.line(points, colour)
        parts.append(f'<g transform="translate(0,{350 * (i // 3)})">{"".join(panel.parts)}</g>')
    parts += [f'<rect x="1040" y="{400 + 24 * i}" width="12" height="12" fill="{colour}"/><text x="1058" y="{411 + 24 * i}">{name}</text>'
              for i, (name, colour) in enumerate(zip(names, COLOURS))]  # fmt: skip
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="1440" height="710" font-family="sans-serif" '
                    f'font-size="11"><rect width="1440" height="710" fill="white"/>{"".join(parts)}</svg>\n')  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench peers", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="the folder of policy_export and policy_peer")
    parser.add_argument("--go", type=Path, required=True, help="the folder of the Go peers")
    parser.add_argument("--cedar", type=Path, help="the program of peers/cedar/native; without it Cedar is asked by its npm package alone")
    parser.add_argument("--node", type=Path, required=True, help="the node_modules with cedar-wasm")
    parser.add_argument("--envoy", type=Path, required=True, help="the program")
    parser.add_argument("--engines", nargs="*", choices=ENGINES, default=ENGINES)
    parser.add_argument("--shapes", nargs="*", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--rules", type=int, nargs="*", default=RULES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15, help="of a round")
    parser.add_argument("--cap", type=float, default=15, help="seconds in which an engine must have loaded")
    parser.add_argument("--check", type=float, default=3, help="seconds for the comparison of answers")
    parser.add_argument("--budget", type=float, default=5, help="seconds after which an engine has no further round in a row")
    options = parser.parse_args()
    options.engines = [name for name in ENGINES if name in options.engines and (name != "Cedar" or options.cedar)]
    load, start = os.getloadavg()[0], time.monotonic()
    results: dict = {shape: {} for shape in options.shapes}
    for shape in options.shapes:
        given_up: set = set()
        for count in options.rules:
            results[shape][count] = measure(options, shape, count, given_up)
            given_up |= {name for name, each in results[shape][count].items() if "stopped" in each["problem"]}
            print(f"{time.monotonic() - start:5.0f} s  {shape}, {count:,} rules: " + ", ".join(
                f"{name} {cell(each, 'allow', 'p50_ns')}" for name, each in results[shape][count].items()), file=sys.stderr)  # fmt: skip
    build = options.bin.resolve().parent
    text = report(options, results, load)
    (build / "policy-peers.md").write_text(text)
    (build / "policy-peers.json").write_text(json.dumps(results, indent=1) + "\n")
    plot(results, options.engines, build / "policy-peers.svg")
    print(text)
    print(f"{time.monotonic() - start:.0f} s; {build / 'policy-peers.md'}, .svg, .json")
    wrong = any("another answer" in each["problem"] for sizes in results.values() for size in sizes.values() for each in size.values())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
