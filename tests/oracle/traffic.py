# SPDX-License-Identifier: Apache-2.0
"""Requests aimed at the atoms of a policy: a request that some rule wants, then up to two of
its parts put to a neighbour: one byte more or less, another case, the first and the last
address, absent, empty, repeated, escaped.

A request carries the names of the classes that it falls in, of those on which Envoy and
Bartizan are known to differ (docs/oracles.md):
  refused   Bartizan refuses it before any rule, with 400 or 414; Envoy has no such step
  repeated  a header that the policy reads stands there twice: to Bartizan a value that cannot
            be judged, to Envoy one that has either value"""

import random
import re
import urllib.parse
from dataclasses import dataclass, field

import policies
from policies import HEADER_VALUES, HEADERS, HOSTS, IDENTITIES, ISSUER, METHODS, PORTS, QUERIES, QUERY_VALUES, SNIS, SOURCES, USERS

SEGMENTS = ["v1", "v2", "items", "x", "a:b", "x:predict", "x:go.1", "caf%C3%A9", "caf%c3%a9", "a%20b", "k=v", "*", "x-y", "a%3Ab", "x%3Apredict",
            "a%2Fb", "~me", "!", "(1)", "%E2%82%AC", "predict", "x:", ":predict", "A", "x.y", "1", "a+b", "$x&y", "a,b'", "u@d"]  # fmt: skip
# Between two segments, or instead of one: never canonical.
BAD_SEGMENTS = ["", ".", "..", "%2e", "%2E%2E", "a;b", "%41", "a%00", "a%5Cb", "%2541", "%", "%zz", "%C3", "x%2F..%2Fy", "[1]", "a|b"]
BAD_HOSTS = ["models.example.", "models.example:0", "models.example:08443", "models.example:70000", ".models.example", "models..example",
             "models.example:x", "models.example,other.example"]  # fmt: skip


@dataclass
class Request:
    method: str
    host: str
    path: str
    headers: list
    identity: str | None
    user: int  # of USERS
    source: str
    port: int  # of the listening ports
    sni: str | None
    classes: set = field(default_factory=set)

    def connection(self) -> tuple:
        return self.identity or "", self.source, self.port, self.sni or ""

    @property
    def claims(self) -> dict | None:
        """Of the user's token."""
        return None if USERS[self.user] is None else {"iss": ISSUER, "sub": "ada"} | USERS[self.user]

    def preamble(self) -> bytes:
        """What a proxy in front would say before TLS."""
        return b""


