# SPDX-License-Identifier: Apache-2.0
"""`bartizan feed` alone, against a real SpiffeWorkloadAPI: what it writes, what it refuses, when it asks again."""

import base64
import datetime
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from credentials import Authority, Issuer
from sidecar import BINARIES, wait_until
from workload_api import (
    INTERNAL, INVALID_ARGUMENT, PERMISSION_DENIED, UNAVAILABLE, UNIMPLEMENTED, der, entry, field, jwt_message,
    x509_message,
)

CONFIG = """\
apiVersion: bartizan.dev/v1alpha1
kind: SidecarConfig
identity:
  trust_domains:
    prod.example: {bundle: workload-api, crl: {from: workload-api, missing: accept}}
    partner.example: {bundle: workload-api, crl: {from: workload-api, missing: accept}}
@TOKENS@
workload_api: {@ENDPOINT@folder: feed, max_age: @AGE@}
policy: {path: policy.yaml}
"""
TOKENS = 'tokens: {issuers: {"https://sso.example": {keys: {workload-api: prod.example}}}}'


def assert_stays(question, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert question()
        time.sleep(0.05)


class Feed:
    def __init__(self, api, folder, tokens="", endpoint=True, age="1h"):
        self.api, self.folder = api, folder
        self.prod, self.partner = Authority("prod.example", folder), Authority("partner.example", folder, "partner")
        self.config = folder / "config.yaml"
        where = f'endpoint: "{api.endpoint}", ' if endpoint else ""
        self.config.write_text(CONFIG.replace("@ENDPOINT@", where).replace("@AGE@", age).replace("@TOKENS@", tokens))
        self.log_file, self.process = folder / "feed.log", None
        self.out = folder / "feed"

    def once(self, *options, seconds=3, **environment):
        return subprocess.run(
            [BINARIES / "bartizan", "feed", "--config", self.config, "--once", "--timeout", str(seconds), *options],
            capture_output=True, text=True, timeout=30, env=os.environ | environment,
        )

    def start(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([BINARIES / "bartizan", "feed", "--config", self.config], stderr=log)
        return self

    def log(self):
        return self.log_file.read_text() if self.log_file.exists() else ""

    def await_log(self, text, seconds=8):
        wait_until(lambda: text in self.log(), seconds, f"{text!r} in\n{self.log()}")

    def domains(self):
        """Trust domain -> the certificates of the bundle map, in DER; None without a map."""
        map_file = self.out / "bundles.json"
        if not map_file.exists():
            return None
        documents = json.loads(map_file.read_text())["trust_domains"]
        return {name: [base64.b64decode(k["x5c"][0]) for k in doc["keys"]] for name, doc in documents.items()}

    def await_domains(self, *names, seconds=8):
        wait_until(lambda: self.domains() is not None and sorted(self.domains()) == sorted(names), seconds,
                   f"{names} instead of {self.domains()}, the log:\n{self.log()}")

    def stamp(self):
        return json.loads((self.out / "feed.json").read_text())

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(10) == 0, self.log()

    def assert_clean(self):
        for report in ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:"):
            assert report not in self.log()


@pytest.fixture
def feed(api, tmp_path):
    made = Feed(api, tmp_path)
    yield made
    made.stop()
    made.assert_clean()


@pytest.fixture
def running(api, feed):
    """A feed that has taken a first good message."""
    api.x509({"prod.example": [feed.prod.certificate]})
    api.listen()
    feed.start().await_domains("prod.example")
    return feed


# ---- what is written ---------------------------------------------------------


def test_once_writes_a_bundle_map_with_every_domain_that_the_configuration_takes_from_there_and_ends(api, feed):
    second = Authority("prod.example", feed.folder, "second")
    api.x509({
        "prod.example": [feed.prod.certificate, second.certificate],
        "partner.example": [feed.partner.certificate],
        "stranger.example": [feed.partner.certificate],
    })
    api.listen()
    done = feed.once()
    assert done.returncode == 0, done.stderr
    assert feed.domains() == {
        "prod.example": [der(feed.prod.certificate), der(second.certificate)],
        "partner.example": [der(feed.partner.certificate)],
    }
    document = json.loads((feed.out / "bundles.json").read_text())["trust_domains"]["prod.example"]
    assert all(key["use"] == "x509-svid" and key["kty"] == "EC" and "kid" not in key for key in document["keys"])
    assert (feed.out / "bundles.json").stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in feed.out.iterdir()) == [
        "bundles.json", "feed.json", "partner.example.crl.pem", "prod.example.crl.pem"]
    stamp = feed.stamp()["x509"]
    assert stamp["state"] == "streaming" and stamp["messages"] == 1 and stamp["error"] == ""
    assert 0 < stamp["confirmed_boottime_ns"] <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert feed.stamp()["jwt"]["state"] == "unused"


def test_every_call_has_the_metadata_without_which_the_workload_api_refuses(api, feed):
    api.x509({"prod.example": [feed.prod.certificate]})
    api.listen()
    assert feed.once().returncode == 0
    assert api.tell("count") == {"opened": 1, "refused": 0}
    for metadata in [(), (("workload.spiffe.io", "True"),), (("workload.spiffe.io", "true"),) * 2]:
        with grpc.insecure_channel(f"unix:{api.socket}") as channel:
            call = channel.unary_stream("/SpiffeWorkloadAPI/FetchX509Bundles")
            with pytest.raises(grpc.RpcError) as refusal:
                next(call(b"", timeout=5, metadata=metadata))
            assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_endpoint_of_the_environment_is_the_default_and_a_configured_one_wins(api, tmp_path):
    feed = Feed(api, tmp_path, endpoint=False)
    api.x509({"prod.example": [feed.prod.certificate]})
    api.listen()
    none = feed.once()
    assert none.returncode == 2 and "SPIFFE_ENDPOINT_SOCKET says it" in none.stderr
    wrong = feed.once(SPIFFE_ENDPOINT_SOCKET="tcp://agent:8081")
    assert wrong.returncode == 2 and "is an IP address" in wrong.stderr
    assert feed.once(SPIFFE_ENDPOINT_SOCKET=api.endpoint).returncode == 0
    assert Feed(api, tmp_path).once(SPIFFE_ENDPOINT_SOCKET="unix:///nowhere").returncode == 0


def test_it_works_over_tcp_with_an_ip_and_a_port(api, tmp_path):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    feed = Feed(api, tmp_path, endpoint=False)
    api.x509({"prod.example": [feed.prod.certificate]})
    api.tell("listen", address=f"tcp:127.0.0.1:{port}")
    done = feed.once(SPIFFE_ENDPOINT_SOCKET=f"tcp://127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr


def crl(authority, serials=()):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.certificate.subject)
    builder = builder.last_update(now).next_update(now + datetime.timedelta(hours=1))
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def lists_of(feed, domain):
    text = (feed.out / f"{domain}.crl.pem").read_text()
    return [base64.b64decode("".join(block.split("-----")[0].split()))
            for block in text.split("-----BEGIN X509 CRL-----")[1:]]


def test_a_revocation_list_counts_in_the_domain_whose_authority_signed_it_and_one_of_an_unknown_signer_in_all(api, feed):
    stranger = Authority("partner.example", feed.folder, "stranger")  # the same name as the partner's, another key
    ours, theirs, unknown = crl(feed.prod), crl(feed.partner, [7]), crl(stranger)
    both = {"prod.example": [feed.prod.certificate], "partner.example": [feed.partner.certificate]}
    api.x509(both, [ours, theirs, unknown])
    api.listen()
    assert feed.once().returncode == 0
    assert lists_of(feed, "prod.example") == [ours, unknown]
    assert lists_of(feed, "partner.example") == [theirs, unknown]
    api.x509(both)
    assert feed.once().returncode == 0
    assert lists_of(feed, "prod.example") == []


def test_key_sets_are_written_as_rfc_7517_has_them(api, tmp_path):
    feed = Feed(api, tmp_path, tokens=TOKENS)
    issuer = Issuer("https://sso.example", tmp_path)
    keys = json.loads(issuer.jwks_file.read_text())
    keys["keys"][0]["use"] = "jwt-svid"
    api.x509({"prod.example": [feed.prod.certificate]})
    api.jwt({"prod.example": keys, "stranger.example": {"keys": []}})
    api.listen()
    done = feed.once()
    assert done.returncode == 0, done.stderr
    written = json.loads((feed.out / "prod.example.jwks.json").read_text())
    assert written == json.loads(issuer.jwks_file.read_text())  # `use` is `sig`
    assert not (feed.out / "stranger.example.jwks.json").exists()
    api.jwt({"stranger.example": {"keys": []}})
    assert feed.once().returncode == 0
    assert not (feed.out / "prod.example.jwks.json").exists()


# ---- what is refused ---------------------------------------------------------


def leaf(feed):
    return feed.prod.issue("/ns/a/sa/b", "leaf").certificate


MALFORMED = {
    "an empty message": (lambda f: b"", "names no trust domain"),
    "no bundle": (lambda f: field(1, crl(f.prod)), "names no trust domain"),
    "an empty key": (lambda f: entry(2, "", der(f.prod.certificate)), "is empty, which is mandatory"),
    "an empty bundle": (lambda f: x509_message({"prod.example": b""}), "is empty, which is mandatory"),
    "an empty bundle of a domain that is not asked for": (
        lambda f: x509_message({"prod.example": [f.prod.certificate], "stranger.example": b""}), "is empty"),
    "no protobuf": (lambda f: b"\xff\xff\xff", "no protobuf message"),
    "a cut message": (lambda f: x509_message({"prod.example": [f.prod.certificate]})[:-1], "no protobuf message"),
    "a bundle of another wire type": (lambda f: b"\x10\x01", "another type"),
    "a key twice in an entry": (
        lambda f: field(2, field(1, b"spiffe://prod.example") * 2 + field(2, der(f.prod.certificate))), "one twice"),
    "a key that is no SPIFFE ID": (lambda f: entry(2, "prod.example", der(f.prod.certificate)), "not the SPIFFE ID"),
    "a key with a path": (lambda f: entry(2, "spiffe://prod.example/a", der(f.prod.certificate)), "not the SPIFFE ID"),
    "a domain twice": (lambda f: x509_message({"prod.example": [f.prod.certificate]}) * 2, "a trust domain twice"),
    "a bundle that is no DER": (lambda f: x509_message({"prod.example": b"MIIB"}), "no certificate in DER"),
    "bytes after the last certificate": (
        lambda f: x509_message({"prod.example": der(f.prod.certificate) + b"\0"}), "bytes follow the last certificate"),
    "a cut last certificate": (
        lambda f: x509_message({"prod.example": der(f.prod.certificate) * 2})[:0]
        + x509_message({"prod.example": (der(f.prod.certificate) * 2)[:-1]}), "bytes follow the last certificate"),
    "a leaf among the authorities": (lambda f: x509_message({"prod.example": [leaf(f)]}), "no certificate authority"),
    "a revocation list that is none": (
        lambda f: x509_message({"prod.example": [f.prod.certificate]}, [b"\x30\x00"]), "revocation list is not one"),
    "bytes after a revocation list": (
        lambda f: x509_message({"prod.example": [f.prod.certificate]}, [crl(f.prod) + b"\0"]), "or bytes follow it"),
    "an empty revocation list": (
        lambda f: x509_message({"prod.example": [f.prod.certificate]}, [b""]), "a revocation list is empty"),
}


def test_a_message_that_does_not_hold_is_told_changes_nothing_and_the_next_good_one_is_taken(api, running):
    opened = api.opened()
    before = (running.out / "bundles.json").read_bytes()
    for name, (message, why) in MALFORMED.items():
        failures = running.stamp()["x509"]["failures"]
        api.x509(message(running))
        wait_until(lambda: running.stamp()["x509"]["failures"] > failures, 8, name)
        stamp = running.stamp()["x509"]
        assert stamp["error"].startswith("a message is discarded: ") and why in stamp["error"], (name, stamp)
        assert stamp["messages"] == 1 and stamp["state"] == "streaming", name
        assert (running.out / "bundles.json").read_bytes() == before, name
    assert running.log().count("a message is discarded") == len(MALFORMED)
    api.x509({"partner.example": [running.partner.certificate]})
    running.await_domains("partner.example")
    assert api.opened() == opened  # all on one stream


def test_a_malformed_first_message_is_not_what_once_waits_for(api, feed):
    api.x509(b"")
    api.listen()
    done = feed.once(seconds=1)
    assert done.returncode == 4 and "not brought all within 1 s" in done.stderr
    assert "a message is discarded" in done.stderr and feed.domains() is None


BAD_KEYS = {
    "no JSON": b"{", "no object": b"[]", "no keys": b"{}", "a name twice": b'{"keys": [], "keys": []}',
    "a private key": b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "", "y": "", "d": "AA"}]}',
    "empty": b"",
}


