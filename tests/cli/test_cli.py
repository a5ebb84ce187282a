# SPDX-License-Identifier: Apache-2.0
"""The command line as a person or a pipeline meets it: exit status, words, help."""

import json
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from place import CONFIG, POLICY, WEB

COMMANDS = ["serve", "check", "policy", "revoke", "audit", "status", "reasons", "healthcheck", "version"]


# ---- help and usage ----


def test_without_a_command_the_list_goes_to_stderr_and_the_status_is_usage(place):
    result = place.run()
    assert result.returncode == 3
    assert "usage: bartizan COMMAND" in result.stderr and result.stdout == ""


def test_help_lists_every_command_once(place):
    result = place.run("help")
    assert result.returncode == 0
    for name in COMMANDS:
        assert sum(line.split()[:1] == [name] for line in result.stdout.splitlines()) == 1
    assert "decide" not in result.stdout.split("`bartizan help")[0].split()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_in_both_forms(place, name):
    first, second = place.run(name, "--help"), place.run("help", name)
    assert first.returncode == 0 and second.returncode == 0
    assert first.stdout == second.stdout and "usage: bartizan" in first.stdout


@pytest.mark.parametrize("words", [("policy", "check"), ("policy", "test"), ("policy", "eval"), ("revoke", "add"), ("revoke", "list"), ("revoke", "remove"), ("revoke", "sign")])
def test_every_subcommand_has_help(place, words):
    result = place.run(*words, "--help")
    assert result.returncode == 0 and f"usage: bartizan {' '.join(words)}" in result.stdout


@pytest.mark.parametrize("words", [("audit", "tail"), ("audit", "show"), ("audit", "verify"), *((name,) for name in COMMANDS)])
def test_help_fits_a_terminal(place, words):
    result = place.run(*words, "--help")
    assert result.returncode == 0 and max(map(len, result.stdout.splitlines())) <= 100


def test_the_other_program_has_help_too(place):
    for words in ((), ("publish",), ("tail",)):
        command = [place.program.with_name("bartizan-ship"), *words, "--help"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0 and result.stdout.startswith("usage: bartizan-ship publish")


def test_an_unknown_command_names_the_nearest(place):
    result = place.run("polcy")
    assert result.returncode == 3 and "did you mean `policy`?" in result.stderr
    assert place.run("policy", "chek").returncode == 3
    assert "did you mean `check`?" in place.run("policy", "chek").stderr


def test_an_unknown_option_names_the_nearest(place):
    result = place.run("status", "--confg", "x")
    assert result.returncode == 3 and "did you mean `--config`?" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("policy", "check"),
        ("policy", "check", "a", "b"),
        ("policy", "check", "a", "--format", "xml"),
        ("policy", "check", "a", "--format"),
        ("policy", "check", "a", "--format", "text", "--format", "text"),
        ("policy", "eval", "a"),
        ("revoke", "add", "--spiffe", WEB),
        ("revoke", "add", "--reason", "r"),
        ("revoke", "add", "--reason", "r", "--spiffe", WEB, "--user", "i#s"),
        ("revoke", "add", "--reason", "r", "--user", "no-hash"),
        ("revoke", "add", "--reason", "r", "--spiffe", WEB, "--issued-before", "now"),
        ("revoke", "add", "--reason", "r", "--spiffe", WEB, "--expires", "soon"),
        ("revoke", "add", "--reason", "r", "--spiffe", WEB, "--expires", "2001-01-01T00:00:00Z"),
        ("revoke", "list", "--dir", "a", "--config", "b"),
        ("status", "--config", "a", "--admin", "b"),
        ("healthcheck", "--live", "--ready"),
        ("healthcheck", "--live=yes"),
        ("check", "--now", "noon"),
        ("version", "-x"),
    ],
)
def test_a_wrong_command_line_is_usage(place, words):
    result = place.run(*words)
    assert result.returncode == 3, result.stderr
    assert result.stderr.startswith("bartizan: ") and "usage: " in result.stderr


def test_version_is_one_line(place):
    for words in (("version",), ("--version",)):
        result = place.run(*words)
        assert result.returncode == 0 and result.stdout.startswith("bartizan ") and result.stdout.count("\n") == 1


