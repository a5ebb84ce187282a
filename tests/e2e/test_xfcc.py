# SPDX-License-Identifier: Apache-2.0
"""Who is calling, by what real Envoys write into x-forwarded-client-cert: each mode in which Envoy
passes that header on, two Envoys behind one another, certificates whose names write parts of the
header, headers that a client writes, and the weaker mode as Istio's proxy and a waypoint have it."""

import http.client
import json
import shutil
import ssl
import subprocess
from urllib.parse import quote

import pytest
from credentials import Authority, Issuer
from cryptography.hazmat.primitives import serialization
from stack import Stack, free_ports, port_is_open, runtime_folder, wait_until

TD = "spiffe://prod.example"
WEB, BOSS, FRONT, BACK = (TD + path for path in ("/ns/web/sa/web", "/ns/admin/sa/boss", "/ns/edge/sa/front", "/ns/ml/sa/back"))

# /strict wants a certificate, /text takes the weaker proof, /boss is for another, /open for anybody but web.
POLICY = f"""
apiVersion: bartizan.dev/v1alpha1
kind: AccessPolicy
metadata: {{name: callers}}
spec:
  issuers:
    sso: {{url: "https://sso.example", audiences: [inference], profile: generic}}
  actions:
    strict: {{http: [{{paths: [/strict]}}]}}
    text: {{http: [{{paths: [/text]}}]}}
    boss: {{http: [{{paths: [/boss]}}]}}
    open: {{http: [{{paths: [/open]}}]}}
    user: {{http: [{{paths: [/user]}}]}}
  roles:
    web: {{members: [{{workload: {{spiffe: ["{WEB}"]}}}}]}}
    boss: {{members: [{{workload: {{spiffe: ["{BOSS}"]}}}}]}}
  rules:
    - {{allow: strict, subjects: {{workload: [web]}}, actions: [strict]}}
    - {{allow: text, subjects: {{workload: [web], proof: xfcc-text}}, actions: [text]}}
    - {{allow: boss, subjects: {{workload: [boss], proof: xfcc-text}}, actions: [boss]}}
    - {{allow: open, subjects: any, actions: [open]}}
    - {{allow: user, subjects: {{workload: [web], user: any, proof: xfcc-text}}, actions: [user]}}
    - {{deny: not-web, subjects: {{workload: [web]}}, actions: [open]}}
"""

SIDECAR = """
apiVersion: bartizan.dev/v1alpha1
kind: SidecarConfig
listeners: [{{address: "unix://{socket}"}}]
identity:
  sources: [{sources}]
  trust_domains: {{prod.example: {{bundle: {bundle}}}}}
  revocations: [revocations]
tokens: {{from: [authorization], issuers: {{"https://sso.example": {{keys: {{file: {jwks}}}}}}}}}
policy: {{path: {policy}}}
audit: {{journal: {{path: journal}}}}
admin: {{socket: {admin}}}
"""

HOP = f'{{hops: 1, by: ["{FRONT}"]}}'
SIDECARS = {
    "certificate": "certificate",
    "unsent": "certificate",
    "strong-unsent": "{xfcc: {hops: 0}}",
    "strong": "{xfcc: {hops: 0}}",
    "both": "certificate, {xfcc: {hops: 0}}",
    "behind": f"{{xfcc: {HOP}}}",
    "text": "{xfcc-text: {hops: 0}}",
    "text-behind": f"{{xfcc-text: {HOP}}}",
    "waypoint": "{xfcc-text: {missing_hash: accept}}",
}

