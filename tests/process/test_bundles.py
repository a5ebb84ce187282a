# SPDX-License-Identifier: Apache-2.0
"""Trust bundles of several domains under a running sidecar: maps, removal, what stays warm."""

import base64
import json
import re

import pytest
from cryptography.hazmat.primitives import serialization

from sidecar import CONFIG, Authority, Sidecar, request, wait_until

ALLOWED, REFUSED, UNKNOWN = 200, 403, 503
DOMAINS = "{prod.example: {bundle: {map: map.json@OWNER@}}, partner.example: {bundle: {map: map.json@OWNER@}}}"
MAP = CONFIG.replace("{prod.example: {bundle: bundle.pem}}", DOMAINS)


def document(*authorities, **members):
    """A SPIFFE bundle document with the certificates of these authorities."""
    keys = [
        {
            "kty": "EC",
            "use": "x509-svid",
            "x5c": [base64.b64encode(each.certificate.public_bytes(serialization.Encoding.DER)).decode()],
        }
        for each in authorities
    ]
    return {"keys": keys, **members}


class Place:
    """A sidecar, and an authority of a second domain with one caller."""

    def __init__(self, config=MAP, owner=""):
        self.sidecar = Sidecar(config.replace("@OWNER@", owner))
        self.folder = self.sidecar.folder
        self.prod = self.sidecar.authority
        self.partner = Authority("partner.example", self.folder, "partner")
        self.web = self.sidecar.web
        self.guest = self.partner.issue("/ns/a/sa/guest", "guest")

    def write(self, name, content):
        """Whole, as a well-behaved writer does."""
        beside = self.folder / f".{name}.new"
        beside.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        beside.rename(self.folder / name)

    def write_map(self, **domains):
        self.write("map.json", {"trust_domains": {f"{name}.example": value for name, value in domains.items()}})

    def start(self):
        self.sidecar.start()
        self.client = self.sidecar.client()
        return self

    def ask(self, caller):
        """What a path says that anyone may use who shows no bad certificate."""
        reply = self.client.check(request(path="/v2/health/live", method="GET", caller=caller))
        return ALLOWED if reply.status.code == 0 else reply.denied_response.status.code

    def both(self):
        return [self.ask(self.web), self.ask(self.guest)]

    def reload(self):
        return self.sidecar.admin("POST", "/reload")

    def misses(self):
        text = self.sidecar.admin("GET", "/metrics")[1]
        return int(re.search(r'^bartizan_cache_misses_total\{cache="certificates"\} (\d+)$', text, re.MULTILINE)[1])

    def last_reason(self):
        return self.sidecar.status()["recent_refusals"][0]["reason"]


@pytest.fixture
def place(request):
    made = Place(**getattr(request, "param", {}))
    with made.sidecar:
        yield made


def test_each_domain_of_a_map_is_proved_by_its_own_authorities_alone(place):
    place.write_map(prod=document(place.prod), partner=document(place.partner))
    place.start()
    assert place.both() == [ALLOWED, ALLOWED]
    place.write_map(prod=document(place.partner), partner=document(place.prod))
    assert place.reload()[0] == 200
    assert place.both() == [REFUSED, REFUSED]
    assert place.last_reason() == "certificate_untrusted"


def test_a_domain_that_leaves_the_map_is_refused_from_the_reload_on_and_its_neighbour_is_not(place):
    place.write_map(prod=document(place.prod), partner=document(place.partner))
    place.start()
    assert place.both() == [ALLOWED, ALLOWED]
    place.write_map(prod=document(place.prod))
    assert place.reload()[0] == 200
    assert place.both() == [ALLOWED, REFUSED]
    assert place.last_reason() == "certificate_untrusted"
    assert place.sidecar.status()["ready"]


def test_an_authority_that_is_removed_ends_its_warm_callers_and_no_other_domains(place):
    old, new = place.prod, Authority("prod.example", place.folder, "second")
    place.write_map(prod=document(old, new, spiffe_sequence=1), partner=document(place.partner))
    place.start()
    late = new.issue("/ns/a/sa/late", "late")
    assert [place.ask(each) for each in (place.web, late, place.guest)] == [ALLOWED] * 3
    assert place.misses() == 3
    assert [place.ask(each) for each in (place.web, late, place.guest)] == [ALLOWED] * 3
    assert place.misses() == 3  # all are warm
    place.write_map(prod=document(new, spiffe_sequence=2), partner=document(place.partner))
    assert place.reload()[0] == 200
    assert place.ask(place.web) == REFUSED
    assert place.last_reason() == "certificate_untrusted"
    misses = place.misses()
    assert place.ask(place.guest) == ALLOWED and place.misses() == misses  # nobody of the other domain is judged anew
    assert place.ask(late) == ALLOWED


