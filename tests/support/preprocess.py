# SPDX-License-Identifier: Apache-2.0
"""Writes every C file of policy-engine/ and sidecar/ as its compiler reads it, for
analysers whose own preprocessor does not know what our macros come to.

usage: preprocess.py COMPILE_COMMANDS OUT_FOLDER"""
import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE_MARKER = re.compile(r'^# (\d+) "([^"]*)".*$', re.MULTILINE)


def preprocess(entry, folder):
    source = Path(entry["file"])
    if not any(source.is_relative_to(ROOT / tree) for tree in ("policy-engine", "sidecar")):
        return
    arguments = [a for a in shlex.split(entry["command"]) if a != "-c"]
    at = arguments.index("-o")
    del arguments[at:at + 2]
    # What _FORTIFY_SOURCE makes of a call to the C library is the library's own.
    text = subprocess.run(arguments + ["-E", "-U_FORTIFY_SOURCE"], cwd=entry["directory"], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    out = folder / str(source.relative_to(ROOT).with_suffix(".i")).replace("/", "_")
    out.write_text(LINE_MARKER.sub(r'#line \1 "\2"', text))


def main():
    commands, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda entry: preprocess(entry, folder), commands))


if __name__ == "__main__":
    main()
