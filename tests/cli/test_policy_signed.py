# SPDX-License-Identifier: Apache-2.0
"""`bartizan policy compile`, `inspect` and `accept` by hand; tests/process has them under a running sidecar."""

import hashlib
import json
import re
import subprocess
import time
from pathlib import Path

import pytest

HEADER, SIGNATURE = 128, 64


@pytest.fixture
def signer(place):
    key, public = place.folder / "signer.pem", place.folder / "signer.pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    return key


def compile_signed(place, signer, revision=42, expires="1h", out="policy.bzpl"):
    target = place.folder / out
    done = place.run("policy", "compile", place.policy, "-o", target, "--sign", signer, "--revision", revision, "--expires", expires)
    assert done.returncode == 0, done.stderr
    return target, done.stdout


def test_compile_writes_what_the_other_tools_read(place):
    target = place.folder / "policy.bzpl"
    done = place.run("policy", "compile", place.policy, "-o", target)
    assert done.returncode == 0 and f"{target.stat().st_size} bytes, 1 rules, digest " in done.stdout
    digest = done.stdout.split()[-1]
    assert digest in place.run("policy", "check", place.policy).stdout
    assert place.run("policy", "test", target).returncode == 0
    again = place.folder / "again.bzpl"
    assert place.run("policy", "compile", place.policy, "--output", again).returncode == 0
    assert again.read_bytes() == target.read_bytes()


def test_a_policy_that_fails_its_own_tests_is_not_written(place):
    target = place.folder / "policy.bzpl"
    target.write_text("what was there")
    place.policy.write_text(place.policy.read_text().replace("expect: {deny: default}", "expect: {allow: web-reads}"))
    done = place.run("policy", "compile", place.policy, "-o", target)
    assert done.returncode == 1 and "FAILED others may not" in done.stderr
    place.policy.write_text("kind: [")
    assert place.run("policy", "compile", place.policy, "-o", target).returncode == 2
    assert target.read_text() == "what was there"
    assert not [name for name in place.folder.iterdir() if name.name.startswith(".policy")]


def test_an_invariant_that_does_not_hold_is_not_written(place):
    target = place.folder / "policy.bzpl"
    promise = "  invariants:\n    - never: allow\n      name: nobody\n      actions: [read]\n"
    place.policy.write_text(place.policy.read_text() + promise)
    assert place.run("policy", "compile", place.policy, "-o", target).returncode == 2
    assert not target.exists()


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-o", "x", "--sign", "KEY"],
        ["-o", "x", "--revision", "1"],
        ["-o", "x", "--sign", "KEY", "--revision", "0", "--expires", "1h"],
        ["-o", "x", "--sign", "KEY", "--revision", "9223372036854775808", "--expires", "1h"],
        ["-o", "x", "--sign", "KEY", "--revision", "1", "--expires", "soon"],
        ["-o", "x", "--sign", "KEY", "--revision", "1", "--expires", "2001-01-01T00:00:00Z"],
    ],
)
def test_compile_says_what_is_missing(place, signer, options):
    words = [str(signer) if word == "KEY" else word for word in options]
    assert place.run("policy", "compile", place.policy, *words, cwd=place.folder).returncode == 3
    assert not (place.folder / "x").exists()


def test_a_key_that_cannot_sign_is_refused(place, signer):
    public = place.folder / "signer.pub.pem"
    for key, code in ((public, 5), (place.folder / "none.pem", 4)):
        done = place.run("policy", "compile", place.policy, "-o", place.folder / "x", "--sign", key, "--revision", 1, "--expires", "1h")
        assert done.returncode == code, done.stderr
    assert place.run("policy", "compile", place.policy, "-o", place.folder / "none" / "x").returncode == 4


def test_inspect_tells_who_signed_and_whether_it_holds(place, signer):
    target, said = compile_signed(place, signer)
    assert "revision 42, expires 20" in said
    public = place.folder / "signer.pub.pem"
    assert place.run("policy", "inspect", target).returncode == 0
    good = place.run("policy", "inspect", target, "--key", public)
    assert good.returncode == 0 and ": verified\n" in good.stdout and "role       web, of workloads" in good.stdout
    shown = json.loads(place.run("policy", "inspect", target, "--key", public, "--format", "json").stdout)
    assert shown["signature"]["state"] == "verified" and shown["signature"]["revision"] == 42
    assert shown["rules"] == 1 and shown["contents"]["roles"] == [{"name": "web", "of": "workloads"}]
    assert shown["digest"] in place.run("policy", "check", place.policy).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-in", public, "-outform", "der"], check=True, capture_output=True).stdout
    assert shown["signature"]["signer"] == hashlib.sha256(der).hexdigest()


