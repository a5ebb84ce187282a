#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Envoy, allowed, challenged and denied by Bartizan, and what people use today beside it.

Every request is sent by curl over mutual TLS to two listeners of one Envoy: one asks Bartizan,
the other has Envoy's own jwt_authn and RBAC filters with the nearest equivalent policy. Both
statuses are printed as measured. Exit code 0 only when every row came out as expected."""

import argparse
import base64
import http.client
import json
import shlex
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from credentials import Issuer, Pki
from stack import HERE, Stack, runtime_folder, wait_until

HOST = "eu.models.example"
LOW = "/v1/models/ranker-v9:predict"
HIGH = "/v1/models/fraud-v3:predict"
POLICY = "inference-gateway"
SERVER_ID = "spiffe://prod.example/ns/ml-serving/sa/gateway"


@dataclass
class Row:
    title: str
    caller: object  # Svid, or None
    path: str
    expect: tuple  # verdict, HTTP status
    rule: str | None = None
    reason: str | None = None
    token: str | None = None
    user: str = "no user"
    headers: dict = field(default_factory=dict)
    before: object = None  # called before the request
    check: object = None  # called with the Answer: a complaint, or None


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    server_id: str | None
    problem: str

    @property
    def upstream_headers(self) -> dict:
        return {name: value for name, value in json.loads(self.body)["headers"]}


class Demo:
    def __init__(self, stack: Stack):
        self.stack = stack
        folder = stack.folder
        self.ca = Pki(stack.bartizan, "prod.example", folder)
        elsewhere = folder / "elsewhere"
        elsewhere.mkdir()
        self.other_ca = Pki(stack.bartizan, "prod.example", elsewhere)
        self.server = self.ca.issue("/ns/ml-serving/sa/gateway", "server", dns=[HOST])
        self.app = self.ca.issue("/ns/checkout/sa/api", "checkout-api")
        self.batch = self.ca.issue("/ns/search/sa/batch", "search-batch")
        self.console = self.ca.issue("/ns/ops/sa/console", "ops-console")
        self.console_other_key = self.ca.issue("/ns/ops/sa/console", "ops-console-2")
        self.impostor = self.other_ca.issue("/ns/checkout/sa/api", "impostor")
        self.issuer = Issuer("https://sso.example", folder)
        self.sent = 0

    def prepare(self):
        folder = self.stack.folder
        shutil.copytree(HERE / "policy", folder / "policy")
        (folder / "revocations").mkdir()
        self.stack.write_config()

    # ---- requests --------------------------------------------------------
    def curl_command(self, row: Row, port: int) -> list:
        # HTTP/1.1: curl 7.88 takes an early answer over HTTP/2, before it has sent its body, for an error.
        command = ["curl", "--silent", "--show-error", "--http1.1", "--path-as-is", "--max-time", "10"]
        command += ["--cacert", self.ca.bundle_file, "--resolve", f"{HOST}:{port}:127.0.0.1"]
        if row.caller:
            command += ["--cert", row.caller.certificate_file, "--key", row.caller.key_file]
        for name, value in row.headers.items():
            command += ["--header", f"{name}: {value}"]
        if row.token:
            command += ["--header", f"authorization: Bearer {row.token}"]
        command += ["--header", "content-type: application/json", "--data", '{"instances": [[1, 2]]}']
        return [str(part) for part in command + [f"https://{HOST}:{port}{row.path}"]]

    def send(self, row: Row, port: int) -> Answer:
        folder = self.stack.folder
        command = self.curl_command(row, port)
        command += ["--dump-header", folder / "headers.txt", "--output", folder / "body.txt"]
        command += ["--write-out", "%{http_code}\n%{certs}"]
        for name in ("headers.txt", "body.txt"):
            (folder / name).write_bytes(b"")
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        status, _, certificates = done.stdout.partition("\n")
        server_id = None
        for line in certificates.splitlines():
            if line.startswith("X509v3 Subject Alternative Name:") and server_id is None:
                names = line.split(":", 1)[1].split(", ")
                uris = [name[4:] for name in names if name.startswith("URI:")]
                server_id = uris[0] if len(uris) == 1 else None
        headers = {}
        for line in (folder / "headers.txt").read_text(errors="replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                headers[name.lower()] = value.strip()
        return Answer(int(status or 0), headers, (folder / "body.txt").read_bytes(), server_id, done.stderr.strip())

    # ---- the rows --------------------------------------------------------
    def alice(self, age: float, **claims) -> str:
        body = {
            "azp": "ml-console",
            "roles": ["ml-operator"],
            "purpose": "incident",
            "amr": ["pwd", "hwk"],
            "acr": "mfa",
        } | claims
        return self.issuer.token("alice", age, **body)

    def rows(self) -> list:
        fresh = self.alice(120)
        head, payload, signature = fresh.split(".")
        flipped = bytearray(base64.urlsafe_b64decode(signature + "=="))
        flipped[10] ^= 1
        altered = f"{head}.{payload}.{base64.urlsafe_b64encode(flipped).rstrip(b'=').decode()}"
        two_factors = "alice, password + key"
        return [
            Row("an application on a low-tier model", self.app, LOW, ("allow", 200), "apps-low-and-medium"),
            Row("the same on a high-tier model", self.app, HIGH, ("deny", 403)),
            Row("an operator, both factors 20 minutes old", self.console, HIGH, ("challenge", 401), "operators-high",
                token=self.alice(1200), user=f"{two_factors}, 20 min ago", check=self.check_challenge),
            Row("the same, after doing exactly that", self.console, HIGH, ("allow", 200), "operators-high",
                token=fresh, user=f"{two_factors}, 2 min ago", headers={"x-caller": "mallory"},
                check=self.check_headers),
            Row("a forged header under a rule that sets none", self.app, LOW, ("allow", 200), "apps-low-and-medium",
                headers={"x-caller": "mallory"}, check=self.check_no_forged_header),
            Row("an operator with a password only", self.console, HIGH, ("challenge", 401), "operators-high",
                token=self.alice(60, amr=["pwd"], acr=None), user="alice, password, 1 min ago"),
            Row("an altered signature", self.console, HIGH, ("deny", 401), reason="token_signature",
                token=altered, user="alice, so it says"),
            Row("the right name from a CA not in the bundle", self.impostor, LOW, ("deny", 403),
                reason="certificate_untrusted"),
            Row("no certificate", None, LOW, ("deny", 403), reason="certificate_none"),
            Row("..%2f to reach an allowed path", self.app, "/v1/models/embed-a/..%2ffraud-v3:predict", ("deny", 400),
                reason="request_path"),
            Row("a token bound to another certificate", self.console, HIGH, ("deny", 401),
                reason="token_binding_mismatch", user=f"{two_factors}, 1 min ago",
                token=self.alice(60, cnf={"x5t#S256": self.console_other_key.x5t_s256})),
            Row("a workload, while it is trusted", self.batch, LOW, ("allow", 200), "apps-low-and-medium"),
            Row("the same, revoked while everything runs", self.batch, LOW, ("deny", 403),
                reason="certificate_revoked", before=self.revoke),
            Row("the purpose missing", self.console, HIGH, ("deny", 403), reason="purpose",
                token=self.alice(60, purpose=None), user=f"{two_factors}, 1 min ago"),
        ]

    def revoke(self):
        done = self.stack.run(
            "revoke", "add", "--spiffe", self.batch.spiffe_id, "--reason", "key found in a public bucket",
            "--author", "demo", "--config", self.stack.config_file,
        )
        if done.returncode != 0:
            raise RuntimeError(f"revoke: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def check_challenge(self, answer: Answer):
        header = answer.headers.get("www-authenticate", "")
        wanted = ('error="insufficient_user_authentication"', "max_age=300", 'acr_values="mfa"')
        missing = [each for each in wanted if each not in header]
        return f"WWW-Authenticate lacks {', '.join(missing)}: {header}" if missing else None

    def check_headers(self, answer: Answer):
        seen = answer.upstream_headers.get("x-caller")
        return None if seen == "alice" else f"the upstream saw x-caller: {seen}"

    def check_no_forged_header(self, answer: Answer):
        seen = answer.upstream_headers.get("x-caller")
        return None if seen is None else f"the upstream saw the forged x-caller: {seen}"

    def drive(self, row: Row, records: "Records") -> list:
        """Sends one row both ways, prints it, and returns what came out otherwise than expected."""
        note = row.before() if row.before else None
        ours = self.send(row, self.stack.ports["BARTIZAN_PORT"])
        self.sent += 1
        theirs = self.send(row, self.stack.ports["RBAC_PORT"])
        decision_id = ours.headers.get("x-bartizan-decision")
        record = records.find(decision_id) if decision_id else None
        decision = (record or {}).get("decision", {})
        verdict, status = row.expect
        wrong = []
        for what, expected, got in (
            ("HTTP status", status, ours.status),
            ("verdict", verdict, decision.get("verdict")),
            ("rule", row.rule and f"{POLICY}/{row.rule}", decision.get("rule") if row.rule else None),
            ("reason", row.reason, decision.get("reason") if row.reason else None),
            ("server's SPIFFE ID", SERVER_ID, ours.server_id),
        ):
            if expected != got:
                wrong.append(f"{row.title}: {what} is {got}, expected {expected} {ours.problem}")
        complaint = row.check(ours) if row.check and not wrong else None
        wrong += [f"{row.title}: {complaint}"] if complaint else []
        self.print_row(row, decision, ours, theirs, note)
        return wrong

    def print_row(self, row: Row, decision: dict, ours: Answer, theirs: Answer, note):
        colour = {"allow": "\033[32m", "challenge": "\033[33m", "deny": "\033[31m"} if sys.stdout.isatty() else {}
        verdict = decision.get("verdict", "?")
        shown = f"{colour.get(verdict, '')}{verdict:<9}{chr(27) + '[0m' if colour else ''}"
        rule = (decision.get("rule") or "-").removeprefix(f"{POLICY}/")
        rbac = str(theirs.status) if theirs.status else "TLS refused"
        print(f"{self.sent:2}  {row.title:<44} {shown} {ours.status}  {rule:<19}  {decision.get('reason', '?'):<23}"
              f" RBAC {rbac} | Bartizan {ours.status}")
        caller = row.caller.spiffe_id if row.caller else "no certificate"
        print(f"      {caller} · {row.user} · POST {row.path}")
        if decision.get("missing"):
            print(f"      because {decision['missing']}")
        if note:
            print(f"      {note}")
        if "www-authenticate" in ours.headers:
            print(f"      WWW-Authenticate: {ours.headers['www-authenticate']}")

    # ---- latency ---------------------------------------------------------
    def latency(self, rounds: int = 10, each: int = 100) -> dict:
        """Sequential requests on kept connections, the listeners in turn, in milliseconds."""
        context = ssl.create_default_context(cafile=str(self.ca.bundle_file))
        context.load_cert_chain(self.app.certificate_file, self.app.key_file)
        times: dict = {"open": [], "bartizan": [], "rbac": []}
        lines = {}
        for name in times:
            lines[name] = http.client.HTTPSConnection(HOST, self.stack.ports[f"{name.upper()}_PORT"],
                                                      context=context, timeout=10)
            lines[name]._create_connection = connect_here
        for _ in range(rounds):
            for name, line in lines.items():
                for _ in range(each):
                    start = time.perf_counter()
                    line.request("POST", LOW, b"{}", {"host": HOST, "content-type": "application/json"})
                    answer = line.getresponse()
                    answer.read()
                    times[name].append((time.perf_counter() - start) * 1000)
                    if answer.status != 200:
                        raise RuntimeError(f"{name} answered {answer.status} while measuring")
                    self.sent += name == "bartizan"
        for line in lines.values():
            line.close()
        return {name: (statistics.median(all_), sorted(all_)[int(len(all_) * 0.99)]) for name, all_ in times.items()}


def connect_here(address, *rest):
    """HOST is this machine, as with curl's --resolve; small writes are not held back."""
    line = socket.create_connection(("127.0.0.1", address[1]), *rest)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return line


