# SPDX-License-Identifier: Apache-2.0
"""`bartizan serve` whose trust comes from a real SpiffeWorkloadAPI, fetched by its child `feed`."""

import json
import os
import signal
import threading
import time

import grpc
import pytest

from credentials import Authority, Issuer
from sidecar import CONFIG, POLICY, Sidecar, authz, request, wait_until
from workload_api import PERMISSION_DENIED, UNAVAILABLE

FROM_API = CONFIG.replace(
    "{prod.example: {bundle: bundle.pem}}",
    "{prod.example: {bundle: workload-api@CRL@}, partner.example: {bundle: workload-api}}",
) + "workload_api: {endpoint: '@ENDPOINT@', folder: feed, max_age: @AGE@@MORE@}\n"
KEYS_FROM_API = ("{file: jwks.json}", "{workload-api: prod.example}")
FRAUD = "/v1/models/fraud-v3:predict"
OPERATOR = {"roles": ["ml-operator"], "purpose": "incident", "amr": ["pwd", "hwk"], "acr": "mfa"}
ALLOWED, UNJUDGED, REFUSED = 200, 503, 403


class Place:
    """A sidecar and its agent, which is not there yet."""

    def __init__(self, api, age="1h", more="", crl="", keys=False):
        config = FROM_API.replace("@ENDPOINT@", api.endpoint).replace("@AGE@", age).replace("@MORE@", more)
        config = config.replace("@CRL@", crl)
        self.api = api
        self.sidecar = Sidecar(config.replace(*KEYS_FROM_API) if keys else config)
        self.authority, self.web = self.sidecar.authority, self.sidecar.web

    def spawn(self):
        self.sidecar.spawn()
        wait_until(lambda: " in_ms=" in self.sidecar.log(), 20, "the start")
        self.client = self.sidecar.client()
        return self

    def start(self, *authorities):
        """Running, with the bundle of prod.example that the agent says."""
        self.give(*(authorities or [self.authority]))
        self.api.listen()
        self.spawn().await_answer(ALLOWED)
        return self

    def give(self, *authorities, **others):
        bundles = {"prod.example": [a.certificate for a in authorities]} if authorities else {}
        self.api.x509(bundles | {f"{name}.example": [a.certificate for a in of] for name, of in others.items()})

    def ask(self, caller=None):
        reply = self.client.check(request(caller=caller or self.web))
        return ALLOWED if reply.status.code == 0 else reply.denied_response.status.code

    def reason(self):
        return self.sidecar.status()["recent_refusals"][0]["reason"]

    def await_answer(self, answer, seconds=8, caller=None):
        wait_until(lambda: self.ask(caller) == answer, seconds, f"{answer}")

    def is_ready(self):
        return self.sidecar.admin("GET", "/readyz")[0] == 200


@pytest.fixture
def place(api, request):
    made = Place(api, **getattr(request, "param", {}))
    with made.sidecar:
        yield made


def test_it_waits_for_the_agent_is_not_ready_and_becomes_so_without_a_restart(place):
    place.spawn()
    decider = place.sidecar.children()["decide"]
    assert place.ask() == UNJUDGED and place.reason() == "keys-unavailable"
    assert not place.is_ready()
    reasons = place.sidecar.status()["not_ready_reasons"]
    assert f"bundle of prod.example was not confirmed by the Workload API within max_age" in reasons[0]
    place.give(place.authority)
    place.api.listen()
    place.await_answer(ALLOWED, 12)
    assert place.is_ready() and place.sidecar.status()["not_ready_reasons"] == []
    assert place.sidecar.children()["decide"] == decider


def test_a_domain_that_the_agent_takes_back_is_refused_at_once_also_for_callers_that_are_known(place):
    partner = Authority("partner.example", place.sidecar.folder, "partner")
    place.start()
    place.give(place.authority, partner=[partner])
    start = time.monotonic()
    place.give(partner=[partner])
    place.await_answer(REFUSED)
    assert time.monotonic() - start < 2
    assert place.reason() == "certificate_untrusted"
    assert place.is_ready()  # one domain of several is no reason to take the pod out
    place.give(place.authority)
    place.await_answer(ALLOWED)


def test_an_authority_that_the_agent_takes_back_takes_its_callers_with_it_and_no_other(place):
    second = Authority("prod.example", place.sidecar.folder, "second")
    other = second.issue("/ns/search/sa/web", "other")
    place.start(place.authority, second)
    assert place.ask(other) == ALLOWED
    place.give(second)
    place.await_answer(REFUSED)
    assert place.ask(other) == ALLOWED


def test_permission_denied_while_running_ends_all_trust_that_came_from_there(place):
    place.start()
    place.api.fail(PERMISSION_DENIED)
    place.await_answer(UNJUDGED)
    assert place.reason() == "keys-unavailable" and not place.is_ready()
    place.give(place.authority)
    place.await_answer(ALLOWED)


