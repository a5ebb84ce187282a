# SPDX-License-Identifier: Apache-2.0
"""Query parameters that a policy reads, sets and removes, and denials in its own words, through a real Envoy."""

import json
import shutil
from urllib.parse import parse_qsl

import pytest
from conftest import World
from stack import Stack, runtime_folder

POLICY = """
apiVersion: bartizan.dev/v1alpha1
kind: AccessPolicy
metadata: {name: queries}
spec:
  issuers:
    sso: {url: "https://sso.example", audiences: [inference], profile: generic}
  actions:
    list: {http: [{methods: [GET], paths: [/list], query: {scope: [mine, team]}}]}
    open: {http: [{methods: [GET], paths: [/open]}]}
    closed: {http: [{methods: [GET], paths: [/closed]}], grpc: [pkg.Svc/*]}
  rules:
    - allow: users
      priority: 1
      subjects: {user: any}
      actions: [open]
      obligations: {queryParams: {set: {who: "u=$user.sub & co#1"}, remove: [debug]}}
    - {allow: anybody, subjects: any, actions: [open, list]}
    - deny: closed
      actions: [closed]
      obligations: {deny: {status: 451, body: "not in your region", grpcMessage: "not here"}}
"""


@pytest.fixture(scope="module")
def queries(binaries, envoy):
    folder = runtime_folder()
    with Stack(folder, binaries, envoy) as stack:
        world = World(stack)
        (folder / "policy" / "inference-gateway.yaml").write_text(POLICY)
        yield world.start()
    shutil.rmtree(folder, ignore_errors=True)


def seen(answer):
    """What the application takes the query for."""
    assert answer.status == 200, answer
    path = json.loads(answer.body)["path"]
    return parse_qsl(path.partition("?")[2], keep_blank_values=True)


def get(queries, path, **how):
    return queries.request(path, method="GET", data=None, **how)


def test_a_parameter_that_is_set_arrives_as_it_was_meant(queries):
    answer = get(queries, "/open?a=1&who=eve&who=mallory&debug=1", token=queries.operator())
    assert sorted(seen(answer)) == [("a", "1"), ("who", "u=alice & co#1")]
    assert "#" not in json.loads(answer.body)["path"]


def test_a_parameter_that_only_others_set_is_taken_away(queries):
    assert seen(get(queries, "/open?a=1&who=eve&debug=1")) == [("a", "1"), ("debug", "1")]


@pytest.mark.parametrize("query", ["%77ho=eve", "a=1;who=eve", "wh%6F", "%zz=1", "d%65bug=1"])
def test_another_writing_of_such_a_parameter_is_refused(queries, query):
    assert get(queries, "/open?" + query).status == 400


def test_an_operation_is_told_apart_by_its_query(queries):
    assert get(queries, "/list?scope=mine").status == 200
    assert get(queries, "/list?scope=te%61m").status == 200
    for query in ("", "?scope=all", "?scope=mine&scope=team", "?scope=mine;x=1", "?scope=mine+", "?Scope=mine"):
        assert get(queries, "/list" + query).status == 403


def test_a_denial_looks_as_its_rule_says(queries):
    answer = get(queries, "/closed")
    assert (answer.status, answer.body) == (451, b"not in your region")
    assert queries.decision(answer)["http_status"] == 451
    answer = queries.request("/pkg.Svc/Get", headers=["content-type: application/grpc", "te: trailers"], http2=True)
    assert answer.status == 200
    assert answer.headers["grpc-message"] == "not here"