CERT, NAMES = "{cert: true, chain: true, subject: true, uri: true, dns: true}", "{subject: true, uri: true, dns: true}"
# name: the sidecar that is asked (None: the listener of that name behind it), TLS, mode, details, source.certificate
LISTENERS = {
    "certificate": ("certificate", "mtls", "SANITIZE_SET", CERT, True),
    "certificate-unsent": ("unsent", "mtls", "SANITIZE_SET", CERT, False),
    "header-unsent": ("strong-unsent", "mtls", "SANITIZE", CERT, True),
    "certificate-plain": ("certificate", None, "ALWAYS_FORWARD_ONLY", CERT, True),
    "strong": ("strong", "mtls", "SANITIZE_SET", CERT, False),
    "strong-source": ("strong", "mtls", "SANITIZE_SET", CERT, True),
    "strong-append": ("strong", "mtls", "APPEND_FORWARD", CERT, False),
    "strong-forward": ("strong", "mtls", "FORWARD_ONLY", CERT, False),
    "strong-plain": ("strong", None, "ALWAYS_FORWARD_ONLY", CERT, False),
    "strong-plain-set": ("strong", None, "SANITIZE_SET", CERT, False),
    "strong-untrusted": ("strong", "untrusted", "SANITIZE_SET", CERT, False),
    "strong-names": ("strong", "mtls", "SANITIZE_SET", NAMES, False),
    "both": ("both", "mtls", "SANITIZE_SET", CERT, True),
    "both-untrusted": ("both", "untrusted", "SANITIZE_SET", CERT, True),
    "both-forward": ("both", "mtls", "FORWARD_ONLY", CERT, True),
    "behind": ("behind", "mtls", "APPEND_FORWARD", CERT, False),
    "text": ("text", "mtls", "APPEND_FORWARD", NAMES, False),
    "text-dns": ("text", "mtls", "SANITIZE_SET", "{subject: true, dns: true}", False),
    "text-cert": ("text", "mtls", "APPEND_FORWARD", CERT, False),
    "text-forward": ("text", "mtls", "FORWARD_ONLY", NAMES, False),
    "text-plain": ("text", None, "ALWAYS_FORWARD_ONLY", NAMES, False),
    "text-behind": ("text-behind", "mtls", "APPEND_FORWARD", NAMES, False),
    "waypoint": ("waypoint", None, "ALWAYS_FORWARD_ONLY", NAMES, False),
}
# The first of two Envoys: front-NAME calls the listener NAME with the certificate of FRONT.
FRONTS = {
    "front-behind": ("behind", "SANITIZE_SET", CERT),
    "front-append": ("behind", "APPEND_FORWARD", CERT),
    "front-text": ("text-behind", "SANITIZE_SET", NAMES),
    "front-direct": ("strong", "SANITIZE_SET", CERT),
}

TYPE = "type.googleapis.com/envoy.extensions"


def tls_listener(kind, svid, bundle):
    if kind is None:
        return {}
    validation = {"trusted_ca": {"filename": str(bundle)}}
    if kind == "untrusted":
        validation["trust_chain_verification"] = "ACCEPT_UNTRUSTED"
    files = [{"certificate_chain": {"filename": str(svid.certificate_file)}, "private_key": {"filename": str(svid.key_file)}}]
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": f"{TYPE}.transport_sockets.tls.v3.DownstreamTlsContext", "require_client_certificate": kind == "mtls",
        "common_tls_context": {"tls_certificates": files, "validation_context": validation}}}}


def http_listener(name, port, tls, mode, details, filters, cluster):
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": cluster}}
    manager = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": name,
        "forward_client_cert_details": mode,
        "set_current_client_cert_details": {key: True for key in ("cert", "chain", "subject", "uri", "dns") if f"{key}: true" in details},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [*filters, router]}
    chain = tls | {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}, "filter_chains": [chain]}


def check_filter(sidecar, has_source):
    return {"name": "envoy.filters.http.ext_authz", "typed_config": {
        "@type": f"{TYPE}.filters.http.ext_authz.v3.ExtAuthz", "transport_api_version": "V3",
        "grpc_service": {"envoy_grpc": {"cluster_name": f"check-{sidecar}"}, "timeout": "5s"},
        "include_peer_certificate": has_source, "encode_raw_headers": True}}


def synthesis(value):
    """What Istio's waypoint does before it asks: the header is replaced by what ztunnel said of the caller."""
    entry = {"append": {"header": {"key": "x-forwarded-client-cert", "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    return {"name": "envoy.filters.http.header_mutation", "typed_config": {
        "@type": f"{TYPE}.filters.http.header_mutation.v3.HeaderMutation", "mutations": {"request_mutations": [entry]}}}


def cluster(name, endpoint, **more):
    return {"name": name, "connect_timeout": "2s", "load_assignment": {
        "cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": endpoint}}]}]}} | more