def test_inspect_refuses_what_the_key_did_not_sign(place, signer):
    target, _ = compile_signed(place, signer)
    public = place.folder / "signer.pub.pem"
    data = bytearray(target.read_bytes())
    data[40] ^= 1  # the time of issue
    target.write_bytes(data)
    bad = place.run("policy", "inspect", target, "--key", public)
    assert bad.returncode == 5 and "DOES NOT VERIFY" in bad.stdout
    place.run("policy", "compile", place.policy, "-o", target)
    assert place.run("policy", "inspect", target, "--key", public).returncode == 5
    assert place.run("policy", "inspect", target, "--key", signer).returncode == 5
    target.write_bytes(target.read_bytes()[:-1])
    assert place.run("policy", "inspect", target).returncode == 2
    assert place.run("policy", "inspect", place.policy).returncode == 2
    assert place.run("policy", "inspect", place.folder / "none").returncode == 4


def test_inspect_tells_that_its_time_has_run_out(place, signer):
    target, _ = compile_signed(place, signer, expires="1s")
    deadline = time.monotonic() + 10
    while (done := place.run("policy", "inspect", target)).returncode == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert done.returncode == 1 and "HAS EXPIRED" in done.stdout


def test_openssl_alone_can_check_a_signature(place, signer):
    target, _ = compile_signed(place, signer)
    data = target.read_bytes()
    covered, signature = place.folder / "covered", place.folder / "signature"
    covered.write_bytes(data[:-SIGNATURE])
    signature.write_bytes(data[-SIGNATURE:])
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", place.folder / "signer.pub.pem", "-sigfile", signature]
    assert subprocess.run([*command, "-in", covered], capture_output=True).returncode == 0
    covered.write_bytes(data[HEADER:-SIGNATURE])
    assert subprocess.run([*command, "-in", covered], capture_output=True).returncode != 0


def test_tools_read_a_signed_policy_through_its_envelope(place, signer):
    target, _ = compile_signed(place, signer)
    assert place.run("policy", "test", target).returncode == 0
    target.write_bytes(target.read_bytes()[:-1])
    done = place.run("policy", "test", target)
    assert done.returncode != 0 and "envelope is damaged" in done.stderr


def test_check_takes_what_serve_would(place, signer):
    compile_signed(place, signer)
    place.config.write_text(place.config.read_text().replace("{path: policy.yaml}", "{path: policy.bzpl, signers: [signer.pub.pem]}"))
    assert place.run("check", "--config", place.config).returncode == 0
    assert not (place.folder / "journal").exists()  # looked at, nothing made
    (place.folder / "policy.bzpl").write_bytes(place.policy.read_bytes())
    done = place.run("check", "--config", place.config)
    assert done.returncode == 2 and "E0920" in done.stderr


def test_accept_wants_one_revision_a_reason_and_signers(place, signer):
    assert place.run("policy", "accept", "--config", place.config, "--reason", "x").returncode == 3
    assert place.run("policy", "accept", "--config", place.config, "--revision", 0, "--reason", "x").returncode == 3
    assert place.run("policy", "accept", "--config", place.config, "--revision", 1).returncode == 3
    words = ("policy", "accept", "--config", place.config, "--revision", 1, "--reason", "x")
    assert place.run(*words, "--until", "31d").returncode == 3
    done = place.run(*words)
    assert done.returncode == 2 and "names no policy.signers" in done.stderr
    place.config.write_text(place.config.read_text().replace("{path: policy.yaml}", "{path: policy.bzpl, signers: [signer.pub.pem]}"))
    assert place.run(*words).returncode == 4  # no journal's folder to put it in
    (place.folder / "journal").mkdir()
    done = place.run(*words, "--author", "alice")
    assert done.returncode == 0 and "from the next start" in done.stdout
    text = (place.folder / "journal" / "policy.accept").read_text()
    assert "revision 1\n" in text and "author alice\nreason x\n" in text
    assert place.run(*words, "--author", "a\nb").returncode == 3


@pytest.mark.parametrize("file", sorted((Path(__file__).parent / "compiled").glob("*.bzpl")), ids=lambda file: file.stem)
def test_what_an_earlier_release_compiled_is_read_or_refused_by_name(place, file):
    """A file of each release stays here: it means the same for ever, or the refusal names who wrote and who reads."""
    wrote = re.fullmatch(r"release-(.*)", file.stem)[1]
    reads = place.run("version").stdout.split()[-1]
    done = place.run("policy", "test", file)
    shown = json.loads(place.run("policy", "inspect", file, "--format", "json").stdout)
    assert shown["release"] == wrote and shown["rules"] == 1
    if shown["is_of_this_layout"]:
        assert done.returncode == 0 and "2 passed, 0 failed" in done.stdout
    else:
        assert done.returncode == 2 and wrote in done.stderr and reads in done.stderr and "compile it again" in done.stderr