@pytest.mark.parametrize("place", [{"age": "3s"}], indirect=True)
@pytest.mark.parametrize("way", ["hang", "die", "unavailable"])
def test_what_is_not_confirmed_within_max_age_is_trusted_no_more_until_the_agent_is_back(place, way):
    place.start()
    start = time.monotonic()
    {"hang": place.api.hang, "die": lambda: place.api.tell("die"),
     "unavailable": lambda: place.api.fail(UNAVAILABLE)}[way]()
    assert place.ask() == ALLOWED  # the last that is known
    place.await_answer(UNJUDGED)
    assert 1.5 < time.monotonic() - start < 5  # confirmed at most a fourth of max_age before
    assert place.reason() == "keys-unavailable" and not place.is_ready()
    assert "within max_age" in place.sidecar.admin("GET", "/readyz")[1]
    place.api.hang(False)
    place.give(place.authority)
    if way == "die":
        place.api.listen()
    place.await_answer(ALLOWED, 15)
    assert place.is_ready()


@pytest.mark.parametrize("place", [{"age": "3s"}], indirect=True)
def test_a_feed_that_stands_still_does_not_keep_trust_alive(place):
    place.start()
    feed = place.sidecar.children()["feed"]
    os.kill(feed, signal.SIGSTOP)
    place.await_answer(UNJUDGED)
    assert not place.is_ready()
    os.kill(feed, signal.SIGCONT)
    place.await_answer(ALLOWED)


def test_a_feed_that_dies_is_started_again_and_trust_goes_on_meanwhile(place):
    place.start()
    first = place.sidecar.children()["feed"]
    os.kill(first, signal.SIGKILL)
    assert place.ask() == ALLOWED
    wait_until(lambda: place.sidecar.children().get("feed") not in (None, first), 8, "the next feed")
    assert place.ask() == ALLOWED
    partner = Authority("partner.example", place.sidecar.folder, "partner")
    place.give(partner=[partner])
    place.await_answer(REFUSED)


def test_a_stamp_of_another_boot_of_the_future_or_that_is_none_makes_it_stale(place):
    place.start()
    place.api.tell("die")
    os.kill(place.sidecar.children()["feed"], signal.SIGSTOP)
    stamp_file = place.sidecar.folder / "feed" / "feed.json"
    good = json.loads(stamp_file.read_text())
    ahead = json.loads(stamp_file.read_text())
    ahead["x509"]["confirmed_boottime_ns"] += 10**15
    for bad in (json.dumps(good | {"boot_id": "another"}), json.dumps(ahead), "{", "", "null"):
        stamp_file.write_text(bad)
        place.await_answer(UNJUDGED)
        stamp_file.write_text(json.dumps(good))
        place.await_answer(ALLOWED)
    stamp_file.unlink()
    place.await_answer(UNJUDGED)
    os.kill(place.sidecar.children()["feed"], signal.SIGCONT)


@pytest.mark.parametrize("place", [{"crl": ", crl: {from: workload-api}"}], indirect=True)
def test_revocation_lists_of_the_agent_revoke_and_a_later_answer_takes_their_place(place):
    from test_feed import crl

    place.api.x509({"prod.example": [place.authority.certificate]}, [crl(place.authority)])
    place.api.listen()
    place.spawn().await_answer(ALLOWED)
    revoked = crl(place.authority, [place.web.certificate.serial_number])
    place.api.x509({"prod.example": [place.authority.certificate]}, [revoked])
    place.await_answer(REFUSED)
    assert place.reason() == "certificate_revoked"
    place.api.x509({"prod.example": [place.authority.certificate]}, [crl(place.authority)])
    place.await_answer(ALLOWED)
    place.api.x509({"prod.example": [place.authority.certificate]})  # `missing: refuse`
    place.await_answer(UNJUDGED)
    assert place.reason() == "certificate_status"


@pytest.mark.parametrize("place", [{"keys": True, "age": "3s"}], indirect=True)
def test_keys_of_tokens_come_from_the_agent_change_with_it_and_go_stale(place):
    sidecar, issuer = place.sidecar, place.sidecar.issuer
    bound = {"x5t#S256": sidecar.console.x5t_s256, "spiffe_id": sidecar.console.spiffe_id}

    def operator(by):
        token = by.token("alice", 60, **OPERATOR, cnf=bound)
        reply = place.client.check(request(path=FRAUD, caller=sidecar.console, token=token))
        return ALLOWED if reply.status.code == 0 else reply.denied_response.status.code

    def keys(of):
        place.api.jwt({"prod.example": json.loads(of.jwks_file.read_text())})

    keys(issuer)
    place.start()
    wait_until(lambda: operator(issuer) == ALLOWED, 8, "the keys")
    (sidecar.folder / "next").mkdir()
    following = Issuer(issuer.url, sidecar.folder / "next")
    assert operator(following) == 401
    keys(following)
    wait_until(lambda: operator(following) == ALLOWED, 8, "the next keys")
    assert operator(issuer) == 401
    place.api.jwt({"partner.example": {"keys": []}})
    wait_until(lambda: operator(following) == UNJUDGED, 8, "the keys' end")
    assert place.ask() == ALLOWED  # a rule for workloads
    keys(following)
    wait_until(lambda: operator(following) == ALLOWED, 8, "the keys")
    place.api.tell("die")
    wait_until(lambda: operator(following) == UNJUDGED, 8, "staleness")


