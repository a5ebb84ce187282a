# SPDX-License-Identifier: Apache-2.0
"""Files that are hostile, or that look like a policy and are none: each is refused with one finding that
says where, at once, and nothing is loaded. One mistake of each kind; unit tests have the rest."""

import json
import time

import pytest

from policy_text import whole

HEAD = "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: example}\n"
SECONDS = 5  # a loose guard, for a machine that does much else: alone, each takes some milliseconds


def document(rest: str) -> bytes:
    return (HEAD + rest).encode()


def spec(fragment: str) -> bytes:
    return whole(fragment).encode()


def roles(lines: str) -> bytes:
    return spec('issuers:\n  sso: {url: "https://sso.example", audiences: [api]}\nassurance: {}\nroles:\n' + lines + "rules: []\n")


def action(path: str) -> bytes:
    return spec(f'actions:\n  read: {{http: [{{paths: ["{path}"]}}]}}\n')


def when(condition: str) -> bytes:
    return spec(f"rules:\n  - {{allow: a, subjects: any, when: {condition}}}\n")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi"))
BOMB = BOMB.encode()

def rule(line: str) -> bytes:
    return spec(f"rules:\n  - {line}\n")


CIRCLE = "".join(
    f"apiVersion: bartizan.dev/v1alpha1\nkind: RoleSet\nmetadata: {{name: {name}}}\n"
    f"spec: {{imports: [{{kind: RoleSet, name: {other}}}], roles: {{}}}}\n---\n"
    for name, other in (("one", "two"), ("two", "one"))
).encode()

# name: (text, code, what the caret stands under, a part of the hint). The caret: a word, which is looked for from
# the end; (line, column), where no word says it; None, where it is the file as a whole.
BAD = {
    "a bomb of aliases": (BOMB, "E0105", (1, 4), "write the value where it is used"),
    "an anchor": (rule("&r {allow: a, subjects: any}"), "E0105", "&r", "write the value where it is used"),
    "an alias": (rule("*r"), "E0105", "*r", "write the value where it is used"),
    "a key twice": (rule("{allow: a, subjects: any, 'subjects': any}"), "E0108", "'subjects'", "the first is on line 17"),
    "a tag": (rule("!!map {allow: a, subjects: any}"), "E0106", "!!map", "remove the tag"),
    "a tag that elsewhere runs a program": (rule("{allow: !!python/object/apply:os.system [x], subjects: any}"), "E0106", "!!python", "remove the tag"),
    "a merge key": (rule("{<<: {a: b}, allow: a, subjects: any}"), "E0107", "<<", "write the keys out"),
    "a directive": (b"%YAML 1.2\n---\n" + spec(""), "E0106", (1, 1), "remove the line that begins with %"),
    "a key that is a list": (rule("{? [a] : b}"), "E0109", "[a]", None),
    "a byte order mark": (b"\xef\xbb\xbf" + spec(""), "E0104", (1, 1), None),
    "a byte order mark inside": (spec("").replace(b"anybody", b"any\xef\xbb\xbfbody"), "E0104", (17, 1), None),
    "UTF-16": (spec("").decode().encode("utf-16"), "E0104", None, None),
    "NUL": (rule("{allow: a\0b, subjects: any}"), "E0104", (17, 1), None),
    "NUL by its escape": (rule('{allow: "a\\0b", subjects: any}'), "E0104", '"a', None),
    "a byte that is no UTF-8": (spec("").replace(b"anybody", b"any\xc0\xafbody"), "E0104", (17, 1), None),
    "a program": (bytes(range(1, 256)), "E0104", (1, 1), None),
    "a text of 10 MB": (rule("{allow: a, subjects: any, reason: " + "x" * 10_000_000 + "}"), "E0601", None, None),
    "a text of 7 MB": (rule("{allow: a, subjects: any, reason: " + "x" * 7_000_000 + "}"), "E0221", "x" * 7_000_000, None),
    "brackets 100,000 deep": (b"[" * 100_000, "E0103", (1, 33), None),
    "maps 2,000 deep": (b"".join(b" " * i + b"a:\n" for i in range(2000)), "E0103", (33, 33), None),
    "a bracket that is not closed": (rule("{allow: a, subjects: any"), "E0101", (18, 1), None),
    "a tab that indents": (spec("").replace(b"  - {allow", b"\t- {allow"), "E0101", (17, 3), None),
    "nothing": (b"", "E0220", None, None),
    "a comment alone": (b"# nothing\n", "E0220", None, None),
    "a word": (b"policy\n", "E0205", (1, 1), None),
    "300 documents": (b"---\na: b\n" * 300, "E0221", None, None),
    "no for a truth value": (when("{header: {name: x, present: no}}"), "E0206", "no}", "write true or false"),
    "an octal number": (when("{port: 0o17}"), "E0206", "0o17", None),
    "a number in sixties": (when("{port: 1:30}"), "E0206", "1:30", None),
    "a number with an exponent": (when("{port: 1e3}"), "E0206", "1e3", None),
    "an unknown key": (rule("{allow: a, subjects: any, prioritty: 1}"), "E0203", "prioritty", "did you mean `priority`?"),
    "a circle of roles": (roles("  a: {inherits: [b]}\n  b: {inherits: [c]}\n  c: {inherits: [a]}\n"), "E0217", "a: {inherits", "out of the circle"),
    "a role that inherits itself": (roles("  a: {inherits: [a]}\n"), "E0217", "a: {inherits", "out of the circle"),
    "a circle of imports": (CIRCLE + spec(""), "E0222", "{kind: RoleSet, name: one}", "into a third document"),
    "an import from above": (spec("imports: [{kind: RoleSet, name: ../staff}]\n"), "E0209", "../staff", "a name is"),
    "an import by an absolute path": (spec("imports: [{kind: RoleSet, name: /etc/passwd}]\n"), "E0209", "/etc/passwd", "a name is"),
    "an import by a file": (spec("imports: [{kind: RoleSet, name: a, file: ../a.yaml}]\n"), "E0203", "file", None),
    "an import that is not there": (spec("imports: [{kind: RoleSet, name: staff}]\n"), "E0222", "{kind", "in the same file or folder"),
    "a resource twice": (spec("resources:\n  - {type: item, id: a*}\n  - {id: a*, type: item}\n"), "E0210", "{id: a*, type", "policy.yaml:17"),
    "a role of workloads and users": (roles("  app: {members: [{workload: {namespace: a}}, {user: {issuer: sso}}]}\n"), "E0218", "[{workload", "make two roles"),
    "two variables in a segment": (action("/v1/{a}{b}"), "E0402", '"/v1', None),
    "two stars in a segment": (action("/v1/{*}{*}"), "E0402", '"/v1', None),
    "a variable inside a segment": (action("/v1/a{b}c"), "E0402", '"/v1', None),
    "a class of an amr value that is none": (spec('issuers:\n  sso: {url: "https://sso.example", audiences: [api], amrClasses: {telepathy: mind}, stepUp: {twoFactors: [mfa]}}\n'), "E0206", "mind", "one of knowledge"),
    "a time after midnight": (when('{time: {between: ["24:30", "06:00"]}}'), "E0407", '["24:30', 'write ["08:00", "18:00"]'),
    "a window without length": (when('{time: {between: ["06:00", "06:00"]}}'), "E0407", '["06:00', "the end is exclusive"),
    "a day that the calendar has not": (when('{time: {from: "2026-02-30T00:00:00Z"}}'), "E0407", '"2026', "write 2026-01-31T08:00:00Z"),
    "a zone that is none": (when("{time: {tz: Europe/Atlantis, days: [sat]}}"), "E0408", "Europe/Atlantis", "IANA"),
    "a zone that is a path": (when("{time: {tz: ../../etc/passwd, days: [sat]}}"), "E0408", "../../etc", "IANA"),
    "no rules": (document("spec: {}\n"), "E0204", "{}", None),
}

