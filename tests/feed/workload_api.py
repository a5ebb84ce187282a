# SPDX-License-Identifier: Apache-2.0
"""The Workload API of tests/feed/workload_api_server, and its messages, written byte by byte so that they can be
wrong in every way."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

SERVER = os.environ.get("BARTIZAN_WORKLOAD_API")
OK, INVALID_ARGUMENT, PERMISSION_DENIED, UNIMPLEMENTED, UNAVAILABLE, INTERNAL = 0, 3, 7, 12, 14, 13


def der(certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(number: int, key: str, value: bytes) -> bytes:
    return field(number, field(1, key.encode()) + field(2, value))


def x509_message(bundles: dict, crls=()) -> bytes:
    """Trust domain names with their authorities: certificates, or bytes as they are."""
    out = b"".join(field(1, each) for each in crls)
    for name, authorities in bundles.items():
        value = authorities if isinstance(authorities, bytes) else b"".join(der(a) for a in authorities)
        out += entry(2, f"spiffe://{name}", value)
    return out


def jwt_message(bundles: dict) -> bytes:
    out = b""
    for name, keys in bundles.items():
        value = keys if isinstance(keys, bytes) else json.dumps(keys).encode()
        out += entry(1, f"spiffe://{name}", value)
    return out


class WorkloadApi:
    def __init__(self):
        assert SERVER, "BARTIZAN_WORKLOAD_API names the program of tests/feed/workload_api_server; `./run test` builds it"
        base = os.environ.get("TMPDIR") or "/tmp"
        self.folder = Path(tempfile.mkdtemp(prefix="agent-", dir=base if len(base) < 60 else "/tmp"))
        self.socket = self.folder / "agent.sock"
        self.endpoint = f"unix://{self.socket}"
        self.process = subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, do, **more):
        print(json.dumps({"do": do, **more}), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer["value"]

    def listen(self):
        self.tell("listen", address=f"unix:{self.socket}")

    def x509(self, bundles, crls=()):
        self.send("x509", bundles if isinstance(bundles, bytes) else x509_message(bundles, crls))

    def jwt(self, bundles):
        self.send("jwt", bundles if isinstance(bundles, bytes) else jwt_message(bundles))

    def send(self, kind, message):
        self.tell(kind, message=base64.b64encode(message).decode())

    def fail(self, code, text="no"):
        self.tell("fail", code=code, text=text)

    def hang(self, on=True):
        self.tell("hang", on=on)

    def opened(self):
        return self.tell("count")["opened"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
