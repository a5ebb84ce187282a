# SPDX-License-Identifier: Apache-2.0
"""Signed deny lists under `bartizan serve`: what is taken, what is refused and stays out, also after a restart."""

import json
import subprocess

import pytest
from sidecar import CONFIG, Sidecar, request

SIGNED = CONFIG.replace("revocations: [revocations]", "revocations: [revocations]\n  revocation_signers: [signer.pub.pem]")


def new_key(folder, name):
    key = folder / f"{name}.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", folder / f"{name}.pub.pem"], check=True)
    return key


class Place:
    def __init__(self, sidecar):
        self.sidecar, self.lists = sidecar, sidecar.folder / "revocations"
        self.lists.mkdir(exist_ok=True)
        self.key = new_key(sidecar.folder, "signer")

    def put(self, name, data):
        beside = self.lists / f".{name}"
        beside.write_bytes(data)
        beside.rename(self.lists / name)

    def signed(self, sequence, caller, key=None):
        plain, out = self.sidecar.folder / "plain", self.sidecar.folder / f"made-{sequence}"
        plain.write_text(f"bartizan-revocations v1\nsequence {sequence}\nspiffe\t{caller.spiffe_id}\nend\n")
        done = self.sidecar.cli("revoke", "sign", plain, "--key", key or self.key, "-o", out)
        assert done.returncode == 0, done.stderr
        return out.read_bytes()

    def reload(self):
        code, body = self.sidecar.admin("POST", "/reload")
        return code, json.loads(body)

    def add(self, caller, *words):
        words = ("--config", self.sidecar.config, "--spiffe", caller.spiffe_id, "--reason", "r", *words)
        return self.sidecar.cli("revoke", "add", *words)

    def allows(self, caller):
        client = self.sidecar.client()
        return client.check(request(caller=caller)).status.code == 0


@pytest.fixture
def place():
    with Sidecar(SIGNED) as sidecar:
        yield Place(sidecar)


def test_a_list_that_is_added_with_the_key_is_in_force_and_one_without_is_not_written(place):
    place.sidecar.start()
    assert place.allows(place.sidecar.web)
    refused = place.add(place.sidecar.web)
    assert refused.returncode == 5 and "--key" in refused.stderr and list(place.lists.iterdir()) == []
    other = place.add(place.sidecar.web, "--key", new_key(place.sidecar.folder, "other"))
    assert other.returncode == 5 and "none of identity.revocation_signers" in other.stderr
    done = place.add(place.sidecar.web, "--key", place.key)
    assert done.returncode == 0 and "in force after" in done.stdout, done.stderr
    assert not place.allows(place.sidecar.web)
    listed = place.sidecar.cli("revoke", "list", "--config", place.sidecar.config)
    assert listed.returncode == 0 and place.sidecar.web.spiffe_id in listed.stdout


@pytest.mark.parametrize("what", ["unsigned", "of another key", "cut off", "changed"])
def test_a_list_that_is_not_a_signers_is_refused_and_the_old_one_stays(place, what):
    place.put("a.revocations", place.signed(7, place.sidecar.web))
    place.sidecar.start()
    assert not place.allows(place.sidecar.web)
    good = place.signed(8, place.sidecar.console)
    bad = {
        "unsigned": lambda: (place.sidecar.folder / "plain").read_bytes(),
        "of another key": lambda: place.signed(8, place.sidecar.console, new_key(place.sidecar.folder, "other")),
        "cut off": lambda: good[:-1],
        "changed": lambda: good.replace(b"sequence 8", b"sequence 9"),
    }[what]()
    place.put("a.revocations", bad)
    assert place.reload()[0] == 409
    assert not place.allows(place.sidecar.web)
    place.put("a.revocations", good)
    assert place.reload()[0] == 200
    assert place.allows(place.sidecar.web)


def test_an_unsigned_list_keeps_it_from_starting(place):
    place.put("a.yaml", b"apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 1}\nentries: []\n")
    assert place.sidecar.spawn().wait(20) == 2
    assert "E1106" in place.sidecar.log() and "revoke sign" in place.sidecar.log()


def test_an_older_list_is_refused_after_a_restart_too(place):
    old, new = place.signed(7, place.sidecar.console), place.signed(8, place.sidecar.web)
    place.put("a.revocations", new)
    place.sidecar.start()
    assert not place.allows(place.sidecar.web)
    place.put("a.revocations", old)
    assert place.reload()[0] == 409 and not place.allows(place.sidecar.web)
    assert place.sidecar.stop() == 0
    assert place.sidecar.spawn().wait(20) == 2
    assert "sequence 7 is older than 8" in place.sidecar.log()
    (place.lists / "a.revocations").unlink()
    assert place.sidecar.spawn().wait(20) == 2 and "its file is gone" in place.sidecar.log()
    place.put("a.revocations", new)
    place.sidecar.spawn()
    place.sidecar.wait_ready(2)
    assert not place.allows(place.sidecar.web)
