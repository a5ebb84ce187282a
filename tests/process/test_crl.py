# SPDX-License-Identifier: Apache-2.0
"""Revocation lists of a trust domain, made by `bartizan pki` and by Python's `cryptography`, in a running sidecar."""

import datetime
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from sidecar import BINARIES, CONFIG, Sidecar, request, wait_until

LISTS = CONFIG.replace("bundle: bundle.pem}", "bundle: pki/bundle.pem, crl: {file: crl.pem@MORE@}}")
REFUSED, ALLOWED = 403, 200


class Place:
    """A sidecar whose callers were issued by `bartizan pki`."""

    def __init__(self, more=""):
        self.sidecar = Sidecar(config=LISTS.replace("@MORE@", more))
        self.folder = self.sidecar.folder
        self.lists = self.folder / "crl.pem"
        self.pki("create", "prod.example")
        self.web, self.other = self.issue("web1"), self.issue("web2")

    def pki(self, *arguments):
        subprocess.run([BINARIES / "bartizan", "pki", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name):
        self.pki("issue", "/ns/search/sa/web", "--out", name)
        return x509.load_pem_x509_certificate((self.folder / f"{name}.pem").read_bytes())

    def publish(self):
        """The lists as they are go where the sidecar reads them."""
        self.pki("crl")
        self.lists.write_bytes((self.folder / "pki" / "crl.pem").read_bytes())

    def reload(self):
        return self.sidecar.admin("POST", "/reload")

    def ask(self, certificate):
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        for plain, escaped in (("\n", "%0A"), (" ", "%20"), ("+", "%2B"), ("/", "%2F"), ("=", "%3D")):
            pem = pem.replace(plain, escaped)
        reply = self.client.check(request(certificate=pem))
        return 200 if reply.status.code == 0 else reply.denied_response.status.code

    def start(self):
        self.sidecar.start()
        self.client = self.sidecar.client()
        return self

    def last_reason(self):
        return self.sidecar.records()[-1]["decision"]["reason"]


@pytest.fixture
def place(request):
    made = Place(getattr(request, "param", ""))
    with made.sidecar:
        yield made


def test_a_certificate_on_the_list_is_refused_from_the_reload_on_and_its_neighbour_is_not(place):
    place.publish()
    place.start()
    assert [place.ask(place.web), place.ask(place.other)] == [ALLOWED, ALLOWED]
    place.pki("revoke", "web1.pem", "--reason", "keyCompromise")
    place.publish()
    code, body = place.reload()
    assert code == 200, body
    assert [place.ask(place.web), place.ask(place.other)] == [REFUSED, ALLOWED]
    place.ask(place.web)
    assert place.last_reason() == "certificate_revoked"


def test_a_new_list_is_taken_without_being_told(place):
    place.publish()
    place.start()
    assert place.ask(place.web) == ALLOWED
    place.pki("revoke", "web1.pem", "--reason", "superseded")
    place.publish()
    wait_until(lambda: place.ask(place.web) == REFUSED, 12, "the new list")


def test_a_list_that_has_run_out_refuses_everyone_also_those_known_already(place):
    place.publish()
    signer = x509.load_pem_x509_certificates((place.folder / "web1.pem").read_bytes())[1]
    (key_file,) = (place.folder / "pki" / "intermediates").glob("*.key")
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    now = datetime.datetime.now(datetime.timezone.utc)
    soon = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.subject)
        .last_update(now - datetime.timedelta(minutes=1))
        .next_update(now + datetime.timedelta(seconds=3))
        .add_extension(x509.CRLNumber(9), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    place.lists.write_bytes(soon.public_bytes(serialization.Encoding.PEM))
    place.start()
    assert place.ask(place.web) == ALLOWED
    wait_until(lambda: place.ask(place.web) == 503, 12, "the end of the list")
    assert place.last_reason() == "certificate_status"


def test_after_a_rotation_callers_are_let_in_from_the_new_intermediates_list_on(place):
    place.publish()
    place.start()
    place.pki("rotate")
    late = place.issue("web3")
    assert place.reload()[0] == 200
    assert [place.ask(place.web), place.ask(late)] == [ALLOWED, 503]
    place.publish()
    assert place.reload()[0] == 200
    assert [place.ask(place.web), place.ask(late)] == [ALLOWED, ALLOWED]


def test_an_older_list_is_refused_and_the_one_in_force_stays(place):
    place.publish()
    before = place.lists.read_bytes()
    place.pki("revoke", "web1.pem", "--reason", "superseded")
    place.publish()
    place.start()
    assert place.ask(place.web) == REFUSED
    for older in (before, b""):
        place.lists.write_bytes(older)
        code, body = place.reload()
        assert code != 200 and "E0906" in body + place.sidecar.log()
        assert [place.ask(place.web), place.ask(place.other)] == [REFUSED, ALLOWED]
    changes = [record["change"] for record in place.sidecar.records() if record["kind"] == "change"]
    assert {change["what"] for change in changes if change.get("is_refused")} == {"bundles"}


def test_what_is_no_list_is_refused_and_the_one_in_force_stays(place):
    place.publish()
    place.start()
    place.lists.write_text("not a list\n")
    code, body = place.reload()
    assert code != 200 and "E1010" in body + place.sidecar.log()
    assert place.ask(place.web) == ALLOWED


def test_without_the_issuers_list_nobody_is_let_in(place):
    place.lists.write_text("")
    place.start()
    assert place.ask(place.web) == 503
    assert place.last_reason() == "certificate_status"


@pytest.mark.parametrize("place", [", missing: accept"], indirect=True)
def test_without_the_issuers_list_all_are_let_in_where_that_is_configured(place):
    place.lists.write_text("")
    place.start()
    assert place.ask(place.web) == ALLOWED


def test_a_file_of_lists_that_is_missing_at_the_start_is_named(place):
    process = place.sidecar.spawn()
    assert process.wait(20) != 0
    assert "crl.pem" in place.sidecar.log()


def test_status_tells_how_long_the_lists_hold(place):
    place.publish()
    place.start()
    (domain,) = place.sidecar.status()["snapshot"]["bundles"]["domains"]
    lists = x509.load_pem_x509_crl(place.lists.read_bytes())
    assert domain["revocation_lists"] == 1
    assert domain["next_update"] == lists.next_update_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
