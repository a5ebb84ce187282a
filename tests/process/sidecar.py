# SPDX-License-Identifier: Apache-2.0
"""A running `bartizan serve` with its own folder, and the client that Envoy would be."""

import atexit
import http.client
import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy" / "demo"))
from credentials import Authority, Issuer  # noqa: E402

BINARIES = Path(os.environ.get("BARTIZAN_BIN", ROOT / "build" / "bin"))
POLICY = ROOT / "tests" / "policy" / "inference-gateway.yaml"

CONFIG = """\
apiVersion: bartizan.dev/v1alpha1
kind: SidecarConfig
instance: test-pod
listeners:
  - {address: "unix://@FOLDER@/check.sock", mode: "0660"}
identity:
  sources: [certificate]
  trust_domains: {prod.example: {bundle: bundle.pem}}
  revocations: [revocations]
tokens:
  from: [authorization]
  issuers: {"https://sso.example": {keys: {file: jwks.json}}}
policy: {path: policy.yaml, enforcement: enforce}
audit:
  journal: {path: journal, mode: batch, max_bytes: 2GiB}
admin: {socket: "@FOLDER@/admin.sock"}
"""


def generate_stubs():
    """Python classes of our own wire contracts, made once per run."""
    from grpc_tools import protoc

    out = tempfile.mkdtemp(prefix="stubs-")
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    protos = [str(ROOT / "proto" / name) for name in ("ext_authz.proto", "health.proto", "audit.proto")]
    if protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", *protos]) != 0:
        raise RuntimeError("protoc failed")
    sys.path.insert(0, out)
    return importlib.import_module("ext_authz_pb2"), importlib.import_module("health_pb2")


authz, health = generate_stubs()


def wait_until(question, seconds=10.0, what="it", every=0.02):
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=15)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Client:
    """Asks as Envoy does; every call has a deadline."""

    def __init__(self, target):
        self.channel = grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
        self._check = self.channel.unary_unary(
            "/envoy.service.auth.v3.Authorization/Check",
            request_serializer=lambda r: r if isinstance(r, bytes) else r.SerializeToString(),
            response_deserializer=lambda b: b,
        )
        self._health = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health.HealthCheckRequest.SerializeToString,
            response_deserializer=health.HealthCheckResponse.FromString,
        )
        self._watch = self.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health.HealthCheckRequest.SerializeToString,
            response_deserializer=health.HealthCheckResponse.FromString,
        )

    def raw(self, request, seconds=10):
        return self._check(request, timeout=seconds, wait_for_ready=True)

    def check(self, request, seconds=10):
        reply = self.raw(request, seconds)
        assert reply, "an empty CheckResponse is an allow"
        return authz.CheckResponse.FromString(reply)

    def health(self, service=""):
        return self._health(health.HealthCheckRequest(service=service), timeout=10, wait_for_ready=True).status

    def watch(self, service=""):
        return self._watch(health.HealthCheckRequest(service=service), timeout=60, wait_for_ready=True)

    def unknown(self, method):
        return self.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)(b"", timeout=10)

    def close(self):
        self.channel.close()


def request(path="/v1/models/ranker-v9:predict", caller=None, token=None, method="POST", **options):
    """A CheckRequest as Envoy writes it. `options`: host, headers, header_map (pairs), certificate."""
    host = options.get("host", "eu.models.example")
    out = authz.CheckRequest()
    http_part = out.attributes.request.http
    http_part.id, http_part.method, http_part.path = "1", method, path
    http_part.host, http_part.scheme, http_part.protocol = host, "http", "HTTP/2"
    headers = {":path": path, ":method": method, ":authority": host, ":scheme": "http"} | options.get("headers", {})
    if token:
        headers["authorization"] = f"Bearer {token}"
    if "header_map" in options:
        for name, value in [*headers.items(), *options["header_map"]]:
            http_part.header_map.headers.add(key=name, raw_value=value.encode())
    else:
        http_part.headers.update(headers)
    out.attributes.source.address.socket_address.address = "10.1.2.3"
    out.attributes.source.address.socket_address.port_value = 40000
    certificate = options.get("certificate")
    if caller is not None:
        certificate = urllib.parse.quote(caller.certificate_file.read_text(), safe="-_.~/ ").replace(" ", "%20")
    if certificate:
        out.attributes.source.certificate = certificate
    return out


class Sidecar:
    def __init__(self, config=CONFIG, policy=None):
        base = os.environ.get("TMPDIR") or "/tmp"
        self.folder = Path(tempfile.mkdtemp(prefix="serve-", dir=base if len(base) < 60 else "/tmp"))
        self.authority = Authority("prod.example", self.folder)
        self.issuer = Issuer("https://sso.example", self.folder)
        self.web = self.authority.issue("/ns/search/sa/web", "web")
        self.console = self.authority.issue("/ns/ops/sa/console", "console")
        self.policy = self.folder / "policy.yaml"
        self.policy.write_text(policy or POLICY.read_text())
        self.config = self.folder / "sidecar.yaml"
        self.config.write_text(config.replace("@FOLDER@", str(self.folder)))
        self.log_file = self.folder / "serve.log"
        self.process = None
        self.clients = []

    def spawn(self, *extra):
        """Starts it without waiting."""
        log = open(self.log_file, "ab")
        self.process = subprocess.Popen(
            [BINARIES / "bartizan", "serve", "--config", self.config, *extra], stdout=log, stderr=log
        )
        log.close()
        return self.process

    def start(self, *extra):
        self.spawn(*extra)
        self.wait_ready()
        return self

    def wait_ready(self, count=1):
        def is_ready():
            assert self.process.poll() is None, self.log()
            return self.log().count("ready in_ms=") >= count

        wait_until(is_ready, 20, f"ready, the log so far:\n{self.log()}")

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def client(self, target=None):
        client = Client(target or f"unix:{self.folder}/check.sock")
        self.clients.append(client)
        return client

    def admin(self, method, path):
        connection = UnixConnection(self.folder / "admin.sock")
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    def status(self):
        code, body = self.admin("GET", "/status")
        assert code == 200, body
        return json.loads(body)

    def children(self):
        """name of the subcommand -> pid"""
        out = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if len(words) > 1:
                out[words[1].decode()] = int(pid)
        return out

    def cli(self, *arguments):
        command = [BINARIES / "bartizan", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def records(self):
        """Every record of the journal, oldest first, as `audit` prints them."""
        out = self.cli("audit", "tail", "--journal", self.folder / "journal", "--from-start", "--no-follow", "--format", "json")
        assert out.returncode == 0, out.stderr
        return [json.loads(line) for line in out.stdout.splitlines()]

    def stop(self, seconds=20):
        for client in self.clients:
            client.close()
        self.clients = []
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        log = self.log()
        shutil.rmtree(self.folder, ignore_errors=True)
        for report in ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:"):
            assert report not in log, log
