# SPDX-License-Identifier: Apache-2.0
"""A folder with a configuration and everything that it names."""

import json
import subprocess
from pathlib import Path

from credentials import Authority, Issuer

POLICY = """\
apiVersion: bartizan.dev/v1alpha1
kind: AccessPolicy
metadata: {name: cli}
spec:
  roles:
    web: {members: [{workload: {spiffe: "spiffe://prod.example/ns/search/sa/web"}}]}
  actions:
    read: {http: [{methods: [GET], paths: ["/items/{id}"]}]}
  rules:
    - allow: web-reads
      subjects: {workload: [web]}
      actions: [read]
  tests:
    - name: the web may read
      given: {path: /items/1, workload: "spiffe://prod.example/ns/search/sa/web"}
      expect: {allow: web-reads}
    - name: others may not
      given: {path: /items/1, workload: "spiffe://prod.example/ns/other/sa/job"}
      expect: {deny: default}
"""

CONFIG = """\
apiVersion: bartizan.dev/v1alpha1
kind: SidecarConfig
instance: cli-test
listeners: [{address: "unix:check.sock"}]
identity:
  trust_domains: {prod.example: {bundle: bundle.pem}}
  revocations: [revocations]
tokens:
  issuers: {"https://sso.example": {keys: {file: jwks.json}}}
policy: {path: policy.yaml}
audit: {journal: {path: journal}}
admin: {socket: admin.sock}
"""

WEB = "spiffe://prod.example/ns/search/sa/web"


class Place:
    """A folder with everything that a configuration names."""

    def __init__(self, folder: Path, program: Path):
        self.folder = folder
        self.program = program
        self.config = folder / "config.yaml"
        self.policy = folder / "policy.yaml"
        self.config.write_text(CONFIG)
        self.policy.write_text(POLICY)
        (folder / "revocations").mkdir()
        self.authority = Authority("prod.example", folder)
        Issuer("https://sso.example", folder)
        self.web = self.authority.issue("/ns/search/sa/web", "web")

    def run(self, *arguments, text: str | None = None, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(self.program), *map(str, arguments)],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            **options,
        )

    def request(self, **http) -> str:
        """A CheckRequest as protobuf JSON, from the web workload."""
        pem = self.web.certificate_file.read_text()
        escaped = pem.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D").replace("\n", "%0A").replace(" ", "%20")
        method, path = http.pop("method", "GET"), http.pop("path", "/items/1")
        fields = {"id": "1", "method": method, "path": path, "host": "items.example", "scheme": "https", "size": "0"}
        fields["headers"] = {
            ":authority": "items.example",
            ":method": method,
            ":path": path,
            ":scheme": "https",
        } | http.pop("headers", {})
        fields["protocol"] = "HTTP/2"
        return json.dumps(
            {
                "attributes": {
                    "source": {
                        "address": {"socketAddress": {"address": "10.0.0.9", "portValue": 5000}},
                        "certificate": escaped,
                    },
                    "request": {"time": "2026-11-24T21:55:00Z", "http": fields | http},
                }
            }
        )
