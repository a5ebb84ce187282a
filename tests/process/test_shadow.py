# SPDX-License-Identifier: Apache-2.0
"""A second policy beside the one in force, and `enforcement: report`: judged, counted, recorded, never enforced."""

import json

import pytest
from sidecar import CONFIG, POLICY, Sidecar, request, wait_until

FRAUD = "/v1/models/fraud-v3:predict"
NARROW = POLICY.read_text().replace("[checkout, search]", "[checkout]")
BROKEN = "apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nspec: {rulez: []}\n"
SHADOWED = CONFIG.replace("enforcement: enforce", "enforcement: enforce, shadow: candidate.yaml")


@pytest.fixture
def own():
    with Sidecar(SHADOWED) as sidecar:
        (sidecar.folder / "candidate.yaml").write_text(NARROW)
        yield sidecar


def http_status(reply):
    return 200 if reply.status.code == 0 else reply.denied_response.status.code


def decisions(sidecar):
    return [r["decision"] for r in sidecar.records() if r["kind"] == "decision"]


def changes(sidecar):
    return [r["change"] for r in sidecar.records() if r["kind"] == "change"]


def shadow(sidecar, *words):
    return sidecar.cli("policy", "shadow", "--config", sidecar.config, *words)


def test_a_difference_is_counted_shown_and_recorded_and_nobody_is_refused(own):
    own.start()
    client = own.client()
    assert shadow(own).returncode == 0  # nothing asked, nothing differs
    for _ in range(3):
        assert http_status(client.check(request(caller=own.web))) == 200
    assert http_status(client.check(request(path=FRAUD, caller=own.web))) == 403  # both refuse

    status = own.status()["shadow"]
    assert (status["loaded"], status["generation"], status["rules"]) == (True, 1, 5)
    assert (status["checks"], status["differences"], status["others"]) == (4, 3, 0)
    (pair,) = status["pairs"]
    assert pair["from"] == {"verdict": "allow", "rule": "inference-gateway/apps-low-and-medium"}
    assert pair["to"] == {"verdict": "deny", "rule": None} and pair["count"] == 3

    metrics = own.admin("GET", "/metrics")[1]
    assert 'bartizan_shadow_differences_total{from="allow:inference-gateway/apps-low-and-medium",to="deny:default"} 3\n' in metrics
    assert "bartizan_shadow_checks_total 4\n" in metrics

    text = shadow(own)
    assert text.returncode == 1, text.stderr
    for part in ("4 checks", "3 would", "allow inference-gateway/apps-low-and-medium", "deny default", pair["decision_id"]):
        assert part in text.stdout, text.stdout
    assert json.loads(shadow(own, "--format", "json").stdout)["pairs"] == [pair]
    screen = own.cli("status", "--config", own.config).stdout
    assert "3 of 4 checks would differ" in screen

    *allowed, refused = decisions(own)
    assert {(d["verdict"], d["enforced"], d["shadow_verdict"], d["shadow_digest"]) for d in allowed} == {
        ("allow", "allow", "deny", status["digest"])
    }
    assert refused["verdict"] == refused["shadow_verdict"] == "deny"
    explained = own.cli("audit", "show", pair["decision_id"], "--journal", own.folder / "journal").stdout
    assert "the shadow policy would have it denied by default" in explained


def test_a_broken_shadow_is_refused_alone_and_told(own):
    own.start()
    client = own.client()
    (own.folder / "candidate.yaml").write_text(BROKEN)
    own.policy.write_text(POLICY.read_text() + "\n# taken beside it\n")
    code, body = own.admin("POST", "/reload")
    answer = json.loads(body)
    assert code == 409 and "candidate.yaml" in answer["error"]
    assert answer["in_force"]["policy_generation"] == answer["in_force"]["generation"] > 1
    assert answer["in_force"]["shadow_generation"] == 1
    assert http_status(client.check(request(caller=own.web))) == 200
    status = own.status()
    assert status["ready"] is True and status["shadow"]["checks"] == 1  # the one before goes on judging
    refused = [c for c in changes(own) if c.get("is_refused")]
    assert [c["what"] for c in refused] == ["shadow"] and "candidate.yaml" in refused[0]["detail"]
    assert refused[0]["before"] == status["shadow"]["digest"]

    (own.folder / "candidate.yaml").write_text(POLICY.read_text())
    assert own.admin("POST", "/reload")[0] == 200
    assert own.status()["shadow"]["checks"] == 0  # counts are of these two policies
    assert http_status(client.check(request(caller=own.web))) == 200
    taken = [c for c in changes(own) if c["what"] == "shadow" and not c.get("is_refused")]
    assert len(taken) == 2 and taken[1]["before"] == taken[0]["after"]
    assert shadow(own).returncode == 0


