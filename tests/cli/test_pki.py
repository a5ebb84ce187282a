# SPDX-License-Identifier: Apache-2.0
"""`bartizan pki`: what it makes is judged by Python's `cryptography` and by the openssl command, which know
nothing of it, and by the sidecar's own verifier."""

import base64
import datetime
import json
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from credentials import Authority

WEB = "spiffe://prod.example/ns/search/sa/web"


@pytest.fixture
def pki(binaries, tmp_path):
    class Pki:
        program = binaries / "bartizan"
        folder = tmp_path
        authority = tmp_path / "pki"

        def run(self, *arguments, code=0):
            done = subprocess.run(
                [self.program, "pki", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=30
            )
            assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
            return done.stdout + done.stderr

        def certificates(self, name):
            return x509.load_pem_x509_certificates((tmp_path / name).read_bytes())

        def key(self, name):
            return serialization.load_pem_private_key((tmp_path / name).read_bytes(), None)

        def issue(self, name="web", *options):
            self.run("issue", "/ns/search/sa/web", "--out", name, *options)
            return self.certificates(f"{name}.pem")[0]

        def openssl(self, *arguments):
            return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=30)

    made = Pki()
    made.run("create", "prod.example")
    return made


def public_bytes(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# ---- what is made ----------------------------------------------------------


def test_an_svid_has_what_the_standard_asks_of_a_leaf(pki):
    leaf = pki.issue("web", "--dns", "web.example,*.web.example")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [WEB]
    assert names.get_values_for_type(x509.DNSName) == ["web.example", "*.web.example"]
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and not constraints.value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.digital_signature
    assert not usage.value.key_cert_sign and not usage.value.crl_sign
    extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(extended) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert lifetime == datetime.timedelta(hours=24, minutes=5)
    assert leaf.serial_number.bit_length() == 159


def test_authorities_have_what_the_standard_asks_of_them(pki):
    root, intermediate = pki.certificates("pki/bundle.pem")
    for authority, length in ((root, None), (intermediate, 0)):
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical and constraints.value.ca and constraints.value.path_length == length
        usage = authority.extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
        assert not usage.value.digital_signature
        names = authority.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://prod.example"]
    intermediate.verify_directly_issued_by(root)


@pytest.mark.parametrize("kind, of", [("p256", ec.SECP256R1), ("p384", ec.SECP384R1), ("rsa3072", None)])
def test_keys_are_of_the_kind_that_was_asked_for_and_open_to_the_owner_alone(pki, kind, of):
    leaf = pki.issue("web", "--key", kind)
    key = pki.key("web.key")
    assert public_bytes(leaf.public_key()) == public_bytes(key.public_key())
    assert isinstance(key.curve, of) if of else isinstance(key, rsa.RSAPrivateKey) and key.key_size == 3072
    assert mode(pki.folder / "web.key") == 0o600
    assert mode(pki.authority) == 0o700
    assert all(mode(path) == 0o600 for path in pki.authority.rglob("*.key"))


def test_openssl_accepts_the_chain_strictly_and_refuses_it_under_another_root(pki):
    pki.issue()
    chain = ["-x509_strict", "-purpose", "sslclient", "-untrusted", "web.pem", "web.pem"]
    assert pki.openssl("verify", "-CAfile", "pki/root.pem", *chain).returncode == 0
    pki.run("create", "prod.example", "--dir", "other")
    assert pki.openssl("verify", "-CAfile", "other/root.pem", *chain).returncode != 0


def test_the_sidecars_own_verifier_accepts_it_in_both_forms_of_the_bundle(pki):
    pki.issue()
    for bundle in ("pki/bundle.pem", "pki/bundle.json", "pki/root.pem"):
        assert pki.run("verify", "web.pem", "--bundle", bundle).startswith(f"good: {WEB} until ")
    pki.run("create", "prod.example", "--dir", "other")
    assert "certificate_untrusted" in pki.run("verify", "web.pem", "--bundle", "other/bundle.pem", code=1)
    late = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "certificate_expired" in pki.run("verify", "web.pem", "--bundle", "pki/root.pem", "--at", late, code=1)


def test_a_leaf_alone_verifies_as_a_proxy_hands_it_over(pki):
    leaf = pki.issue()
    (pki.folder / "leaf.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    assert pki.run("verify", "leaf.pem", "--bundle", "pki/bundle.pem").startswith("good")
    assert "certificate_untrusted" in pki.run("verify", "leaf.pem", "--bundle", "pki/root.pem", code=1)


def test_bytes_behind_a_certificate_are_refused_as_a_sidecar_refuses_them(pki):
    leaf = pki.issue().public_bytes(serialization.Encoding.DER)
    for name, der, code in (("leaf", leaf, 0), ("longer", leaf + b"\x05\x00", 2)):
        text = base64.encodebytes(der).decode()
        (pki.folder / f"{name}.pem").write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")
        pki.run("verify", f"{name}.pem", "--bundle", "pki/bundle.pem", code=code)


def test_the_bundle_document_holds_the_keys_of_its_certificates(pki):
    document = json.loads((pki.authority / "bundle.json").read_text())
    assert document["spiffe_sequence"] == 1 and document["spiffe_refresh_hint"] == 300
    for entry, authority in zip(document["keys"], pki.certificates("pki/bundle.pem"), strict=True):
        assert entry["use"] == "x509-svid" and "kid" not in entry and len(entry["x5c"]) == 1
        numbers = authority.public_key().public_numbers()
        assert base64.b64decode(entry["x5c"][0]) == authority.public_bytes(serialization.Encoding.DER)
        for name, number in (("x", numbers.x), ("y", numbers.y)):
            assert base64.urlsafe_b64decode(entry[name] + "=") == number.to_bytes(32, "big")


# ---- renewing, rotating, revoking --------------------------------------------


def test_renewing_keeps_the_names_and_takes_a_new_key(pki):
    old = pki.issue("web", "--dns", "web.example", "--ttl", "2h", "--key", "p384")
    pki.run("renew", "web.pem")
    new = pki.certificates("web.pem")[0]
    assert new.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == (
        old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    )
    assert new.serial_number != old.serial_number
    assert public_bytes(new.public_key()) != public_bytes(old.public_key())
    assert isinstance(new.public_key().curve, ec.SECP384R1)
    assert public_bytes(new.public_key()) == public_bytes(pki.key("web.key").public_key())
    assert new.not_valid_after_utc - new.not_valid_before_utc == old.not_valid_after_utc - old.not_valid_before_utc
    assert mode(pki.folder / "web.key") == 0o600


def test_what_another_authority_issued_is_neither_renewed_nor_revoked(pki):
    Authority("prod.example", pki.folder, "foreign-bundle").issue("/ns/search/sa/web", "foreign")
    assert "not issued by this authority" in pki.run("renew", "foreign.pem", code=1)
    assert "no intermediate" in pki.run("revoke", "foreign.pem", "--reason", "superseded", code=1)


def test_after_a_rotation_old_and_new_svids_verify_and_the_sequence_has_risen(pki):
    pki.issue("old")
    pki.run("rotate")
    pki.issue("new")
    assert json.loads((pki.authority / "bundle.json").read_text())["spiffe_sequence"] == 2
    old, new = pki.certificates("old.pem"), pki.certificates("new.pem")
    assert old[1].subject != new[1].subject
    for name in ("old", "new"):
        assert pki.run("verify", f"{name}.pem", "--bundle", "pki/bundle.json").startswith("good")


def test_a_rotation_without_the_roots_key_says_so_and_changes_nothing(pki):
    (pki.authority / "root.key").rename(pki.folder / "root.key")
    before = (pki.authority / "current").read_text(), (pki.authority / "bundle.json").read_text()
    assert "root.key is not there" in pki.run("rotate", code=1)
    assert before == ((pki.authority / "current").read_text(), (pki.authority / "bundle.json").read_text())
    pki.issue("still")  # issuing needs the intermediate's key only


def test_a_revoked_svid_is_on_the_list_that_its_intermediate_signed(pki):
    first, second = pki.issue("first"), pki.issue("second")
    pki.run("rotate")
    third = pki.issue("third")
    pki.run("revoke", "first.pem", "--reason", "keyCompromise")
    pki.run("revoke", f"{third.serial_number:040x}", "--reason", "superseded")
    blocks = (pki.authority / "crl.pem").read_text().split("-----END X509 CRL-----\n")[:-1]
    lists = [x509.load_pem_x509_crl((block + "-----END X509 CRL-----\n").encode()) for block in blocks]
    issuers = [pki.certificates("third.pem")[1], pki.certificates("first.pem")[1]]
    for each, issuer in zip(lists, issuers, strict=True):
        assert each.issuer == issuer.subject and each.is_signature_valid(issuer.public_key())
    assert [entry.serial_number for entry in lists[0]] == [third.serial_number]
    assert [entry.serial_number for entry in lists[1]] == [first.serial_number]
    reason = lists[1][0].extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason == x509.ReasonFlags.key_compromise
    check = ["verify", "-crl_check", "-CAfile", "pki/root.pem", "-CRLfile", "pki/crl.pem"]
    assert "certificate revoked" in pki.openssl(*check, "-untrusted", "first.pem", "first.pem").stderr
    assert pki.openssl(*check, "-untrusted", "second.pem", "second.pem").returncode == 0
    assert second.serial_number not in {entry.serial_number for each in lists for entry in each}


def test_a_list_keeps_its_entries_and_its_number_rises(pki):
    pki.issue()
    pki.run("revoke", "web.pem", "--reason", "unspecified")
    first = x509.load_pem_x509_crl((pki.authority / "crl.pem").read_bytes())
    pki.run("crl")
    second = x509.load_pem_x509_crl((pki.authority / "crl.pem").read_bytes())
    number = [each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in (first, second)]
    assert number == [1, 2] and len(second) == 1
    assert "already on" in pki.run("revoke", "web.pem", "--reason", "superseded")
    assert "is revoked" in pki.run("renew", "web.pem", code=1)


def test_revoking_again_completes_what_an_earlier_command_left_half_done(pki):
    leaf = pki.issue()
    pki.run("crl")
    before = (pki.authority / "crl.pem").read_bytes()
    pki.run("revoke", "web.pem", "--reason", "keyCompromise")
    (pki.authority / "crl.pem").write_bytes(before)  # as if it had ended before this file
    assert "already on" in pki.run("revoke", "web.pem", "--reason", "keyCompromise")
    entries = x509.load_pem_x509_crl((pki.authority / "crl.pem").read_bytes())
    assert [entry.serial_number for entry in entries] == [leaf.serial_number]


def test_a_list_that_lost_its_entries_is_refused(pki):
    pki.issue()
    pki.run("revoke", "web.pem", "--reason", "superseded")
    pki.run("create", "prod.example", "--dir", "other")
    pki.run("crl", "--dir", "other")
    listed = next((pki.authority / "lists").iterdir())
    listed.write_bytes((pki.folder / "other" / "crl.pem").read_bytes())
    assert "no list that its intermediate signed" in pki.run("list", code=2)


def test_revoking_puts_the_certificate_on_the_deny_list_too_when_asked(pki):
    leaf = pki.issue()
    (pki.folder / "deny").mkdir()
    pki.run("revoke", "web.pem", "--reason", "keyCompromise", "--deny-list", "deny", "--author", "ops")
    done = subprocess.run(
        [pki.program, "revoke", "list", "--dir", pki.folder / "deny", "--format", "json"],
        capture_output=True, text=True, check=True,
    )
    (entry,) = json.loads(done.stdout)["entries"]
    assert entry["kind"] == "certificate-sha256" and entry["value"] == leaf.fingerprint(hashes.SHA256()).hex()
    assert entry["author"] == "ops" and entry["reason"] == f"keyCompromise ({WEB})"
    assert entry["expires"] == leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- showing -----------------------------------------------------------------


def test_the_list_is_in_the_order_of_expiry_and_tells_the_state(pki):
    pki.issue("long", "--ttl", "9d")
    pki.issue("short", "--ttl", "1h")
    pki.run("revoke", "short.pem", "--reason", "superseded")
    rows = json.loads(pki.run("list", "--format", "json"))
    assert [(row["spiffe_id"], row["state"]) for row in rows] == [(WEB, "revoked"), (WEB, "valid")]
    assert json.loads(pki.run("list", "--within", "8d", "--format", "json")) == []
    assert len(json.loads(pki.run("list", "--within", "10d", "--format", "json"))) == 1


def test_show_finds_what_is_wrong_with_a_certificate(pki):
    authority = Authority("prod.example", pki.folder, "foreign-bundle")
    authority.issue("/a", "two", uris=["spiffe://prod.example/a", "spiffe://prod.example/b"])
    authority.issue("/a", "none", uris=[])
    authority.issue("", "root", uris=["spiffe://prod.example"])
    authority.issue("/a", "upper", uris=["spiffe://PROD.example/a"])
    authority.issue("/a", "client", eku=[ExtendedKeyUsageOID.CLIENT_AUTH])
    for name, sentence in {
        "two": "more than one URI SAN",
        "none": "no URI SAN",
        "root": "has a path",
        "upper": "no SPIFFE ID",
        "client": "not both serverAuth and clientAuth",
    }.items():
        (report,) = json.loads(pki.run("show", f"{name}.pem", "--format", "json"))
        assert [sentence in finding for finding in report["findings"]] == [True], name
    pki.issue()
    reports = json.loads(pki.run("show", "web.pem", "--format", "json"))
    assert [report["kind"] for report in reports] == ["X.509-SVID", "signing certificate"]
    assert all(report["findings"] == [] for report in reports)
    assert "WRONG" in pki.run("show", "two.pem") and "WRONG" not in pki.run("show", "web.pem")


def test_show_agrees_with_openssl_about_the_fingerprint(pki):
    pki.issue()
    said = pki.openssl("x509", "-in", "web.pem", "-noout", "-fingerprint", "-sha256").stdout
    report = json.loads(pki.run("show", "web.pem", "--format", "json"))[0]
    assert said.split("=")[1].strip().replace(":", "").lower() == report["sha256"]


def test_show_tells_what_of_a_bundle_no_reader_may_use(pki):
    bundle = json.loads((pki.folder / "pki" / "bundle.json").read_text())
    (shown,) = json.loads(pki.run("show", "pki/bundle.json", "--format", "json"))["bundles"]
    assert shown["trust_domain"] is None and shown["sequence"] == bundle["spiffe_sequence"]
    assert len(shown["certificates"]) == len(bundle["keys"]) and shown["ignored"] == shown["key_ids"] == 0
    assert "WRONG" not in pki.run("show", "pki/bundle.json")
    bundle["keys"][0]["kid"] = "a"
    bundle["keys"][0]["x5c"].append("b")
    bundle["keys"] += [{"kty": "EC", "use": "x509-svid"}, {"kty": "EC", "use": "jwt-svid", "kid": "c"}]
    bundle["spiffe_sequence"] = 2**64 - 1
    (pki.folder / "odd.json").write_text(json.dumps(bundle))
    (odd,) = json.loads(pki.run("show", "odd.json", "--format", "json"))["bundles"]
    assert (odd["other_uses"], odd["ignored"], odd["extra_values"], odd["key_ids"]) == (1, 1, 1, 1)
    assert odd["sequence"] == str(2**64 - 1)
    assert pki.run("show", "odd.json").count("WRONG") == 3


def test_show_and_verify_take_a_bundle_map(pki):
    pki.issue()
    bundle = json.loads((pki.folder / "pki" / "bundle.json").read_text())
    entries = {"other.example": {"keys": []}, "prod.example": bundle}
    (pki.folder / "map.json").write_text(json.dumps({"trust_domains": entries}, indent=1))
    shown = json.loads(pki.run("show", "map.json", "--format", "json"))["bundles"]
    assert [(each["trust_domain"], len(each["certificates"])) for each in shown] == [
        ("other.example", 0),
        ("prod.example", len(bundle["keys"])),
    ]
    assert "SPIFFE bundle of prod.example" in pki.run("show", "map.json")
    assert pki.run("verify", "web.pem", "--bundle", "map.json").startswith("good: ")
    del entries["prod.example"]
    (pki.folder / "map.json").write_text(json.dumps({"trust_domains": entries}))
    assert "certificate_untrusted" in pki.run("verify", "web.pem", "--bundle", "map.json", code=1)


# ---- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, sentence, code",
    [
        (["issue", "spiffe://other.example/ns/a"], "this authority is that of spiffe://prod.example", 1),
        (["issue", "spiffe://prod.example"], "no SPIFFE ID with a path", 1),
        (["issue", "/ns/../x", "--out", "x"], "no SPIFFE ID with a path", 1),
        (["issue", "/ns/%41", "--out", "x"], "no SPIFFE ID with a path", 1),
        (["issue", "/ns/a", "--ttl", "91d"], "from 1 second to 90 days", 1),
        (["issue", "/ns/a", "--ttl", "0s"], "`--ttl` is a duration", 3),
        (["issue", "/ns/a", "--dns", "a..b"], "`a..b` is none", 3),
        (["issue", "/ns/a", "--dns", "-a.b"], "is none", 3),
        (["issue", "/ns/a", "--key", "rsa1024"], "`--key` is p256", 3),
        (["issue", "/ns/a", "--out", "nowhere/a"], "No such file or directory", 4),
        (["create", "Prod.example", "--dir", "x"], "lower-case letters", 1),
        (["create", "prod.example/x", "--dir", "x"], "lower-case letters", 1),
        (["create", "a.example", "--dir", "x", "--days", "4000"], "`--days` is a number from 1 to 1825", 3),
        (["create", "a.example", "--dir", "x", "--root-days", "1", "--days", "2"], "cannot outlive the root", 1),
        (["rotate", "--dir", "nowhere"], "nowhere is not there", 1),
        (["revoke", "web.pem", "--reason", "because"], "`--reason` is keyCompromise", 3),
        (["revoke", "00ff", "--reason", "superseded"], "no SVID with the serial", 1),
        (["show", "pki/root.key"], "pki/root.key:1:", 2),
        (["verify", "pki/root.pem", "--bundle", "pki/bundle.pem"], "certificate_leaf", 1),
    ],
)
def test_bad_input_gets_one_sentence(pki, arguments, sentence, code):
    said = pki.run(*arguments, code=code)
    assert sentence in said
    assert not list(pki.folder.glob("x.*")) and not list(pki.folder.glob("ns-*"))


def test_svids_may_stand_in_the_authoritys_own_folder(pki):
    (pki.folder / "one").mkdir()
    for arguments in (["create", "one.example"], ["issue", "/ns/a"], ["renew", "ns-a.pem"]):
        done = subprocess.run([pki.program, "pki", *arguments, "--dir", "."], cwd=pki.folder / "one", timeout=30)
        assert done.returncode == 0
    assert pki.run("verify", "one/ns-a.pem", "--bundle", "one/bundle.pem").startswith("good: spiffe://one.example/ns/a")


def test_nothing_that_is_there_is_overwritten(pki):
    root = (pki.authority / "root.pem").read_bytes()
    assert "exists and is not overwritten" in pki.run("create", "prod.example", code=1)
    assert (pki.authority / "root.pem").read_bytes() == root
    pki.issue()
    key = (pki.folder / "web.key").read_bytes()
    issued = len(list((pki.authority / "issued").iterdir()))
    assert "web.key exists" in pki.run("issue", "/ns/other", "--out", "web", code=1)
    (pki.folder / "web.key").rename(pki.folder / "kept.key")
    assert "web.pem exists" in pki.run("issue", "/ns/other", "--out", "web", code=1)
    assert (pki.folder / "kept.key").read_bytes() == key
    assert len(list((pki.authority / "issued").iterdir())) == issued


def test_a_key_that_others_may_read_is_refused(pki):
    (key,) = (pki.authority / "intermediates").glob("*.key")
    key.chmod(0o640)
    assert "is open to others (mode 0640): chmod 600" in pki.run("issue", "/ns/a", code=2)
    key.chmod(0o600)
    pki.run("issue", "/ns/a")


def test_a_key_or_certificate_of_another_pair_is_refused(pki):
    pki.run("create", "prod.example", "--dir", "other")
    (ours,) = (pki.authority / "intermediates").glob("*.key")
    (theirs,) = (pki.folder / "other" / "intermediates").glob("*.key")
    own = ours.read_bytes()
    ours.write_bytes(theirs.read_bytes())
    assert "is the key of another certificate" in pki.run("issue", "/ns/a", code=2)
    ours.write_bytes(own)
    (pki.authority / "root.pem").write_bytes((pki.folder / "other" / "root.pem").read_bytes())
    assert "is not signed by root.pem" in pki.run("issue", "/ns/a", code=2)