def test_a_key_set_that_does_not_hold_is_discarded_and_the_certificates_go_on(api, tmp_path):
    feed = Feed(api, tmp_path, tokens=TOKENS)
    issuer = Issuer("https://sso.example", tmp_path)
    api.x509({"prod.example": [feed.prod.certificate]})
    api.jwt({"prod.example": issuer.jwks_file.read_bytes()})
    api.listen()
    feed.start().await_domains("prod.example")
    keys = feed.out / "prod.example.jwks.json"
    wait_until(keys.exists, 8, "the keys")
    before = keys.read_bytes()
    for name, content in BAD_KEYS.items():
        failures = feed.stamp()["jwt"]["failures"]
        api.jwt(jwt_message({"prod.example": content}))
        wait_until(lambda: feed.stamp()["jwt"]["failures"] > failures, 8, name)
        assert keys.read_bytes() == before, name
    api.x509({"partner.example": [feed.partner.certificate]})
    feed.await_domains("partner.example")
    feed.stop()


def test_a_message_over_the_limit_is_refused_by_the_transport_and_told(api, running):
    api.x509(x509_message({"prod.example": b"\0" * (5 << 20)}))
    wait_until(lambda: "larger than max" in running.stamp()["x509"]["error"], 8, running.log())
    assert running.domains() == {"prod.example": [der(running.prod.certificate)]}


