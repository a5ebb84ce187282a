# SPDX-License-Identifier: Apache-2.0
"""How other gateways were walked around, tried through a real Envoy: bytes on the wire
that no well-behaved client writes, under a policy of the worst shape (a broad allow
with denials beside it). What reached the application is what counts."""

import json
import random
import re
import shutil
import socket
import ssl
from types import SimpleNamespace
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import pytest
from conftest import HOST, World
from stack import Stack, runtime_folder

POLICY = """
apiVersion: bartizan.dev/v1alpha1
kind: AccessPolicy
metadata: {name: broad}
spec:
  issuers:
    sso: {url: "https://sso.example", audiences: [inference], profile: generic}
  actions:
    admin: {http: [{paths: ["/admin", "/admin/{**}"]}]}
    secret: {http: [{hosts: [secret.models.example], paths: ["/{**}"]}]}
    connect: {http: [{methods: [CONNECT], paths: ["/{**}"]}]}
  rules:
    - {allow: everything, subjects: any, obligations: {requestHeaders: {set: {x-tier: open}}}}
    - {allow: users, priority: 1, subjects: {user: any}, obligations: {requestHeaders: {set: {x-caller: $user.sub}}}}
    - {deny: no-admin, subjects: any, actions: [admin]}
    - {deny: no-secret, subjects: any, actions: [secret]}
    - {deny: no-connect, subjects: any, actions: [connect]}
    - {deny: no-role, subjects: any, when: {header: {name: x-role, equals: admin}}}
"""


class Broad(World):
    """A World with the policy above; what `raw` and `http2` write goes out as it is."""

    def connect(self, alpn):
        context = ssl.create_default_context(cafile=str(self.ca.bundle_file))
        context.set_alpn_protocols([alpn])
        plain = socket.create_connection(("127.0.0.1", self.stack.ports["BARTIZAN_PORT"]), timeout=10)
        return context.wrap_socket(plain, server_hostname=HOST)

    def raw(self, head: bytes):
        """One HTTP/1.1 request; the status, headers and what the application saw (None: it saw nothing)."""
        with self.connect("http/1.1") as tls:
            tls.sendall(head)
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = tls.recv(65536)
                if not piece:
                    break
                answer += piece
            status = int(answer.split(b" ", 2)[1]) if answer else 0
            headers, _, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", headers)
            while length and len(body) < int(length[1]) and not head.startswith(b"HEAD"):
                body += tls.recv(65536)
        return self.seen(status, body)

    def get(self, target, *lines, method="GET", host=HOST):
        target = target.encode("latin-1") if isinstance(target, str) else target
        extra = b"".join(line.encode("latin-1") + b"\r\n" for line in lines)
        return self.raw(method.encode() + b" " + target + b" HTTP/1.1\r\nhost: " + host.encode() + b"\r\n" + extra + b"\r\n")

    def http2(self, path: bytes, *headers, method=b"GET", authority=HOST.encode()):
        config = h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False)
        connection = h2.connection.H2Connection(config)
        with self.connect("h2") as tls:
            connection.initiate_connection()
            connection.send_headers(1, [(b":method", method), (b":scheme", b"https"), (b":authority", authority),
                                        (b":path", path), *headers], end_stream=True)
            tls.sendall(connection.data_to_send())
            status, body = 0, b""
            while True:
                data = tls.recv(65536)
                if not data:
                    return self.seen(status, body)
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.ResponseReceived):
                        status = int(dict(event.headers)[b":status"])
                    elif isinstance(event, h2.events.DataReceived):
                        body += event.data
                    elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)):
                        return self.seen(status, body)
                tls.sendall(connection.data_to_send())

    @staticmethod
    def seen(status, body):
        try:
            application = json.loads(body)
        except ValueError:
            application = None
        return SimpleNamespace(status=status, application=application if status == 200 else None, body=body)


@pytest.fixture(scope="module")
def broad(binaries, envoy):
    folder = runtime_folder()
    with Stack(folder, binaries, envoy) as stack:
        world = Broad(stack)
        (folder / "policy" / "inference-gateway.yaml").write_text(POLICY)
        stack.start_application()
        stack.start_bartizan()
        stack.start_envoy(world.server, world.ca.bundle_file, world.issuer.jwks_file)
        yield world
    shutil.rmtree(folder, ignore_errors=True)


# ---- paths -------------------------------------------------------------------


def readings(path: str):
    """What servers make of a path: decoded once or twice, parameters cut, slashes and dots folded, any case."""
    path = re.split(r"[?#]", path)[0]
    for text in (path, unquote(path, "latin-1"), unquote(unquote(path, "latin-1"), "latin-1")):
        for cut in (text, re.sub(r";[^/]*", "", text), text.partition("\0")[0]):
            kept = []
            for segment in re.split(r"[/\\]+", cut):
                if segment == "..":
                    kept = kept[:-1]
                elif segment not in ("", "."):
                    kept.append(segment)
            yield "/" + "/".join(kept)


def reaches_admin(path: str) -> bool:
    return any(re.match(r"/admin(/|$)", reading) for reading in readings(path))