def tcp(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


class Mesh:
    """A Bartizan for each way of reading the header, one Envoy with a listener for each way of writing it, and a second in front."""

    def __init__(self, folder, binaries, envoy):
        self.folder, self.stacks = folder, {}
        self.ca = Authority("prod.example", folder)
        self.web, self.boss, self.front, self.back = (
            self.ca.issue(each.removeprefix(TD), each.rsplit("/", 1)[1]) for each in (WEB, BOSS, FRONT, BACK))
        self.stranger = Authority("prod.example", folder, name="stranger").issue("/ns/web/sa/web", "fake")
        self.issuer = Issuer("https://sso.example", folder)
        (folder / "policy.yaml").write_text(POLICY)
        self.edge = Stack(folder, binaries, envoy)
        for name, sources in SIDECARS.items():
            self.stacks[name] = self.sidecar(name, sources, binaries, envoy)
        self.ports = dict(zip([*LISTENERS, *FRONTS], free_ports(len(LISTENERS) + len(FRONTS))))

    def sidecar(self, name, sources, binaries, envoy):
        place = self.folder / name
        (place / "revocations").mkdir(parents=True)
        stack = Stack(place, binaries, envoy)
        stack.config_file.write_text(SIDECAR.format(
            socket=stack.check_socket, admin=stack.admin_socket, sources=sources, bundle=self.ca.bundle_file,
            jwks=self.issuer.jwks_file, policy=self.folder / "policy.yaml"))
        return stack

    def start(self):
        for stack in self.stacks.values():
            stack.start_bartizan()
        self.edge.start_application()
        http2 = {"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": f"{TYPE}.upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": {"http2_protocol_options": {}}}}}
        clusters = [cluster(f"check-{name}", {"pipe": {"path": str(stack.check_socket)}}, **http2) for name, stack in self.stacks.items()]
        clusters.append(cluster("application", tcp(self.edge.application_port)))
        listeners = []
        for name, (sidecar, tls, mode, details, has_source) in LISTENERS.items():
            filters = [check_filter(sidecar, has_source)]
            if sidecar == "waypoint":
                filters.insert(0, synthesis(f"By={BACK};URI={WEB}"))
            listeners.append(http_listener(name, self.ports[name], tls_listener(tls, self.back, self.ca.bundle_file), mode, details, filters, "application"))
        self.start_envoy("back", listeners, clusters)
        listeners, clusters = [], []
        for name, (behind, mode, details) in FRONTS.items():
            listeners.append(http_listener(name, self.ports[name], tls_listener("mtls", self.front, self.ca.bundle_file), mode, details, [], behind))
            files = [{"certificate_chain": {"filename": str(self.front.certificate_file)}, "private_key": {"filename": str(self.front.key_file)}}]
            context = {"tls_certificates": files, "validation_context": {"trusted_ca": {"filename": str(self.ca.bundle_file)}}}
            upstream = {"name": "envoy.transport_sockets.tls", "typed_config": {
                "@type": f"{TYPE}.transport_sockets.tls.v3.UpstreamTlsContext", "common_tls_context": context}}
            if behind not in [each["name"] for each in clusters]:
                clusters.append(cluster(behind, tcp(self.ports[behind]), transport_socket=upstream))
        self.start_envoy("front", listeners, clusters)
        return self

    def start_envoy(self, name, listeners, clusters):
        config = self.folder / f"{name}-envoy.json"
        config.write_text(json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}}))
        process = self.edge.start(f"envoy-{name}", [
            self.edge.envoy, "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"])
        first = self.ports[listeners[-1]["name"]]
        wait_until(lambda: process.must_live() and port_is_open(first), 30, f"the {name} Envoy")

    def end(self):
        for stack in [self.edge, *self.stacks.values()]:
            stack.end()

    # ---- asking --------------------------------------------------------------

    def ask(self, listener, path, caller=None, xfcc=(), token=None, headers=None):
        """The status, and the reason that the record has (None: the request was allowed)."""
        tls = FRONTS.get(listener) or LISTENERS[listener][1]
        if tls:
            context = ssl.create_default_context(cafile=str(self.ca.bundle_file))
            context.check_hostname = False
            if caller:
                context.load_cert_chain(caller.certificate_file, caller.key_file)
            connection = http.client.HTTPSConnection("127.0.0.1", self.ports[listener], timeout=10, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[listener], timeout=10)
        connection.putrequest("GET", path)
        for value in [xfcc] if isinstance(xfcc, str) else xfcc:
            connection.putheader("x-forwarded-client-cert", value)
        more = {"authorization": f"Bearer {token}"} if token else {}
        for name, value in (more | (headers or {})).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        self.seen = json.loads(body) if answer.status == 200 else None
        self.id = answer.headers.get("x-bartizan-decision") or (dict(self.seen["headers"]).get("x-bartizan-decision") if self.seen else None)
        connection.close()
        return answer.status

    def records(self, sidecar):
        done = self.stacks[sidecar].run("audit", "tail", "--journal", self.stacks[sidecar].folder / "journal", "--from-start",
                                        "--no-follow", "--format", "json")
        return [r["decision"] for r in map(json.loads, done.stdout.splitlines()) if r["kind"] == "decision"]

    def refused(self, listener, path, caller=None, xfcc=(), **more):
        """The reason of a refusal, from the record; fails when it is none."""
        status = self.ask(listener, path, caller, xfcc, **more)
        assert status in (401, 403), (listener, path, status)
        name = FRONTS[listener][0] if listener in FRONTS else listener
        return self.records(LISTENERS[name][0])[-1]["reason"]

    def allowed(self, listener, path, caller=None, xfcc=(), **more):
        assert self.ask(listener, path, caller, xfcc, **more) == 200, (listener, path)
        name = FRONTS[listener][0] if listener in FRONTS else listener
        return self.records(LISTENERS[name][0])[-1]

    def element(self, svid, by=BACK, cert=True):
        pem = quote(svid.certificate.public_bytes(serialization.Encoding.PEM).decode(), safe="-")
        return f"By={by};Hash={svid.sha256.hex()};" + (f'Cert="{pem}";' if cert else 'Subject="";') + f"URI={svid.spiffe_id}"

    def strange(self, name, **names):
        return self.ca.issue("/ns/web/sa/web", name, **names)