def test_an_authority_with_a_key_that_no_document_can_hold_is_left_out_and_told(api, feed):
    odd = Authority("prod.example", feed.folder, "odd")
    odd.key = ec.generate_private_key(ec.SECP256K1())
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(odd.certificate.subject).issuer_name(odd.certificate.subject)
    builder = builder.public_key(odd.key.public_key()).serial_number(5).not_valid_before(now)
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    api.x509({"prod.example": [builder.sign(odd.key, hashes.SHA256()), feed.prod.certificate]})
    api.listen()
    done = feed.once()
    assert done.returncode == 0 and "an authority is left out" in done.stderr
    assert feed.domains() == {"prod.example": [der(feed.prod.certificate)]}


# ---- redaction and the ends of a stream ----------------------------------------


def test_a_domain_that_vanishes_from_the_answer_vanishes_from_the_map(api, running):
    api.x509({"prod.example": [running.prod.certificate], "partner.example": [running.partner.certificate]})
    running.await_domains("partner.example", "prod.example")
    api.x509({"stranger.example": [running.partner.certificate]})
    running.await_domains()
    assert not (running.out / "prod.example.crl.pem").exists()


def test_permission_denied_takes_everything_away_and_a_later_answer_brings_it_back(api, running):
    api.fail(PERMISSION_DENIED, "no identity issued")
    wait_until(lambda: running.domains() is None, 8, "the map's end")
    wait_until(lambda: [p.name for p in running.out.iterdir()] == ["feed.json"], 8, "the end of the rest")
    wait_until(lambda: "PermissionDenied" in running.stamp()["x509"]["error"], 8, "the stamp")
    assert "no identity issued" in running.stamp()["x509"]["error"]
    api.x509({"prod.example": [running.prod.certificate]})
    running.await_domains("prod.example")


