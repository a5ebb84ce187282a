# SPDX-License-Identifier: Apache-2.0
"""Whole policies around a few lines of one, and the policies that are shipped."""

import re
from pathlib import Path

DOCUMENT = {
    "apiVersion": "apiVersion: bartizan.dev/v1alpha1\n",
    "kind": "kind: AccessPolicy\n",
    "metadata": "metadata: {name: example}\n",
}
SPEC = {
    "imports": "",
    "issuers": 'issuers:\n  sso: {url: "https://sso.example", audiences: [api], stepUp: {twoFactors: [mfa]}}\n',
    "assurance": "assurance:\n  fresh: {factors: 2, maxAge: 5m}\n",
    "roles": "roles:\n  app: {members: [{workload: {namespace: checkout}}]}\n"
    "  operator: {members: [{user: {issuer: sso, subject: ada}}]}\n",
    "actions": 'actions:\n  read: {http: [{methods: [GET], paths: ["/v1/items/{item}"]}]}\n',
    "resourceTypes": 'resourceTypes:\n  item: {id: ["=shop"]}\n',
    "resources": "",
    "rules": "rules:\n  - {allow: anybody, subjects: any}\n",
    "invariants": "",
    "tests": "",
}


def blocks(text):
    """The top-level blocks of a fragment, by key."""
    return {re.match(r"\w+", part)[0]: part for part in re.split(r"(?m)^(?=\w)", text) if part}


def whole(fragment):
    """A document that has the fragment's blocks in place of its own."""
    given = blocks(fragment)
    assert set(given) <= set(DOCUMENT) | set(SPEC), given
    spec = "".join(given.get(key, default) for key, default in SPEC.items())
    return "".join(given.get(key, default) for key, default in DOCUMENT.items()) + "spec:\n" + re.sub(r"(?m)^(?=.)", "  ", spec)


def shipped(root: Path) -> list[Path]:
    """Every policy of the repository that the loader takes."""
    folders = ("deploy", "tests/policy", "docs")
    found = [path for folder in folders for path in sorted((root / folder).rglob("*.yaml"))]
    return [path for path in found if "\nkind: AccessPolicy\n" in path.read_text()]