@pytest.fixture(scope="module")
def mesh(binaries, envoy):
    folder = runtime_folder()
    it = Mesh(folder, binaries, envoy)
    try:
        yield it.start()
    finally:
        it.end()
        shutil.rmtree(folder, ignore_errors=True)


# ---- one Envoy, certificates -------------------------------------------------


@pytest.mark.parametrize("listener", ["certificate", "strong", "strong-source", "strong-append", "both"])
def test_a_certificate_is_its_caller_in_every_mode_that_writes_it(mesh, listener):
    seen = mesh.allowed(listener, "/strict", mesh.web)
    assert (seen["proof"], seen["caller"], seen["is_caller_verified"]) == ("certificate", WEB, True)
    assert seen["certificate_sha256"] == mesh.web.sha256.hex()
    assert mesh.refused(listener, "/strict", mesh.boss) == "workload"
    assert mesh.refused(listener, "/open", mesh.web) == "deny_rule"
    mesh.allowed(listener, "/open", mesh.boss)


def test_what_a_client_writes_is_replaced_or_counted(mesh):
    forged = mesh.element(mesh.boss)
    assert mesh.refused("strong", "/boss", mesh.web, forged) == "workload"  # SANITIZE_SET: gone
    mesh.allowed("strong", "/strict", mesh.web, forged)
    assert mesh.refused("strong-append", "/strict", mesh.web, forged) == "xfcc_hops"  # APPEND_FORWARD: one too many
    assert mesh.refused("strong-append", "/boss", mesh.web, [forged, forged]) == "xfcc_hops"
    mesh.allowed("certificate", "/strict", mesh.web, forged)  # not a source: passed over
    assert mesh.refused("certificate", "/boss", mesh.web, forged) == "workload"


