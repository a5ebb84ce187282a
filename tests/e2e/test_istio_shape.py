# SPDX-License-Identifier: Apache-2.0
"""The shape that Istio's proxy has: over TCP, the caller's certificate in x-forwarded-client-cert,
none in source.certificate, headers in the old form."""

import shutil

import pytest
from conftest import World
from stack import Stack, free_port, runtime_folder

LOW = "/v1/models/ranker-v9:predict"
HIGH = "/v1/models/fraud-v3:predict"


@pytest.fixture(scope="module")
def mesh(binaries, envoy):
    folder = runtime_folder()
    port = free_port()

    def sidecar(text):
        text = text.replace(f"unix://{folder}/check.sock", f"127.0.0.1:{port}").replace(', mode: "0660"', "")
        return text.replace("sources: [certificate]", "sources: [{xfcc: {hops: 0}}]")

    def proxy(text):
        text = text.replace("include_peer_certificate: true", "include_peer_certificate: false")
        text = text.replace("encode_raw_headers: true", "encode_raw_headers: false")
        pipe = f"{{pipe: {{path: {folder}/check.sock}}}}"
        assert pipe in text
        return text.replace(pipe, f"{{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}")

    with Stack(folder, binaries, envoy) as stack:
        yield World(stack).start(sidecar, proxy)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_caller_of_xfcc_is_allowed_and_denied_like_any(mesh):
    assert mesh.request(LOW, mesh.app).status == 200
    assert mesh.request(HIGH, mesh.app).status == 403
    assert mesh.request(LOW, None).status == 403


def test_an_operator_is_challenged_and_allowed(mesh):
    assert mesh.request(HIGH, mesh.console, mesh.operator(age=1200)).status == 401
    assert mesh.request(HIGH, mesh.console, mesh.operator(age=60)).status == 200


def test_a_forged_header_names_nobody(mesh):
    forged = "x-forwarded-client-cert: Hash=" + mesh.app.sha256.hex() + ";URI=" + mesh.app.spiffe_id
    assert mesh.request(LOW, None, headers=[forged]).status == 403


def test_names_that_write_elements_into_the_header_are_refused(mesh):
    evil = mesh.ca.issue("/ns/other/sa/x", "evil", dns=["a.example,By=x", "b.example;URI=" + mesh.app.spiffe_id])
    answer = mesh.request(LOW, evil)
    assert answer.status == 403


def test_the_record_says_that_nobody_vouches_for_the_asking_peer(mesh):
    decision = mesh.decision(mesh.request(LOW, mesh.app))
    assert decision["asking_peer"] == "tcp-unauthenticated"
