#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mutation testing of the policy compiler and evaluator: changes one place of the source at a time and
asks whether some test notices.

universalmutator makes the mutants; a sample of them is taken by seed. One that does not compile without a
warning does not count, nor one whose object code is that of the original, for it means the same, or that of
an earlier mutant. Each other is linked in place of the original into the tests of the policy engine, the
fastest first, until one fails, and at last with AddressSanitizer and UndefinedBehaviorSanitizer. What no
test notices is listed: a test is missing, or docs/mutation.md says why none can be.

Exit codes: 0 the score is at least --least, 1 it is not, 2 nothing could be judged."""

import argparse
import concurrent.futures
import difflib
import hashlib
import json
import os
import random
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "policy-engine/policy"
FILES = ["compile", "compile_rules", "compile_operations", "compile_shapes", "compile_ambiguity", "compile_subjects", "decide",
         "evaluation", "candidates", "inquiry", "match", "factors", "answer", "multimap", "path_pattern", "query"]
TESTS = ["match_test", "factors_test", "query_test", "path_pattern_test", "request_path_test", "multimap_test",
         "ambiguity_test", "decide_test", "explain_test", "inquiry_test", "answer_test", "load_test", "load_model_test",
         "policy_test_runner_test", "image_check_test", "policy_seal_test", "index_differential_test", "invariant_test",
         "differential_test"]
# Enough for a mutant to meet every kind of policy, and for all answers to be asked for.
ENVIRONMENT = dict(os.environ, BARTIZAN_DIFFERENTIAL_PAIRS="600000", ASAN_OPTIONS="hard_rss_limit_mb=4096")
MEMORY = 4 << 30


@dataclass
class Test:
    name: str
    link: list  # the command that links it, with OBJECT and PROGRAM in it
    seconds: float = 0.0


@dataclass
class Mutant:
    source: Path  # the original
    text: Path
    fate: str = ""  # invalid, same, killed, survived
    by: str = ""

    def change(self) -> str:
        old, new = (path.read_text(errors="replace").splitlines() for path in (self.source, self.text))
        lines = [line for line in difflib.unified_diff(old, new, lineterm="", n=0) if line[:3] not in ("---", "+++")]
        where = lines[0].split()[1].lstrip("-").split(",")[0] if lines else "?"
        changed = "\n".join("    " + line for line in lines[1:])
        return f"{self.source.relative_to(ROOT)}:{where}\n{changed}"


def run(command: list, seconds: float, folder: Path, memory: int = MEMORY) -> bool:
    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    try:
        return subprocess.run(command, cwd=folder, env=ENVIRONMENT, timeout=seconds, preexec_fn=limited,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class Workshop:
    """The build folder, and how its parts are made."""

    def __init__(self, build: Path, kind: str, sanitize: str = ""):
        self.build = build
        # A sanitizer reserves address space beyond all bounds.
        self.memory = resource.RLIM_INFINITY if sanitize else MEMORY
        subprocess.run(["cmake", "-G", "Ninja", "-B", build, "-S", ROOT, f"-DCMAKE_BUILD_TYPE={kind}",
                        f"-DBARTIZAN_SANITIZE={sanitize}", "-DBARTIZAN_WERROR=ON"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", build, *TESTS], check=True, stdout=subprocess.DEVNULL)
        self.commands = {entry["file"]: shlex.split(entry["command"])
                         for entry in json.loads((build / "compile_commands.json").read_text())}

    def compile(self, source: Path, text: Path, output: Path) -> bool:
        command = [word for word in self.commands[str(source)] if word != "-g"]
        command[command.index("-o") + 1] = str(output)
        command[command.index("-c") + 1] = str(text)
        return run(command, 120, self.build)

    def tests(self) -> list:
        found = []
        for name in TESTS:
            command = subprocess.run(["ninja", "-C", self.build, "-t", "commands", name], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout.strip().splitlines()[-1]
            words = [word for word in shlex.split(command) if word not in ("&&", ":")]
            words[words.index("-o") + 1] = "PROGRAM"
            # Before the libraries: the archive's own member is then not asked for.
            first = next(i for i, word in enumerate(words) if word.endswith(".o"))
            found.append(Test(name, words[:first] + ["OBJECT"] + words[first:]))
        return found

    def passes(self, test: Test, compiled: Path, folder: Path, seconds: float) -> bool:
        program = folder / test.name
        command = [{"OBJECT": str(compiled), "PROGRAM": str(program)}.get(word, word) for word in test.link]
        if not run(command, 120, self.build):
            raise RuntimeError(f"{test.name} does not link")
        try:
            return run([str(program)], seconds, ROOT / "tests", self.memory)
        finally:
            program.unlink(missing_ok=True)


class Judge:
    def __init__(self, workshops: list, folder: Path):
        self.workshops, self.folder, self.seen, self.lock = workshops, folder, set(), threading.Lock()
        self.tests = {workshop: workshop.tests() for workshop in workshops}

    def open(self, sources: list):
        """The originals' code, and how long every test takes with it."""
        for workshop in self.workshops:
            for source in sources:
                compiled = self.folder / (source.stem + ".o")
                if not workshop.compile(source, source, compiled):
                    sys.exit(f"{source} does not compile")
                self.is_new(compiled)
            for test in self.tests[workshop]:
                started = time.monotonic()
                if not workshop.passes(test, compiled, self.folder, 600):
                    sys.exit(f"{test.name} fails without a mutant")
                test.seconds = time.monotonic() - started
            self.tests[workshop].sort(key=lambda test: test.seconds)

    def is_new(self, compiled: Path) -> bool:
        digest = hashlib.sha256(compiled.read_bytes()).digest()
        with self.lock:
            is_new = digest not in self.seen
            self.seen.add(digest)
        return is_new

    def killer(self, workshop: Workshop, compiled: Path, folder: Path) -> str:
        for test in self.tests[workshop]:
            if not workshop.passes(test, compiled, folder, 10 + 10 * test.seconds):
                return test.name
        return ""

    def judge(self, mutant: Mutant) -> Mutant:
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            compiled, text = folder / "mutant.o", folder / mutant.source.name  # an object names its file
            shutil.copy(mutant.text, text)
            for workshop in self.workshops:
                is_first = workshop is self.workshops[0]
                if not workshop.compile(mutant.source, text, compiled):
                    mutant.fate = "invalid"
                elif is_first and not self.is_new(compiled):
                    mutant.fate = "same"
                else:
                    mutant.by = self.killer(workshop, compiled, folder)
                    mutant.by += " with sanitizers" if mutant.by and not is_first else ""
                    mutant.fate = "killed" if mutant.by else "survived"
                if mutant.fate != "survived":
                    break
        return mutant


