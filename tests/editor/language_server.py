# SPDX-License-Identifier: Apache-2.0
"""A client of yaml-language-server over its standard streams (Language Server Protocol 3.17, base protocol)."""

import json
import queue
import subprocess
import threading
import time
from pathlib import Path

WAIT = 60


class LanguageServer:
    """The server as an editor starts it, with the schema for every YAML file."""

    def __init__(self, modules: Path, schema: Path | None, folder: Path):
        self.settings = {
            "validate": True,
            "hover": True,
            "completion": True,
            "schemaStore": {"enable": False},
            "schemas": {schema.as_uri(): "*.yaml"} if schema else {},
        }
        program = modules / "yaml-language-server" / "bin" / "yaml-language-server"
        self.process = subprocess.Popen(
            ["node", program, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.messages: queue.Queue = queue.Queue()
        self.last_id = 0
        threading.Thread(target=self._read, daemon=True).start()
        self.request("initialize", {
            "processId": None, "rootUri": folder.as_uri(), "workspaceFolders": [{"uri": folder.as_uri(), "name": "policies"}],
            "capabilities": {"textDocument": {"publishDiagnostics": {}, "hover": {"contentFormat": ["markdown"]}},
                             "workspace": {"configuration": True}},
        })  # fmt: skip
        self.notify("initialized", {})
        self.notify("workspace/didChangeConfiguration", {"settings": {"yaml": self.settings}})

    def close(self):
        self.process.kill()
        self.process.wait(timeout=WAIT)

    def _read(self):
        stream = self.process.stdout
        while True:
            size = 0
            while (line := stream.readline().strip()) != b"":
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            if size == 0:
                return
            self.messages.put(json.loads(stream.read(size)))

    def _send(self, message: dict):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def notify(self, method: str, params: dict):
        self._send({"method": method, "params": params})

    def _next(self, deadline: float) -> dict:
        """The next message that is no question of the server's; those are answered."""
        while True:
            try:
                message = self.messages.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError("the language server does not answer") from None
            if "method" not in message or "id" not in message:
                return message
            answer = None
            if message["method"] == "workspace/configuration":
                answer = [self.settings if item.get("section") == "yaml" else None for item in message["params"]["items"]]
            self._send({"id": message["id"], "result": answer})

    def request(self, method: str, params: dict):
        self.last_id += 1
        self._send({"id": self.last_id, "method": method, "params": params})
        deadline = time.monotonic() + WAIT
        while True:
            message = self._next(deadline)
            if message.get("id") == self.last_id:
                assert "error" not in message, message
                return message["result"]

    def diagnostics(self, path: Path) -> list[dict]:
        """Opens the file as an editor does, and returns what the server has to say about it."""
        uri = path.as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": path.read_text()}
        self.notify("textDocument/didOpen", {"textDocument": document})
        deadline = time.monotonic() + WAIT
        while True:
            message = self._next(deadline)
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                return message["params"]["diagnostics"]

    def hover(self, path: Path, line: int, character: int) -> str:
        where = {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": character}}
        found = self.request("textDocument/hover", where)
        return found["contents"]["value"] if found else ""
