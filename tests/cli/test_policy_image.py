# SPDX-License-Identifier: Apache-2.0
"""A compiled policy in the place of its documents: every command says the same of both."""

import json

import pytest

POLICIES = ["training-data", "inference-gateway", "agent-on-behalf-of-user"]
SEEDS = {
    "training-data": {"method": "GET", "host": "datasets.ml-health.svc.cluster.local", "path": "/v1/datasets/icu-notes/rows"},
    "inference-gateway": {"method": "POST", "host": "eu.models.example", "path": "/v1/models/fraud-v3:predict"},
    "agent-on-behalf-of-user": {"method": "GET", "host": "tools.agents.svc", "path": "/tools/crm/contacts/7"},
}


@pytest.fixture(params=POLICIES)
def pair(request, root, place):
    """A policy's documents and its compiled form, and a request."""
    documents, compiled = root / "tests" / "policy" / f"{request.param}.yaml", place.folder / "policy.bzp"
    assert place.run("policy", "compile", documents, "-o", compiled).returncode == 0
    given = place.folder / "given.json"
    given.write_text(json.dumps(SEEDS[request.param]))
    return documents, compiled, given


def said(place, path, *words):
    """What a command says, less the name that the policy was given by."""
    done = place.run("policy", words[0], path, *words[1:])
    return done.returncode, done.stdout.replace(str(path), "POLICY"), done.stderr.replace(str(path), "POLICY")


@pytest.mark.parametrize("words", [
    ("check",), ("test",), ("test", "--coverage"), ("lint", "--format", "json"),
    ("eval", "--given", "GIVEN", "--explain"), ("eval", "--given", "GIVEN", "--format", "json"),
    ("why-not", "--given", "GIVEN"),
], ids=" ".join)
def test_a_command_says_the_same_of_documents_and_of_their_compiled_form(place, pair, words):
    documents, compiled, given = pair
    words = [given if word == "GIVEN" else word for word in words]
    code, out, err = said(place, documents, *words)
    assert code in (0, 1) and (out or err)
    again = said(place, compiled, *words)
    # A finding's place is the document's own, whichever way the policy came.
    assert (again[0], again[1].replace(str(documents), "POLICY"), again[2].replace(str(documents), "POLICY")) == (code, out, err)


def test_bench_decides_by_a_compiled_policy(place, pair):
    _, compiled, _ = pair
    assert place.run("policy", "bench", compiled, "--n", "3").returncode == 0


def test_a_compiled_policy_that_was_cut_off_is_refused_by_name(place, pair):
    _, compiled, _ = pair
    compiled.write_bytes(compiled.read_bytes()[:-1])
    done = place.run("policy", "check", compiled)
    assert done.returncode == 2 and "E0602" in done.stderr and str(compiled) in done.stderr
    assert "compile it again" in done.stderr or "copy it again" in done.stderr
