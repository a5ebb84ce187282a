# SPDX-License-Identifier: Apache-2.0
"""What is changed about a good X.509-SVID, and what each judge must say of it.

A value names one change. `reason` is ours (None: accepted), `go` whether go-spiffe accepts it. Where the two differ, `why` is the class of
docs/oracles.md that argues for it; a value whose judges agree has none. What none of the three makers can write (an extension twice, a negative
serial, a damaged encoding) is tried by tests/unit/x509_limits_test.c and x509_damage_test.c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from certificate_form import (BASIC, CONSTRAINTS, HOUR, NOW, POLICIES, POLICY_CONSTRAINTS, PURPOSES, SAN, USAGE, Case, authority, certificate,
                              general_names, oid, raw, tlv)  # fmt: skip

GOOD = "spiffe://prod.example/ns/a/sa/b"


@dataclass(frozen=True)
class Value:
    axis: str
    name: str
    change: Callable[[Case], None]
    reason: str | None = None
    go: bool = True
    why: str = ""

    def __str__(self):
        return f"{self.axis}={self.name}"


AXES: dict[str, list[Value]] = {}


def value(axis: str, name: str, change: Callable[[Case], None], reason: str | None = None, go: bool | None = None, why: str = ""):
    go = reason is None if go is None else go
    assert bool(why) == (go != (reason is None)), f"{axis}={name}: a difference has a class, an agreement has none"
    AXES.setdefault(axis, []).append(Value(axis, name, change, reason, go, why))


def leaf(**fields) -> Callable[[Case], None]:
    return lambda case: case["leaf"].update(fields)


def ca(**fields) -> Callable[[Case], None]:
    return lambda case: case["ca"].update(fields)


def bare(object_id: str, value_: bytes, critical: bool = False, **fields) -> Callable[[Case], None]:
    """The leaf with an extension by its bytes."""

    def change(case: Case):
        case["leaf"].update(fields)
        case["leaf"]["raw"].append(raw(object_id, value_, critical))

    return change


# ---- the SPIFFE ID: SPIFFE-ID section 2, X509-SVID sections 2, 3.1, 5.2 ----


def uri(name: str, text: str | bytes, reason: str | None = "certificate_spiffe_id", **more):
    if isinstance(text, bytes):
        value("id", name, bare(SAN, general_names(("uri", text)), names=[]), reason, **more)
    else:
        value("id", name, leaf(names=[["uri", text]]), reason, **more)


def names(name: str, list_: list, reason: str | None = None, **more):
    value("id", name, leaf(names=list_), reason, **more)


uri("short", "spiffe://prod.example/w", None)
uri("dots", "spiffe://prod.example/.../..x/.y", None)
uri("every-character", "spiffe://prod.example/AZaz09.-_", None)
uri("2048-bytes", "spiffe://prod.example/" + "a" * (2048 - 22), None)
uri("2049-bytes", "spiffe://prod.example/" + "a" * (2049 - 22), go=True, why="length")
uri("root-path", "spiffe://prod.example", "certificate_leaf", go=True, why="root-path")
uri("trailing-slash", "spiffe://prod.example/")
uri("trailing-slash-of-path", "spiffe://prod.example/a/")
uri("empty-segment", "spiffe://prod.example//a")
uri("dot-segment", "spiffe://prod.example/./a")
uri("dot-dot-segment", "spiffe://prod.example/a/../b")
uri("percent", "spiffe://prod.example/%61")
uri("percent-slash", "spiffe://prod.example/a%2Fb")
uri("query", "spiffe://prod.example/a?b=c")
uri("empty-query", b"spiffe://prod.example/a?", go=False)
uri("fragment", "spiffe://prod.example/a#b")
uri("empty-fragment", b"spiffe://prod.example/a#", go=True, why="empty-fragment")
uri("port", "spiffe://prod.example:443/a")
uri("empty-port", b"spiffe://prod.example:/a")
uri("user", "spiffe://u@prod.example/a")
uri("user-and-password", "spiffe://evil.example:x@prod.example/a")
uri("upper-case-domain", "spiffe://Prod.example/a")
uri("upper-case-scheme", b"SPIFFE://prod.example/a", go=True, why="scheme-case")
uri("other-scheme", "https://prod.example/a")
uri("no-authority", b"spiffe:/prod.example/a")
uri("no-domain", "spiffe:///a")
uri("injected-element", b"spiffe://prod.example/x;URI=spiffe://prod.example/boss,By=a")
uri("nul", b"spiffe://prod.example/a\0.evil")
uri("nul-at-the-end", b"spiffe://prod.example/a\0")
uri("not-ascii", "spiffe://prod.example/ä".encode())
uri("space", b"spiffe://prod.example/a b")
uri("empty", b"")
uri("unknown-domain", "spiffe://unknown.example/a", "certificate_domain")
uri("longer-domain", "spiffe://prod.example.evil/a", "certificate_domain")
uri("sub-domain", "spiffe://sub.prod.example/a", "certificate_domain")
uri("domain-of-255", f"spiffe://{'a' * 255}/a", "certificate_domain")
uri("domain-of-256", f"spiffe://{'a' * 256}/a")
uri("ip-domain", "spiffe://10.0.0.1/a", "certificate_domain")
uri("ip-v6-domain", "spiffe://[::1]/a")
names("none", [], "certificate_spiffe_id")
names("two", [["uri", GOOD], ["uri", "spiffe://prod.example/x"]], "certificate_spiffe_id")
names("the-same-twice", [["uri", GOOD], ["uri", GOOD]], "certificate_spiffe_id")
names("beside-another-uri", [["uri", "https://a.example"], ["uri", GOOD]], "certificate_spiffe_id")
names("beside-others", [["dns", "a.example"], ["dns", "b.example"], ["email", "a@b.example"], ["ip", "10.1.1.1"], ["uri", GOOD]])
names("dns-only", [["dns", "a.example"]], "certificate_spiffe_id")
value("id", "in-a-dns-name", bare(SAN, general_names(("dns", GOOD.encode())), names=[]), "certificate_spiffe_id")
value("id", "in-an-email", bare(SAN, general_names(("email", GOOD.encode())), names=[]), "certificate_spiffe_id")
value("id", "in-the-common-name", leaf(names=[], subject=[["CN", "spiffe://prod.example/a"]]), "certificate_spiffe_id")
value("id", "beside-a-dns-name-with-one", bare(SAN, general_names(("dns", b"spiffe://prod.example/boss"), ("uri", GOOD.encode())), names=[]),
      go=True)  # fmt: skip
value("id", "beside-a-registered-id", bare(SAN, general_names(("rid", b"\x2a\x03"), ("uri", GOOD.encode())), names=[]))
names("a-thousand-dns-names", [["dns", f"h{i}.example"] for i in range(1000)] + [["uri", GOOD]])
value("id", "san-that-is-cut", bare(SAN, general_names(("uri", GOOD.encode()))[:-1], names=[]), "certificate_malformed")

# ---- key usage: X509-SVID section 4.3 ----


def usage(name: str, words: list[str] | None, critical: bool = True, reason: str | None = "certificate_leaf", **more):
    value("usage", name, leaf(usage=None if words is None else {"words": words, "critical": critical}), reason, **more)


usage("signature", ["digitalSignature"], reason=None)
usage("signature-and-agreement", ["digitalSignature", "keyAgreement"], reason=None)
usage("signature-and-commitment", ["digitalSignature", "nonRepudiation"], reason=None)
usage("absent", None, go=True, why="key-usage")
usage("not-critical", ["digitalSignature"], False, go=True, why="key-usage")
usage("no-signature", ["keyEncipherment"], go=True, why="key-usage")
usage("agreement-alone", ["keyAgreement"], go=True, why="key-usage")
usage("cert-sign", ["digitalSignature", "keyCertSign"])
usage("crl-sign", ["digitalSignature", "cRLSign"])
usage("cert-sign-alone", ["keyCertSign"])
value("usage", "no-bits", bare(USAGE, bytes.fromhex("030100"), True, usage=None), "certificate_malformed", go=True, why="key-usage")

# ---- basic constraints: X509-SVID section 4.1 ----


def basic(name: str, ca_: bool | None, critical: bool = True, length: int | None = None, reason: str | None = None, **more):
    value("basic", name, leaf(basic=None if ca_ is None else {"ca": ca_, "length": length, "critical": critical}), reason, **more)


basic("absent", None)
basic("not-critical", False, False)
basic("ca", True, reason="certificate_leaf")
basic("ca-not-critical", True, False, reason="certificate_leaf")
basic("ca-with-length", True, True, 0, reason="certificate_leaf")
value("basic", "length-without-ca", bare(BASIC, bytes.fromhex("3003020100"), True, basic=None), "certificate_untrusted", go=True, why="length-in-leaf")

# ---- extended key usage: X509-SVID section 4.4 ----


def purposes(name: str, words: list[str] | None, critical: bool = False, reason: str | None = None, **more):
    value("purposes", name, leaf(purposes=None if words is None else {"words": words, "critical": critical}), reason, **more)


purposes("absent", None)
purposes("client", ["clientAuth"])
purposes("critical", ["serverAuth", "clientAuth"], True)
purposes("client-and-others", ["clientAuth", "codeSigning", "emailProtection"])
purposes("server", ["serverAuth"], reason="certificate_leaf", go=True, why="purpose")
purposes("code-signing", ["codeSigning"], reason="certificate_leaf", go=True, why="purpose")
purposes("any", ["anyExtendedKeyUsage"], reason="certificate_leaf", go=True, why="purpose")
purposes("client-and-any", ["clientAuth", "anyExtendedKeyUsage"])
value("purposes", "unknown-one", bare(PURPOSES, tlv(0x30, oid("1.2.3.4")), purposes=None), "certificate_leaf", go=True, why="purpose")

# ---- keys and signatures ----

for kind in ("p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519", "rsa2048e3"):
    value("key", kind, leaf(key=f"{kind}-leaf"))
value("key", "rsa1024", leaf(key="rsa1024-leaf"), "certificate_key", go=True, why="rsa-size")
value("key", "p224", leaf(key="p224-leaf"), "certificate_key", go=True, why="p-224")
value("key", "secp256k1", leaf(key="secp256k1-leaf"), "certificate_key")
value("key", "ed448", leaf(key="ed448-leaf"), "certificate_key", go=True, why="unknown-key")


def signer(key: str, digest: str) -> Callable[[Case], None]:
    def change(case: Case):
        case["ca"]["key"] = key
        case["leaf"]["digest"] = digest

    return change


for name, key, digest in (("ec-sha384", "p256-ca", "sha384"), ("ec-sha512", "p256-ca", "sha512"), ("p384", "p384-ca", "sha384"),
                          ("p521", "p521-ca", "sha512"), ("rsa-sha256", "rsa2048-ca", "sha256"), ("rsa-sha384", "rsa2048-ca", "sha384"),
                          ("rsa-sha512", "rsa2048-ca", "sha512"), ("rsa-pss-sha256", "rsa2048-ca", "pss-sha256"),
                          ("ed25519", "ed25519-ca", "")):  # fmt: skip
    value("signature", name, signer(key, digest))
value("signature", "ec-sha1", signer("p256-ca", "sha1"), "certificate_key")
value("signature", "rsa-sha1", signer("rsa2048-ca", "sha1"), "certificate_key")
value("signature", "rsa-md5", signer("rsa2048-ca", "md5"), "certificate_key")
value("signature", "rsa1024", signer("rsa1024-ca", "sha256"), "certificate_key", go=True, why="rsa-size")
value("signature", "secp256k1", signer("secp256k1-ca", "sha256"), "certificate_key")
value("signature", "p224", signer("p224-ca", "sha256"), "certificate_key", go=True, why="p-224")
value("signature", "ec-sha224", signer("p256-ca", "sha224"), go=False, why="sha-224")

# ---- validity: RFC 5280 section 4.1.2.5 ----

for name, first, last, reason, more in (
    ("from-now", NOW, NOW + HOUR, None, {}),
    ("from-a-second-later", NOW + 1, NOW + HOUR, "certificate_not_yet_valid", {}),
    ("until-a-second-later", NOW - HOUR, NOW + 1, None, {}),
    ("until-now", NOW - HOUR, NOW, "certificate_expired", {"go": True, "why": "last-second"}),
    ("until-a-second-ago", NOW - HOUR, NOW - 1, "certificate_expired", {}),
    ("past-2050", NOW - HOUR, 2_600_000_000, None, {}),
    ("ends-before-it-begins", NOW + HOUR, NOW - HOUR, "certificate_not_yet_valid", {}),
):
    value("validity", name, leaf(not_before=first, not_after=last), reason, **more)

# ---- the rest of a leaf ----

value("form", "unknown-extension", bare("1.2.3.4.5", b"\x05\x00"))
value("form", "critical-unknown-extension", bare("1.2.3.4.5", b"\x05\x00", True), "certificate_leaf")
value("form", "common-name", leaf(subject=[["O", "SPIRE"], ["CN", "host.example"]]))
value("form", "policy", bare(POLICIES, tlv(0x30, tlv(0x30, oid("1.2.3.4")))))
value("form", "no-key-identifiers", leaf(key_ids=False))
value("form", "serial-of-20-bytes", leaf(serial=str((1 << 159) - 1)))
value("form", "serial-of-21-bytes", leaf(serial=str(1 << 160)), "certificate_leaf", go=True, why="serial")
value("form", "serial-zero", leaf(serial="0"))
value("form", "critical-constraints-in-a-leaf", bare(CONSTRAINTS, bytes.fromhex("3008a00630048602") + b"xy", True), go=True)

# ---- the chain: RFC 5280 section 6 ----


def chain(name: str, change: Callable[[Case], None], reason: str | None = None, **more):
    value("chain", name, change, reason, **more)


def direct(case: Case):
    case["leaf"]["issuer"], case.chain = "root", ["leaf"]


def below(count: int) -> Callable[[Case], None]:
    """`count` authorities between leaf and root."""

    def change(case: Case):
        for i in range(2, count + 1):
            case.add(authority(f"ca{i}", case["leaf"]["issuer"], f"p256-ca{i}"))
            case["leaf"]["issuer"] = f"ca{i}"
            case.chain.insert(1, f"ca{i}")

    return change


def shown(*list_: str) -> Callable[[Case], None]:
    def change(case: Case):
        case.chain = list(list_)

    return change


def trusted(**bundles: list) -> Callable[[Case], None]:
    def change(case: Case):
        case.bundles = {name.replace("_", "."): list_ for name, list_ in bundles.items()}

    return change


def both(*changes: Callable[[Case], None]) -> Callable[[Case], None]:
    def change(case: Case):
        for each in changes:
            each(case)

    return change


def forged(case: Case):
    """Same names, other keys: what an attacker makes."""
    case.add(authority("evil-root", "", "p256-evil", subject=case["root"]["subject"]))
    case["leaf"].update(issuer="evil-root")
    case.chain = ["leaf", "evil-root"]


def stranger(case: Case):
    case.add(authority("partner", "", "p256-evil"))
    case["leaf"]["issuer"], case.chain = "partner", ["leaf"]
    case.bundles["partner.example"] = ["partner"]


def crossed(case: Case):
    """Two authorities that certify each other, none of them under the root."""
    case.add(authority("a", "", "p256-evil"))
    case.add(authority("b", "", "p256-ca2"))
    case.add(authority("a-by-b", "b", "p256-evil", subject=case["a"]["subject"]))
    case.add(authority("b-by-a", "a", "p256-ca2", subject=case["b"]["subject"]))
    case["leaf"]["issuer"], case.chain = "a", ["leaf", "a-by-b", "b-by-a"]


chain("direct", direct)
chain("two-authorities", below(2))
chain("three-authorities", below(3))
chain("four-authorities", below(4))
chain("five-authorities", below(5), "certificate_untrusted", go=True, why="depth")
chain("six-authorities", below(6), "certificate_untrusted", go=True, why="depth")
chain("out-of-order", both(below(3), lambda case: case.chain.sort(key=lambda name: (name != "leaf", name))))
chain("authority-not-shown", shown("leaf"), "certificate_untrusted")
chain("authority-in-the-bundle", both(shown("leaf"), trusted(prod_example=["root", "ca"])))
chain("authority-alone-in-the-bundle", both(shown("leaf"), trusted(prod_example=["ca"])))
chain("root-shown-too", shown("leaf", "ca", "root"))
chain("authority-shown-twice", shown("leaf", "ca", "ca"))
chain("six-shown", shown("leaf", *["ca"] * 6))
chain("seven-shown", shown("leaf", *["ca"] * 7), "certificate_untrusted", go=True, why="supplied")
chain("a-leaf-shown-as-well", both(lambda case: case.certificates.append(certificate("other", "ca", "p256-ca2")), shown("leaf", "ca", "other")))
chain("bundle-without-authorities", trusted(prod_example=[]), "certificate_untrusted")
chain("bundle-of-another-domain", trusted(partner_example=["root"]), "certificate_domain")
chain("of-another-domain", stranger, "certificate_untrusted")
chain("forged", forged, "certificate_untrusted")
chain("crossed", crossed, "certificate_untrusted")
chain("self-signed", lambda case: (case["leaf"].update(issuer=""), shown("leaf")(case)), "certificate_untrusted")
chain("signed-by-a-leaf", both(lambda case: case.add(certificate("middle", "ca", "p256-ca2")), lambda case: case["leaf"].update(issuer="middle"),
                               shown("leaf", "middle", "ca")), "certificate_untrusted")  # fmt: skip

# ---- the authority that issued it ----


def issuer(name: str, change: Callable[[Case], None], reason: str | None = "certificate_untrusted", **more):
    value("authority", name, change, reason, **more)


issuer("length-0", ca(basic={"ca": True, "length": 0, "critical": True}), None)
issuer("length-exceeded", both(ca(basic={"ca": True, "length": 0, "critical": True}), below(2)))
issuer("no-ca", ca(basic={"ca": False, "length": None, "critical": True}))
issuer("no-basic-constraints", ca(basic=None))
issuer("basic-constraints-not-critical", ca(basic={"ca": True, "length": None, "critical": False}), go=True, why="authority-form")
issuer("no-cert-sign", ca(usage={"words": ["digitalSignature", "cRLSign"], "critical": True}))
issuer("no-key-usage", ca(usage=None), go=True, why="authority-form")
issuer("key-usage-not-critical", ca(usage={"words": ["keyCertSign"], "critical": False}), None)
issuer("cert-sign-alone", ca(usage={"words": ["keyCertSign"], "critical": True}), None)
issuer("both-purposes", ca(purposes={"words": ["serverAuth", "clientAuth"], "critical": False}), None)
issuer("server-purpose", ca(purposes={"words": ["serverAuth"], "critical": False}), go=True, why="purpose-of-authority")
issuer("expired", ca(not_after=NOW - 1), "certificate_expired")
issuer("not-yet-valid", ca(not_before=NOW + 1), "certificate_not_yet_valid")
issuer("with-an-id", ca(names=[["uri", "spiffe://prod.example"]]), None)
issuer("with-an-id-and-slash", ca(names=[["uri", "spiffe://prod.example/"]]), None)
issuer("with-an-id-of-a-workload", ca(names=[["uri", "spiffe://prod.example/ns/a/sa/ca"]]), None)
issuer("critical-unknown-extension", lambda case: case["ca"]["raw"].append(raw("1.2.3.4.5", b"\x05\x00", True)))
issuer("no-key-identifiers", ca(key_ids=False), go=True, why="authority-form")


def demanding(case: Case):
    case["ca"]["raw"].extend([raw(POLICY_CONSTRAINTS, bytes.fromhex("3003800100"), True), raw(POLICIES, tlv(0x30, tlv(0x30, oid("1.2.3.4"))))])


issuer("demands-a-policy", demanding)
issuer("demands-the-policy-that-is-there", both(demanding, bare(POLICIES, tlv(0x30, tlv(0x30, oid("1.2.3.4"))))), None)
issuer("p224-shown-beside", lambda case: (case.add(authority("odd", "root", "p224-ca")), case.chain.append("odd")), "certificate_key", go=True,
       why="supplied")  # fmt: skip

# ---- its name constraints: RFC 5280 section 4.2.1.10, X509-SVID section 4.2 ----


def constraints(name: str, permitted: list = (), excluded: list = (), reason: str | None = "certificate_untrusted", change=None, critical=True, **more):
    wanted = {"permitted": list(permitted), "excluded": list(excluded), "critical": critical}
    value("constraints", name, both(ca(constraints=wanted), change or (lambda case: None)), reason, **more)


constraints("domain", [["uri", "prod.example"]], reason=None)
constraints("domain-not-critical", [["uri", "prod.example"]], reason=None, critical=False)
constraints("other-domain", [["uri", "other.example"]])
constraints("other-domain-not-critical", [["uri", "other.example"]], critical=False)
constraints("one-of-two-domains", [["uri", "other.example"], ["uri", "prod.example"]], reason=None)
constraints("parent-domain", [["uri", "example"]], go=True, why="constraint-without-dot")
constraints("domains-below", [["uri", ".example"]], reason=None)
constraints("domains-below-itself", [["uri", ".prod.example"]])
constraints("excluded-domain", excluded=[["uri", "prod.example"]])
constraints("excluded-other", excluded=[["uri", "other.example"]], reason=None)
constraints("excluded-parent", excluded=[["uri", "example"]], reason=None, go=False, why="constraint-without-dot")
constraints("excluded-below", excluded=[["uri", ".example"]])
constraints("dns-and-no-dns-name", [["dns", "prod.example"]], reason=None)
constraints("dns-and-a-common-name", [["dns", "prod.example"]], change=leaf(subject=[["CN", "evil.example"]]), reason=None)
constraints("dns-permitted", [["dns", "prod.example"]], change=leaf(names=[["dns", "a.prod.example"], ["uri", GOOD]]), reason=None)
constraints("dns-not-permitted", [["dns", "prod.example"]], change=leaf(names=[["dns", "evil.example"], ["uri", GOOD]]))
constraints("dns-excluded", excluded=[["dns", "evil.example"]], change=leaf(names=[["dns", "a.evil.example"], ["uri", GOOD]]))
constraints("email-not-permitted", [["email", "prod.example"]], change=leaf(names=[["email", "a@evil.example"], ["uri", GOOD]]))
constraints("user-part", [["uri", "prod.example"]], change=leaf(names=[["uri", "spiffe://prod.example:x@evil.example/w"]]),
            reason="certificate_spiffe_id")  # fmt: skip

# Values of two axes of one group may be combined; what both would change, or what only the other gives a meaning, is never.
LEAF_AXES = ["id", "usage", "basic", "purposes", "key", "validity", "form"]
ISSUER_AXES = ["signature", "chain", "authority", "constraints"]
