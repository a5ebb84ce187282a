# SPDX-License-Identifier: Apache-2.0
"""Compiled and signed policies under `bartizan serve`: what is taken, what is refused and stays out, and what is told."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from sidecar import CONFIG, POLICY, Sidecar, health, request, wait_until

NARROW = re.sub(r"(?ms)^  tests:\n.*", "", POLICY.read_text()).replace("[checkout, search]", "[checkout]")  # refuses the web workload
SIGNED = CONFIG.replace("path: policy.yaml", "path: policy.bzpl, signers: [signer.pub.pem]")
NOT_SERVING = health.HealthCheckResponse.NOT_SERVING
IMAGE_LAYOUT_AT, IMAGE_RELEASE_AT, BYTES = 48, 144, 32  # of a compiled policy's head


def new_key(folder, name):
    key, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    return key


def compiled(sidecar, text, name, *options):
    """Compiles into a file of its own, outside of what is watched."""
    place = sidecar.folder / "made"
    place.mkdir(exist_ok=True)
    source = place / f"{name}.yaml"
    source.write_text(text)
    out = sidecar.cli("policy", "compile", source, "-o", place / name, *options)
    assert out.returncode == 0, out.stderr
    return place / name


def signed(sidecar, text, revision, expires="30d", key="signer"):
    options = ("--sign", sidecar.folder / f"{key}.pem", "--revision", str(revision), "--expires", expires)
    return compiled(sidecar, text, f"{key}-{revision}-{expires}", *options)


def put(sidecar, made, name="policy.bzpl"):
    """As a well-behaved writer does: beside it, then in its place."""
    beside = sidecar.folder / f".{name}.new"
    beside.write_bytes(made if isinstance(made, bytes) else Path(made).read_bytes())
    beside.rename(sidecar.folder / name)


def reload(sidecar):
    code, body = sidecar.admin("POST", "/reload")
    return code, json.loads(body)


def ask(sidecar, client):
    """HTTP status and reason for the web workload, an allow 200 and nothing."""
    reply = client.check(request(caller=sidecar.web))
    if reply.status.code == 0:
        return 200, None
    return reply.denied_response.status.code, sidecar.status()["recent_refusals"][0]["reason"]


def changes(sidecar):
    return [r["change"] for r in sidecar.records() if r["kind"] == "change"]


def policy_status(sidecar):
    return sidecar.status()["snapshot"]["policy"]


def refuses_to_start(sidecar):
    assert sidecar.spawn().wait(20) == 2
    return sidecar.log()


@pytest.fixture
def plain():
    with Sidecar() as sidecar:
        yield sidecar


@pytest.fixture
def own():
    with Sidecar(SIGNED) as sidecar:
        new_key(sidecar.folder, "signer")
        put(sidecar, signed(sidecar, POLICY.read_text(), 42))
        yield sidecar


# ---- compiled, and nobody asks for a signature ----


def test_yaml_gives_way_to_a_compiled_policy_and_comes_back(plain):
    plain.start()
    client = plain.client()
    yaml = policy_status(plain)
    assert yaml["compiled"] is False and yaml["signature"] is None
    put(plain, compiled(plain, NARROW, "narrow"), "policy.yaml")
    assert reload(plain)[0] == 200
    assert ask(plain, client) == (403, "workload")
    assert policy_status(plain)["compiled"] is True
    put(plain, POLICY.read_bytes(), "policy.yaml")
    assert reload(plain)[0] == 200
    assert ask(plain, client) == (200, None)
    assert policy_status(plain)["digest"] == yaml["digest"]
    put(plain, compiled(plain, POLICY.read_text(), "wide"), "policy.yaml")
    assert reload(plain)[0] == 200
    assert policy_status(plain)["digest"] == yaml["digest"]  # the same meaning, whatever the form
    assert ask(plain, client) == (200, None)
    assert "bartizan_policy_revision" not in plain.admin("GET", "/metrics")[1]


def test_a_mounted_folder_takes_yaml_or_one_compiled_policy(plain):
    """As a ConfigMap is mounted: the folder's entries lead through `..data`, which is swapped."""
    mount = plain.folder / "mount"

    def swap(generation, name, data):
        real = mount / f"..{generation}"
        real.mkdir(parents=True)
        (real / name).write_bytes(data)
        os.symlink(real.name, mount / "..data.new")
        os.rename(mount / "..data.new", mount / "..data")
        for entry in mount.iterdir():
            if not entry.name.startswith("."):
                entry.unlink()
        os.symlink(f"..data/{name}", mount / name)

    swap(1, "policy.yaml", POLICY.read_bytes())
    plain.config.write_text(plain.config.read_text().replace("path: policy.yaml", "path: mount"))
    plain.start()
    client = plain.client()
    assert ask(plain, client) == (200, None)
    swap(2, "policy.bzpl", compiled(plain, NARROW, "narrow").read_bytes())
    wait_until(lambda: ask(plain, client) == (403, "workload"), 12, "the compiled policy in force", every=0.1)
    (mount / "more.yaml").write_bytes(POLICY.read_bytes())
    code, answer = reload(plain)
    assert code == 409 and answer["diags"][0]["code"] == "E0927"
    assert ask(plain, client) == (403, "workload")


