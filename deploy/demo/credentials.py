# SPDX-License-Identifier: Apache-2.0
"""Certificates and tokens for the demo and the tests: a trust domain's CA, X.509-SVIDs,
and an issuer that signs access tokens. Keys live in the demo's own folder and die with it."""

import base64
import datetime
import hashlib
import json
import subprocess
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_key(path: Path, key) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


class Svid:
    """A certificate and key on disk."""

    def __init__(self, spiffe_id: str, folder: Path, name: str):
        self.spiffe_id = spiffe_id
        self.certificate_file = folder / f"{name}.pem"
        self.key_file = folder / f"{name}.key"
        self.certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).digest()

    @property
    def x5t_s256(self) -> str:
        return base64url(self.sha256)


class Pki:
    """The authority of one trust domain, made and asked by `bartizan pki`."""

    def __init__(self, program: Path, trust_domain: str, folder: Path):
        self.program = program
        self.trust_domain = trust_domain
        self.folder = folder
        self._run("create", trust_domain)
        self.bundle_file = folder / "bundle.pem"

    def _run(self, *arguments) -> None:
        command = [self.program, "pki", *arguments, "--dir", "."]
        subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def issue(self, path: str, name: str, dns=()) -> Svid:
        """An X.509-SVID for spiffe://TRUST_DOMAIN/PATH that lives an hour, in NAME.pem and NAME.key."""
        options = ["--dns", ",".join(dns)] if dns else []
        self._run("issue", path, "--out", name, "--ttl", "1h", *options)
        return Svid(f"spiffe://{self.trust_domain}{path}", self.folder, name)


class Authority:
    """A CA that also makes certificates that no good CA would: for tests."""

    def __init__(self, trust_domain: str, folder: Path, name: str = "bundle"):
        self.folder = folder
        self.trust_domain = trust_domain
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{trust_domain} demo CA")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        self.bundle_file = folder / f"{name}.pem"
        self.bundle_file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, path: str, name: str, dns=(), hours: float = 1.0, **options) -> Svid:
        """An X.509-SVID for spiffe://TRUST_DOMAIN/PATH. `options`: uris, eku, not_before, key."""
        spiffe_id = f"spiffe://{self.trust_domain}{path}"
        key = options.get("key") or ec.generate_private_key(ec.SECP256R1())
        now = options.get("not_before") or datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        names = [x509.UniformResourceIdentifier(uri) for uri in options.get("uris", [spiffe_id])]
        names += [x509.DNSName(each) for each in dns]
        usages = options.get("eku", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "demo")]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(hours=hours))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_key(self.folder / f"{name}.key", key)
        return Svid(spiffe_id, self.folder, name)


def _key_usage(**set_bits):
    bits = dict.fromkeys(
        (
            "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
            "key_cert_sign crl_sign encipher_only decipher_only"
        ).split(),
        False,
    )
    bits.update(set_bits)
    return x509.KeyUsage(**bits)


class Issuer:
    """Signs ES256 access tokens and publishes its key as a JWKS."""

    def __init__(self, url: str, folder: Path, audience: str = "inference"):
        self.url = url
        self.audience = audience
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        self.kid = base64url(hashlib.sha256(numbers.x.to_bytes(32, "big")).digest()[:8])
        self.jwks_file = folder / "jwks.json"
        self.jwks_file.write_text(
            json.dumps(
                {
                    "keys": [
                        {
                            "kty": "EC",
                            "crv": "P-256",
                            "use": "sig",
                            "alg": "ES256",
                            "kid": self.kid,
                            "x": base64url(numbers.x.to_bytes(32, "big")),
                            "y": base64url(numbers.y.to_bytes(32, "big")),
                        }
                    ]
                }
            )
        )

    def sign(self, claims: dict, header: dict | None = None) -> str:
        head = {"alg": "ES256", "typ": "at+jwt", "kid": self.kid} | (header or {})
        signed = base64url(json.dumps(head).encode()) + "." + base64url(json.dumps(claims).encode())
        r, s = utils.decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return signed + "." + base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def token(self, subject: str, age: float = 0, **claims) -> str:
        """A token whose user authenticated `age` seconds ago; None removes a claim."""
        now = int(time.time())
        body = {
            "iss": self.url,
            "aud": [self.audience],
            "sub": subject,
            "iat": now - 5,
            "exp": now + 3600,
            "auth_time": int(now - age),
            "jti": base64url(hashlib.sha256(f"{subject}{time.time_ns()}".encode()).digest()[:12]),
        } | claims
        return self.sign({name: value for name, value in body.items() if value is not None})