def test_the_plain_paths_are_judged_as_written(broad):
    assert broad.get("/public").application["path"] == "/public"
    assert broad.http2(b"/public").application["path"] == "/public"
    for path in ("/admin", "/admin/", "/admin/x", "/admin?", "/admin?x=1"):
        assert broad.get(path).status == 403 and broad.http2(path.encode()).status == 403


SPELLINGS = [
    "//admin", "/admin//", "///admin", "/./admin", "/public/../admin", "/public/./../admin", "/%2Fadmin", "/%2fadmin",
    "/%2e/admin", "/public/%2e%2e/admin", "/public/%2E%2E%2Fadmin", "/%5Cadmin", "/%5cadmin", "/\\admin", "/public\\..\\admin",
    "/%61dmin", "/admi%6e", "/admin;a=b", "/;/admin", "/..;/admin", "/public/..;/admin", "/public/%2e%2e;/admin",
    "/admin%00", "/admin%00.html", "/admin%0a", "/admin%23", "/admin#", "/admin%3f", "/%252fadmin", "/public/%252e%252e/admin",
    "/%c0%afadmin", "/%c0%ae%c0%ae/admin", "/%e0%80%afadmin", "/%u002fadmin", "/admin%", "/admin%2", "/admin%g1", "/admin%09",
    "/admin%20", "http://" + HOST + "/admin", "https://" + HOST + "//admin", "http://other.example/admin",
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_spelling_of_a_denied_path_reaches_the_application_as_it(broad, path):
    for answer in (broad.get(path), broad.http2(path.encode())):
        assert answer.application is None or not reaches_admin(answer.application["path"]), answer.application


def test_no_mixture_of_spellings_reaches_it_either(broad):
    pieces = ["/", "//", "admin", "public", "..", ".", "%2e", "%2E", "%2f", "%2F", "%5c", "\\", ";", ";x=1", "%3b", "%25", "2f",
              "%00", "?", "#", "a", "%61", "dmin", "%c0%af", "!", "*", "~", "%7e", "+", "%20", ":"]
    draw = random.Random(20261124)
    reached = 0
    for _ in range(150):
        path = "/" + "".join(draw.choice(pieces) for _ in range(draw.randint(1, 7)))
        answer = broad.get(path)
        reached += answer.application is not None
        assert answer.application is None or not reaches_admin(answer.application["path"]), (path, answer.application["path"])
    assert reached > 10  # or nothing was tried


@pytest.mark.parametrize("path", [b"/public/\xc0\xae\xc0\xae/admin", b"/public/\xff", b"/adm\xc4\xb1n\xff", b"/admin\xc2\xa0", b"admin", b"*", b"",
                                  b"//admin", b"/admin\x00", b"/admin\x7f", b"/ad\tmin", b"/admin HTTP/1.1"])
def test_octets_that_only_http2_can_carry_reach_it_no_better(broad, path):
    answer = broad.http2(path)
    assert answer.application is None or not reaches_admin(answer.application["path"]), answer.application


# ---- hosts and methods -------------------------------------------------------


@pytest.mark.parametrize("host", ["secret.models.example", "Secret.Models.EXAMPLE", "secret.models.example:443", "secret.models.example.",
                                  "user@secret.models.example", "secret.models.example,a", "a,secret.models.example",
                                  "secret.models.example:80:80", "secret%2emodels.example", "secret.models.example;x", "*", ""])
def test_no_spelling_of_a_denied_host_passes(broad, host):
    assert broad.get("/public", host=host).application is None
    if host:
        assert broad.http2(b"/public", authority=host.encode()).application is None


def test_a_second_host_decides_nothing(broad):
    assert broad.get("/public", "host: " + HOST, host="secret.models.example").application is None
    assert broad.get("/public", "host: secret.models.example").application is None
    assert broad.get("http://secret.models.example/public").application is None
    answer = broad.http2(b"/public", (b"host", HOST.encode()), authority=b"secret.models.example")
    assert answer.application is None


@pytest.mark.parametrize("method", [b"get", b"Get", b"gEt", b"G E", b"A" * 200, b"FOO-BAR"])
def test_a_method_that_is_not_canonical_does_not_pass(broad, method):
    assert broad.http2(b"/public", method=method).application is None


def test_connect_asterisk_and_upgrades_open_nothing(broad):
    assert broad.get(HOST + ":443", method="CONNECT").application is None
    assert broad.get("*", method="OPTIONS").application is None
    for path in ("/admin", "/public"):
        answer = broad.get(path, "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13",
                           "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==")
        assert answer.application is None and answer.status != 101
    assert broad.get("/admin", "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAAP__").application is None
    assert broad.get("/admin", method="HEAD").status == 403
    assert broad.get("/admin", "x-http-method-override: OPTIONS", method="POST").application is None


# ---- headers -----------------------------------------------------------------


def test_a_value_that_a_deny_names_hides_nowhere(broad):
    assert broad.get("/public", "x-role: user").status == 200
    for lines in (["x-role: admin"], ["x-role: user", "x-role: admin"], ["x-role: admin", "x-role: user"], ["X-ROLE: admin"],
                  ["x-role:  admin  "], ["x-role:\tadmin"], ["x_role: admin"], ["X_Role: admin"]):
        assert broad.get("/public", *lines).application is None, lines
    for value in (b"admin", b" admin", b"admin ", b"\tadmin\t", b"  admin  "):
        assert broad.http2(b"/public", (b"x-role", value)).application is None, value
    for headers in ([(b"x_role", b"admin")], [(b"x.role", b"admin")], [(b"x-role", b"admin\x00")], [(b"x-role", b"user"), (b"x-role", b"admin")]):
        assert broad.http2(b"/public", *headers).application is None, headers


def test_a_header_that_a_rule_sets_is_ours_alone(broad):
    forged = ["x-tier: gold", "X-Tier: gold", "x-caller: mallory", "x-caller: root"]
    answer = broad.get("/public", *forged)
    assert answer.status == 200
    names = [(name, value) for name, value in answer.application["headers"] if name in ("x-tier", "x-caller")]
    assert names == [("x-tier", "open")]


@pytest.mark.parametrize("lines", [["connection: x-tier"], ["connection: close, x-tier"], ["connection: authorization", "authorization: Bearer a.b.c"]])
def test_connection_strips_nothing_that_we_set(broad, lines):
    answer = broad.get("/public", *lines)
    tiers = [value for name, value in (answer.application or {"headers": []})["headers"] if name == "x-tier"]
    assert answer.application is None or tiers == ["open"]


def test_headers_about_the_request_move_no_decision(broad):
    for name in ("x-envoy-original-path", "x-original-url", "x-rewrite-url", "x-forwarded-uri", "x-forwarded-prefix", "x-forwarded-host",
                 "x-envoy-decorator-operation", "forwarded"):
        assert broad.get("/admin", f"{name}: /public").application is None
        assert broad.get("/public", f"{name}: /admin").status == 200


def test_a_client_does_not_steer_envoy(broad):
    answer = broad.get("/public", "x-envoy-upstream-rq-timeout-ms: 3600000", "x-envoy-upstream-stream-duration-ms: 3600000")
    assert answer.status == 200
    assert dict(answer.application["headers"])["x-envoy-expected-rq-timeout-ms"] == "15000"  # the route's, not the client's


def test_a_scheme_that_is_not_verified_is_no_bearer(broad):
    token = broad.issuer.token("alice", 60)
    assert broad.get("/public", f"authorization: Bearer {token}").status == 200
    for lines in ([f"authorization: DPoP {token}"], [f"authorization: dpop {token}", "dpop: e30.e30.AAAA"],
                  [f"authorization: Bearer  {token}"], [f"authorization: Bearer {token}, Bearer {token}"],
                  [f"authorization: Bearer {token}", f"authorization: Bearer {token}"], [f"authorization: Bearer {token}x"]):
        answer = broad.get("/public", *lines)
        assert answer.status in (400, 401), (lines, answer.status)


def test_two_lengths_and_a_smuggled_request_reach_nobody(broad):
    smuggled = b"GET /admin HTTP/1.1\r\nhost: " + HOST.encode() + b"\r\n\r\n"
    head = b"POST /public HTTP/1.1\r\nhost: " + HOST.encode() + b"\r\n"
    for lengths in (b"content-length: 5\r\ncontent-length: 0\r\n", b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
                    b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", b"transfer-encoding: xchunked\r\n"):
        answer = broad.raw(head + lengths + b"\r\n" + smuggled)
        assert answer.application is None or answer.application["path"] == "/public"
    judged = [r["decision"]["path"] for r in broad.journal() if r["kind"] == "decision"]
    assert judged  # whatever came through was asked about


# ---- pages in place of answers: CVE-2026-24513 of ingress-nginx -----------------


@pytest.fixture(scope="module")
def pages(binaries, envoy):
    """The shipped wiring with an error page of Envoy's own for whatever it answers by itself."""
    folder = runtime_folder()
    page = 'local_reply_config: {body_format: {text_format_source: {inline_string: "our page"}}}'

    def proxy(text):
        assert text.count("stat_prefix: bartizan\n") == 1
        return text.replace("stat_prefix: bartizan\n", "stat_prefix: bartizan\n                " + page + "\n")

    with Stack(folder, binaries, envoy) as stack:
        yield World(stack).start(edit_envoy=proxy)
    shutil.rmtree(folder, ignore_errors=True)


def test_an_error_page_hides_no_refusal(pages):
    high, low = "/v1/models/fraud-v3:predict", "/v1/models/ranker-v9:predict"
    denied = pages.request(high, pages.app)
    assert (denied.status, denied.body) == (403, b"our page")
    challenged = pages.request(high, pages.console, pages.operator(age=1200))
    assert (challenged.status, challenged.body) == (401, b"our page")
    assert 'error="insufficient_user_authentication"' in challenged.headers["www-authenticate"]
    assert pages.request("/v1/models/a;b:predict", pages.app).status == 400
    assert pages.request(low, pages.app).status == 200
