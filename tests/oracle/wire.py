# SPDX-License-Identifier: Apache-2.0
"""A real Envoy that holds many policies at once, told apart by a header that none of them
reads, and a client that asks it fast: keep-alive, with client certificates. Not pipelined:
Envoy closes a connection on which it answers several waiting requests by itself."""

import json
import socket
import ssl
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

TYPE = "type.googleapis.com/envoy."
CASE = "x-oracle-case"
# Linux, ip(7): the port is chosen when connecting, so that tens of thousands of connections from
# one address do not use up its ports.
IP_BIND_ADDRESS_NO_PORT = 24


def typed(name, **fields) -> dict:
    return {"@type": TYPE + name} | fields


def socket_address(port) -> dict:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def route(case, filters) -> dict:
    return {
        "match": {"prefix": "/", "headers": [{"name": CASE, "string_match": {"exact": case}}]},
        "direct_response": {"status": 200},
        "typed_per_filter_config": filters,
    }


def rbac_route(case, settings: dict) -> dict:
    """The route of `case`: RBAC settings by the filter's name; nobody asks Bartizan."""
    filters = {name: typed("extensions.filters.http.rbac.v3.RBACPerRoute", rbac=each) for name, each in settings.items()}
    filters["check"] = typed("extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", disabled=True)
    return route(case, filters)


def check_route(case, guard) -> dict:
    """The route of `case`: Bartizan is asked, and told `case: guard`."""
    settings = {"context_extensions": {"case": guard}}
    return route(case, {"check": typed("extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", check_settings=settings)})


def downstream_tls(server, bundle_files) -> dict:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            require_client_certificate=False,
            common_tls_context={
                "tls_certificates": [{"certificate_chain": {"filename": str(server.certificate_file)}, "private_key": {"filename": str(server.key_file)}}],
                "validation_context": {"trusted_ca": {"inline_string": "".join(each.read_text() for each in bundle_files)}},
            },
        ),
    }


def jwt_filter(issuer) -> dict:
    provider = {
        "issuer": issuer.url,
        "local_jwks": {"filename": str(issuer.jwks_file)},
        "forward": True,
        "payload_in_metadata": "payload",
    }
    requires = {"requires_any": {"requirements": [{"provider_name": "sso"}, {"allow_missing": {}}]}}
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": typed(
            "extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            providers={"sso": provider},
            rules=[{"match": {"prefix": "/"}, "requires": requires}],
        ),
    }


def check_filter() -> dict:
    return {
        "name": "check",
        "typed_config": typed(
            "extensions.filters.http.ext_authz.v3.ExtAuthz",
            transport_api_version="V3",
            grpc_service={"envoy_grpc": {"cluster_name": "bartizan"}, "timeout": "10s"},
            status_on_error={"code": "ServiceUnavailable"},
            include_peer_certificate=True,
            encode_raw_headers=True,
            include_tls_session=True,
        ),
    }


def envoy_config(admin_port, ports, routes, rbac_filters, server, bundle_files, issuer, check_socket=None, listener_filters=()) -> dict:
    """`rbac_filters`: their names, in order. Without a socket nobody is asked."""
    filters = [jwt_filter(issuer)]
    filters += [{"name": name, "typed_config": typed("extensions.filters.http.rbac.v3.RBAC")} for name in rbac_filters]
    filters += [check_filter()] if check_socket else []
    filters += [{"name": "router", "typed_config": typed("extensions.filters.http.router.v3.Router")}]
    manager = typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="oracle",
        normalize_path=False,
        merge_slashes=False,
        use_remote_address=True,
        route_config={"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        http_filters=filters,
    )
    listener = {
        "name": "oracle",
        "address": socket_address(ports[0]),
        "additional_addresses": [{"address": socket_address(port)} for port in ports[1:]],
        "listener_filters": [
            *listener_filters,
            {"name": "tls_inspector", "typed_config": typed("extensions.filters.listener.tls_inspector.v3.TlsInspector")},
        ],
        "filter_chains": [
            {
                "transport_socket": downstream_tls(server, bundle_files),
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
            }
        ],
    }
    http2 = typed("extensions.upstreams.http.v3.HttpProtocolOptions", explicit_http_config={"http2_protocol_options": {}})
    cluster = {
        "name": "bartizan",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {
            "cluster_name": "bartizan",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": str(check_socket)}}}}]}],
        },
    }
    return {
        "admin": {"address": socket_address(admin_port)},
        "static_resources": {"listeners": [listener], "clusters": [cluster] if check_socket else []},
    }


# ---- asking ----


def wire_bytes(request, case, token) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {request.host}", f"{CASE}: {case}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if token:
        lines.append(f"authorization: Bearer {token}")
    if request.method in ("POST", "PUT", "PATCH"):
        lines.append("content-length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Connection:
    """One request after the other. `is_open` until Envoy says that it closes."""

    def __init__(self, plain, context, sni):
        self.socket = context.wrap_socket(plain, server_hostname=sni)
        self.buffer, self.is_open = b"", True

    def more(self):
        got = self.socket.recv(65536)
        if not got:
            raise EOFError("Envoy closed the connection")
        self.buffer += got

    def status(self, method) -> int:
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.more()
        head = self.buffer[:end].decode("latin-1").lower()
        size = 0
        for line in head.split("\r\n")[1:]:
            if line.startswith("content-length:") and method != "HEAD":
                size = int(line[15:])
            self.is_open = self.is_open and line != "connection: close"
        while len(self.buffer) < end + 4 + size:
            self.more()
        self.buffer = self.buffer[end + 4 + size :]
        return int(head.split(" ", 2)[1])

    def ask(self, request, case, token) -> int:
        self.socket.sendall(wire_bytes(request, case, token))
        return self.status(request.method)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Client:
    """`contexts` has a client's TLS settings by SPIFFE ID, "" for no certificate."""

    def __init__(self, ports, contexts, tokens):
        self.ports, self.contexts, self.tokens = ports, contexts, tokens

    def connect(self, request) -> Connection:
        plain = socket.socket()
        plain.settimeout(60)
        plain.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.bind((request.source, 0))
        plain.connect(("127.0.0.1", self.ports[request.port]))
        plain.sendall(request.preamble())
        return Connection(plain, self.contexts[request.identity or ""], request.sni)

    def ask_group(self, asked) -> list:
        """On one connection, and another after each that Envoy closes."""
        answers = []
        while len(answers) < len(asked):
            with self.connect(asked[len(answers)][1]) as connection:
                while connection.is_open and len(answers) < len(asked):
                    _, request, case = asked[len(answers)]
                    answers.append(connection.ask(request, case, self.tokens[request.user]))
        return answers

    def ask(self, cases) -> list:
        """The statuses of (request, case) pairs, in their order."""
        groups = defaultdict(list)
        for i, (request, case) in enumerate(cases):
            groups[request.connection()].append((i, request, case))
        statuses = [0] * len(cases)
        with ThreadPoolExecutor(6) as pool:
            for asked, answers in pool.map(lambda asked: (asked, self.ask_group(asked)), groups.values()):
                for (i, _, _), status in zip(asked, answers):
                    statuses[i] = status
        return statuses


def client_context(svid) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if svid:
        context.load_cert_chain(svid.certificate_file, svid.key_file)
    return context


def write_json(path, value):
    path.write_text(json.dumps(value))
    return path