def test_a_signature_that_nobody_asks_for_is_a_warning(plain):
    new_key(plain.folder, "signer")
    put(plain, signed(plain, POLICY.read_text(), 7), "policy.yaml")
    plain.start()
    assert "W0928" in plain.log()
    assert policy_status(plain)["signature"] is None
    assert ask(plain, plain.client()) == (200, None)


def with_shadow(sidecar, made):
    """The signed policy in force, and `made` as the shadow beside it."""
    put(sidecar, made, "shadow.bzpl")
    sidecar.config.write_text(sidecar.config.read_text().replace("path: policy.bzpl,", "path: policy.bzpl, shadow: shadow.bzpl,"))
    return sidecar.start()


def test_a_signed_shadow_is_told_that_nobody_looks_although_there_are_signers(own):
    with_shadow(own, signed(own, NARROW, 1))
    told = own.log()
    assert "W0928" in told and "this shadow policy is signed, and nobody looks" in told and "without policy.signers" not in told
    assert own.status()["shadow"]["loaded"] is True


def test_a_compiled_shadow_that_breaks_platform_owners_is_recorded_as_the_shadow(own):
    bad = NARROW.replace("{allow: health-is-public,", "{allow: health-is-public, priority: 9,")
    with_shadow(own, compiled(own, NARROW, "good"))
    put(own, compiled(own, bad, "bad"), "shadow.bzpl")
    code, answer = reload(own)
    assert code == 409 and answer["diags"][0]["code"] == "E0223"
    refused = wait_until(lambda: [c for c in changes(own) if c.get("is_refused")], 10, "the record")
    assert [(c["what"], c["source"]) for c in refused] == [("shadow", str(own.folder / "shadow.bzpl"))]
    put(own, POLICY.read_bytes())  # a refused policy is one of the policy, also while the shadow is broken
    assert reload(own)[0] == 409
    wait_until(lambda: "policy" in [c["what"] for c in changes(own) if c.get("is_refused")], 10, "the record")


def test_a_compiled_shadow_judges(plain):
    plain.config.write_text(plain.config.read_text().replace("enforcement:", "shadow: next.bzpl, enforcement:"))
    put(plain, compiled(plain, NARROW, "narrow"), "next.bzpl")
    plain.start()
    assert ask(plain, plain.client()) == (200, None)
    assert plain.status()["shadow"]["differences"] == 1


# ---- whose signature ----


def test_a_signed_policy_is_in_force_and_told(own):
    own.start()
    assert ask(own, own.client()) == (200, None)
    signature = policy_status(own)["signature"]
    assert (signature["revision"], signature["expired"], signature["override"]) == (42, False, None)
    assert signature["good_until"] == signature["expires"]
    metrics = own.admin("GET", "/metrics")[1]
    assert "bartizan_policy_revision 42\n" in metrics and "bartizan_policy_override 0\n" in metrics
    assert "bartizan_policy_good_until_timestamp_seconds 1" in metrics
    screen = own.cli("status", "--config", own.config).stdout
    assert "revision 42" in screen and signature["signer"][:16] in screen
    (change,) = [c for c in changes(own) if c["what"] == "policy"]
    assert change["detail"].startswith(f"revision 42, signed by the key {signature['signer'][:16]}, good until ")