@pytest.mark.parametrize("code", [UNAVAILABLE, INTERNAL])
def test_other_failures_keep_what_is_known_and_are_tried_again(api, running, code):
    api.fail(code, "a b\x1b")
    wait_until(lambda: running.stamp()["x509"]["state"] == "waiting", 8, "the end of the stream")
    wait_until(lambda: running.stamp()["x509"]["failures"] >= 2, 8, "the second failure")
    assert running.domains() == {"prod.example": [der(running.prod.certificate)]}
    assert "\x1b" not in running.log()
    api.x509({"partner.example": [running.partner.certificate]})
    running.await_domains("partner.example")


@pytest.mark.parametrize("code, name", [(INVALID_ARGUMENT, "InvalidArgument"), (UNIMPLEMENTED, "Unimplemented")])
def test_what_trying_again_does_not_mend_is_told_as_an_error_and_not_tried_again(api, running, code, name):
    api.fail(code)
    wait_until(lambda: running.stamp()["x509"]["state"] == "refused", 8, "the refusal")
    opened = api.opened()
    assert f" error {name}: " in running.log()
    assert_stays(lambda: api.opened() == opened, 2.5)  # longer than two attempts with the shortest pauses
    assert running.domains() == {"prod.example": [der(running.prod.certificate)]}


@pytest.mark.parametrize("code", [INVALID_ARGUMENT, UNIMPLEMENTED])
def test_once_ends_with_1_when_waiting_does_not_help(api, feed, code):
    api.fail(code)
    api.listen()
    assert feed.once(seconds=20).returncode == 1


def test_once_waits_for_an_agent_that_comes_late_and_for_an_identity(api, feed):
    import threading

    api.fail(PERMISSION_DENIED)
    message = x509_message({"prod.example": [feed.prod.certificate]})
    appear = threading.Timer(0.5, api.listen)
    known = threading.Timer(1.5, lambda: api.x509(message))
    appear.start(), known.start()
    done = feed.once(seconds=20)
    appear.join(), known.join()
    assert done.returncode == 0, done.stderr
    assert "the Workload API is not available" in done.stderr