def test_a_shadow_that_is_broken_at_the_start_keeps_nobody_out(own):
    (own.folder / "candidate.yaml").write_text(BROKEN)
    own.start()
    client = own.client()
    assert http_status(client.check(request(caller=own.web))) == 200
    wait_until(lambda: own.status()["last_reload_error"], 12, "the refusal in status")
    assert own.status()["shadow"]["loaded"] is False
    result = shadow(own)
    assert result.returncode == 2 and "candidate.yaml" in result.stderr
    assert "REFUSED, it judges nothing" in own.cli("status", "--config", own.config).stdout
    assert own.cli("check", "--config", own.config).returncode == 2
    client.check(request(caller=own.web))
    assert [c["what"] for c in changes(own) if c.get("is_refused")] == ["shadow"]
    (own.folder / "candidate.yaml").write_text(NARROW)
    wait_until(lambda: own.status()["shadow"]["loaded"], 12, "the mended shadow")
    client.check(request(caller=own.web))
    assert shadow(own).returncode == 1


def test_a_shadow_may_be_a_folder_and_its_refusal_names_the_file(own):
    folder = own.folder / "next"
    folder.mkdir()
    (folder / "a.yaml").write_text(NARROW)
    (own.folder / "policy.yaml").rename(own.folder / "next-of.yaml")  # no file of the shadow, though its name begins so
    own.config.write_text(own.config.read_text().replace("candidate.yaml", "next/").replace("policy.yaml", "next-of.yaml"))
    own.start()
    client = own.client()
    (folder / "a.yaml").write_text(BROKEN)
    assert own.admin("POST", "/reload")[0] == 409
    client.check(request(caller=own.web))
    (folder / "a.yaml").write_text(NARROW)
    (own.folder / "next-of.yaml").write_text(BROKEN)
    assert own.admin("POST", "/reload")[0] == 409
    client.check(request(caller=own.web))
    assert [c["what"] for c in changes(own) if c.get("is_refused")] == ["shadow", "policy"]
    assert shadow(own).returncode == 1


def test_without_a_shadow_nothing_speaks_of_one(own):
    own.config.write_text(own.config.read_text().replace(", shadow: candidate.yaml", ""))
    own.start()
    own.client().check(request(caller=own.web))
    assert own.status()["shadow"] is None
    assert "shadow" not in own.admin("GET", "/metrics")[1]
    assert "shadow_verdict" not in decisions(own)[0]
    assert {c["what"] for c in changes(own)} == {"policy", "bundles", "keys", "revocations"}
    assert shadow(own).returncode == 2


def test_enforcement_report_shows_in_metrics_status_and_every_record(own):
    own.config.write_text(own.config.read_text().replace("enforcement: enforce", "enforcement: report"))
    own.start()
    client = own.client()
    stale = own.issuer.token(
        "alice",
        1200,
        roles=["ml-operator"],
        purpose="incident",
        amr=["pwd", "hwk"],
        acr="mfa",
        cnf={"x5t#S256": own.console.x5t_s256, "spiffe_id": own.console.spiffe_id},
    )
    assert http_status(client.check(request(caller=own.web))) == 200
    assert http_status(client.check(request(path=FRAUD, caller=own.web))) == 200
    assert http_status(client.check(request(path=FRAUD, caller=own.console, token=stale))) == 200

    status = own.status()
    assert status["enforcement"] == "report"
    assert status["report_only"] == {"would_deny": 1, "would_challenge": 1}
    assert status["shadow"]["differences"] == 1  # compared with what was judged, not with what was answered
    screen = own.cli("status", "--config", own.config).stdout
    assert screen.startswith("ENFORCEMENT IS `report`") and "1 would_deny, 1 would_challenge" in screen
    metrics = own.admin("GET", "/metrics")[1]
    assert "bartizan_enforcing 0\n" in metrics
    assert 'bartizan_report_only_total{verdict="deny"} 1\n' in metrics
    assert 'bartizan_report_only_total{verdict="challenge"} 1\n' in metrics
    assert [(d["outcome"], d["enforced"], d["is_report_only"]) for d in decisions(own)] == [
        ("allow", "allow", True),
        ("would_deny", "allow", True),
        ("would_challenge", "allow", True),
    ]
    (change,) = [c for c in changes(own) if c["what"] == "enforcement"]
    assert change["after"] == "report" and "before" not in change


def test_enforcement_enforce_says_none_of_it(own):
    own.start()
    own.client().check(request(path=FRAUD, caller=own.web))
    (decision,) = decisions(own)
    assert "is_report_only" not in decision and "outcome" not in decision and decision["enforced"] == "deny"
    assert own.status()["report_only"] == {"would_deny": 0, "would_challenge": 0}
    assert "enforcement" not in {c["what"] for c in changes(own)}