@pytest.mark.parametrize("place", [{"more": ", process: separate"}], indirect=True)
def test_a_separate_feed_is_not_run_by_serve_and_serves_the_same(place):
    place.give(place.authority)
    place.api.listen()
    place.spawn()
    assert "feed" not in place.sidecar.children()
    assert place.ask() == UNJUDGED
    done = place.sidecar.cli("feed", "--config", place.sidecar.config, "--once")
    assert done.returncode == 0, done.stderr
    place.await_answer(ALLOWED)


def test_without_an_address_serve_does_not_start(api):
    with Place(api).sidecar as sidecar:
        sidecar.config.write_text(sidecar.config.read_text().replace(f"endpoint: '{api.endpoint}', ", ""))
        assert sidecar.spawn().wait(20) == 2
        assert "SPIFFE_ENDPOINT_SOCKET says it" in sidecar.log()


def test_status_and_metrics_tell_how_the_feed_stands(place):
    place.start()
    feed = place.sidecar.status()["feed"]
    assert feed["max_age_seconds"] == 3600
    x509 = feed["streams"][0]
    assert x509["stream"] == "x509" and x509["state"] == "streaming" and x509["stale"] is False
    assert x509["messages"] >= 1 and x509["age_seconds"] < 10 and x509["last_error"] is None
    metrics = place.sidecar.admin("GET", "/metrics")[1]
    assert 'bartizan_feed_stale{stream="x509"} 0' in metrics and 'bartizan_feed_messages_total{stream="x509"} ' in metrics
    shown = place.sidecar.cli("status", "--config", place.sidecar.config).stdout
    assert "feed       x509: streaming, confirmed " in shown
    place.api.fail(UNAVAILABLE, "gone\x1b[31m")
    wait_until(lambda: place.sidecar.status()["feed"]["streams"][0]["state"] == "waiting", 8, "the failure")
    error = place.sidecar.status()["feed"]["streams"][0]["last_error"]
    assert "gone" in error["message"]
    shown = place.sidecar.cli("status", "--config", place.sidecar.config).stdout
    assert "FEED       x509: waiting" in shown and "gone" in shown and "\x1b" not in shown
    metrics = place.sidecar.admin("GET", "/metrics")[1]
    assert 'bartizan_feed_failures_total{stream="x509"} 0' not in metrics


# ---- under load --------------------------------------------------------------------


class Load:
    """Checks of several callers without a pause, each with the answers that are right at the time."""

    IN_FLIGHT = 16

    def __init__(self, place, callers):
        self.requests = {name: request(caller=caller).SerializeToString() for name, caller in callers.items()}
        self.right = {name: {ALLOWED} for name in callers}
        self.place, self.asked, self.wrong, self.is_ending = place, 0, [], False
        self.threads = [threading.Thread(target=self.run, args=(name,)) for name in callers]

    def run(self, name):
        client = self.place.sidecar.client()
        while not self.is_ending:
            before = self.right[name]
            calls = [client._check.future(self.requests[name], timeout=10) for _ in range(self.IN_FLIGHT)]
            for call in calls:
                reply = authz.CheckResponse.FromString(call.result())
                answer = ALLOWED if reply.status.code == 0 else reply.denied_response.status.code
                if answer not in before | self.right[name]:
                    self.wrong.append((name, answer, before, self.right[name]))
            self.asked += len(calls)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_ending = True
        for thread in self.threads:
            thread.join(20)


def test_a_hundred_rotations_under_load_cost_no_wrong_answer(place):
    authorities = [Authority("prod.example", place.sidecar.folder, f"ca{i}") for i in range(3)]
    callers = {f"web{i}": a.issue("/ns/search/sa/web", f"web{i}") for i, a in enumerate(authorities)}
    place.start(place.authority, *authorities)
    for caller in callers.values():
        place.await_answer(ALLOWED, caller=caller)
    generation = place.sidecar.status()["snapshot"]["bundles"]["generation"]
    with Load(place, callers) as load:
        start = time.monotonic()
        for turn in range(100):
            out = turn % 3
            name = f"web{out}"
            load.right[name] = {ALLOWED, REFUSED}  # while the answer is on its way
            place.give(place.authority, *(a for i, a in enumerate(authorities) if i != out))
            place.await_answer(REFUSED, caller=callers[name])
            load.right[name] = {REFUSED}
            load.right[name] = {ALLOWED, REFUSED}
            place.give(place.authority, *authorities)
            place.await_answer(ALLOWED, caller=callers[name])
            load.right[name] = {ALLOWED}
            if time.monotonic() - start > 25:
                break
    seconds = time.monotonic() - start
    assert not load.wrong, load.wrong[:3]
    assert turn >= 20 and load.asked / seconds > 300, (turn, load.asked, seconds)
    print(f"{turn + 1} rotations out and in, {load.asked} checks in {seconds:.1f} s")
    assert place.sidecar.status()["snapshot"]["bundles"]["generation"] >= generation + 2 * turn