@pytest.mark.parametrize("form", ["yaml", "unsigned", "another key", "tampered", "cut"])
def test_whatever_no_signer_vouches_for_is_refused_at_start_and_at_reload(own, form):
    new_key(own.folder, "other")
    good = (own.folder / "policy.bzpl").read_bytes()
    flipped = good[:200] + bytes([good[200] ^ 1]) + good[201:]
    bad, code = {
        "yaml": (NARROW.encode(), "E0920"),
        "unsigned": (compiled(own, NARROW, "narrow"), "E0920"),
        "another key": (signed(own, NARROW, 43, key="other"), "E0921"),
        "tampered": (flipped, "E0921"),
        "cut": (good[:-1], "E0926"),
    }[form]
    own.start()
    client = own.client()
    put(own, bad)
    status, answer = reload(own)
    assert status == 409 and answer["diags"][0]["code"] == code
    assert ask(own, client) == (200, None)
    assert policy_status(own)["signature"]["revision"] == 42
    (refused,) = [c for c in changes(own) if c.get("is_refused")]
    assert refused["what"] == "policy" and "policy.bzpl" in refused["detail"]
    own.stop()
    assert code in refuses_to_start(own)


def test_a_signer_may_change_while_it_runs(own):
    new_key(own.folder, "next")
    own.start()
    client = own.client()
    put(own, signed(own, NARROW, 43, key="next"))
    assert reload(own)[0] == 409
    put(own, (own.folder / "next.pub.pem").read_bytes(), "signer.pub.pem")
    assert reload(own)[0] == 200
    assert ask(own, client) == (403, "workload")


def test_a_signer_that_is_no_key_is_refused(own):
    (own.folder / "signer.pub.pem").write_text("-----BEGIN PUBLIC KEY-----\n")
    assert "E0925" in refuses_to_start(own)
    (own.folder / "signer.pub.pem").unlink()
    assert "signer.pub.pem: error[E0901]" in refuses_to_start(own) or "E0901" in own.log()


# ---- which revision ----


def test_an_older_revision_is_refused_and_the_newer_one_stays(own):
    own.start()
    client = own.client()
    put(own, signed(own, NARROW, 41))
    status, answer = reload(own)
    assert status == 409 and "revision 41 is refused: revision 42 was in force" in answer["error"]
    assert "bartizan policy accept" in answer["diags"][0]["hint"]
    assert ask(own, client) == (200, None)
    assert policy_status(own)["signature"]["revision"] == 42
    put(own, signed(own, NARROW, 43))
    assert reload(own)[0] == 200
    assert ask(own, client) == (403, "workload")


def test_the_highest_revision_survives_a_restart(own):
    own.start()
    put(own, signed(own, POLICY.read_text(), 50))
    assert reload(own)[0] == 200
    own.stop()
    put(own, signed(own, POLICY.read_text(), 49))
    assert "revision 49 is refused: revision 50 was in force" in refuses_to_start(own)
    put(own, signed(own, POLICY.read_text(), 50))
    own.spawn()
    own.wait_ready(2)


@pytest.mark.parametrize("loss", ["gone", "damaged"])
def test_a_lost_mark_starts_nothing_until_an_operator_says_so(own, loss):
    own.start()
    own.stop()
    mark = own.folder / "journal" / "policy.revision"
    assert mark.read_text().startswith("bartizan policy revision v1\nrevision 42\nsha256 ")
    if loss == "gone":
        mark.unlink()
    else:
        mark.write_text(mark.read_text().replace("revision 42", "revision 1"))
    assert "E0924" in refuses_to_start(own)
    own.cli("policy", "accept", "--config", own.config, "--revision", "41", "--reason", "another one")
    assert "E0924" in refuses_to_start(own)
    out = own.cli("policy", "accept", "--config", own.config, "--revision", "42", "--reason", "volume restored")
    assert out.returncode == 0 and "from the next start" in out.stdout, out.stderr
    own.spawn()
    own.wait_ready(2)
    assert mark.read_text().startswith("bartizan policy revision v1\nrevision 42\n")
    assert "volume restored" in policy_status(own)["signature"]["override"]