class Aim:
    def __init__(self, policy, seed):
        self.policy = policy
        self.random = random.Random(seed)

    def chance(self, p):
        return self.random.random() < p

    def pick(self, items):
        return self.random.choice(items)

    # ---- what a rule wants ----

    def identity(self, rule):
        wanted = rule.workload
        if isinstance(wanted, dict):
            wanted = [wanted]
        elif isinstance(wanted, list):
            wanted = [selector for role in wanted for selector in self.policy.workload_roles[role]]
        else:
            return self.pick(IDENTITIES)
        fitting = [each for each in IDENTITIES if any(policies.selects(selector, each) for selector in wanted)]
        return self.pick(fitting) if fitting and self.chance(0.8) else self.pick(IDENTITIES)

    def operation(self, rule):
        name = self.pick(rule.actions) if rule.actions else self.pick(list(self.policy.actions))
        return self.pick(self.policy.actions[name])

    def segments(self, operation) -> list:
        if operation.grpc:
            service, method = operation.grpc.split("/")
            return [service, method.replace("*", self.pick(["", "X", "Infer", "er"])) or "Other"]
        path = self.pick(operation.paths)
        out = [self.pick(SEGMENTS) if segment is None else segment for segment in path.segments]
        if path.verb:
            out[-1] += ":" + path.verb
        if path.rest:
            out += [self.pick(SEGMENTS) for _ in range(self.random.randint(0, 2))] + [""] * self.chance(0.15)
        return out

    def header_values(self, leaf) -> list:
        """Values on both sides of a test."""
        _, _, kind, values = leaf
        if kind == "present":
            return ["", "x"]
        if kind == "intRange":
            low, high = values
            return [str(low), str(high), str(low - 1), str(high + 1), f"0{abs(low)}", "1x", "", "-", "99999999999999999999", f"-{abs(low)}"]
        value = self.pick(values)
        return [value, value, value, value + "x", "x" + value, value[:-1], value[1:], value.upper(), f"a{value}b"]

    def leaves(self, node) -> list:
        if node is None:
            return []
        if node[0] == "not":
            return [node[1]]
        return [leaf for child in node[1] for leaf in self.leaves(child)] if node[0] in ("all", "any") else [node]

    def query(self, leaves, operation) -> str:
        """What leaves and the operation want, mostly, in any writing; a name without `=`, and
        one that is given twice; among others."""
        wanted = [(name, self.pick(values)) for name, values in operation.queries.items()]
        for _, name, kind, values in (leaf for leaf in leaves if leaf[0] == "query"):
            if kind != "present":
                wanted.append((name, self.pick(self.header_values((0, 0, kind, values)))))
            elif values or self.chance(0.3):
                wanted.append((name, self.pick(QUERY_VALUES)))
        pieces = [self.written(name) + "=" + self.written(value) if value or self.chance(0.5) else name for name, value in wanted if self.chance(0.9)]
        pieces += self.pick([[], [], [], ["a=/../b"], ["x=%2F"], [""], ["Q=alpha"], [self.pick(QUERIES)], [self.pick(QUERIES) + "=" + self.pick(QUERY_VALUES)]])
        self.random.shuffle(pieces)
        return "?" + "&".join(pieces) if pieces or self.chance(0.1) else ""

    def written(self, text) -> str:
        escapes = self.pick([0, 0, 0.3])
        return "".join(self.pick(["%{:02X}", "%{:02x}"]).format(ord(char)) if self.chance(escapes) else char for char in text)

    def source(self, leaves):
        wanted = [cidr for leaf in leaves if leaf[0] == "sourceIP" for cidr in leaf[1]]
        return self.pick(SOURCES) if not wanted or self.chance(0.5) else self.inside(self.pick(wanted))

    def inside(self, cidr):
        address, _, bits = cidr.partition("/")
        fitting = [each for each in SOURCES if number(each) >> (32 - int(bits or 32)) == number(address) >> (32 - int(bits or 32))]
        return self.pick(fitting or SOURCES)

    def headers(self, rule, leaves) -> list:
        out = []
        for leaf in leaves:
            if leaf[0] == "header" and self.chance(0.85) and not (leaf[2] == "present" and leaf[3] is False and self.chance(0.7)):
                out.append((leaf[1], self.pick(self.header_values(leaf))))
        if self.chance(0.3):
            out.append((self.pick(HEADERS), self.pick(HEADER_VALUES)))
        if rule.purpose or self.chance(0.05):
            out.append(("x-purpose", self.pick((rule.purpose or ["alpha"]) * 3 + ["", "x", "ALPHA"])))
        if self.chance(0.9):  # one line a name, mostly
            out = list(dict(out).items())
        return out

    def user(self, rule):
        if rule.user == "none":
            return 0 if self.chance(0.7) else self.random.randrange(len(USERS))
        wants = rule.user or any(leaf[0] == "claim" for leaf in self.leaves(rule.when) + self.leaves(rule.unless))
        return self.random.randrange(1, len(USERS)) if wants and self.chance(0.9) else self.pick([0, 0, 0, self.random.randrange(len(USERS))])

    def host(self, operation):
        pattern = self.pick(operation.hosts or HOSTS)
        host = pattern.replace("*", self.pick(["eu", "a.eu", "x"]))
        if ":" not in host and self.chance(0.2):
            host += ":" + self.pick(["8443", "443", "80"])
        return host.upper() if self.chance(0.1) else host

    # ---- neighbours ----

    def neighbour_path(self, segments):
        kind, at = self.random.random(), self.random.randrange(len(segments))
        if kind < 0.15:
            return segments[:-1] or [""]
        if kind < 0.3:
            return segments + [self.pick(SEGMENTS)]
        if kind < 0.4 and segments[-1]:
            return segments + [""]
        if kind < 0.72:
            return segments[:at] + [self.pick(SEGMENTS)] + segments[at + 1 :]
        if kind < 0.8 and len(segments[at]) > 1 and "%" not in segments[at]:
            return segments[:at] + [segments[at][:-1] if self.chance(0.5) else segments[at] + "x"] + segments[at + 1 :]
        if kind < 0.87:
            return segments[:at] + [segments[at].upper() if "%" not in segments[at] else segments[at].lower()] + segments[at + 1 :]
        bad = self.pick(BAD_SEGMENTS) if self.chance(0.95) else "a" * self.pick([255, 256])
        return segments[:at] + [bad] + segments[at + self.random.randrange(2) :]

    def neighbour_host(self, host):
        kind = self.random.random()
        if kind < 0.3:
            return self.pick(HOSTS)
        if kind < 0.5:
            return "x" + host
        if kind < 0.65:
            return host[1:] if len(host) > 1 and host[1:2] not in ".:-" else "y" + host
        if kind < 0.85:
            return host.partition(":")[0] + self.pick([":8443", ":8444", ":443", ""])
        return self.pick(BAD_HOSTS)

    def request(self) -> Request:
        rule = self.pick(self.policy.rules)
        leaves = self.leaves(rule.when) + self.leaves(rule.unless)
        operation = self.operation(rule)
        segments = self.segments(operation)
        host = self.host(operation)
        method = self.pick(operation.methods or METHODS)
        sni_leaves = [leaf for leaf in leaves if leaf[0] == "sni"]
        ports = [leaf[1] for leaf in leaves if leaf[0] == "port"]
        request = Request(method, host, "", self.headers(rule, leaves), self.identity(rule), self.user(rule), self.source(leaves),
                          self.pick(ports) if ports and self.chance(0.7) else self.random.randrange(PORTS),
                          self.pick(SNIS[1:]) if sni_leaves and self.chance(0.8) else self.pick(SNIS))  # fmt: skip
        for _ in range(self.pick([0, 0, 1, 1, 2])):
            part = self.random.randrange(7)
            if part <= 2:
                segments = self.neighbour_path(segments)
            elif part == 3:
                request.host = self.neighbour_host(request.host)
            elif part == 4:
                request.method = self.pick(METHODS)
            elif part == 5:
                request.identity = self.pick(IDENTITIES)
            elif request.headers:
                name, value = request.headers.pop(self.random.randrange(len(request.headers)))
                request.headers += [(name, value), (name, self.pick([value, "x"]))] if self.chance(0.4) else []
        request.path = "/" + "/".join(segments) + self.query(leaves, operation)
        if not is_canonical_path(segments) or not is_canonical_host(request.host):
            request.classes.add("refused")
        names = [name for name, _ in request.headers]
        if len(names) > len(set(names)):
            request.classes.add("repeated")
        return request


