#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a policy costs by its size and shape: evaluation, compile and memory, held against the
budgets. Prints tables and writes a plot, build/policy-bench.svg, with nothing but the standard
library. All sizes of a shape are measured in turn, round by round; every figure is the median,
with the least and the most of the rounds where there is room."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

SHAPES = {
    "roles": "many roles of workloads and users, templates and labels, 4 (role, action) pairs a rule",
    "resources": "one role, two actions, and a resource id for each rule",
    "templates": "a path template for each rule, up to 16 of which fit one request",
    "denies": "nine denies with a condition to each allow",
    "worst": "every rule is about every request, told apart by a header: linear by construction",
}
RULES = [10, 100, 1_000, 10_000, 100_000]
MIB = 1024 * 1024
COLOURS = ["#1b6ca8", "#c2571a", "#3a7d44", "#7b4fa3", "#8a8a8a"]


class Shape:
    def __init__(self, name: str, sizes: list):
        self.name, self.sizes = name, sizes

    def at(self, rules: int) -> dict:
        return next((size for size in self.sizes if size["rules"] == rules), {})


def measure(program: Path, shape: str, rounds: int, rules: list) -> Shape:
    with tempfile.TemporaryDirectory() as folder:
        for count in rules:
            (Path(folder) / str(count)).mkdir()
        command = [program, shape, str(rounds), folder, *map(str, rules)]
        lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        sizes = [json.loads(line) for line in lines]
        for size in sizes:
            for name, path in (("peak_bytes", str(size["rules"])), ("image_peak_bytes", f"{size['rules']}.bzp")):
                peak = subprocess.run([program, "--peak", Path(folder) / path], check=True,
                                      stdout=subprocess.PIPE, text=True).stdout
                size[name] = int(peak) * 1024
    return Shape(shape, sizes)


# ---- tables --------------------------------------------------------------------


def ns(spread: list) -> str:
    return f"{spread[1]:8.0f} ({spread[0]:.0f}-{spread[2]:.0f})"


def tables(shapes: list):
    for shape in shapes:
        print(f"\n{shape.name}: {SHAPES[shape.name]}")
        print("   rules   allowed: p50 ns           p99 ns             tests   refused: p50 ns           p99 ns             tests")
        for size in shape.sizes:
            print(f"  {size['rules']:6}  {ns(size['hit_p50']):24} {ns(size['hit_p99']):24} {size['hit_tests']:7.1f}"
                  f"  {ns(size['miss_p50']):24} {ns(size['miss_p99']):24} {size['miss_tests']:7.1f}")
        print("   rules   YAML KiB   libyaml ms   tree ms   load ms   program ms   whole ms   /libyaml"
              "   program KiB   model KiB   peak MiB")
        for size in shape.sizes:
            yaml, tree, load, program, whole = (size[phase][1] for phase in ("yaml", "document", "load", "program", "whole"))
            print(f"  {size['rules']:6} {size['bytes'] / 1024:10.0f} {yaml:12.2f} {tree:9.2f} {load:9.2f} {program:12.2f}"
                  f" {whole:10.2f} {size['whole'][0] / size['yaml'][0]:10.2f} {size['program_bytes'] / 1024:13.0f}"
                  f" {size['model_bytes'] / 1024:11.0f} {size['peak_bytes'] / MIB:10.1f}")
        print("   rules   compiled file KiB   to YAML   write ms   read ms   to whole   peak MiB")
        for size in shape.sizes:
            print(f"  {size['rules']:6} {size['image_bytes'] / 1024:19.1f} {size['image_bytes'] / size['bytes']:9.2f}"
                  f" {size['image_write'][1]:10.2f} {size['image_read'][1]:9.2f}"
                  f" {size['image_read'][0] / size['whole'][0]:10.2f} {size['image_peak_bytes'] / MIB:10.1f}")


# ---- budgets -------------------------------------------------------------------


def held(shape: Shape) -> list:
    """(budget, measured, whether it holds) of those whose sizes were measured. Times of a compile are
    held by their least: what else the machine does only adds to them."""
    lines = []

    def hold(name: str, got: float, most: float, unit: str):
        lines.append((name, f"{got:.2f} of {most:g} {unit}", got <= most))

    if shape.name != "worst":
        thousand, ten, most = shape.at(1_000), shape.at(10), shape.at(100_000)
        for kind, what in (("hit", "allowed"), ("miss", "refused")):
            if thousand:
                hold(f"{what} p50 at 1,000 rules", thousand[f"{kind}_p50"][1] / 1e3, 0.5, "us")
                hold(f"{what} p99 at 1,000 rules", thousand[f"{kind}_p99"][1] / 1e3, 2, "us")
            if ten and most:
                hold(f"{what} p50, 100,000 rules to 10", most[f"{kind}_p50"][1] / ten[f"{kind}_p50"][1], 2, "times")
    for rules, limit in ((1_000, 10), (10_000, 60), (100_000, 600)):
        if size := shape.at(rules):
            hold(f"model to program at {rules:,} rules", size["program"][0], limit, "ms")
            hold(f"whole compile to libyaml at {rules:,} rules", size["whole"][0] / size["yaml"][0], 2, "times")
    if size := shape.at(100_000):
        hold("program at 100,000 rules", size["program_bytes"] / MIB, 24, "MiB")
        hold("compiled file at 100,000 rules", size["image_bytes"] / MIB, 24, "MiB")
    for size in shape.sizes[-1:]:
        limit = 10 * size["program_bytes"] / MIB + 8
        hold(f"peak of a compile at {size['rules']:,} rules", size["peak_bytes"] / MIB, round(limit, 1), "MiB")
    return lines


