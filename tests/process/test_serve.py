# SPDX-License-Identifier: Apache-2.0
"""`bartizan serve` as a process: asked, broken, killed, reloaded and ended."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import grpc
import pytest
from sidecar import BINARIES, POLICY, Client, Sidecar, health, request, wait_until

FRAUD = "/v1/models/fraud-v3:predict"
OPERATOR = {"roles": ["ml-operator"], "purpose": "incident", "amr": ["pwd", "hwk"], "acr": "mfa"}


@pytest.fixture(scope="module")
def shared():
    """One sidecar for tests that leave it as it was."""
    with Sidecar() as sidecar:
        yield sidecar.start()


@pytest.fixture
def own():
    with Sidecar() as sidecar:
        yield sidecar


@pytest.fixture
def client(shared):
    client = shared.client()
    yield client


def http_status(reply):
    return 200 if reply.status.code == 0 else reply.denied_response.status.code


def operator(sidecar, age=60):
    return sidecar.issuer.token("alice", age, **OPERATOR, cnf={"x5t#S256": sidecar.console.x5t_s256, "spiffe_id": sidecar.console.spiffe_id})


# ---- answers -----------------------------------------------------------------


def test_a_workload_is_allowed_where_a_rule_names_it(shared, client):
    reply = client.check(request(caller=shared.web))
    assert http_status(reply) == 200
    assert "x-caller" in reply.ok_response.headers_to_remove


def test_a_workload_is_refused_where_none_names_it(shared, client):
    assert http_status(client.check(request(path=FRAUD, caller=shared.web))) == 403


def test_an_operator_is_allowed_and_a_stale_one_challenged(shared, client):
    fresh = client.check(request(path=FRAUD, caller=shared.console, token=operator(shared)))
    assert http_status(fresh) == 200
    assert {h.header.key: h.header.value for h in fresh.ok_response.headers}["x-caller"] == "alice"
    stale = client.check(request(path=FRAUD, caller=shared.console, token=operator(shared, age=1200)))
    assert http_status(stale) == 401 and stale.status.code == 16
    headers = {h.header.key: h.header.value for h in stale.denied_response.headers}
    assert "insufficient_user_authentication" in headers["www-authenticate"]
    assert "max_age=300" in headers["www-authenticate"].replace('"', "")


@pytest.mark.parametrize("message", [b"", b"\xff\xff", b"\x0a\x7f", b"\x00" * 100, os.urandom(4096)])
def test_bytes_that_are_no_request_are_denied_and_the_call_is_ok(client, message):
    assert http_status(client.check(message)) == 400


def test_a_request_over_our_limit_is_denied_and_the_call_is_ok(shared, client):
    big = request(caller=shared.web)
    big.attributes.request.http.raw_body = b"x" * (5 * 1024 * 1024)
    assert http_status(client.check(big)) == 400


def test_compressed_messages_are_denied_and_the_call_is_ok(shared):
    channel = grpc.insecure_channel(f"unix:{shared.folder}/check.sock", compression=grpc.Compression.Gzip)
    check = channel.unary_unary(
        "/envoy.service.auth.v3.Authorization/Check",
        request_serializer=lambda r: r.SerializeToString(),
        response_deserializer=bytes,
    )
    from sidecar import authz

    big = request(caller=shared.web, headers={"x-filler": "a" * 4096})
    reply = authz.CheckResponse.FromString(check(big, timeout=10))
    channel.close()
    assert http_status(reply) in (200, 400)


def test_a_method_that_is_not_ours_is_unimplemented(client):
    with pytest.raises(grpc.RpcError) as error:
        client.unknown("/some.other.Service/Method")
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_many_at_once_are_all_answered(shared, client):
    serialized = request(caller=shared.web)
    calls = [client._check.future(serialized, timeout=20) for _ in range(500)]
    assert all(call.result() for call in calls)


def test_many_unknown_certificates_at_once_are_all_answered(shared, client):
    callers = [shared.authority.issue("/ns/search/sa/web", f"many-{i}") for i in range(40)]
    calls = [client._check.future(request(caller=c), timeout=20) for c in callers for _ in range(3)]
    from sidecar import authz

    assert {http_status(authz.CheckResponse.FromString(call.result())) for call in calls} == {200}


def test_a_crowd_with_one_new_certificate_waits_for_one_verification(own):
    own.start()
    client = own.client()
    caller = own.authority.issue("/ns/search/sa/web", "crowd")
    ask = request(caller=caller)
    calls = [client._check.future(ask, timeout=20) for _ in range(200)]
    from sidecar import authz

    assert {http_status(authz.CheckResponse.FromString(call.result())) for call in calls} == {200}
    text = own.admin("GET", "/metrics")[1]
    parked = int(re.search(r"^bartizan_checks_parked_total (\d+)", text, re.M).group(1))
    shared_with = int(re.search(r"^bartizan_checks_shared_total (\d+)", text, re.M).group(1))
    assert parked == 1 and shared_with <= 199


def test_a_caller_that_goes_away_while_its_check_is_parked_harms_nobody(shared):
    for i in range(5):
        client = Client(f"unix:{shared.folder}/check.sock")
        caller = shared.authority.issue("/ns/search/sa/web", f"gone-{i}")
        calls = [client._check.future(request(caller=caller), timeout=20) for _ in range(20)]
        for call in calls:
            call.cancel()
        client.close()
    assert http_status(shared.client().check(request(caller=shared.web))) == 200


# ---- connections -------------------------------------------------------------


def test_a_peer_that_does_not_speak_http2_is_dropped_and_others_are_served(shared, client):
    strangers = []
    for text in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nXX", b"\0" * 64):
        stranger = socket.socket(socket.AF_UNIX)
        stranger.settimeout(10)
        stranger.connect(f"{shared.folder}/check.sock")
        stranger.sendall(text)
        strangers.append(stranger)
    for stranger in strangers:
        try:
            assert stranger.recv(1) == b""
        except ConnectionResetError:
            pass  # its bytes were never read
        stranger.close()
    assert http_status(client.check(request(caller=shared.web))) == 200


def test_silent_connections_give_their_places_back(own):
    own.config.write_text(own.config.read_text() + "limits: {connections: 4}\n")
    own.start()
    silent = []
    for _ in range(8):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(f"{own.folder}/check.sock")
        silent.append(peer)
    # All places are taken until the strangers' time is up.
    assert http_status(own.client().check(request(caller=own.web), seconds=15)) == 200
    for peer in silent:
        peer.close()


def test_descriptors_run_out_and_come_back(own):
    own.config.write_text(own.config.read_text() + "limits: {connections: 500}\n")
    own.start()
    decider = own.children()["decide"]
    subprocess.run(["prlimit", f"--pid={decider}", "--nofile=64:64"], check=True)
    peers = []
    for _ in range(120):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(f"{own.folder}/check.sock")
        peers.append(peer)
    wait_until(lambda: own.children().get("decide") == decider, 5)
    for peer in peers:
        peer.close()
    assert http_status(own.client().check(request(caller=own.web), seconds=15)) == 200
    assert own.children()["decide"] == decider


def test_a_uid_that_is_not_allowed_is_not_served(own):
    own.config.write_text(own.config.read_text().replace('mode: "0660"}', 'mode: "0660", allow_uids: [4242]}'))
    own.start()
    with pytest.raises(grpc.RpcError):
        own.client().raw(request(caller=own.web), seconds=2)


# ---- health ------------------------------------------------------------------


def test_health_is_serving_for_both_names_and_unknown_for_others(client):
    assert client.health("") == 1
    assert client.health("envoy.service.auth.v3.Authorization") == 1
    with pytest.raises(grpc.RpcError) as error:
        client.health("other")
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_watch_hears_the_state_now_and_the_end_before_it_comes(own):
    own.start()
    client = own.client()
    watch = client.watch()
    heard = []

    def listen():
        try:
            for answer in watch:
                heard.append(answer.status)
        except grpc.RpcError:
            pass

    listener = threading.Thread(target=listen)
    listener.start()
    wait_until(lambda: heard == [1], 10, "SERVING")
    own.process.send_signal(signal.SIGTERM)
    wait_until(lambda: heard == [1, 2], 10, "NOT_SERVING")
    listener.join(10)
    assert own.process.wait(20) == 0


def test_a_watch_of_an_unknown_service_says_so(client):
    watch = client.watch("other")
    assert next(watch).status == 3
    watch.cancel()


# ---- administration ----------------------------------------------------------


def test_status_says_what_is_in_force(shared):
    status = shared.status()
    assert status["ready"] is True and status["not_ready_reasons"] == []
    assert status["snapshot"]["policy"]["rules"] == 5
    assert status["snapshot"]["bundles"]["domains"][0]["name"] == "prod.example"
    assert status["listeners"][0]["address"] == f"unix://{shared.folder}/check.sock"


def test_the_admin_socket_is_ours_alone(shared):
    assert (shared.folder / "admin.sock").stat().st_mode & 0o777 == 0o600


def test_other_paths_and_methods_are_refused(shared):
    assert shared.admin("GET", "/nothing")[0] == 404
    assert shared.admin("POST", "/status")[0] == 405
    assert shared.admin("GET", "/reload")[0] == 405
    assert shared.admin("GET", "/healthz") == (200, "ok\n")
    assert shared.admin("GET", "/readyz") == (200, "ready\n")


def test_metrics_count_decisions(shared, client):
    client.check(request(caller=shared.web))
    text = shared.admin("GET", "/metrics")[1]
    assert "bartizan_ready 1" in text and "bartizan_enforcing 1" in text


def test_the_tcp_address_shows_health_and_metrics_alone(own):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own.config.write_text(own.config.read_text().replace("admin: {", f'admin: {{address: "127.0.0.1:{port}", '))
    own.start()
    import urllib.error
    import urllib.request

    base = f"http://127.0.0.1:{port}"
    assert urllib.request.urlopen(f"{base}/readyz", timeout=5).read() == b"ready\n"
    assert b"bartizan_ready" in urllib.request.urlopen(f"{base}/metrics", timeout=5).read()
    for path in ("/status", "/reload"):
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(base + path, timeout=5)
        assert error.value.code == 404


def test_a_revocation_holds_from_the_moment_reload_has_answered(own):
    own.start()
    client = own.client()
    assert http_status(client.check(request(caller=own.web))) == 200
    (own.folder / "revocations" / "list.yaml").write_text(
        "apiVersion: bartizan.dev/v1alpha1\nkind: RevocationList\nmetadata: {sequence: 1}\nentries:\n"
        f'  - {{spiffe: "{own.web.spiffe_id}", reason: test, author: test, created: "2026-01-01T00:00:00Z"}}\n'
    )
    code, body = own.admin("POST", "/reload")
    assert code == 200, body
    assert http_status(client.check(request(caller=own.web))) == 403


# CVE-2025-64527, CVE-2021-43824: keys that change or go while tokens are judged.
def test_a_key_set_that_changes_under_load_harms_nobody_and_opens_nothing(own):
    from credentials import Issuer
    from sidecar import authz

    own.start()
    client = own.client()
    keys = own.folder / "jwks.json"
    good, other = keys.read_text(), own.folder / "other"
    other.mkdir()
    stranger = Issuer("https://sso.example", other)
    ours = request(FRAUD, own.console, operator(own))
    theirs = request(FRAUD, own.console, stranger.token(
        "alice", 60, **OPERATOR, cnf={"x5t#S256": own.console.x5t_s256, "spiffe_id": own.console.spiffe_id}))
    seen = {"ours": set(), "theirs": set()}
    for text in [stranger.jwks_file.read_text(), "{", good, '{"keys": []}'] * 5:
        calls = [(name, client._check.future(ask, timeout=20)) for _ in range(40) for name, ask in (("ours", ours), ("theirs", theirs))]
        fresh = keys.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(keys)
        own.admin("POST", "/reload")
        for name, call in calls:
            seen[name].add(http_status(authz.CheckResponse.FromString(call.result())))
    assert seen["ours"] <= {200, 401, 503} and {200, 401} <= seen["ours"], seen
    assert own.admin("POST", "/reload")[0] == 200
    # What was good under keys that are gone is good no longer, however well it is known.
    assert http_status(client.check(ours)) == 401 and http_status(client.check(theirs)) == 401
    fresh.write_text(good)
    fresh.rename(keys)
    assert own.admin("POST", "/reload")[0] == 200
    assert http_status(client.check(ours)) == 200 and http_status(client.check(theirs)) == 401


# ---- reload ------------------------------------------------------------------


def test_a_new_policy_is_taken_without_being_told(own):
    own.start()
    client = own.client()
    assert http_status(client.check(request(caller=own.web))) == 200
    own.policy.write_text(POLICY.read_text().replace("[checkout, search]", "[checkout]"))
    wait_until(lambda: http_status(client.check(request(caller=own.web))) == 403, 12, "the new policy")


def test_a_bad_policy_keeps_the_last_good_one_and_is_told(own):
    own.start()
    client = own.client()
    own.policy.write_text("apiVersion: bartizan.dev/v1alpha1\nkind: AccessPolicy\nspec: {rulez: []}\n")
    code, body = own.admin("POST", "/reload")
    assert code == 409 and "policy.yaml" in body
    assert http_status(client.check(request(caller=own.web))) == 200
    status = own.status()
    assert status["ready"] is True
    assert "policy.yaml" in status["last_reload_error"]["message"]
    assert "bartizan_policy_reload_failures_total" in own.admin("GET", "/metrics")[1]
    own.policy.write_text(POLICY.read_text())
    assert own.admin("POST", "/reload")[0] == 200
    assert own.status()["last_reload_error"] is None


def test_the_old_policy_stays_whatever_is_put_in_its_place(own):
    """What tests/cli/test_bad_input.py refuses, in front of a decider that answers and reads all of it itself."""
    own.config.write_text(own.config.read_text().replace("enforcement: enforce", "enforcement: enforce, compile: {child_above: 64MiB}"))
    hostile = {
        "a bomb": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "brackets": b"[" * 100_000,
        "NUL": POLICY.read_bytes() + b"\0",
        "a long text": b"a: " + b"x" * 7_000_000,
        "a longer one": b"a: " + b"x" * 10_000_000,
        "a circle": POLICY.read_bytes() + b"---\napiVersion: bartizan.dev/v1alpha1\nkind: RoleSet\nmetadata: {name: r}\n"
        b"spec: {roles: {a: {inherits: [b]}, b: {inherits: [a]}}}\n",
        "nothing": b"",
    }
    own.start()
    client = own.client()
    digest = own.status()["snapshot"]["policy"]["digest"]
    for name, text in hostile.items():
        own.policy.write_bytes(text)
        assert own.admin("POST", "/reload")[0] == 409, name
        assert http_status(client.check(request(caller=own.web))) == 200, name
        assert own.status()["snapshot"]["policy"]["digest"] == digest, name


def test_hangup_reads_the_files_again_and_kills_nobody(own):
    own.start()
    children = own.children()
    own.policy.unlink()
    own.process.send_signal(signal.SIGHUP)
    wait_until(lambda: own.status()["last_reload_error"], 10, "the reload")
    assert own.children() == children


# ---- deaths ------------------------------------------------------------------


def test_every_process_has_its_name_in_a_list_of_processes(shared):
    pids = [shared.process.pid, *shared.children().values()]
    assert {Path(f"/proc/{pid}/comm").read_text() for pid in pids} == {"bartizan\n"}


def test_a_killed_decider_comes_back_behind_the_same_socket(own):
    own.start()
    client = own.client()
    assert http_status(client.check(request(caller=own.web))) == 200
    before = (own.folder / "check.sock").stat().st_ino
    first = own.children()["decide"]
    os.kill(first, signal.SIGKILL)
    own.wait_ready(2)
    assert http_status(own.client().check(request(caller=own.web))) == 200
    assert own.children()["decide"] != first
    assert (own.folder / "check.sock").stat().st_ino == before


def test_the_decider_dies_with_its_supervisor(own):
    own.start()
    decider = own.children()["decide"]
    own.process.kill()
    own.process.wait()

    def is_gone():
        try:
            return "decide" not in Path(f"/proc/{decider}/cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_until(is_gone, 20, "the decider's end")


def test_a_killed_ship_comes_back_and_decisions_go_on(own):
    if not (BINARIES / "bartizan-ship").exists():
        pytest.skip("bartizan-ship is not built")
    own.config.write_text(own.config.read_text().replace("admin: {", f'  tap: {{bind: "ipc://{own.folder}/tap"}}\nadmin: {{'))
    own.start()
    client = own.client()
    first = wait_until(lambda: own.children().get("publish"), 10, "ship")
    os.kill(first, signal.SIGABRT)
    assert http_status(client.check(request(caller=own.web))) == 200
    wait_until(lambda: own.children().get("publish") not in (None, first), 10, "ship again")


def test_sigterm_ends_it_in_order_and_removes_its_sockets(own):
    own.start()
    client = own.client()
    client.check(request(caller=own.web))
    assert own.stop() == 0
    assert not (own.folder / "check.sock").exists()
    assert not (own.folder / "admin.sock").exists()


def test_signals_that_still_wait_at_the_end_do_not_change_it(own):
    """Found all at once: a dead child, what ends it, and what it never gets to."""
    own.start()

    def has_state(pid, state):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith(state)

    supervisor, decider = own.process.pid, own.children()["decide"]
    os.kill(supervisor, signal.SIGSTOP)
    wait_until(lambda: has_state(supervisor, "T"), 10, "the stop")
    os.kill(decider, signal.SIGKILL)
    wait_until(lambda: has_state(decider, "Z"), 10, "the decider's end")
    for number in (signal.SIGIO, signal.SIGTERM, signal.SIGCONT):
        os.kill(supervisor, number)
    assert own.process.wait(15) == 0
    assert not (own.folder / "check.sock").exists()


def test_sigterm_under_load_answers_what_it_took(own):
    own.start()
    client = own.client()
    serialized = request(caller=own.web)
    client.check(serialized)
    answered, failed = [], []
    stop = threading.Event()

    def load():
        while not stop.is_set():
            try:
                answered.append(client.raw(serialized, seconds=5))
            except grpc.RpcError as error:
                failed.append(error.code())
                return

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 200, 20, "load")
    own.process.send_signal(signal.SIGTERM)
    assert own.process.wait(20) == 0
    stop.set()
    for thread in threads:
        thread.join(10)
    assert all(answered)
    assert set(failed) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}


# ---- the journal ---------------------------------------------------------------


def test_the_journal_tells_the_life_of_an_epoch(own):
    own.start()
    own.client().check(request(caller=own.web))
    own.policy.write_text(POLICY.read_text().replace("[checkout, search]", "[checkout]"))
    assert own.admin("POST", "/reload")[0] == 200
    own.policy.write_text("nonsense: [\n")
    assert own.admin("POST", "/reload")[0] == 409
    assert own.stop() == 0
    records = own.records()
    text = [str(record) for record in records]
    assert [record["sequence"] for record in records] == list(range(len(records)))
    assert "epoch_start" in text[0].lower() and "epoch_close" in text[-1].lower(), text
    assert sum("decision_id" in each for each in text) == 1
    assert len(records) == 1 + 4 + 1 + 2 + 1, text  # start, four parts, the decision, change and refusal, close


def test_records_that_are_no_decisions_are_counted_as_well(own):
    own.start()
    for expected in (1 + 4, 1 + 4 + 1):  # the start and its four parts, a decision
        assert len(own.records()) == expected == own.status()["journal"]["next_sequence"]
        assert f"bartizan_journal_records_total {expected}\n" in own.admin("GET", "/metrics")[1]
        own.client().check(request(caller=own.web))


def test_a_record_tells_who_asked(own):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = own.config.read_text()
    own.config.write_text(text.replace("listeners:\n", f'listeners:\n  - {{address: "127.0.0.1:{port}"}}\n'))
    own.start()
    for target in (f"127.0.0.1:{port}", None):
        assert http_status(own.client(target).check(request(caller=own.web))) == 200
    asked = [record["decision"]["asking_peer"] for record in own.records() if record["kind"] == "decision"]
    assert asked == ["tcp-unauthenticated", f"uid:{os.getuid()}"]


def test_with_a_subject_key_users_are_hashed_in_records(own):
    own.config.write_text(own.config.read_text().replace("audit:\n", "audit:\n  subject_key: subject.key\n"))
    (own.folder / "subject.key").write_text("sixteen bytes at least\n")
    own.start()
    assert http_status(own.client().check(request(path=FRAUD, caller=own.console, token=operator(own)))) == 200
    (decision,) = (record["decision"] for record in own.records() if record["kind"] == "decision")
    assert decision["is_subject_hashed"] and "alice" not in json.dumps(decision)
    assert re.fullmatch("[0-9a-f]{16,64}", decision["user_subject"])


KILLS = int(os.environ.get("BARTIZAN_KILLS", "60"))


def test_no_answered_decision_is_without_a_record_when_the_decider_is_killed(own):
    serialized = request(caller=own.web)
    answered = []
    epochs = 0
    for kill in range(KILLS):
        if kill % 3 == 0:  # a fresh supervisor: it waits longer before each restart
            if kill:
                own.stop()
            own.start()
            epochs += 1
            own.wait_ready(epochs)
        client = own.client()
        client.check(serialized)
        calls = [client._check.future(serialized, timeout=20) for _ in range(400)]
        wait_until(lambda: sum(call.done() for call in calls) > 50, 20, every=0.001)
        os.kill(own.children()["decide"], signal.SIGKILL)
        for call in calls:
            if call.exception(timeout=25) is None:
                answered.append(call.result())
        client.close()
        epochs += 1
        own.wait_ready(epochs)
    from sidecar import authz

    ids = {authz.CheckResponse.FromString(each).dynamic_metadata.fields["decision_id"].string_value for each in answered}
    assert len(ids) == len(answered) > 50 * KILLS
    recorded = {record.get("decision", {}).get("decision_id") for record in own.records()}
    assert ids <= recorded


# ---- starts that are refused ---------------------------------------------------


def refusal(sidecar, code):
    process = sidecar.spawn()
    assert process.wait(20) == code, sidecar.log()
    return sidecar.log()


def test_a_bad_configuration_is_refused_before_anything_is_opened(own):
    own.config.write_text(own.config.read_text().replace("listeners:", "listenerz:"))
    assert "listenerz" in refusal(own, 2)
    assert not (own.folder / "check.sock").exists()


def test_a_bad_policy_is_refused_with_line_and_column(own):
    own.policy.write_text(POLICY.read_text().replace("subjects: any", "subjectz: any"))
    assert "policy.yaml:" in refusal(own, 2)
    assert not (own.folder / "check.sock").exists()


def test_a_left_over_socket_is_replaced(own):
    left = socket.socket(socket.AF_UNIX)
    left.bind(f"{own.folder}/check.sock")
    left.close()
    own.start()
    assert http_status(own.client().check(request(caller=own.web))) == 200


def test_a_live_socket_is_left_alone(own):
    live = socket.socket(socket.AF_UNIX)
    live.bind(f"{own.folder}/check.sock")
    live.listen()
    assert "another server is listening" in refusal(own, 4)
    assert (own.folder / "check.sock").exists()
    live.close()


def test_a_file_that_is_no_socket_is_left_alone(own):
    (own.folder / "check.sock").write_text("precious")
    assert "not a socket" in refusal(own, 4)
    assert (own.folder / "check.sock").read_text() == "precious"


def test_a_folder_that_cannot_be_written_is_named(own):
    (own.folder / "plain").write_text("")
    own.config.write_text(own.config.read_text().replace(f"unix://{own.folder}/check.sock", f"unix://{own.folder}/plain/check.sock"))
    assert "plain/check.sock" in refusal(own, 4)


def test_a_journal_that_cannot_be_written_is_named(own):
    (own.folder / "journal").write_text("")
    assert "journal" in refusal(own, 4)


def test_a_journal_in_use_is_refused(own):
    own.start()
    with Sidecar() as other:
        text = other.config.read_text()
        other.config.write_text(text.replace("journal: {path: journal", f"journal: {{path: {own.folder}/journal"))
        assert "journal" in refusal(other, 4)
    assert http_status(own.client().check(request(caller=own.web))) == 200


def test_the_socket_has_the_mode_it_was_given(own):
    own.start()
    assert (own.folder / "check.sock").stat().st_mode & 0o777 == 0o660


# ---- budgets -----------------------------------------------------------------


def test_it_is_ready_soon_and_idle_costs_nothing(own):
    own.start()
    first = own.log().split("ready in_ms=")[1].split()[0]
    assert int(first) < 500  # 50 ms on an idle machine; the suite's machine is not
    decider = own.children()["decide"]

    def cpu():
        fields = Path(f"/proc/{decider}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, since = cpu(), time.monotonic()
    wait_until(lambda: time.monotonic() - since > 2, 5, every=0.25)
    assert cpu() - before < 0.05


def resident_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def test_memory_under_load_stays_small(own):
    """Under the load of the benchmark, 64 in flight; and after a flood, of which gRPC keeps what its calls took."""
    if b"__asan_init" in (BINARIES / "bartizan").read_bytes():
        pytest.skip("a sanitizer's memory is not ours")
    own.start()
    client, serialized = own.client(), request(caller=own.web)
    for in_flight, most in ((64, 24), (2000, 32)):
        for _ in range(4096 // in_flight):
            for call in [client._check.future(serialized, timeout=20) for _ in range(in_flight)]:
                call.result()
        assert resident_mib(own.children()["decide"]) < most
