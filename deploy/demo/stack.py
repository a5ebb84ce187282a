# SPDX-License-Identifier: Apache-2.0
"""Starts and ends the real parts: Envoy, the echoing application, Bartizan. Used by the
demo and by the end-to-end tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIPPED = HERE.parent / "envoy" / "envoy.yaml"


def free_ports(count: int) -> list:
    """All held at once, so that no two are the same."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]


def wait_until(question, seconds: float, what: str, every: float = 0.02):
    """Asks until the answer is truthy; raises after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)


def fill(template: Path, values: dict) -> str:
    text = template.read_text()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def port_is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A child with its output in a file, ended with the stack."""

    def __init__(self, name: str, command: list, folder: Path, **options):
        self.name = name
        self.log_file = folder / f"{name}.log"
        self.log = open(self.log_file, "ab")
        options.setdefault("stdout", self.log)
        self.popen = subprocess.Popen([str(part) for part in command], stderr=self.log, **options)

    def must_live(self):
        if self.popen.poll() is not None:
            text = self.log_file.read_text(errors="replace")
            raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{text[-4000:]}")
        return True

    def end(self, seconds: float = 10):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.log.close()
        return self.popen.returncode


class Stack:
    def __init__(self, folder: Path, binaries: Path, envoy: Path):
        self.folder = folder
        self.bartizan = binaries / "bartizan"
        self.envoy = envoy
        self.processes: list[Process] = []
        self.config_file = folder / "sidecar.yaml"
        self.check_socket = folder / "check.sock"
        self.admin_socket = folder / "admin.sock"
        self.tap = f"ipc://{folder}/tap.sock"
        self.application_port, self.envoy_admin_port = free_ports(2)
        self.ports = {}

    def start(self, name: str, command: list, **options) -> Process:
        process = Process(name, command, self.folder, **options)
        self.processes.append(process)
        return process

    def start_application(self):
        process = self.start("application", [sys.executable, HERE / "echo.py", self.application_port])
        wait_until(lambda: process.must_live() and port_is_open(self.application_port), 10, "the application")

    def write_config(self, template: Path = HERE / "sidecar.yaml"):
        text = fill(
            template, {"CHECK_SOCKET": self.check_socket, "ADMIN_SOCKET": self.admin_socket, "TAP": self.tap}
        )
        self.config_file.write_text(text)

    def start_bartizan(self) -> Process:
        process = self.start("bartizan", [self.bartizan, "serve", "--config", self.config_file])
        wait_until(lambda: process.must_live() and self.is_ready(), 10, "bartizan")
        return process

    def is_ready(self) -> bool:
        return self.run("healthcheck", "--config", self.config_file, "--ready").returncode == 0

    def run(self, *arguments) -> subprocess.CompletedProcess:
        """One bartizan command, its output captured."""
        return subprocess.run(
            [str(self.bartizan), *map(str, arguments)], capture_output=True, text=True, timeout=60
        )

    def start_envoy(self, server, bundle_file: Path, jwks_file: Path, comparison=None, edit=None) -> Process:
        """Envoy with the shipped wiring; the file `comparison` adds listeners after Bartizan's,
        `edit` may change the text."""
        self.ports = dict(zip(("BARTIZAN_PORT", "RBAC_PORT", "OPEN_PORT"), free_ports(3)))
        values = self.ports | {
            "ADMIN_PORT": self.envoy_admin_port,
            "APPLICATION_PORT": self.application_port,
            "CHECK_SOCKET": self.check_socket,
            "SERVER_CERTIFICATE": server.certificate_file,
            "SERVER_KEY": server.key_file,
            "BUNDLE": bundle_file,
            "JWKS": jwks_file,
        }
        extra = fill(comparison, values) if comparison else ""
        config = self.folder / "envoy.yaml"
        text = fill(SHIPPED, {"COMPARISON_LISTENERS": extra} | values)
        config.write_text(edit(text) if edit else text)
        process = self.start(
            "envoy",
            [self.envoy, "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"],
        )
        wait_until(lambda: process.must_live() and self.envoy_answers(), 30, "Envoy")
        return process

    def envoy_answers(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.envoy_admin_port}/ready"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def envoy_stats(self, prefix: str) -> dict:
        url = f"http://127.0.0.1:{self.envoy_admin_port}/stats?format=json&filter={prefix}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            stats = json.load(answer)["stats"]
        return {each["name"]: each["value"] for each in stats if "value" in each}

    def end(self):
        for process in reversed(self.processes):
            process.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def runtime_folder() -> Path:
    """A short path: a unix socket's name holds at most 107 bytes."""
    base = os.environ.get("TMPDIR") or "/tmp"
    return Path(tempfile.mkdtemp(prefix="bartizan-", dir=base if len(base) < 60 else "/tmp"))