# ---- what is canonical, read from the documentation and not from the program ----

UNRESERVED = r"[A-Za-z0-9._~-]"
PLAIN = r"[A-Za-z0-9._~$&'()*+,=:@!-]"


def is_canonical_segment(text, is_last) -> bool:
    """RFC 3986 pchar without `;`; an escape stands only where it must, and for UTF-8; none for a
    control, a backslash, a slash, or a percent sign before two more digits."""
    if not re.fullmatch(f"(?:{PLAIN}|%[0-9A-Fa-f]{{2}})*", text) or len(text) > 255 or (not text and not is_last):
        return False
    if re.search("%25[0-9A-Fa-f]{2}", text):
        return False
    octets = [chr(int(digits, 16)) for digits in re.findall("%([0-9A-Fa-f]{2})", text)]
    if any(re.match(UNRESERVED, octet) or octet in "/\\\x7f" or octet < " " for octet in octets):
        return False
    try:
        return urllib.parse.unquote_to_bytes(text).decode() not in (".", "..")
    except UnicodeDecodeError:
        return False


def is_canonical_path(segments) -> bool:
    return all(is_canonical_segment(each, i + 1 == len(segments)) for i, each in enumerate(segments))


def is_canonical_host(host) -> bool:
    found = re.fullmatch(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?::([1-9][0-9]{0,4}))?", host)
    return bool(found) and int(found[1] or 1) <= 65535


def number(address: str) -> int:
    return int.from_bytes(bytes(map(int, address.split("."))), "big")


def generate(policy, seed, count) -> list:
    aim = Aim(policy, f"{seed}/{policy.name}")
    return [aim.request() for _ in range(count)]