def test_signing_may_begin_where_yaml_was_in_force(plain):
    plain.start()
    plain.stop()
    new_key(plain.folder, "signer")
    put(plain, signed(plain, POLICY.read_text(), 1))
    plain.config.write_text(plain.config.read_text().replace("path: policy.yaml", "path: policy.bzpl, signers: [signer.pub.pem]"))
    plain.spawn()
    plain.wait_ready(2)
    assert policy_status(plain)["signature"]["revision"] == 1


# ---- the way back ----


def test_an_operator_goes_back_on_purpose_and_the_record_names_who_and_why(own):
    own.start()
    client = own.client()
    older = signed(own, NARROW, 41)
    accept = ("policy", "accept", "--config", own.config, "--revision", "41", "--author", "alice", "--reason", "42 lets everybody in")
    early = own.cli(*accept)
    assert early.returncode == 1 and "revision 42 is in force; 41 will be taken when it is at" in early.stdout
    put(own, older)
    late = own.cli(*accept)
    assert late.returncode == 0 and "revision 41 is in force" in late.stdout, late.stdout + late.stderr
    assert ask(own, client) == (403, "workload")
    override = policy_status(own)["signature"]["override"]
    assert "revision 41 is accepted until" in override and "although revision 42 was in force; by alice: 42 lets everybody in" in override
    assert "bartizan_policy_override 1\n" in own.admin("GET", "/metrics")[1]
    assert "OVERRIDE" in own.cli("status", "--config", own.config).stdout
    (record,) = [c for c in changes(own) if c["what"] == "override"]
    assert record["detail"] == override and record["source"] == "policy.accept" and not record.get("is_refused")
    assert record["after"] == policy_status(own)["digest"] != record["before"]
    assert "by an operator's leave" in own.log()
    put(own, signed(own, POLICY.read_text(), 40))
    assert reload(own)[0] == 409  # leave is for one revision
    put(own, older)
    own.stop()
    own.spawn()
    own.wait_ready(2)  # it is the highest one now
    put(own, signed(own, POLICY.read_text(), 43))
    assert reload(own)[0] == 200
    assert policy_status(own)["signature"]["override"] is None


def test_the_configuration_gives_leave_to_a_whole_fleet(own):
    own.start()
    own.stop()
    put(own, signed(own, POLICY.read_text(), 41))
    leave = '{revision: 41, until: "2099-01-01T00:00:00Z", reason: "42 denies the batch jobs"}'
    good = own.config.read_text().replace("enforcement:", f"accept: {leave}, enforcement:")
    own.config.write_text(good.replace("2099", "2020"))
    assert "E0922" in refuses_to_start(own)  # leave that has run out is none
    own.config.write_text(good)
    own.spawn()
    own.wait_ready(2)
    assert "42 denies the batch jobs" in policy_status(own)["signature"]["override"]
    assert [c["what"] for c in changes(own)].count("override") == 1


def test_a_damaged_leave_is_none(own):
    own.start()
    put(own, signed(own, NARROW, 41))
    assert own.cli("policy", "accept", "--config", own.config, "--revision", "40", "--reason", "x").returncode == 1
    leave = own.folder / "journal" / "policy.accept"
    leave.write_text(leave.read_text().replace("revision 40", "revision 41"))
    status, answer = reload(own)
    assert status == 409 and {d["code"] for d in answer["diags"]} == {"W0929", "E0922"}


# ---- until when ----


def test_an_expired_policy_is_refused_at_start_and_at_reload(own):
    old = signed(own, NARROW, 43, "1s")
    wait_until(lambda: own.cli("policy", "inspect", old).returncode == 1, 10, "its end", every=0.2)
    own.start()
    client = own.client()
    put(own, old)
    status, answer = reload(own)
    assert status == 409 and "revision 43 is refused: its time ran out at" in answer["error"]
    assert ask(own, client) == (200, None)
    own.stop()
    assert "E0923" in refuses_to_start(own)