def mutants_make(tool: str, source: Path, folder: Path) -> list:
    folder.mkdir()
    subprocess.run([tool, source, "c", "--noCheck", "--mutantDir", folder], check=True, cwd=folder,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [Mutant(source, path) for path in sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))]


def sample_judge(judge: Judge, mutants: list, wanted: int, jobs: int) -> list:
    """Judges one after the other until `wanted` of them counted."""
    done, counted, left = [], 0, iter(mutants)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = set()
        while True:
            while len(running) < jobs and counted + len(running) < wanted and (mutant := next(left, None)):
                running.add(pool.submit(judge.judge, mutant))
            if not running:
                return done
            finished, running = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                mutant = future.result()
                done.append(mutant)
                counted += mutant.fate in ("killed", "survived")
                if mutant.fate == "survived":
                    print(f"survived ({counted} judged): {mutant.change()}", flush=True)


def report(done: list, sources: list) -> float:
    print(f"\n{'file':<24}{'invalid':>9}{'same':>6}{'killed':>8}{'survived':>10}{'score':>8}")
    total = Counter()
    for source in [*sources, None]:
        fates = Counter(mutant.fate for mutant in done if mutant.source == source) if source else total
        total.update(fates if source else {})
        judged = fates["killed"] + fates["survived"]
        score = f"{fates['killed'] / judged:8.1%}" if judged else "       -"
        print(f"{source.name if source else 'all':<24}{fates['invalid']:>9}{fates['same']:>6}{fates['killed']:>8}"
              f"{fates['survived']:>10}{score}")
    print("\nkilled by:", ", ".join(f"{name} {count}" for name, count in
                                    Counter(mutant.by for mutant in done if mutant.by).most_common()))
    judged = total["killed"] + total["survived"]
    return total["killed"] / judged if judged else -1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"of {ENGINE}; default: {' '.join(FILES)}")
    parser.add_argument("--tool", default="mutate", help="universalmutator's `mutate`")
    parser.add_argument("--build", type=Path, default=ROOT / "build-mutation")
    parser.add_argument("--sample", type=int, default=300, help="mutants that count, over all files (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--least", type=float, default=0.0, help="the score below which it fails, 0 to 1")
    options = parser.parse_args()
    sources = [ROOT / ENGINE / (Path(name).name.removesuffix(".c") + ".c") for name in options.files or FILES]
    if missing := [str(source) for source in sources if not source.is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")
    os.nice(10)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = options.build.resolve()
        judge = Judge([Workshop(build, "Release"), Workshop(build / "sanitized", "Debug", "address,undefined")], folder)
        judge.open(sources)
        for tests in judge.tests.values():
            print("tests:", ", ".join(f"{test.name} {test.seconds:.2f} s" for test in tests), flush=True)
        mutants = [mutant for source in sources for mutant in mutants_make(options.tool, source, folder / source.stem)]
        random.Random(options.seed).shuffle(mutants)
        print(f"{len(mutants)} mutants", flush=True)
        score = report(sample_judge(judge, mutants, options.sample, options.jobs), sources)
    return 2 if score < 0 else 0 if score >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
