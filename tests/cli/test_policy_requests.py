# SPDX-License-Identifier: Apache-2.0
"""`bartizan policy eval --requests`: many requests of one file, a line each."""

import json
import resource

import pytest

WEB = "spiffe://prod.example/ns/search/sa/web"
ALLOWED = {"path": "/items/1", "workload": WEB}
DENIED = {"path": "/items/1", "method": "POST", "workload": WEB}


def lines(*requests) -> str:
    return "".join(json.dumps(each) + "\n" for each in requests)


def evaluate(place, text, *words, file="-", **options):
    return place.run("policy", "eval", place.policy, "--requests", file, *words, text=text, **options)


def answers(result) -> list:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_line_is_answered_on_a_line_in_its_order(place):
    result = evaluate(place, lines(DENIED, ALLOWED, DENIED))
    assert result.returncode == 0, result.stderr
    assert [each["verdict"] for each in answers(result)] == ["deny", "allow", "deny"]
    assert answers(result)[1]["rule"].endswith("web-reads")


def test_a_file_and_a_last_line_without_its_end_are_read(place):
    file = place.folder / "requests.jsonl"
    file.write_text(lines(DENIED, ALLOWED).rstrip("\n"))
    result = evaluate(place, None, file=file)
    assert result.returncode == 0 and [each["verdict"] for each in answers(result)] == ["deny", "allow"]


def test_an_answer_is_that_of_the_request_alone(place):
    nobody = {"path": "/items/1"}
    (many,) = answers(evaluate(place, lines(nobody), "--explain"))
    one = place.run("policy", "eval", place.policy, "--given", "-", "--explain", "--format", "json", text=json.dumps(nobody))
    assert many == json.loads(one.stdout) and many["rules"]


def test_no_line_has_no_answer(place):
    result = evaluate(place, "")
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize("line", ["", "{", '{"pth": "/a"}', "[]", '{"path": ["/a", "/b"]}', '{"path": "/a"} {"path": "/b"}'])
def test_the_first_line_that_describes_no_request_ends_it_and_is_named(place, line):
    result = evaluate(place, lines(ALLOWED) + line + "\n" + lines(ALLOWED))
    assert result.returncode == 2 and len(answers(result)) == 1
    assert "error[E" in result.stderr and "(line 2)" in result.stderr


def test_ten_thousand_requests_are_one_process(place):
    result = evaluate(place, lines(ALLOWED, DENIED) * 5000)
    assert result.returncode == 0 and [each["verdict"] for each in answers(result)] == ["allow", "deny"] * 5000


def test_a_line_over_a_mebibyte_is_refused(place):
    kept = evaluate(place, lines(ALLOWED | {"headers": {"x-long": "a" * 1000000}}))
    refused = evaluate(place, lines(ALLOWED | {"headers": {"x-long": "a" * 1048576}}))
    assert kept.returncode == 0 and refused.returncode != 0 and "(line 1)" in refused.stderr


def test_a_line_that_there_is_no_memory_for_is_not_the_end(place):
    few = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))}
    file = place.folder / "requests.jsonl"
    file.write_text(lines(ALLOWED))
    assert evaluate(place, None, file=file, **few).returncode == 0
    with file.open("r+b") as holes:
        holes.truncate(1 << 30)
    result = evaluate(place, None, file=file, **few)
    assert result.returncode == 4 and str(file) in result.stderr and len(answers(result)) == 1


def test_a_file_that_is_not_there_is_an_io_error(place):
    assert evaluate(place, None, file=place.folder / "none").returncode == 4
    assert evaluate(place, None, file=place.folder).returncode == 4


@pytest.mark.parametrize("words", [("--given", "-"), ("--format", "text"), ("--format", "xml")])
def test_requests_stand_alone_and_are_answered_in_json(place, words):
    assert evaluate(place, lines(ALLOWED), *words).returncode == 3