# What looks like one of those and means what it says.
GOOD = {
    "no is a word": roles("  app: {members: [{workload: {namespace: no}}]}\n"),
    "08:00 is a time": when("{time: {between: [08:00, 18:00]}}"),
    "1e3 is a text": when("{header: {name: x, equals: 1e3}}"),
    "a window over midnight": when('{time: {between: ["22:00", "06:00"]}}'),
    "a window that a change of the clock skips": when('{time: {tz: Europe/Paris, between: ["02:30", "03:30"]}}'),
    "an amr value that only this issuer knows": spec("assurance:\n  fresh: {methods: {anyOf: [telepathy]}}\n"),
    "a list without rules": spec("rules: []\n"),
    "a prefix and a longer one": spec("resources:\n  - {type: item, id: a*}\n  - {type: item, id: ab*}\n  - {type: item, id: a}\n"),
    "a list and its own end": rule("{allow: a, subjects: any, reason: \"*r &r !!r <<\"}"),
}


def where(text: bytes, caret):
    if caret is None or isinstance(caret, tuple):
        return caret or (0, 0)
    before = text.decode()[: text.decode().rindex(caret)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def check(place, text: bytes):
    place.policy.write_bytes(text)
    started = time.monotonic()
    result = place.run("policy", "check", place.policy, "--format", "json")
    return result, time.monotonic() - started


@pytest.mark.parametrize("name", BAD)
def test_each_mistake_is_told_once_and_where_it_is(place, name):
    text, code, caret, hint = BAD[name]
    result, seconds = check(place, text)
    findings = json.loads(result.stdout)
    assert result.returncode == (4 if code == "E0601" else 2), result.stdout
    assert {finding["code"] for finding in findings} == {code}
    assert len(findings) == 1 or text is BOMB  # each of its anchors and aliases is one
    first = findings[0]
    assert (first["line"], first["column"]) == where(text, caret)
    assert first["file"] == (None if first["message"].startswith(("no policy", "more than")) else str(place.policy))
    assert hint is None or hint in first["hint"]
    assert seconds < SECONDS


@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_like_a_mistake_is_taken(place, name):
    result, _ = check(place, GOOD[name])
    assert result.returncode == 0, result.stdout