def test_the_service_that_a_client_says_it_is_is_none(mesh):
    """`source.service` is filled from this header: createHttpCheck of Envoy's ext_authz."""
    headers = {"x-envoy-downstream-service-cluster": BOSS, "x-envoy-internal": "true"}
    for listener in ("strong", "text", "certificate"):
        assert mesh.refused(listener, "/boss", mesh.web, headers=headers) == "workload"
        mesh.allowed(listener, "/strict" if listener != "text" else "/text", mesh.web, headers=headers)


# ---- headers that Envoy lets through: CVE-2022-39388, and Authorino's mtls evaluator ---------


def test_a_copied_certificate_over_plaintext_names_nobody(mesh):
    copied = mesh.element(mesh.web)
    assert mesh.refused("strong-plain", "/strict", None, copied) == "xfcc_mismatch"
    assert mesh.refused("strong-plain", "/open", None, copied) == "xfcc_mismatch"  # nor is it nobody
    mesh.allowed("strong-plain", "/open")
    assert mesh.refused("strong-plain-set", "/strict", None, copied) == "certificate_none"  # removed by Envoy
    mesh.allowed("strong-plain-set", "/open", None, copied)
    assert mesh.refused("certificate-plain", "/strict", None, copied) == "certificate_none"
    assert mesh.refused("text-plain", "/text", None, mesh.element(mesh.web, cert=False)) == "xfcc_mismatch"
    assert mesh.refused("text-plain", "/text", None, f"URI={WEB}") == "xfcc_malformed"


def test_a_peer_with_a_certificate_of_its_own_cannot_write_anothers(mesh):
    for listener, path in (("strong-forward", "/boss"), ("both-forward", "/boss")):
        assert mesh.refused(listener, path, mesh.web, mesh.element(mesh.boss)) == "xfcc_mismatch"
        assert mesh.refused(listener, "/strict", mesh.boss, mesh.element(mesh.web)) == "xfcc_mismatch"
        mesh.allowed(listener, "/strict", mesh.web, mesh.element(mesh.web))
    assert mesh.refused("text-forward", "/boss", mesh.web, mesh.element(mesh.boss, cert=False)) == "xfcc_mismatch"
    mesh.allowed("text-forward", "/text", mesh.web, mesh.element(mesh.web, cert=False))


def test_a_self_signed_certificate_that_envoy_lets_in_is_refused(mesh):
    for listener in ("strong-untrusted", "both-untrusted"):
        assert mesh.refused(listener, "/strict", mesh.stranger) == "certificate_untrusted"
        assert mesh.refused(listener, "/open", mesh.stranger) == "certificate_untrusted"
        mesh.allowed(listener, "/strict", mesh.web)
        assert mesh.refused(listener, "/strict", None, mesh.element(mesh.web)) == "certificate_none"  # removed


# ---- names that write parts of the header: CVE-2023-27493 ---------------------

HASH = "0" * 64
WRITERS = {
    "a URI SAN with a pair": {"uris": [f"{WEB};URI={BOSS}"]},
    "a URI SAN with an element": {"uris": [f"{WEB},By={BACK};Hash={HASH};URI={BOSS}"]},
    "a DNS SAN with a pair": {"dns": [f"a;URI={BOSS}"]},
    "a DNS SAN with an element": {"dns": [f"a,By={BACK};Hash={HASH};URI={BOSS}"]},
    "a DNS SAN with a Hash": {"dns": [f"a;Hash={HASH}"]},
    "two URI SANs": {"uris": [WEB, BOSS]},
    "two URI SANs, the other first": {"uris": [BOSS, WEB]},
    "no URI SAN, a DNS SAN with an ID": {"uris": [], "dns": [BOSS]},
    "no URI SAN, a DNS SAN with a pair": {"uris": [], "dns": [f"a;URI={BOSS}"]},
    "no SAN at all": {"uris": []},
}


@pytest.mark.parametrize("what", WRITERS)
def test_names_that_write_parts_of_the_header_open_nothing(mesh, what):
    caller = mesh.strange("writer-" + str(list(WRITERS).index(what)), **WRITERS[what])
    for listener in ("certificate", "strong", "strong-source", "both", "text", "text-dns", "text-cert", "text-behind", "front-behind", "front-text"):
        for path in ("/boss", "/open"):
            status = mesh.ask(listener, path, caller)
            allowed = status == 200
            # In the certificate itself a name that only Envoy's text is confused by confuses nobody.
            assert not allowed or (listener == "certificate" and path == "/open" and "DNS SAN with a" in what and "no URI" not in what), (listener, path)


