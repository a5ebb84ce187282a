#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Envoy's RBAC filter among the peers of the policy benchmark, inside a real Envoy.

One Envoy has two listeners that answer 200 by themselves: one behind the RBAC filter with a policy for
each rule (and a second, DENY filter where there are denies, as Istio does it), one without. What a
request costs is the difference of the two: the median latency on one keep-alive connection each, and
Envoy's own CPU. The filter knows no roles, tokens or catalogs, so that what stands for them comes in
headers: the caller's SPIFFE ID, the token's issuer and groups, the labels of the resource. That is
cheaper for Envoy than to find them out. The conversation is that of bench/policy_peer.c, except that
a round also tells `cpu_ns` and has no 99th percentile: a difference of two has none."""

import http.client
import itertools
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(BENCH), str(BENCH.parent / "deploy" / "demo")]

from process_cost import cpu_ns  # noqa: E402
from stack import free_ports  # noqa: E402

EXTENSION = "type.googleapis.com/envoy.extensions"
BATCH = 64  # requests on one listener before the other's turn
LEAST = 5


# ---- configuration ---------------------------------------------------------------------------


def header(name: str, **match) -> dict:
    return {"header": {"name": name, "string_match": match}}


def any_of(kind: str, items: list) -> dict:
    return items[0] if len(items) == 1 else {f"or_{kind}": {kind: items}}


def all_of(kind: str, items: list) -> dict:
    return items[0] if len(items) == 1 else {f"and_{kind}": {kind: items}}


def path_tests(segments: list, at: int, identity) -> tuple:
    """What is quick to test of a path and what is not: exact text where it can be, a prefix for `{**}`,
    else what stands before the first variable, and the template of Envoy and Istio."""
    if identity is not None:
        segments = [identity if i == at else segment for i, segment in enumerate(segments)]
    before = list(itertools.takewhile(lambda segment: segment not in ("{}", "{**}"), segments))
    if len(before) == len(segments):
        return [{"url_path": {"path": {"exact": "/" + "/".join(segments)}}}], []
    prefix = {"url_path": {"path": {"prefix": "/" + "".join(f"{each}/" for each in before)}}}
    if segments[len(before)] == "{**}":
        return [prefix], []
    template = "/" + "/".join({"{}": "*", "{**}": "**"}.get(segment, segment) for segment in segments)
    return [prefix], [{"uri_template": {"name": "envoy.path.match.uri_template.uri_template_matcher", "typed_config": {
        "@type": f"{EXTENSION}.path.match.uri_template.v3.UriTemplateMatchConfig", "path_template": template}}}]  # fmt: skip


def permission(policy: dict, rule: dict) -> dict:
    """The cheapest test first: Envoy stops at the first that fails."""
    every = []
    for action in rule.get("actions", []):
        for operation in policy["actions"][action]:
            methods = any_of("rules", [header(":method", exact=method) for method in operation["methods"]])
            for identity in rule.get("ids", [None]):
                quick, slow = path_tests(operation["path"], operation["id_at"], identity)
                every.append(all_of("rules", [*quick, methods, *slow]))
    tests = []
    for key, values in rule.get("labels", {}).items():
        tests.append(any_of("rules", [header(f"x-label-{key}", exact=value) for value in values]))
    if wanted := rule.get("header"):
        tests.append(any_of("rules", [header(wanted["name"], exact=value) for value in wanted["values"]]))
    if every:
        tests.append(any_of("rules", every))
    return all_of("rules", tests) if tests else {"any": True}


def role_principal(role: dict) -> dict:
    members = [header("x-workload", exact=workload) for workload in role["workloads"]]
    for user in role["users"]:
        groups = any_of("ids", [header("x-groups", contains=f",{value},") for value in user["values"]])
        members.append(all_of("ids", [header("x-issuer", exact=user["issuer"]), groups]))
    return any_of("ids", members)


def principal(policy: dict, rule: dict) -> dict:
    tests = []
    for roles in (rule.get("workload"), rule.get("user")):
        if roles is not None:
            tests.append(any_of("ids", [role_principal(policy["roles"][role]) for role in roles]))
    if rule.get("needs_workload"):
        tests.append({"header": {"name": "x-workload", "present_match": True}})
    return all_of("ids", tests) if tests else {"any": True}


def rbac_filters(policy: dict) -> list:
    filters = []
    for effect in ("deny", "allow"):
        policies = {rule["name"]: {"permissions": [permission(policy, rule)], "principals": [principal(policy, rule)]}
                    for rule in policy["rules"] if rule["effect"] == effect}  # fmt: skip
        if policies:
            filters.append({"name": f"rbac-{effect}", "typed_config": {
                "@type": f"{EXTENSION}.filters.http.rbac.v3.RBAC",
                "rules": {"action": effect.upper(), "policies": policies}}})  # fmt: skip
    return filters


def listener(name: str, port: int, filters: list) -> dict:
    router = {"name": "router", "typed_config": {"@type": f"{EXTENSION}.filters.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    manager = {
        "@type": f"{EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [*filters, router],
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


# ---- requests ---------------------------------------------------------------------------------


def request_bytes(line: dict, policy: dict) -> bytes:
    given = line["given"]
    token = given.get("jwt", {})
    headers = {"host": given["host"], **given["headers"], "x-workload": given["workload"]}
    if token:
        headers |= {"x-issuer": token["iss"], "x-groups": f",{','.join(token['groups'])},"}
    for key, value in policy["resources"].get(line.get("resource"), {}).items():
        headers[f"x-label-{key}"] = value
    lines = [f"{given['method']} {given['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Connection:
    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> int:
        """The status; the body is short and read whole."""
        self.socket.sendall(request)
        data = self.socket.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.more()
        head = data[:end].lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r", 1)[0]) if at >= 0 else 0
        while len(data) < end + 4 + length:
            data += self.more()
        return int(head[9:12])

    def more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("Envoy closed the connection")
        return data


# ---- the conversation ----------------------------------------------------------------------------


class Peer:
    def __init__(self, folder: Path, envoy: str, scratch: Path):
        policy = json.loads((folder / "rules.json").read_text())
        lines = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
        self.requests = [(request_bytes(line, policy), line["expect"] == "allow") for line in lines]
        ports = free_ports(3)
        config = {
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": ports[2]}}},
            "static_resources": {"listeners": [
                listener("rbac", ports[0], rbac_filters(policy)), listener("none", ports[1], [])]},
        }  # fmt: skip
        file = scratch / "envoy.json"
        file.write_text(json.dumps(config))
        with (scratch / "envoy.log").open("wb") as log:
            command = [envoy, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "-l", "error"]
            self.envoy = subprocess.Popen(command, stdout=log, stderr=log)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that close() runs
        self.wait(ports[2], scratch / "envoy.log")
        self.rbac, self.none = Connection(ports[0]), Connection(ports[1])
        self.checked = 0

    def wait(self, admin: int, log: Path):
        """Whoever started us bounds the time."""
        while self.envoy.poll() is None:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=5)
                connection.request("GET", "/ready")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"Envoy ended: {log.read_text()[-800:]}")

    def close(self):
        self.envoy.kill()
        self.envoy.wait()

    def check(self, seconds: float) -> dict:
        end, wrong, self.checked = time.monotonic() + seconds, [], 0
        for request, allows in self.requests:
            if time.monotonic() > end:
                break
            if self.rbac.ask(request) != (200 if allows else 403):
                wrong.append(self.checked + 1)
            self.checked += 1
        return {"checked": self.checked, "wrong": wrong}

    def batch(self, connection: Connection, requests: list, latencies: list, end: float) -> int:
        before = cpu_ns(self.envoy.pid)
        for i, request in enumerate(requests):
            from_ns = time.perf_counter_ns()
            connection.ask(request)
            latencies.append(time.perf_counter_ns() - from_ns)
            if time.monotonic() > end and i + 1 >= LEAST:
                break
        return cpu_ns(self.envoy.pid) - before

    def round(self, kind: str, seconds: float) -> dict:
        requests = [request for request, allows in self.requests[: self.checked] if allows == (kind == "allow")]
        end, at = time.monotonic() + seconds, 0
        latencies: list = [[], []]
        cpus = [0, 0]
        while True:
            turn = (requests[at:] + requests[:at])[:BATCH]
            at = (at + BATCH) % len(requests)
            for i, connection in enumerate((self.rbac, self.none)):
                cpus[i] += self.batch(connection, turn, latencies[i], end)
            if time.monotonic() > end:
                break
        p50 = [statistics.median(each) for each in latencies]
        cpu = [total / len(each) for total, each in zip(cpus, latencies)]
        return {"p50_ns": p50[0] - p50[1], "cpu_ns": cpu[0] - cpu[1], "count": len(latencies[0])}


def main() -> int:
    folder, envoy = Path(sys.argv[1]), sys.argv[2]
    start = time.monotonic()
    version = subprocess.run([envoy, "--version"], capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as scratch:
        peer = Peer(folder, envoy, Path(scratch))
        try:
            ready = {"ready": True, "version": f"Envoy RBAC {version.split('/')[-4]}", "load_ms": (time.monotonic() - start) * 1e3}
            print(json.dumps(ready), flush=True)
            for line in sys.stdin:
                word, *rest = line.split()
                answer = peer.check(float(rest[0])) if word == "check" else peer.round(rest[0], float(rest[1]))
                print(json.dumps(answer), flush=True)
        finally:
            peer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