class Records:
    """What arrives over ZeroMQ, as JSON lines and as sentences."""

    def __init__(self, stack: Stack):
        self.stack = stack
        self.files = {}
        for form in ("json", "sentence"):
            self.files[form] = stack.folder / f"audit.{form}"
            process = stack.start(
                f"audit-{form}", [stack.bartizan, "audit", "tail", "--connect", stack.tap, "--format", form],
                stdout=open(self.files[form], "wb"),
            )
            wait_until(lambda p=process: p.must_live() and "subscribed" in p.log_file.read_text(), 10, "the subscriber")

    def all(self) -> list:
        text = self.files["json"].read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def decisions(self) -> list:
        return [record for record in self.all() if record["kind"] == "decision"]

    def find(self, decision_id: str):
        def look():
            return next((r for r in self.decisions() if r["decision"]["decision_id"] == decision_id), None)

        try:
            return wait_until(look, 5, decision_id)
        except TimeoutError:
            return None


def show_trail(demo: Demo, records: Records, rows: int) -> list:
    print("\nThe audit trail, as it arrived over ZeroMQ:")
    try:
        wait_until(lambda: len(records.decisions()) >= demo.sent, 10, "the last record")
    except TimeoutError:
        pass
    sentences = records.files["sentence"].read_text().splitlines()
    for line in sentences[: rows + 4]:
        print(f"  {line}")
    got = len(records.decisions())
    missing = count_missing(records.all())
    print(f"  ... {demo.sent} requests, {got} records, {missing} missing")
    wrong = [] if got == demo.sent and missing == 0 else [f"{demo.sent} requests, {got} records, {missing} missing"]
    copy = demo.stack.folder / "copy-without-one.jsonl"
    lines = records.files["json"].read_text().splitlines(keepends=True)
    del lines[len(lines) // 2]
    copy.write_text("".join(lines))
    done = demo.stack.run("audit", "verify", copy)
    print("\nOne record taken out of a copy:")
    for line in (done.stdout + done.stderr).splitlines():
        print(f"  {line}")
    if done.returncode != 1:
        wrong.append(f"audit verify exited with {done.returncode} on a copy that lacks a record")
    return wrong


def count_missing(records: list) -> int:
    seen: dict = {}
    for record in records:
        seen.setdefault(record["epoch"], []).append(record["sequence"])
    return sum(max(numbers) - min(numbers) + 1 - len(set(numbers)) for numbers in seen.values())


def show_latency(demo: Demo):
    print("\nWhat a check adds through this Envoy (one connection, requests one after another, ms):")
    result = demo.latency()
    base50, base99 = result["open"]
    print(f"  {'':26}{'p50':>8}{'p99':>8}{'added p50':>12}{'added p99':>12}")
    for name, label in (("open", "no authorization"), ("rbac", "jwt_authn + RBAC"), ("bartizan", "Bartizan")):
        p50, p99 = result[name]
        print(f"  {label:26}{p50:8.3f}{p99:8.3f}{p50 - base50:12.3f}{p99 - base99:12.3f}")


def stay(demo: Demo):
    stack = demo.stack
    print("\nEverything keeps running. Try:")
    fresh, stale = demo.alice(0), demo.alice(1200)
    for title, caller, token, path in (
        ("allowed", demo.app, None, LOW), ("challenged", demo.console, stale, HIGH), ("allowed", demo.console, fresh, HIGH)
    ):
        row = Row(title, caller, path, ("", 0), token=token)
        print(f"\n  # {title}\n  {shlex.join(demo.curl_command(row, stack.ports['BARTIZAN_PORT']))} --include")
    print(f"\n  {stack.bartizan} status --config {stack.config_file}")
    print(f"  {stack.bartizan} audit tail --connect {stack.tap}")
    print(f"  {stack.bartizan} audit show THE_ID_IN_x-bartizan-decision --journal {stack.folder / 'journal'}")
    print(f"  {stack.bartizan} revoke add --spiffe {demo.app.spiffe_id} --reason demo --config {stack.config_file}")
    print(f"\n  Envoy's admin: http://127.0.0.1:{stack.envoy_admin_port}   files: {stack.folder}")
    print("  Ctrl-C ends all of it.", flush=True)
    while True:
        for process in stack.processes:
            process.must_live()
        time.sleep(0.5)


def run(options, stack: Stack) -> int:
    demo = Demo(stack)
    demo.prepare()
    stack.start_application()
    bartizan = stack.start_bartizan()
    records = Records(stack)
    stack.start_envoy(demo.server, demo.ca.bundle_file, demo.issuer.jwks_file, HERE / "comparison.yaml")
    print("Envoy takes any client certificate or none here, so that what is refused is refused, and recorded,")
    print("by Bartizan. Each request also goes to a second listener with Envoy's own jwt_authn and RBAC filters.\n")
    print(f" #  {'':<44} verdict   HTTP {'rule':<19}  {'reason':<23} measured side by side")
    wrong = []
    rows = demo.rows()
    for row in rows:
        wrong += demo.drive(row, records)
    show_latency(demo)
    wrong += show_trail(demo, records, len(rows))
    ready = [line for line in bartizan.log_file.read_text().splitlines() if "ready in" in line]
    if ready:
        print(f"\n{ready[0].strip()}")
    for each in wrong:
        print(f"WRONG: {each}")
    print(f"\n{len(rows)} rows, {len(rows) - len({w.split(':')[0] for w in wrong})} as expected")
    if options.stay:
        stay(demo)
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="the folder of the built programs")
    parser.add_argument("--envoy", type=Path, required=True, help="the Envoy to start")
    parser.add_argument("--stay", action="store_true", help="leave everything running until Ctrl-C")
    parser.add_argument("--keep", action="store_true", help="keep the demo's folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = runtime_folder()
    try:
        with Stack(folder, options.bin.resolve(), options.envoy.resolve()) as stack:
            return run(options, stack)
    except KeyboardInterrupt:
        print("\nended")
        return 0 if options.stay else 130
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
