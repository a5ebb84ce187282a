# SPDX-License-Identifier: Apache-2.0
"""One real Envoy with one real Bartizan behind it, for the tests of this folder."""

import json
import shutil
import subprocess
from types import SimpleNamespace

import pytest
from credentials import Authority, Issuer
from stack import HERE, Stack, runtime_folder

HOST = "eu.models.example"


class World:
    """The stack, its credentials, and requests through Envoy by curl."""

    def __init__(self, stack: Stack):
        folder = stack.folder
        self.stack = stack
        self.ca = Authority("prod.example", folder)
        self.server = self.ca.issue("/ns/ml-serving/sa/gateway", "server", dns=[HOST])
        self.app = self.ca.issue("/ns/checkout/sa/api", "app")
        self.console = self.ca.issue("/ns/ops/sa/console", "console")
        self.issuer = Issuer("https://sso.example", folder)
        shutil.copytree(HERE / "policy", folder / "policy")
        (folder / "revocations").mkdir()
        stack.write_config()

    def start(self, edit_config=None, edit_envoy=None):
        """Everything, with the sidecar's and Envoy's configuration changed where asked."""
        if edit_config:
            config = self.stack.config_file
            config.write_text(edit_config(config.read_text()))
        self.stack.start_application()
        self.bartizan = self.stack.start_bartizan()
        self.envoy = self.stack.start_envoy(
            self.server, self.ca.bundle_file, self.issuer.jwks_file, edit=edit_envoy
        )
        return self

    def operator(self, age=60.0, **claims) -> str:
        body = {"azp": "ml-console", "roles": ["ml-operator"], "purpose": "incident", "amr": ["pwd", "hwk"], "acr": "mfa"}
        return self.issuer.token("alice", age, **(body | claims))

    def request(self, path, caller=None, token=None, headers=(), method="POST", http2=False, data="{}"):
        """Over HTTP/2 curl 7.88 takes an answer that comes before it has sent its body for an error: no body then."""
        port = self.stack.ports["BARTIZAN_PORT"]
        command = ["curl", "-sS", "--path-as-is", "--max-time", "10", "--cacert", self.ca.bundle_file,
                   "--resolve", f"{HOST}:{port}:127.0.0.1", "-X", method, "-D", "-", "--http2" if http2 else "--http1.1"]
        if caller:
            command += ["--cert", caller.certificate_file, "--key", caller.key_file]
        if token:
            command += ["-H", f"authorization: Bearer {token}"]
        for header in headers:
            command += ["-H", header]
        if data is not None and not http2:
            command += ["--data-binary", data]
        command.append(f"https://{HOST}:{port}{path}")
        done = subprocess.run([str(part) for part in command], capture_output=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        lines = head.decode(errors="replace").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        words = lines[0].split(" ")
        return SimpleNamespace(
            status=int(words[1]) if len(words) > 1 else 0, headers=fields, body=body, problem=done.stderr.decode()
        )

    def journal(self) -> list:
        """Every record so far, read from the journal."""
        done = self.stack.run("audit", "tail", "--journal", self.stack.folder / "journal", "--from-start",
                              "--no-follow", "--format", "json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def decision(self, answer) -> dict:
        wanted = answer.headers["x-bartizan-decision"]
        return next(r["decision"] for r in self.journal() if r["kind"] == "decision" and r["decision"]["decision_id"] == wanted)


@pytest.fixture(scope="module")
def world(binaries, envoy):
    folder = runtime_folder()
    with Stack(folder, binaries, envoy) as stack:
        yield World(stack).start()
    shutil.rmtree(folder, ignore_errors=True)