def test_help_config_lists_the_keys_with_their_defaults(place):
    result = place.run("help", "config")
    assert result.returncode == 0
    assert "audit.journal.path\n" in result.stdout and "(default: /var/lib/bartizan/journal)" in result.stdout
    assert "audit.collectors" not in result.stdout


def configuration_table(listing: str) -> str:
    """The table of docs/configuration.md, from what `bartizan help config` prints."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for key, meaning in re.findall(r"^(\S+)\n    (.*)$", listing, re.MULTILINE):
        meaning, default = re.fullmatch(r"(.*?)(?: \(default: (.*)\))?", meaning).groups()
        rows.append(f"| `{key}` | {f'`{default}`' if default else ''} | {meaning} |")
    return "\n".join(rows) + "\n"


def test_docs_configuration_has_the_table_of_help_config(place, root):
    table = configuration_table(place.run("help", "config").stdout)
    assert table.count("\n") > 30
    documented = (root / "docs" / "configuration.md").read_text()
    assert table in documented, f"docs/configuration.md ends with another table than this:\n{table}"
    assert documented.endswith(table)


def test_docs_reasons_ends_with_the_table_of_reasons(place, root):
    table = place.run("reasons", "--format", "markdown").stdout
    assert table.count("\n") > 50
    assert (root / "docs" / "reasons.md").read_text().endswith("\n\n" + table)


def test_reasons_explains_one_and_names_the_nearest_of_a_wrong_one(place):
    one = place.run("reasons", "certificate_untrusted")
    assert one.returncode == 0 and "does not chain" in one.stdout and "\n    do: " in one.stdout
    wrong = place.run("reasons", "certificate_untrustd")
    assert wrong.returncode == 3 and "`certificate_untrusted`" in wrong.stderr and wrong.stdout == ""
    assert place.run("reasons", "--format", "xml").returncode == 3


def test_reasons_in_json_are_those_of_the_text(place):
    rows = json.loads(place.run("reasons", "--format", "json").stdout)
    text = place.run("reasons").stdout
    assert [row["reason"] for row in rows] == re.findall(r"^(\S+)$", text, re.M)
    assert all(row["meaning"] in text and row["advice"] in text for row in rows)
    assert json.loads(place.run("reasons", "xfcc_hops", "--format", "json").stdout) in rows


def test_the_configurations_of_docs_configuration_are_taken(place, root):
    least, keys = re.findall(r"```yaml\n(.*?)```", (root / "docs" / "configuration.md").read_text(), re.DOTALL)
    text = (least + keys).replace("/etc/bartizan/policy", "policy.yaml").replace("/etc/bartizan/", "")
    place.config.write_text(text)
    result = place.run("check", "--config", place.config)
    assert result.returncode == 0, result.stderr


def test_output_that_cannot_be_written_is_a_failure(place):
    with open("/dev/full", "w") as full:
        result = subprocess.run([str(place.program), "help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 4 and "standard output" in result.stderr


# ---- configuration ----


def test_check_takes_a_good_configuration_and_all_its_files(place):
    result = place.run("check", "--config", place.config)
    assert result.returncode == 0, result.stderr
    assert ": good; 1 rules" in result.stdout


def test_a_bad_configuration_is_shown_with_line_column_and_caret(place):
    place.config.write_text(CONFIG.replace("admin: {socket", "admin: {sokcet"))
    result = place.run("check", "--config", place.config)
    assert result.returncode == 2
    line = CONFIG.splitlines().index("admin: {socket: admin.sock}") + 1
    assert f"error[C0101]: unknown key `sokcet`\n  --> {place.config}:{line}:9   admin.sokcet\n" in result.stderr
    assert "         ^^^^^^ did you mean `socket`?" in result.stderr


def test_a_missing_configuration_is_input_output(place):
    for words in (("check",), ("status",), ("healthcheck",), ("revoke", "list")):
        result = place.run(*words, "--config", place.folder / "none.yaml")
        assert result.returncode == 4 and "cannot be read" in result.stderr


def test_serve_takes_a_missing_configuration_for_an_invalid_one(place):
    result = place.run("serve", "--config", place.folder / "none.yaml")
    assert result.returncode == 2 and "cannot be read" in result.stderr


@pytest.mark.parametrize("name", ["bundle.pem", "jwks.json", "policy.yaml"])
def test_a_missing_file_is_found_before_it_matters(place, name):
    (place.folder / name).unlink()
    for command, code in (("check", 4), ("serve", 2)):
        result = place.run(command, "--config", place.config)
        assert result.returncode == code and f"cannot be read: not found\n  --> {place.folder}/{name}" in result.stderr


def test_check_passes_over_the_deny_lists_that_serve_would_make(place):
    place.config.write_text(CONFIG.replace("[revocations]", "[none, revocations]"))
    result = place.run("check", "--config", place.config)
    assert result.returncode == 0 and "none is not there yet" in result.stderr
    assert not (place.folder / "none").exists()
    place.config.write_text(CONFIG.replace("[revocations]", "[revocations, none]"))
    assert place.run("check", "--config", place.config).returncode == 4


@pytest.mark.parametrize("key, status, words", [(None, 4, "not found"), ("short\n", 2, "16 to 4096 bytes"), ("k" * 16, 0, "")])
def test_the_key_for_users_is_looked_at_with_the_other_files(place, key, status, words):
    place.config.write_text(CONFIG.replace("audit: {", "audit: {subject_key: subject.key, "))
    if key is not None:
        (place.folder / "subject.key").write_text(key)
    result = place.run("check", "--config", place.config)
    assert result.returncode == status and words in result.stderr
    if status != 0:
        assert "subject.key" in result.stderr
        assert place.run("serve", "--config", place.config).returncode == 2
        assert not (place.folder / "check.sock").exists()


# ---- policy ----


def test_policy_check_counts_the_rules(place):
    result = place.run("policy", "check", place.policy)
    assert result.returncode == 0 and "1 rules, digest " in result.stdout


def test_policy_check_shows_a_caret_and_the_nearest_key(place):
    place.policy.write_text(POLICY.replace("subjects:", "subjcts:"))
    result = place.run("policy", "check", place.policy)
    assert result.returncode == 2
    assert f"{place.policy}:11:7" in result.stderr and "^^^^^^^" in result.stderr
    assert "did you mean `subjects`?" in result.stderr


def test_priorities_of_the_platform_want_an_owner_that_the_configuration_names(place):
    owned = POLICY.replace("{name: cli}", "{name: cli, owner: platform}").replace("web-reads\n      subjects", "web-reads\n      priority: 8\n      subjects")
    place.policy.write_text(owned)
    config = place.config.read_text()
    refused = place.run("check", "--config", place.config)
    assert refused.returncode == 2
    assert "E0223" in refused.stderr and "`cli/web-reads` has priority 8, and `platform` is none" in refused.stderr
    assert f"{place.policy}:10:" in refused.stderr and "10 |     - allow: web-reads" in refused.stderr
    place.config.write_text(config.replace("policy.yaml}", "policy.yaml, platform_owners: [platform]}"))
    assert place.run("check", "--config", place.config).returncode == 0
    place.policy.write_text(owned.replace("priority: 8", "priority: 7"))
    place.config.write_text(config)
    assert place.run("check", "--config", place.config).returncode == 0


def test_policy_check_asks_for_owners_as_the_sidecar_does_when_it_is_told_them(place):
    place.policy.write_text(POLICY.replace("web-reads\n      subjects", "web-reads\n      priority: 8\n      subjects"))
    assert place.run("policy", "check", place.policy).returncode == 0
    refused = place.run("policy", "check", place.policy, "--platform-owners", "a,platform")
    assert refused.returncode == 2 and "its document has no metadata.owner" in refused.stderr
    place.policy.write_text(place.policy.read_text().replace("{name: cli}", "{name: cli, owner: platform}"))
    assert place.run("policy", "check", place.policy, "--platform-owners", "a,platform").returncode == 0
    assert place.run("policy", "check", place.policy, "--platform-owners", "a,plat").returncode == 2


def test_policy_check_in_json_has_the_same_finding(place):
    place.policy.write_text(POLICY.replace("subjects:", "subjcts:"))
    result = place.run("policy", "check", place.policy, "--format", "json")
    findings = json.loads(result.stdout)
    assert result.returncode == 2
    assert any(each["line"] == 11 and each["column"] == 7 and each["severity"] == "error" for each in findings)


def test_policy_check_says_once_that_an_id_comes_from_nowhere(place):
    place.policy.write_text(POLICY.replace("  rules:", "  resourceTypes: {item: {id: [path.id, body.modl]}}\n  rules:"))
    result = place.run("policy", "check", place.policy)
    assert result.returncode == 2 and result.stderr.count("error[") == 1 and "`body.modl`" in result.stderr


@pytest.mark.parametrize("folder", ["tests/policy", "deploy/demo/policy"])
def test_the_policies_of_the_repository_pass_their_tests(place, root, folder):
    files = sorted((root / folder).glob("*.yaml"))
    assert files
    for file in files:
        result = place.run("policy", "test", file)
        assert result.returncode == 0 and " 0 failed" in result.stdout, result.stdout + result.stderr


def test_policy_check_of_nothing_is_input_output(place):
    assert place.run("policy", "check", place.folder / "none.yaml").returncode == 4


def test_policy_test_passes(place):
    result = place.run("policy", "test", place.policy)
    assert result.returncode == 0 and result.stdout == "2 passed, 0 failed\n"


def test_policy_test_shows_expected_and_got_and_fails(place):
    place.policy.write_text(POLICY.replace("expect: {deny: default}", "expect: {allow: web-reads}"))
    result = place.run("policy", "test", place.policy)
    assert result.returncode == 1
    assert "FAILED others may not" in result.stdout and "policy.yaml:17:7" in result.stdout
    assert "expected" in result.stdout and "got" in result.stdout
    assert result.stdout.endswith("1 passed, 1 failed\n")


def test_policy_test_runs_what_is_asked_for(place):
    result = place.run("policy", "test", place.policy, "--run", "the web", "--format", "json")
    report = json.loads(result.stdout)
    assert result.returncode == 0 and report["passed"] == 1 and report["tests"][0]["name"] == "the web may read"
    assert place.run("policy", "test", place.policy, "--run", "no such").returncode == 3


def test_policy_eval_allows_and_names_the_rule(place):
    result = place.run("policy", "eval", place.policy, "--given", "-", text=json.dumps({"path": "/items/1", "workload": WEB}))
    assert result.returncode == 0 and result.stdout.startswith("allow\n") and "web-reads" in result.stdout


def test_policy_eval_explains_a_denial(place):
    given = place.folder / "given.yaml"
    given.write_text(f"path: /items/1\nmethod: POST\nworkload: {WEB}\n")
    result = place.run("policy", "eval", place.policy, "--given", given, "--format", "json")
    decision = json.loads(result.stdout)
    assert result.returncode == 0 and decision["verdict"] == "deny" and decision["http_status"] == 403


@pytest.mark.parametrize("text", ["", "a: [", "path: /a\n---\npath: /b\n", "pth: /a", "[]", "x", "{}"])
def test_policy_eval_refuses_what_is_no_request(place, text):
    result = place.run("policy", "eval", place.policy, "--given", "-", text=text)
    assert result.returncode == 2 and "error[E" in result.stderr


# ---- revoke ----


def revoke(place, *words):
    return place.run("revoke", *words, "--config", place.config)


def test_revoke_without_a_decider_writes_and_says_so(place):
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "stolen key", "--author", "ops")
    assert result.returncode == 0, result.stderr
    assert f"revoked {WEB}" in result.stdout and "no decider is running" in result.stdout
    listed = json.loads(revoke(place, "list", "--format", "json").stdout)
    assert listed["sequence"] == 1
    (entry,) = listed["entries"]
    assert (entry["kind"], entry["value"], entry["reason"], entry["author"]) == ("spiffe", WEB, "stolen key", "ops")


def test_revoke_takes_every_kind(place):
    digest = "ab" * 32
    for kind, value in (
        ("--spiffe", WEB),
        ("--spiffe-prefix", "spiffe://prod.example/ns/search"),
        ("--certificate-sha256", digest),
        ("--spki-sha256", digest),
        ("--user", "https://sso.example#alice"),
        ("--token", "https://sso.example#id-1"),
        ("--serial", "keyId:17:8A:22#0a1b"),
        ("--serial", f"nameSha256:{digest}#01"),
        ("--authority", f"spkiSha256:{digest}"),
        ("--authority", "keyId:17:8a:22"),
    ):
        assert revoke(place, "add", kind, value, "--reason", "r").returncode == 0
    assert revoke(place, "add", "--serial", "keyId:178a22#A1B", "--reason", "again").stdout.startswith("already revoked")
    entries = json.loads(revoke(place, "list", "--format", "json").stdout)["entries"]
    assert (entries[6]["kind"], entries[6]["issuer"], entries[6]["value"]) == ("serial", "keyId:17:8A:22", "0a1b")
    assert len(entries) == 10 and entries[4]["issuer"] == "https://sso.example" and entries[4]["value"] == "alice"
    assert place.run("check", "--config", place.config).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--spiffe", "spiffe://Prod.example/a"),
        ("--spiffe", "spiffe://prod.example/a/"),
        ("--spiffe-prefix", "prod.example"),
        ("--certificate-sha256", "abc"),
        ("--serial", "17:8a#01"),
        ("--serial", "keyId:17:8a#0x01"),
        ("--authority", "17:8a"),
        ("--authority", "nameSha256:" + "ab" * 32),
    ],
)
def test_revoke_refuses_what_names_nobody(place, words):
    result = revoke(place, "add", *words, "--reason", "r")
    assert result.returncode == 2 and result.stderr
    assert json.loads(revoke(place, "list", "--format", "json").stdout)["entries"] == []


def lines(place, *entries, sequence=9):
    path = place.folder / "revocations" / "export.revocations"
    path.write_text("\n".join(["bartizan-revocations v1", f"sequence {sequence}", *entries, "end", ""]))
    return path


def test_lines_stand_beside_the_list_that_revoke_writes(place):
    path = lines(place, f"spiffe\t{WEB}\texpires=2099-01-01T00:00:00Z\treason=exported", "token\tid-1\tissuer=https://sso.example")
    listed = json.loads(revoke(place, "list", "--format", "json").stdout)
    assert listed["sequence"] == 9 and [each["reason"] for each in listed["entries"]] == ["exported", None]
    assert listed["entries"][0]["file"] == "revocations/export.revocations" or listed["entries"][0]["file"] == str(path)
    assert revoke(place, "add", "--token", "https://sso.example#id-1", "--reason", "r").stdout.startswith("already revoked")
    assert revoke(place, "add", "--spiffe", WEB.replace("web", "job"), "--reason", "r").returncode == 0
    assert json.loads(revoke(place, "list", "--format", "json").stdout)["sequence"] == 10
    assert place.run("check", "--config", place.config).returncode == 0


def test_lines_that_are_not_whole_are_refused_with_their_place(place):
    path = lines(place, f"spiffe\t{WEB}")
    path.write_text(path.read_text().removesuffix("end\n"))
    for words in (("revoke", "list"), ("check",)):
        result = place.run(*words, "--config", place.config)
        assert result.returncode == 2 and "export.revocations:4" in result.stderr and "not whole" in result.stderr
    lines(place, f"spiffe\t{WEB}\treason=a\treason=b")
    assert "export.revocations:3" in place.run("check", "--config", place.config).stderr


def test_revoke_twice_is_once(place):
    for _ in range(2):
        assert revoke(place, "add", "--spiffe", WEB, "--reason", "r").returncode == 0
    assert "already revoked: " + WEB in revoke(place, "add", "--spiffe", WEB, "--reason", "r").stdout
    assert len(json.loads(revoke(place, "list", "--format", "json").stdout)["entries"]) == 1


def test_revoke_does_not_pass_a_shorter_entry_off_as_a_longer_one(place):
    assert revoke(place, "add", "--spiffe", WEB, "--reason", "r", "--expires", "1h").returncode == 0
    assert revoke(place, "add", "--spiffe", WEB, "--reason", "r", "--expires", "5m").returncode == 0
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    assert result.returncode == 1 and "revoked until" in result.stderr


def test_revoke_remove_takes_off_and_raises_the_sequence(place):
    revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    result = revoke(place, "remove", "--spiffe", WEB)
    assert result.returncode == 0 and "no longer revoked" in result.stdout
    assert json.loads(revoke(place, "list", "--format", "json").stdout) == {"sequence": 2, "entries": []}


def test_revoke_remove_of_what_is_not_there_fails(place):
    result = revoke(place, "remove", "--spiffe", WEB)
    assert result.returncode == 1 and "not on the deny list" in result.stderr


def test_revoke_works_on_a_folder_alone(place):
    folder = place.folder / "revocations"
    assert place.run("revoke", "add", "--spiffe", WEB, "--reason", "r", "--dir", folder).returncode == 0
    assert WEB in place.run("revoke", "list", "--dir", folder).stdout


def test_revoke_stays_above_every_other_list_of_the_folder(place):
    (place.folder / "revocations" / "other.yaml").write_text(
        "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 41}\nentries: []\n"
    )
    revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    assert json.loads(revoke(place, "list", "--format", "json").stdout)["sequence"] == 42


def test_revoke_does_not_write_beside_a_list_that_is_broken(place):
    (place.folder / "revocations" / "other.yaml").write_text("kind: RevocationList\nentries: {\n")
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    assert result.returncode == 2 and "other.yaml" in result.stderr
    assert not (place.folder / "revocations" / "revocations.yaml").exists()


def test_revoke_in_a_missing_folder_is_input_output(place):
    result = place.run("revoke", "add", "--spiffe", WEB, "--reason", "r", "--dir", place.folder / "none")
    assert result.returncode == 4
    assert not (place.folder / "none").exists()


def test_revoke_add_makes_the_folder_that_the_configuration_names_first(place):
    folder = place.folder / "revocations"
    folder.rmdir()
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    assert result.returncode == 0, result.stderr
    assert folder.stat().st_mode & 0o7777 == 0o750
    assert json.loads(revoke(place, "list", "--format", "json").stdout)["sequence"] == 1


def test_revoke_makes_no_other_folder(place):
    place.config.write_text(CONFIG.replace("[revocations]", "[revocations, more]"))
    assert revoke(place, "add", "--spiffe", WEB, "--reason", "r").returncode == 4
    (place.folder / "more").mkdir()
    (place.folder / "revocations").rmdir()
    for words in (("list",), ("remove", "--spiffe", WEB)):
        assert revoke(place, *words).returncode == 4
        assert not (place.folder / "revocations").exists()


def test_revoke_says_why_the_folder_cannot_be_made(place):
    place.config.write_text(CONFIG.replace("[revocations]", "[none/revocations]"))
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    assert result.returncode == 4
    assert "none/revocations: cannot be made: No such file or directory" in result.stderr


def test_revoke_lists_nothing_raw(place):
    revoke(place, "add", "--spiffe", WEB, "--reason", "a\x1b[2Jb")
    listed = revoke(place, "list").stdout
    assert "\x1b" not in listed


# ---- a decider's answers, played by a small server ----


class Decider:
    """Answers each connection to the admin socket with the next of `answers`."""

    def __init__(self, path: Path, *answers: bytes):
        self.answers = list(answers)
        self.requests = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(8)
        self.server.settimeout(30)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        for answer in self.answers:
            connection, _ = self.server.accept()
            with connection:
                connection.settimeout(30)
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += connection.recv(4096)
                self.requests.append(request)
                connection.sendall(answer)
        self.server.close()

    def end(self):
        self.thread.join(timeout=30)
        assert not self.thread.is_alive()


def answer(status: str, body: dict) -> bytes:
    text = json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text


def test_revoke_returns_when_the_decider_has_the_sequence(place):
    decider = Decider(place.folder / "admin.sock", answer("200 OK", {"generation": 7, "revocation_sequence": 1}))
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    decider.end()
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"revoked {WEB} generation 7 in force after ") and result.stdout.endswith(" ms\n")
    assert decider.requests[0].startswith(b"POST /reload?wait=files HTTP/1.0\r\n")


def test_revoke_fails_when_the_decider_has_an_older_sequence(place):
    decider = Decider(place.folder / "admin.sock", answer("200 OK", {"generation": 7, "revocation_sequence": 0}))
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    decider.end()
    assert result.returncode == 1 and "does not read" in result.stderr


def test_revoke_fails_when_a_later_list_than_the_one_it_wrote_stays_in_force(place):
    refused = {"error": "older", "diags": [], "in_force": {"generation": 7, "revocation_sequence": 3}}
    decider = Decider(place.folder / "admin.sock", answer("409 Conflict", refused))
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    decider.end()
    assert result.returncode == 1 and "revoked" not in result.stdout and "older" in result.stderr


def test_revoke_says_what_the_decider_refused(place):
    diags = [{"severity": "error", "code": "E0203", "file": "p.yaml", "line": 3, "column": 1, "message": "bad \x1b key"}]
    diags.append(diags[0] | {"file": "q.yaml", "line": None, "column": None, "message": "gone"})
    decider = Decider(place.folder / "admin.sock", answer("409 Conflict", {"error": "policy refused", "diags": diags}))
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    decider.end()
    assert result.returncode == 1
    assert "policy refused" in result.stderr and "p.yaml:3: bad" in result.stderr and "\x1b" not in result.stderr
    assert "  q.yaml: gone\n" in result.stderr


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"])
def test_revoke_fails_when_the_decider_breaks_off(place, raw):
    decider = Decider(place.folder / "admin.sock", raw)
    result = revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    decider.end()
    assert result.returncode == 1 and "does not answer" in result.stderr


STATUS = {
    "ready": True,
    "not_ready_reasons": [],
    "pid": 7,
    "version": "0.1.0",
    "time": "2026-11-24T21:55:00Z",
    "uptime_seconds": 30,
    "instance": "pod-1",
    "enforcement": "enforce",
    "snapshot": {
        "generation": 8,
        "age_seconds": 312,
        "policy": {"generation": 3, "digest": "9f86d081884c7d65", "rules": 14, "path": "/etc/p"},
        "bundles": {"generation": 1, "digest": "60", "domains": [{"name": "prod.example", "authorities": 1, "expires": "2026-11-26T21:55:00Z"}]},
        "keys": {"generation": 2, "issuers": [{"url": "https://sso.example", "keys": 0, "available": False}]},
        "revocations": {"generation": 5, "sequence": 12, "entries": 3},
    },
    "last_reload_error": {"time": "2026-11-24T21:50:00Z", "message": "policy.yaml:12:5: unknown role"},
    "decisions": {"allow": 5, "challenge": 4, "deny": 3},
    "refusals": [{"reason": "default", "count": 3}, {"reason": "of_a_later_version", "count": 1}],
    "recent_refusals": [{"time": "2026-11-24T21:54:58Z", "decision_id": "b3f1", "reason": "default", "caller": None}],
    "journal": {"path": "/j", "epoch": "00", "next_sequence": 12, "lost": 2},
    "caches": {"tokens": {"entries": 1, "capacity": 2, "hits": 3, "misses": 4}},
    "parked": 0,
    "listeners": [{"address": "unix:///c", "connections": 1}],
}


def status(place, body: dict, *words):
    decider = Decider(place.folder / "admin.sock", answer("200 OK", body))
    result = place.run("status", "--config", place.config, *words)
    decider.end()
    return result


def test_status_is_one_screen(place):
    result = status(place, STATUS)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "ready" and len(lines) <= 40
    for part in ("RELOAD REFUSED 5 min ago", "EXPIRES", "prod.example: in 2 d", "NO KEYS", "generation 8", "sequence 12", "LOST 2", "5 allowed, 4 challenged, 3 denied", "b3f1", "default: no rule came near"):
        assert part in result.stdout, part
    assert re.search(r" 1  of_a_later_version$", result.stdout, re.M)


def test_status_says_first_that_nothing_is_enforced(place):
    result = status(place, STATUS | {"enforcement": "report"})
    assert result.stdout.startswith("ENFORCEMENT IS `report`")


def test_status_of_a_decider_that_is_not_ready_says_why_and_fails(place):
    result = status(place, STATUS | {"ready": False, "not_ready_reasons": ["keys \x1b[31mmissing"], "snapshot": None})
    assert result.returncode == 1
    assert result.stdout.startswith("NOT READY\n  because") and "\x1b" not in result.stdout


def test_status_in_json_passes_the_answer_on(place):
    assert json.loads(status(place, STATUS, "--format", "json").stdout) == STATUS


def test_status_of_nobody_is_input_output(place):
    result = place.run("status", "--config", place.config)
    assert result.returncode == 4 and "no decider answers" in result.stderr


def test_status_refuses_an_answer_that_is_no_object(place):
    decider = Decider(place.folder / "admin.sock", b"HTTP/1.1 200 OK\r\n\r\n[]")
    result = place.run("status", "--admin", place.folder / "admin.sock")
    decider.end()
    assert result.returncode == 2


def test_healthcheck_of_nobody_fails(place):
    for flag in ("--live", "--ready"):
        result = place.run("healthcheck", "--config", place.config, flag)
        assert result.returncode == 1 and "not alive" in result.stderr


# ---- audit ----


def test_verify_of_a_folder_that_is_no_journal_fails(place):
    result = place.run("audit", "verify", place.folder / "revocations")
    assert result.returncode == 1 and "no record" in result.stderr


# ---- check ----


def check(place, text: str, *words):
    return place.run("check", "--config", place.config, "--request", "-", *words, text=text)


def test_check_allows_and_explains(place):
    result = check(place, place.request())
    assert result.returncode == 0, result.stderr
    assert "web-reads" in result.stdout and WEB in result.stdout and "to Envoy: let it through" in result.stdout


def test_check_in_json_has_the_record_and_the_response(place):
    report = json.loads(check(place, place.request(method="DELETE"), "--format", "json").stdout)
    assert report["record"]["decision"]["caller"] == WEB
    assert report["response"]["code"] == 7 and report["response"]["http_status"] == 403


def test_check_takes_field_names_of_both_forms(place):
    text = place.request().replace("socketAddress", "socket_address").replace("portValue", "port_value")
    assert "to Envoy: let it through" in check(place, text).stdout


def test_check_takes_the_bytes_of_a_message(place):
    """attributes { request { http { method: GET } } }: no certificate, so a denial."""
    http = b"\x12\x03GET"
    request = b"\x12" + bytes([len(http)]) + http
    attributes = b"\x22" + bytes([len(request)]) + request
    path = place.folder / "request.bin"
    path.write_bytes(b"\x0a" + bytes([len(attributes)]) + attributes)
    result = place.run("check", "--config", place.config, "--request", path)
    assert result.returncode == 0 and "to Envoy: refuse it" in result.stdout


def test_check_refuses_the_revoked(place):
    revoke(place, "add", "--spiffe", WEB, "--reason", "r")
    report = json.loads(check(place, place.request(), "--format", "json").stdout)
    assert report["record"]["decision"]["reason"] == "certificate_revoked"


def test_check_decides_as_of_another_time(place):
    report = json.loads(check(place, place.request(), "--format", "json", "--now", "2040-01-01T00:00:00Z").stdout)
    assert report["record"]["decision"]["reason"] == "certificate_expired"


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "not JSON"),
        ('{"attributs": {}}', "unknown field"),
        ('{"attributes": {"request": {"http": {"size": "x"}}}}', "attributes.request.http.size"),
        ('{"attributes": {"request": {"http": {"rawBody": "?"}}}}', "base64"),
        ('{"attributes": {"request": {"http": {"rawBody": "", "raw_body": ""}}}}', "twice"),
        ('{"attributes": {"source": {"address": {"socketAddress": {"portValue": -1}}}}}', "out of range"),
        ('{"attributes": {"request": {"time": "noon"}}}', "RFC 3339"),
        ('{"attributes": []}', "a map is expected"),
        ('{"attributes": {}, "attributes": {}}', "not JSON"),
    ],
)
def test_check_refuses_json_that_is_no_request(place, text, words):
    result = check(place, text)
    assert result.returncode == 2 and words in result.stderr
    assert result.stderr.count("warning[W0906]") == 1


def test_check_leaves_nothing_behind(place):
    scratch = place.folder / "tmp"
    scratch.mkdir()
    result = place.run("check", "--config", place.config, "--request", "-", text=place.request(), env={"TMPDIR": str(scratch)})
    assert result.returncode == 0 and list(scratch.iterdir()) == []
    assert not (place.folder / "journal").exists()
