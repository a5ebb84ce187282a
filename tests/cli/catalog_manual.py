# SPDX-License-Identifier: Apache-2.0
"""What docs/catalogs.md says, from the catalogs of the program and the facts in tests/catalogs.

    python tests/cli/catalog_manual.py BARTIZAN >docs/catalogs.md
"""

import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

HEAD = """\
# Catalogs of operations

Protocols that people actually serve are built in, so that nobody types their paths: `uses: [kserve-v2.infer]`. `bartizan policy catalog` prints them for the
version that is installed; with `--format yaml` as `OperationCatalog` documents, which are also in [`deploy/catalogs`](../deploy/catalogs). A policy whose server
stands under another path, or speaks a dialect, takes such a document into its folder, changes it and imports it: a built-in operation and the document
decide alike, which a test holds for every line below.

Each line was compared with the protocol's own published description, which stands behind it; a test holds the catalogs to the facts in
[`tests/catalogs`](../tests/catalogs): nothing in a catalog that no description has, and nothing described that is missing without a reason. `{variable}` is for
`path.VARIABLE` of a resource type; *slash*: an encoded `%2F` is part of the segment, so that `org/model` can be an id; *body*: what the body names is for
`body.model` or `body.tool`.

What a catalog leaves out is refused by default, unless some action names it by `http` or `grpc`.
"""


def nameless(line: str) -> str:
    return re.sub(r"\{\w[\w.]*\}(/\{\*\*\})?", "{}", line)


def line_of(entry: dict) -> str:
    """One request of a catalog as the facts write it."""
    if "grpc" in entry:
        return f"gRPC {entry['grpc']}"
    return f"{entry['method']} {entry['path']}" + (f" {entry['call']}" if "call" in entry else "")


def lines(entries: list) -> list:
    return [line_of(entry) for entry in entries]


class Facts:
    """What the descriptions of one protocol name."""

    def __init__(self, root: Path, name: str):
        facts = yaml.safe_load((root / "tests" / "catalogs" / f"{name}.yaml").read_text())
        self.under = facts.get("under", [""])
        self.sources = [(source["source"], source["describes"]) for source in facts["sources"]]
        self.described = list(dict.fromkeys(line for _, described in self.sources for line in described))
        self.left_out = [(part["why"], part["what"]) for part in facts["left_out"]]

    def reason(self, line: str) -> str | None:
        return next((why for why, patterns in self.left_out if any(fnmatch.fnmatchcase(line, p) for p in patterns)), None)

    def placed(self, line: str) -> list:
        """The lines of a catalog for one that is described."""
        verb, path = line.split(" ", 1)
        return [f"{verb} {prefix}{path}" for prefix in self.under]

    def source_of(self, line: str) -> int:
        """The first source, from 1, that has the line of a catalog."""
        for number, (_, described) in enumerate(self.sources, 1):
            if nameless(line) in {nameless(placed) for text in described for placed in self.placed(text)}:
                return number
        return 0


def notes(entry: dict) -> str:
    words = [f"JSON-RPC `{entry['call']}`"] if "call" in entry else []
    words += ["slash"] if "encodedSlash" in entry else []
    words += [f"body {entry['body']}"] if "body" in entry else []
    return ", ".join(words)


def section(root: Path, name: str, entries: list) -> list:
    facts = Facts(root, name)
    text = [f"\n## {name}\n", "| operation | request | | source |", "|---|---|---|---|"]
    for entry in entries:
        request = f"gRPC `{entry['grpc']}`" if "grpc" in entry else f"{entry['method']} `{entry['path']}`"
        text.append(f"| `{entry['operation']}` | {request} | {notes(entry)} | {facts.source_of(line_of(entry))} |")
    text.append("\nSources:")
    text += [f"{number}. {source}" for number, (source, _) in enumerate(facts.sources, 1)]
    if facts.left_out:
        text.append("\nLeft out:")
    for why, patterns in facts.left_out:
        text.append(f"- {why}: " + ", ".join(f"`{pattern}`" for pattern in patterns) + ".")
    return text


def manual(root: Path, entries: list) -> str:
    text = [HEAD.rstrip("\n")]
    for name in sorted({entry["operation"].split(".")[0] for entry in entries}):
        text += section(root, name, [entry for entry in entries if entry["operation"].split(".")[0] == name])
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    listing = subprocess.run([sys.argv[1], "policy", "catalog", "--format", "json"], check=True, capture_output=True).stdout
    sys.stdout.write(manual(Path(__file__).resolve().parents[2], json.loads(listing)))