def test_a_policy_that_expires_while_it_is_in_force_denies_and_says_so_until_one_is_there(own):
    put(own, signed(own, POLICY.read_text(), 43, "4s"))
    own.start()
    client = own.client()
    assert ask(own, client) == (200, None)
    assert own.admin("GET", "/readyz")[0] == 200
    wait_until(lambda: ask(own, client) == (503, "policy-expired"), 15, "the end of its time", every=0.1)
    wait_until(lambda: "the policy has expired" in own.log(), 5, "the log")
    assert own.log().count("the policy has expired") == 1
    code, why = own.admin("GET", "/readyz")
    assert code == 503 and "the policy (revision 43) has expired at" in why
    assert own.status()["not_ready_reasons"] == [why.strip()]
    assert policy_status(own)["signature"]["expired"] is True
    assert "bartizan_ready 0\n" in own.admin("GET", "/metrics")[1]
    wait_until(lambda: client.health() == NOT_SERVING, 5, "the health service", every=0.1)
    assert own.cli("healthcheck", "--config", own.config, "--ready").returncode == 1
    # leave extends it; a newer policy ends the trouble
    out = own.cli("policy", "accept", "--config", own.config, "--revision", "43", "--reason", "the signer is down", "--until", "1h")
    assert out.returncode == 0, out.stdout + out.stderr
    assert ask(own, client) == (200, None)
    assert own.admin("GET", "/readyz")[0] == 200
    assert [c["what"] for c in changes(own)].count("override") == 1
    put(own, signed(own, NARROW, 44))
    assert reload(own)[0] == 200
    assert ask(own, client) == (403, "workload")


# ---- of another release ----


def another_layout(made):
    """The same policy as another release would have written it: its fingerprint and name changed, the checksum right."""
    data = bytearray(Path(made).read_bytes()[:-BYTES])
    data[IMAGE_LAYOUT_AT] ^= 1
    data[IMAGE_RELEASE_AT : IMAGE_RELEASE_AT + BYTES] = b"0.0.9".ljust(BYTES, b"\0")
    return bytes(data) + hashlib.sha256(data).digest()


def test_an_expired_policy_in_report_mode_is_said_to_allow_as_it_does(own):
    own.config.write_text(own.config.read_text().replace("enforcement: enforce", "enforcement: report"))
    put(own, signed(own, POLICY.read_text(), 43, "4s"))
    own.start()
    client = own.client()
    wait_until(lambda: policy_status(own)["signature"]["expired"], 15, "the end of its time", every=0.1)
    assert ask(own, client) == (200, None)
    assert own.status()["report_only"]["would_deny"] > 0
    wait_until(lambda: "the policy has expired" in own.log(), 5, "the log")
    code, why = own.admin("GET", "/readyz")
    screen = own.cli("status", "--config", own.config).stdout
    for told in (own.log(), why, screen):
        assert "every check is allowed" in told and "every check is denied" not in told
    last = [r["decision"] for r in own.records() if r["kind"] == "decision"][-1]
    assert (last["verdict"], last["enforced"], last["reason"]) == ("deny", "allow", "policy-expired")
    assert code == 503


def test_a_policy_of_another_releases_layout_is_refused_by_name(plain):
    other = another_layout(compiled(plain, NARROW, "narrow"))
    plain.start()
    client = plain.client()
    put(plain, other, "policy.yaml")
    status, answer = reload(plain)
    version = plain.status()["version"]
    assert status == 409 and "0.0.9" in answer["error"] and version in answer["error"], answer["error"]
    assert ask(plain, client) == (200, None)
    assert policy_status(plain)["compiled"] is False
    plain.stop()
    assert "0.0.9" in refuses_to_start(plain) and version in plain.log()


# ---- a revision that cannot be kept ----


def test_a_newer_policy_is_taken_although_its_revision_cannot_be_kept_yet(own):
    own.start()
    client = own.client()
    mark, obstacle = own.folder / "journal" / "policy.revision", own.folder / "journal" / ".policy.revision.new"
    obstacle.mkdir()
    put(own, signed(own, NARROW, 43))
    assert reload(own)[0] == 200
    assert ask(own, client) == (403, "workload")
    assert own.log().count("the policy's revision cannot be kept") == 1
    assert "revision 42\n" in mark.read_text()
    obstacle.rmdir()
    wait_until(lambda: "revision 43\n" in mark.read_text(), 5, "the mark", every=0.1)


def test_at_the_start_a_revision_that_cannot_be_kept_serves_nobody(own):
    (own.folder / "journal" / ".policy.revision.new").mkdir(parents=True)
    own.spawn()
    wait_until(lambda: "the policy's revision cannot be kept" in own.log(), 20, "the refusal")
    assert "ready in_ms=" not in own.log()
    assert own.process.wait(20) != 0