def test_a_refresh_that_changes_no_authority_leaves_callers_warm(place):
    place.write_map(prod=document(place.prod, spiffe_sequence=1), partner=document(place.partner))
    place.start()
    assert place.both() == [ALLOWED, ALLOWED]
    misses = place.misses()
    place.write_map(prod=document(place.prod, spiffe_sequence=2), partner=document(place.partner, spiffe_sequence=9))
    assert place.reload()[0] == 200
    assert place.both() == [ALLOWED, ALLOWED] and place.misses() == misses
    assert [each["sequence"] for each in place.sidecar.status()["snapshot"]["bundles"]["domains"]] == [9, 2]


def test_a_partners_broken_bundle_keeps_no_removal_in_ones_own_from_being_enforced():
    files = "{prod.example: {bundle: own.json}, partner.example: {bundle: partner.json}}"
    place = Place(CONFIG.replace("{prod.example: {bundle: bundle.pem}}", files))
    with place.sidecar:
        place.write("own.json", document(place.prod))
        place.write("partner.json", document(place.partner))
        place.start()
        assert place.both() == [ALLOWED, ALLOWED]
        place.write("own.json", {"keys": []})
        place.write("partner.json", "{")
        code, body = place.reload()
        assert code == 409 and "partner.json" in body
        assert place.both() == [REFUSED, ALLOWED]


@pytest.mark.parametrize("place", [{"owner": ", owner: feed"}], indirect=True)
def test_a_map_that_its_writer_has_not_written_yet_judges_nobody(place):
    place.sidecar.spawn()
    wait_until(lambda: "serving, not ready in_ms=" in place.sidecar.log(), 20, "the start")
    place.client = place.sidecar.client()
    assert place.both() == [UNKNOWN, UNKNOWN]
    assert place.last_reason() == "keys-unavailable"
    place.write_map(prod=document(place.prod))
    wait_until(lambda: place.both() == [ALLOWED, REFUSED], 12, "the map")


def test_a_map_with_a_domain_twice_is_refused_and_what_it_should_replace_stays(place):
    place.write_map(prod=document(place.prod), partner=document(place.partner))
    place.start()
    twice = json.dumps(document(place.prod))
    place.write("map.json", '{"trust_domains": {"prod.example": %s,\n"prod.example": {"keys": []}}}' % twice)
    code, body = place.reload()
    assert code == 409 and f"{place.folder}/map.json:2:" in body
    assert place.both() == [ALLOWED, ALLOWED]


def test_a_domain_of_the_map_that_is_not_configured_is_told_at_the_start_and_proves_nobody(place):
    other = Authority("other.example", place.folder, "other")
    place.write_map(prod=document(place.prod), partner=document(place.partner), other=document(other))
    place.start()
    assert "W0908" in place.sidecar.log() and "other.example" in place.sidecar.log()
    assert place.ask(other.issue("/a", "stranger")) == REFUSED
    assert place.last_reason() == "certificate_domain"


def test_status_tells_sequence_refresh_hint_and_what_no_reader_may_use(place):
    prod = document(place.prod, spiffe_sequence=7, spiffe_refresh_hint=300)
    prod["keys"] += [{"kty": "EC", "use": "jwt-svid", "kid": "a"}, {"kty": "EC", "use": "x509-svid"}, 7]
    place.write_map(prod=prod)
    place.start()
    partner, mine = place.sidecar.status()["snapshot"]["bundles"]["domains"]
    assert (partner["state"], partner["authorities"], partner["sequence"]) == ("left-out", 0, None)
    assert (mine["state"], mine["authorities"], mine["sequence"], mine["refresh_hint_seconds"]) == ("loaded", 1, 7, 300)
    assert (partner["ignored"], mine["ignored"]) == (0, 2)
    screen = place.sidecar.cli("status", "--config", place.sidecar.config).stdout
    assert "prod.example: 1 authorities, sequence 7, to be refreshed every 300 s, the first expires in" in screen
    assert "NO TRUST   partner.example: its bundle is in its map no more" in screen
    assert "IGNORED    2 parts of the bundle of prod.example" in screen
