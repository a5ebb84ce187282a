# SPDX-License-Identifier: Apache-2.0
"""`bartizan revoke add` while checks come without a pause: none that begins after it has returned is allowed."""

import json
import threading
import time

import pytest
from sidecar import CONFIG, Sidecar, request, wait_until

CONNECTIONS = 4
ENOUGH = 100  # checks begun after the return


class Load(threading.Thread):
    """One connection that asks again as soon as it was answered."""

    def __init__(self, sidecar, question):
        super().__init__()
        self.client, self.question = sidecar.client(), question.SerializeToString()
        self.begun = []  # (when, whether allowed)
        self.is_over = threading.Event()
        self.start()

    def run(self):
        while not self.is_over.is_set():
            start = time.monotonic()
            self.begun.append((start, self.client.check(self.question).status.code == 0))


def facts(sidecar):
    """What `pki show` says of the caller's certificate."""
    out = sidecar.cli("pki", "show", sidecar.web.certificate_file, "--format", "json")
    assert out.returncode == 0, out.stderr
    shown = json.loads(out.stdout)
    return shown[0] if isinstance(shown, list) else shown


WHOM = {
    "spiffe": lambda shown: shown["spiffe_id"],
    "spki-sha256": lambda shown: shown["spki_sha256"],
    "serial": lambda shown: f"keyId:{shown['authority_key_id']}#{shown['serial']}",
    "authority": lambda shown: f"keyId:{shown['authority_key_id']}",
}


@pytest.fixture(scope="module")
def own():
    with Sidecar(CONFIG) as sidecar:
        yield sidecar.start()


@pytest.mark.parametrize("kind", WHOM)
def test_no_check_that_begins_after_revoke_add_has_returned_is_allowed(own, kind):
    words = ("--config", own.config, f"--{kind}", WHOM[kind](facts(own)))
    loads = [Load(own, request(caller=own.web)) for _ in range(CONNECTIONS)]
    try:
        wait_until(lambda: all(any(allowed for _, allowed in load.begun) for load in loads), 10, "an allowed check on each")
        out = own.cli("revoke", "add", *words, "--reason", "stolen")
        returned = time.monotonic()
        assert out.returncode == 0 and "in force after" in out.stdout, out.stderr
        wait_until(lambda: all(sum(at > returned for at, _ in load.begun) >= ENOUGH for load in loads), 20, "checks after it")
    finally:
        for load in loads:
            load.is_over.set()
            load.join()
    after = [allowed for load in loads for at, allowed in load.begun if at > returned]
    assert len(after) >= CONNECTIONS * ENOUGH and not any(after)
    assert own.cli("revoke", "remove", *words).returncode == 0
    assert own.client().check(request(caller=own.web)).status.code == 0  # good again when that has returned