def budgets(shapes: list) -> int:
    missed = 0
    print("\nbudgets")
    for shape in shapes:
        for name, got, holds in held(shape):
            missed += not holds
            print(f"  {'holds ' if holds else 'MISSED'}  {shape.name:10} {name:42} {got}")
    return missed


# ---- the plot ------------------------------------------------------------------


class Panel:
    """One diagram with logarithmic axes."""

    WIDTH, HEIGHT, LEFT, TOP = 380, 260, 70, 40

    def __init__(self, x: int, title: str, unit: str, low: float, high: float):
        self.x, self.title, self.unit, self.low, self.high = x, title, unit, low, high
        self.parts: list = []

    def place(self, rules: float, value: float) -> tuple:
        across = logarithm(rules, RULES[0], RULES[-1])
        up = logarithm(max(value, self.low), self.low, self.high)
        return (self.x + self.LEFT + across * self.WIDTH, self.TOP + (1 - up) * self.HEIGHT)

    def axes(self):
        left, bottom = self.x + self.LEFT, self.TOP + self.HEIGHT
        self.parts.append(f'<text x="{left}" y="{self.TOP - 14}" font-weight="bold">{self.title}</text>')
        for rules in RULES:
            x, _ = self.place(rules, self.low)
            self.parts.append(f'<line x1="{x:.1f}" y1="{self.TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#e4e4e4"/>'
                              f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{rules:,}</text>')
        value = self.low
        while value <= self.high * 1.0001:
            _, y = self.place(RULES[0], value)
            self.parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + self.WIDTH}" y2="{y:.1f}" stroke="#e4e4e4"/>'
                              f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g} {self.unit}</text>')
            value *= 10

    def line(self, points: list, colour: str, dash: str = ""):
        placed = [self.place(rules, value) for rules, value in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
                          f'{dash and f" stroke-dasharray={chr(34)}{dash}{chr(34)}"}/>')
        self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in placed if not dash]


def logarithm(value: float, low: float, high: float) -> float:
    from math import log

    return log(value / low) / log(high / low)


def plot(shapes: list, path: Path):
    panels = [
        Panel(0, "evaluation, allowed: p50 (dashed: p99)", "us", 0.1, 1000),
        Panel(480, "evaluation, refused: p50 (dashed: p99)", "us", 0.1, 10000),
        Panel(960, "compile: whole (dashed: libyaml alone)", "ms", 0.01, 10000),
    ]
    for panel in panels:
        panel.axes()
    for shape, colour in zip(shapes, COLOURS):
        rules = [size["rules"] for size in shape.sizes]
        for panel, solid, dashed, scale in ((panels[0], "hit_p50", "hit_p99", 1e-3), (panels[1], "miss_p50", "miss_p99", 1e-3),
                                            (panels[2], "whole", "yaml", 1)):
            panel.line([(n, size[solid][1] * scale) for n, size in zip(rules, shape.sizes)], colour)
            panel.line([(n, size[dashed][1] * scale) for n, size in zip(rules, shape.sizes)], colour, "4 3")
    legend = "".join(f'<rect x="{70 + 130 * i}" y="340" width="12" height="12" fill="{colour}"/>'
                     f'<text x="{88 + 130 * i}" y="351">{shape.name}</text>'
                     for i, (shape, colour) in enumerate(zip(shapes, COLOURS)))
    body = "".join(part for panel in panels for part in panel.parts)
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="1440" height="370" font-family="sans-serif" '
                    f'font-size="11"><rect width="1440" height="370" fill="white"/>{body}{legend}</svg>\n')


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench policy", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="the folder of the built programs")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shapes", nargs="*", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--rules", type=int, nargs="*", default=RULES)
    parser.add_argument("--strict", action="store_true", help="exit 1 when a budget is missed")
    options = parser.parse_args()
    build = options.bin.resolve().parent
    program = build / "bench" / "policy_sweep"
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, {platform.machine()}; load before {load:.2f}; {options.rounds} rounds, interleaved by size")
    shapes = []
    for name in options.shapes:
        print(f"measuring {name} ...", file=sys.stderr)
        shapes.append(measure(program, name, options.rounds, options.rules))
    tables(shapes)
    missed = budgets(shapes)
    plot(shapes, build / "policy-bench.svg")
    print(f"\nload after {os.getloadavg()[0]:.2f}; plot: {build / 'policy-bench.svg'}")
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
