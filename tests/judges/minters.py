# SPDX-License-Identifier: Apache-2.0
"""Three ways to make the same certificate: Python's `cryptography`, OpenSSL's command line and Go's crypto/x509. Each writes what it has a
word for by that word, and the rest by its bytes; what it cannot write at all it says (Unable)."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier


class Unable(Exception):
    pass


CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1, "p224": ec.SECP224R1, "secp256k1": ec.SECP256K1}


def make_key(name: str):
    kind = name.split("-")[0]
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind.startswith("rsa"):
        bits, _, exponent = kind[3:].partition("e")
        return rsa.generate_private_key(int(exponent or 65537), int(bits))
    return {"ed25519": ed25519.Ed25519PrivateKey, "ed448": ed448.Ed448PrivateKey}[kind].generate()


class Keys(dict):
    """By name, `KIND-ROLE`; made when first asked for."""

    def __missing__(self, name: str):
        self[name] = make_key(name)
        return self[name]

    def pem(self, name: str) -> str:
        return self[name].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


# ---- Python ----

PURPOSE_IDS = {"serverAuth": "1.3.6.1.5.5.7.3.1", "clientAuth": "1.3.6.1.5.5.7.3.2", "codeSigning": "1.3.6.1.5.5.7.3.3",
               "emailProtection": "1.3.6.1.5.5.7.3.4", "anyExtendedKeyUsage": "2.5.29.37.0"}  # fmt: skip
USAGE_NAMES = {"digitalSignature": "digital_signature", "nonRepudiation": "content_commitment", "keyEncipherment": "key_encipherment",
               "dataEncipherment": "data_encipherment", "keyAgreement": "key_agreement", "keyCertSign": "key_cert_sign", "cRLSign": "crl_sign",
               "encipherOnly": "encipher_only", "decipherOnly": "decipher_only"}  # fmt: skip


def general_name(kind: str, text: str):
    makers = {"uri": x509.UniformResourceIdentifier, "dns": x509.DNSName, "email": x509.RFC822Name,
              "ip": lambda address: x509.IPAddress(ipaddress.ip_address(address))}  # fmt: skip
    return makers[kind](text)


class Python:
    name = "cryptography"

    def __init__(self, keys: Keys):
        self.keys, self.made = keys, {}

    def mint(self, order: list[dict]) -> dict[str, str]:
        issued = {}
        for wanted in order:
            issuer = issued.get(wanted["issuer"])
            cached = json.dumps([wanted, issuer and issuer.fingerprint(hashes.SHA256()).hex()], sort_keys=True)
            if cached not in self.made:
                signer = self.keys[next((each["key"] for each in order if each["name"] == wanted["issuer"]), wanted["key"])]
                try:
                    self.made[cached] = self.one(wanted, issuer, signer)
                except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                    self.made[cached] = Unable(f"{wanted['name']}: {error}")
            if isinstance(self.made[cached], Unable):
                raise self.made[cached]
            issued[wanted["name"]] = self.made[cached]
        return {name: made.public_bytes(serialization.Encoding.PEM).decode() for name, made in issued.items()}

    def one(self, wanted: dict, issuer, signer):
        subject = x509.Name([x509.NameAttribute({"C": NameOID.COUNTRY_NAME, "O": NameOID.ORGANIZATION_NAME, "CN": NameOID.COMMON_NAME}[kind], text)
                             for kind, text in wanted["subject"]])  # fmt: skip
        key = self.keys[wanted["key"]].public_key()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject if issuer else subject).public_key(key)
                   .serial_number(int(wanted["serial"]))
                   .not_valid_before(datetime.datetime.fromtimestamp(wanted["not_before"], datetime.timezone.utc))
                   .not_valid_after(datetime.datetime.fromtimestamp(wanted["not_after"], datetime.timezone.utc)))  # fmt: skip
        for extension, critical in self.extensions(wanted, key, issuer):
            builder = builder.add_extension(extension, critical)
        family, _, digest = wanted["digest"].partition("-")
        if family.startswith("ed"):
            return builder.sign(signer, None)
        is_pss = digest.startswith("pss-")
        algorithm = getattr(hashes, digest.removeprefix("pss-").upper())()
        scheme = {"rsa_padding": padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)} if is_pss else {}
        return builder.sign(signer, algorithm, **scheme)

    def extensions(self, wanted: dict, key, issuer):
        if basic := wanted["basic"]:
            yield x509.BasicConstraints(basic["ca"], basic["length"]), basic["critical"]
        if usage := wanted["usage"]:
            bits = {name: word in usage["words"] for word, name in USAGE_NAMES.items()}
            yield x509.KeyUsage(**bits), usage["critical"]
        if purposes := wanted["purposes"]:
            yield x509.ExtendedKeyUsage([ObjectIdentifier(PURPOSE_IDS[word]) for word in purposes["words"]]), purposes["critical"]
        if wanted["key_ids"]:
            yield x509.SubjectKeyIdentifier.from_public_key(key), False
            if issuer is not None:
                yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), False
        if constraints := wanted["constraints"]:
            lists = {side: [general_name(*each) for each in constraints[side]] or None for side in ("permitted", "excluded")}
            yield x509.NameConstraints(lists["permitted"], lists["excluded"]), constraints["critical"]
        if wanted["names"]:
            yield x509.SubjectAlternativeName([general_name(*each) for each in wanted["names"]]), not wanted["subject"]
        for raw in wanted["raw"]:
            yield x509.UnrecognizedExtension(ObjectIdentifier(raw["oid"]), bytes.fromhex(raw["value"])), raw["critical"]


# ---- OpenSSL ----

CONFIGURATION = """[ca]
default_ca = d
[d]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
policy = p
unique_subject = no
[p]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = dn
[dn]
[e]
{extensions}
"""
SPECIAL = re.compile(r"[^A-Za-z0-9 :/@._?=&%-]")


class OpenSSL:
    name = "openssl"

    def __init__(self, keys: Keys, folder: Path):
        self.keys, self.folder, self.made = keys, folder, {}

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def run(self, *words) -> None:
        done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, timeout=60, cwd=self.folder)
        if done.returncode != 0:
            raise Unable(done.stderr[-300:])

    def mint(self, order: list[dict]) -> dict[str, str]:
        issued = {}
        for wanted in order:
            issuer = issued.get(wanted["issuer"])
            cached = json.dumps([wanted, issuer], sort_keys=True)
            if cached not in self.made:
                signer = next((each["key"] for each in order if each["name"] == wanted["issuer"]), wanted["key"])
                try:
                    self.made[cached] = self.one(wanted, issuer, signer)
                except Unable as error:
                    self.made[cached] = error
            if isinstance(self.made[cached], Unable):
                raise self.made[cached]
            issued[wanted["name"]] = self.made[cached]
        return issued

    def key(self, name: str) -> Path:
        path = self.folder / f"{name}.key"
        return path if path.exists() else self.file(path.name, self.keys.pem(name))

    def one(self, wanted: dict, issuer: str | None, signer: str) -> str:
        digits = f"{int(wanted['serial']):X}"
        self.file("serial", digits.zfill(len(digits) + len(digits) % 2) + "\n")
        self.file("index.txt", "")
        configuration = self.file("ca.conf", CONFIGURATION.format(folder=self.folder, extensions=self.extensions(wanted)))
        subject = "".join(f"/{kind}={text.replace('/', chr(92) + '/')}" for kind, text in wanted["subject"])
        self.run("req", "-new", "-config", configuration, "-key", self.key(wanted["key"]), "-subj", subject or "/", "-out", "request.pem")
        family, _, digest = wanted["digest"].partition("-")
        words = ["-md", "default" if family.startswith("ed") else digest.removeprefix("pss-")]
        if digest.startswith("pss-"):
            words += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
        words += ["-cert", self.file("issuer.pem", issuer)] if issuer else ["-selfsign"]
        self.run("ca", "-batch", "-notext", "-preserveDN", "-config", configuration, "-extensions", "e", "-keyfile", self.key(signer), "-startdate",
                 self.instant(wanted["not_before"]), "-enddate", self.instant(wanted["not_after"]), "-in", "request.pem", "-out", "out.pem",
                 *words)  # fmt: skip
        return (self.folder / "out.pem").read_text()

    @staticmethod
    def instant(seconds: int) -> str:
        when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return when.strftime("%y%m%d%H%M%SZ" if when.year < 2050 else "%Y%m%d%H%M%SZ")

    def extensions(self, wanted: dict) -> str:
        lines, names = [], []
        if basic := wanted["basic"]:
            length = "" if basic["length"] is None else f",pathlen:{basic['length']}"
            lines.append(f"basicConstraints={self.critical(basic)}CA:{'TRUE' if basic['ca'] else 'FALSE'}{length}")
        if usage := wanted["usage"]:
            lines.append(f"keyUsage={self.critical(usage)}{','.join(usage['words'])}")
        if purposes := wanted["purposes"]:
            lines.append(f"extendedKeyUsage={self.critical(purposes)}{','.join(purposes['words'])}")
        if wanted["key_ids"]:
            lines += ["subjectKeyIdentifier=hash"] + (["authorityKeyIdentifier=keyid:always"] if wanted["issuer"] else [])
        else:
            lines += ["subjectKeyIdentifier=none", "authorityKeyIdentifier=none"]
        if constraints := wanted["constraints"]:
            words = [f"{side};{kind if kind == 'email' else kind.upper()}:{text}" for side in ("permitted", "excluded") for kind, text in constraints[side]]
            lines.append(f"nameConstraints={self.critical(constraints)}{','.join(words)}")
        for i, (kind, text) in enumerate(wanted["names"]):
            if SPECIAL.search(text):
                raise Unable(f"a name that a configuration cannot hold: {text!r}")
            names.append(f"{kind if kind == 'email' else kind.upper()}.{i}={text}")
        if names:
            lines.append(f"subjectAltName={'' if wanted['subject'] else 'critical,'}@names")
        for raw in wanted["raw"]:
            lines.append(f"{raw['oid']}={self.critical(raw)}DER:{':'.join(re.findall('..', raw['value']))}")
        return "\n".join([*lines, "[names]", *names])

    @staticmethod
    def critical(of: dict) -> str:
        return "critical," if of["critical"] else ""


# ---- Go ----


class Go:
    name = "crypto/x509"

    def __init__(self, keys: Keys, program: Path):
        self.keys = keys
        self.process = subprocess.Popen([program, "mint"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def mint_all(self, orders: list[list[dict]]) -> list[dict[str, str] | Unable]:
        """One process for all: it reads until the end of its input."""
        lines = []
        for order in orders:
            names = {each["key"] for each in order}
            lines.append(json.dumps({"keys": {name: self.keys.pem(name) for name in names}, "certificates": order}))
        output, _ = self.process.communicate("".join(line + "\n" for line in lines), timeout=600)
        answers = [json.loads(line) for line in output.splitlines()]
        assert len(answers) == len(orders)
        return [Unable(each["why"]) if each["why"] else each["pem"] for each in answers]


def mint_each(minter, orders: list[list[dict]]) -> list[dict[str, str] | Unable]:
    if isinstance(minter, Go):
        return minter.mint_all(orders)
    out = []
    for order in orders:
        try:
            out.append(minter.mint(order))
        except Unable as error:
            out.append(error)
    return out