def test_an_id_that_a_uri_san_only_begins_with_is_not_believed_of_the_peer(mesh):
    caller = mesh.strange("beginner", uris=[f"{BOSS};DNS=x"])
    assert mesh.refused("text", "/boss", caller) == "xfcc_mismatch"
    assert mesh.refused("strong", "/boss", caller) == "certificate_spiffe_id"
    assert mesh.refused("front-behind", "/boss", caller) == "certificate_spiffe_id"
    mesh.allowed("text", "/boss", mesh.boss)


def test_a_quiet_dns_san_is_no_reason_to_refuse(mesh):
    caller = mesh.strange("quiet", dns=["web.example", "web"])
    for listener in ("strong", "both", "front-behind"):
        mesh.allowed(listener, "/strict", caller)
    for listener in ("text", "front-text"):
        mesh.allowed(listener, "/text", caller)


# ---- what Envoy's settings keep back -------------------------------------------


@pytest.mark.parametrize("listener, source, code", [("certificate-unsent", "certificate", "W0941"), ("header-unsent", "xfcc", "W0942")])
def test_a_certificate_that_envoy_saw_and_does_not_send_is_told_once_a_minute(mesh, listener, source, code):
    stack = mesh.stacks[LISTENERS[listener][0]]
    assert "WIRING" not in stack.run("status", "--config", stack.config_file).stdout
    for _ in range(20):
        assert mesh.refused(listener, "/strict", mesh.web) == "certificate_none"
    shown = stack.run("status", "--config", stack.config_file).stdout
    assert f"WIRING     {code}, 20 checks: Envoy saw a client's certificate" in shown, shown
    log = (stack.folder / "bartizan.log").read_text()
    assert log.count(f'code="{code}"') == 1 and 'do="set `' in log
    fine = mesh.stacks["strong"]
    mesh.allowed("strong", "/strict", mesh.web)
    assert "WIRING" not in fine.run("status", "--config", fine.config_file).stdout


# ---- two Envoys ---------------------------------------------------------------


def test_behind_a_gateway_the_caller_is_the_gateways_caller(mesh):
    seen = mesh.allowed("front-behind", "/strict", mesh.web)
    assert (seen["proof"], seen["caller"]) == ("certificate", WEB)
    assert mesh.refused("front-behind", "/strict", mesh.boss) == "workload"
    mesh.allowed("front-behind", "/boss", mesh.boss)


def test_the_gateway_cannot_be_passed_by_or_written_around(mesh):
    forged = mesh.element(mesh.boss, by=FRONT)
    mesh.allowed("front-behind", "/strict", mesh.web, forged)  # SANITIZE_SET in front: gone
    assert mesh.refused("front-behind", "/boss", mesh.web, forged) == "workload"
    assert mesh.refused("front-append", "/boss", mesh.web, forged) == "xfcc_hops"  # kept on the left: three
    mesh.allowed("front-append", "/strict", mesh.web)
    # Straight to the back, with what the gateway would have written.
    assert mesh.refused("behind", "/strict", mesh.web) == "xfcc_hops"
    assert mesh.refused("behind", "/boss", mesh.web, forged) == "xfcc_mismatch"
    assert mesh.refused("behind", "/boss", mesh.web, f"{forged},{mesh.element(mesh.front)}") == "xfcc_hops"


def test_a_gateway_that_nobody_declared_is_refused(mesh):
    assert mesh.refused("front-direct", "/strict", mesh.web) == "workload"  # the caller of `hops: 0` is the gateway
    mesh.allowed("front-direct", "/open", mesh.web)


# ---- the weaker mode ----------------------------------------------------------


def test_stock_istios_text_is_believed_where_a_rule_says_so(mesh):
    seen = mesh.allowed("text", "/text", mesh.web)
    assert (seen["proof"], seen["caller"], seen.get("is_caller_verified", False)) == ("xfcc-text", WEB, False)
    assert seen["certificate_sha256"] == mesh.web.sha256.hex()
    assert mesh.refused("text", "/text", mesh.boss) == "workload"
    assert mesh.refused("text", "/text", mesh.web, mesh.element(mesh.web, cert=False)) == "xfcc_hops"
    # The same header where the mode is not configured.
    assert mesh.refused("strong-names", "/text", mesh.web) == "xfcc_hops"


