# SPDX-License-Identifier: Apache-2.0
"""A certificate as the three minters are asked for it, and the DER of what they have no word for."""

from __future__ import annotations

import copy
import zlib

NOW = 1_800_000_000  # 2027-01-15T08:00:00Z
HOUR = 3600

SAN, USAGE, BASIC, PURPOSES = "2.5.29.17", "2.5.29.15", "2.5.29.19", "2.5.29.37"
CONSTRAINTS, POLICIES, POLICY_CONSTRAINTS = "2.5.29.30", "2.5.29.32", "2.5.29.36"


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def oid(text: str) -> bytes:
    first, second, *rest = map(int, text.split("."))
    out = [40 * first + second]
    for number in rest:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        out += reversed(groups)
    return tlv(6, bytes(out))


GENERAL_NAMES = {"email": 0x81, "dns": 0x82, "uri": 0x86, "ip": 0x87, "rid": 0x88}


def general_names(*names: tuple[str, bytes]) -> bytes:
    """The extension's value, byte for byte: a name of any kind holds any bytes."""
    return tlv(0x30, *(tlv(GENERAL_NAMES[kind], value) for kind, value in names))


def raw(object_id: str, value: bytes, critical: bool = False) -> dict:
    return {"oid": object_id, "critical": critical, "value": value.hex()}


def authority(name: str, issuer: str, key: str, **more) -> dict:
    return certificate(name, issuer, key, subject=[["C", "US"], ["O", "Test"], ["CN", name]], names=[], purposes=None,
                       basic={"ca": True, "length": None, "critical": True},
                       usage={"words": ["keyCertSign", "cRLSign"], "critical": True}) | more  # fmt: skip


def certificate(name: str, issuer: str, key: str, **more) -> dict:
    return {"name": name, "issuer": issuer, "key": key, "digest": "sha256", "subject": [["C", "US"], ["O", "SPIRE"]],
            "serial": str(1000 + zlib.crc32(name.encode())), "version": 3, "not_before": NOW - HOUR, "not_after": NOW + HOUR,
            "names": [["uri", "spiffe://prod.example/ns/a/sa/b"]],
            "basic": {"ca": False, "length": None, "critical": True},
            "usage": {"words": ["digitalSignature", "keyEncipherment", "keyAgreement"], "critical": True},
            "purposes": {"words": ["serverAuth", "clientAuth"], "critical": False},
            "constraints": None, "key_ids": True, "raw": []} | more  # fmt: skip


class Case:
    """What is minted (issuers first), what is shown (leaf first) and what is trusted."""

    def __init__(self):
        self.certificates = [authority("root", "", "p256-root", not_before=NOW - 24 * HOUR, not_after=NOW + 24 * HOUR),
                             authority("ca", "root", "p256-ca"), certificate("leaf", "ca", "p256-leaf")]  # fmt: skip
        self.chain = ["leaf", "ca"]
        self.bundles = {"prod.example": ["root"]}
        self.time = NOW
        self.values = []  # the mutations that made it

    def __getitem__(self, name: str) -> dict:
        return next(each for each in self.certificates if each["name"] == name)

    def add(self, made: dict, before: str = "leaf"):
        at = next(i for i, each in enumerate(self.certificates) if each["name"] == before)
        self.certificates.insert(at, made)

    def order(self) -> list[dict]:
        """With the signature algorithm by the issuer's key."""
        out = copy.deepcopy(self.certificates)
        keys = {each["name"]: each["key"] for each in out}
        for each in out:
            kind = keys.get(each["issuer"], each["key"]).split("-")[0]
            family = "ec" if kind[0] in "ps" else "rsa" if kind.startswith("rsa") else kind
            each["digest"] = f"{family}-{'' if family in ('ed25519', 'ed448') else each['digest']}"
        return out