def test_a_healthy_stream_that_ends_is_opened_at_once_and_one_that_only_ends_is_not_hammered(api, running):
    before, start = api.opened(), time.monotonic()
    api.tell("end")
    wait_until(lambda: api.opened() == before + 1, 0.9, "the next stream")
    running.await_log("the stream ended")
    assert_stays(lambda: api.tell("end") is None, 1)
    assert api.opened() - before <= 2 + (time.monotonic() - start)  # one a second, not one an end
    api.x509({"partner.example": [running.partner.certificate]})
    running.await_domains("partner.example")


def test_an_agent_that_dies_and_comes_back_is_found_again(api, running):
    api.tell("die")
    wait_until(lambda: running.stamp()["x509"]["state"] == "waiting", 8, "the end")
    assert running.domains() == {"prod.example": [der(running.prod.certificate)]}
    api.x509({"partner.example": [running.partner.certificate]})
    api.listen()
    running.await_domains("partner.example")
    wait_until(lambda: running.stamp()["x509"]["state"] == "streaming", 8, "the stamp")


def test_a_stream_that_says_nothing_is_opened_anew_within_a_fourth_of_max_age_and_confirms(api, tmp_path):
    feed = Feed(api, tmp_path, age="4s")
    api.x509({"prod.example": [feed.prod.certificate]})
    api.listen()
    feed.start().await_domains("prod.example")
    written = (feed.out / "bundles.json").stat().st_mtime_ns
    first = feed.stamp()["x509"]["confirmed_boottime_ns"]
    wait_until(lambda: feed.stamp()["x509"]["confirmed_boottime_ns"] > first + 2e9, 5, "two confirmations")
    assert feed.stamp()["x509"]["failures"] == 0
    assert (feed.out / "bundles.json").stat().st_mtime_ns == written  # nobody reads again what is the same
    opened = api.opened()
    api.hang()
    wait_until(lambda: api.opened() > opened, 5, "the next stream")
    held = feed.stamp()["x509"]["confirmed_boottime_ns"]
    assert_stays(lambda: feed.stamp()["x509"]["confirmed_boottime_ns"] == held, 1.5)
    feed.stop()


# ---- files and processes ---------------------------------------------------------


def test_two_feeds_do_not_write_into_one_folder(api, running):
    second = running.once()
    assert second.returncode == 4 and "another feed writes there" in second.stderr


def test_a_restart_keeps_what_was_confirmed_and_another_boot_does_not(api, running):
    confirmed = running.stamp()["x509"]["confirmed_boottime_ns"]
    running.stop()
    api.tell("die")
    running.start()
    wait_until(lambda: running.stamp()["x509"]["failures"] > 0, 8, "a failure")
    assert running.stamp()["x509"]["confirmed_boottime_ns"] == confirmed
    running.stop()
    stamp = running.stamp() | {"boot_id": "another"}
    (running.out / "feed.json").write_text(json.dumps(stamp))
    running.start()
    wait_until(lambda: running.stamp()["boot_id"] != "another", 8, "the stamp")
    assert running.stamp()["x509"]["confirmed_boottime_ns"] == 0


def test_a_folder_that_cannot_be_written_is_told_and_not_confirmed(api, running):
    if os.geteuid() == 0:
        (running.out / ".bundles.json.new").mkdir()  # root passes over permissions
    else:
        running.out.chmod(0o500)
    api.x509({"partner.example": [running.partner.certificate]})
    running.await_log("a file cannot be written")
    assert list(running.domains()) == ["prod.example"]
    (running.out / ".bundles.json.new").rmdir() if os.geteuid() == 0 else running.out.chmod(0o750)
    running.await_domains("partner.example")  # the API says it once: the feed asks again


def test_it_ends_by_a_signal_and_is_small(api, running):
    resident = int(Path(f"/proc/{running.process.pid}/statm").read_text().split()[1]) * 4096
    assert resident < 40 << 20 or os.environ.get("BARTIZAN_BIN", "").find("asan") >= 0
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(5) == 0


def test_a_configuration_without_anything_from_there_is_refused(api, feed):
    feed.config.write_text("apiVersion: bartizan.dev/v1alpha1\nkind: SidecarConfig\npolicy: {path: p.yaml}\n")
    done = feed.once()
    assert done.returncode == 2 and "nothing of the configuration comes from `workload-api`" in done.stderr