def test_belief_fails_closed_in_allows_and_in_denies(mesh):
    assert mesh.refused("text", "/strict", mesh.web) == "workload"  # the rule wants a certificate
    assert mesh.refused("text", "/open", mesh.web) == "deny_rule"  # a deny holds for a believed caller
    mesh.allowed("text", "/open", mesh.boss)
    mesh.allowed("strong", "/strict", mesh.web)


def test_a_certificate_that_arrives_in_the_weaker_mode_proves(mesh):
    seen = mesh.allowed("text-cert", "/strict", mesh.web)
    assert (seen["proof"], seen["is_caller_verified"]) == ("certificate", True)
    assert mesh.refused("text-cert", "/strict", mesh.boss) == "workload"


def test_behind_a_gateway_text_is_believed_of_both(mesh):
    assert mesh.allowed("front-text", "/text", mesh.web)["caller"] == WEB
    assert mesh.refused("front-text", "/strict", mesh.web) == "workload"
    assert mesh.refused("text-behind", "/text", mesh.web) == "xfcc_hops"
    assert mesh.refused("text-behind", "/boss", mesh.web, mesh.element(mesh.boss, by=FRONT, cert=False)) == "xfcc_mismatch"


def test_a_waypoints_synthesised_header_is_believed_whatever_the_client_wrote(mesh):
    seen = mesh.allowed("waypoint", "/text")
    assert (seen["proof"], seen["caller"], seen.get("certificate_sha256")) == ("xfcc-text", WEB, None)
    assert mesh.refused("waypoint", "/boss", None, mesh.element(mesh.boss, cert=False)) == "workload"
    assert mesh.refused("waypoint", "/strict") == "workload"


def test_a_believed_caller_is_revoked_by_id_and_by_certificate(mesh):
    stack = mesh.stacks["text"]
    mesh.allowed("text", "/text", mesh.web)
    for selector in (["--spiffe", WEB], ["--certificate-sha256", mesh.web.sha256.hex()]):
        arguments = [*selector, "--config", stack.config_file]
        done = stack.run("revoke", "add", *arguments, "--reason", "test")
        assert done.returncode == 0, done.stderr
        assert mesh.refused("text", "/text", mesh.web) == "certificate_revoked"
        assert stack.run("revoke", "remove", *arguments).returncode == 0
        mesh.allowed("text", "/text", mesh.web)


def test_a_token_bound_to_a_certificate_is_not_bound_to_a_hash(mesh):
    free, bound = mesh.issuer.token("alice", 60), mesh.issuer.token("alice", 60, cnf={"x5t#S256": mesh.web.x5t_s256})
    mesh.allowed("text", "/user", mesh.web, token=free)
    assert mesh.refused("text", "/user", mesh.web, token=bound) == "token_binding_mismatch"
    mesh.allowed("text-cert", "/user", mesh.web, token=bound)


def test_the_weaker_mode_is_told_wherever_somebody_looks(mesh):
    weak, strong = mesh.stacks["text"], mesh.stacks["strong"]
    told = weak.run("status", "--config", weak.config_file)
    assert told.stdout.startswith("IDENTITY IS `xfcc-text`"), told.stdout + told.stderr
    assert "xfcc-text" not in strong.run("status", "--config", strong.config_file).stdout
    for stack, expected in ((weak, "bartizan_xfcc_text 1"), (strong, "bartizan_xfcc_text 0")):
        done = subprocess.run(["curl", "-sS", "--unix-socket", str(stack.admin_socket), "http://x/metrics"], capture_output=True, text=True)
        assert expected + "\n" in done.stdout, done.stderr
        assert ("\nbartizan_xfcc_text_checks_total 0\n" in done.stdout) == (stack is strong)
    assert "identity is `xfcc-text`" in (weak.folder / "bartizan.log").read_text()
    assert "xfcc-text" not in (strong.folder / "bartizan.log").read_text()
