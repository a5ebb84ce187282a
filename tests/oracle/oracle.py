# SPDX-License-Identifier: Apache-2.0
"""The parts that the oracles share: credentials, Envoy, Bartizan; each ended by `with`."""

import json
import shutil
import subprocess

import wire
from credentials import Authority, Issuer
from policies import ISSUER
from stack import Stack, free_ports, runtime_folder, wait_until

SIDECAR = """\
apiVersion: bartizan.dev/v1alpha1
kind: SidecarConfig
instance: oracle
listeners: [{{address: "unix://{folder}/check.sock"}}]
identity:
  trust_domains: {{{domains}}}
  revocations: [revocations]
tokens:
  issuers: {{"{issuer}": {{keys: {{file: jwks.json}}}}}}
policy: {{path: policy}}
audit: {{journal: {{path: journal, max_bytes: 512MiB}}}}
admin: {{socket: "{folder}/admin.sock"}}
"""


class Oracle:
    """`identities`: SPIFFE IDs; `users`: claims of tokens, None for no token."""

    def __init__(self, binaries, envoy, identities, users, ports=3):
        self.folder = runtime_folder()
        self.stack = Stack(self.folder, binaries, envoy)
        domains = sorted({each.split("/")[2] for each in identities if each})
        self.authorities = {domain: Authority(domain, self.folder, domain) for domain in domains}
        self.server = self.authorities[domains[0]].issue("/ns/oracle/sa/envoy", "server")
        self.issuer = Issuer(ISSUER, self.folder, "oracle")
        self.ports = free_ports(ports)
        contexts = {"": wire.client_context(None)}
        for i, identity in enumerate(filter(None, identities)):
            domain = identity.split("/")[2]
            contexts[identity] = wire.client_context(self.authorities[domain].issue(identity[9 + len(domain) :], f"client{i}"))
        tokens = [None if claims is None else self.issuer.token("ada", **claims) for claims in users]
        self.client = wire.Client(self.ports, contexts, tokens)

    def start_bartizan(self, text):
        folder = self.folder
        (folder / "policy").mkdir()
        (folder / "policy" / "policy.yaml").write_text(text)
        domains = ", ".join(f"{name}: {{bundle: {authority.bundle_file}}}" for name, authority in self.authorities.items())
        self.stack.config_file.write_text(SIDECAR.format(folder=folder, domains=domains, issuer=ISSUER))
        self.stack.start_bartizan()

    def start_envoy(self, routes, rbac_filters, check_socket=None, **options):
        bundles = [authority.bundle_file for authority in self.authorities.values()]
        config = wire.envoy_config(self.stack.envoy_admin_port, self.ports, routes, rbac_filters, self.server, bundles, self.issuer, check_socket, **options)
        file = wire.write_json(self.folder / "envoy.json", config)
        process = self.stack.start(
            "envoy", [self.stack.envoy, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]
        )
        wait_until(lambda: process.must_live() and self.stack.envoy_answers(), 60, "Envoy")

    def evaluate(self, text, requests) -> list:
        """The library's decisions, in one process: see `bartizan policy eval --requests`."""
        policy = self.folder / "alone.yaml"
        policy.write_text(text)
        lines = "".join(json.dumps(each) + "\n" for each in requests)
        done = subprocess.run(
            [self.stack.bartizan, "policy", "eval", policy, "--requests", "-"], input=lines, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.end()
        shutil.rmtree(self.folder, ignore_errors=True)
