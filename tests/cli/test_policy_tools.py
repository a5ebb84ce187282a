# SPDX-License-Identifier: Apache-2.0
"""The tools around a policy: test reports and coverage, why-not, lint, new, bench."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from place import POLICY

HEAD = """\
apiVersion: bartizan.dev/v1alpha1
kind: AccessPolicy
metadata: {name: tools}
spec:
"""

GATED = (
    HEAD
    + """\
  issuers:
    sso: {url: "https://sso.example", audiences: [api], profile: generic, stepUp: {twoFactors: [mfa]}}
  assurance:
    fresh: {factors: 2, maxAge: 5m, bound: workload}
    idle: {factors: 1}
  roles:
    app: {members: [{workload: {namespace: apps}}]}
    operator: {members: [{user: {issuer: sso, claims: {roles: {anyOf: [op]}}}}]}
  actions:
    read: {http: [{methods: [GET], paths: ["/v/{item}"]}]}
    write: {http: [{methods: [PUT], paths: ["/v/{item}"]}]}
    drop: {http: [{methods: [DELETE], paths: ["/v/{item}"]}]}
  resourceTypes:
    item: {id: [path.item]}
  resources:
    - {type: item, id: gold, labels: {tier: high}}
    - {type: item, id: tin, labels: {tier: low}}
  rules:
    - {allow: apps-read, subjects: {workload: [app]}, actions: [read], resources: {labels: {tier: [low]}}}
    - allow: operators-write
      subjects: {workload: [app], user: [operator]}
      actions: [write]
      resources: {labels: {tier: [high]}}
      assurance: fresh
      purpose: {from: header.x-purpose, anyOf: [incident]}
      when: {all: [{header: {name: x-a, equals: "1"}}, {header: {name: x-b, equals: "2"}}]}
    - {deny: no-drop, actions: [drop]}
  tests:
    - name: apps read tin
      given: {path: /v/tin, workload: "spiffe://prod.example/ns/apps/sa/a"}
      expect: {allow: apps-read}
    - name: nobody drops
      given: {method: DELETE, path: /v/tin}
      expect: {deny: no-drop}
"""
)

STALE = {
    "method": "PUT",
    "path": "/v/gold",
    "workload": "spiffe://prod.example/ns/apps/sa/a",
    "headers": {"x-a": "9"},
    "jwt": {"iss": "https://sso.example", "sub": "ada", "roles": ["op"], "amr": ["pwd"], "auth_time": "-20m", "cnf": "peer"},
}


@pytest.fixture
def gated(place):
    place.policy.write_text(GATED)
    return place


def given(place, request) -> str:
    file = place.folder / "given.json"
    file.write_text(json.dumps(request))
    return str(file)


@pytest.mark.parametrize("name", ["test", "eval", "why-not", "fmt", "lint", "new", "bench"])
def test_every_tool_has_help_that_fits_a_terminal(place, name):
    result = place.run("policy", name, "--help")
    assert result.returncode == 0 and result.stdout.startswith(f"usage: bartizan policy {name}")
    assert max(map(len, result.stdout.splitlines())) <= 100


# ---- test: report and coverage ----


def test_junit_has_a_case_for_each_test_and_says_why_one_failed(place):
    place.policy.write_text(POLICY.replace("expect: {deny: default}", "expect: allow").replace("others may not", 'others <may> & "not"'))
    report = place.folder / "report.xml"
    result = place.run("policy", "test", place.policy, "--junit", report)
    assert result.returncode == 1
    root = ElementTree.parse(report).getroot()
    assert root.get("tests") == "2" and root.get("failures") == "1"
    good, bad = root.iter("testcase")
    assert good.get("name") == "the web may read" and good.find("failure") is None
    assert bad.get("name") == 'others <may> & "not"' and bad.get("line") == "17"
    assert bad.find("failure").get("message") == "expected allow" and bad.find("failure").text.startswith("got deny by default")


def test_junit_of_names_that_xml_cannot_hold_is_still_xml(place):
    place.policy.write_text(POLICY.replace("name: others may not", 'name: "b\\u2028c\\uffff\\u202e"'))
    report = place.folder / "report.xml"
    assert place.run("policy", "test", place.policy, "--junit", report).returncode == 0
    assert len(list(ElementTree.parse(report).getroot().iter("testcase"))) == 2


def test_a_report_that_cannot_be_written_is_an_io_error(place):
    result = place.run("policy", "test", place.policy, "--junit", place.folder / "missing" / "report.xml")
    assert result.returncode == 4 and "No such file" in result.stderr


def test_a_policy_that_does_not_compile_writes_no_report(place):
    place.policy.write_text(POLICY.replace("rules:", "rulez:"))
    report = place.folder / "report.xml"
    assert place.run("policy", "test", place.policy, "--junit", report).returncode == 2
    assert not report.exists()


def test_the_report_holds_only_the_tests_that_ran(place):
    report = place.folder / "report.xml"
    assert place.run("policy", "test", place.policy, "--run", "others", "--junit", report).returncode == 0
    assert [case.get("name") for case in ElementTree.parse(report).getroot().iter("testcase")] == ["others may not"]


def test_coverage_names_what_no_test_exercised(gated):
    result = gated.run("policy", "test", gated.policy, "--coverage", "--format", "json")
    assert result.returncode == 0
    coverage = json.loads(result.stdout)["coverage"]
    never = {part: [entry["name"] for entry in coverage[part]["never"]] for part in coverage}
    assert never == {
        "rules": ["tools/operators-write"],
        "actions": ["write"],
        "resources": ["item gold"],
        "roles": ["operator"],
        "assurances": ["fresh", "idle"],
    }
    assert coverage["rules"]["total"] == 3 and coverage["rules"]["exercised"] == 2
    assert coverage["rules"]["never"][0]["line"] == GATED.splitlines().index("    - allow: operators-write") + 1


def test_coverage_counts_the_tests_that_ran(gated):
    text = gated.run("policy", "test", gated.policy, "--coverage", "--run", "drops").stdout
    assert "rules: 1 of 3 exercised" in text and "  never tools/apps-read  (" in text


def test_a_challenge_exercises_its_assurance(gated):
    fresh = dict(STALE, headers={"x-a": "1", "x-b": "2", "x-purpose": "incident"})
    test = f"    - name: stale\n      given: {json.dumps(fresh)}\n      expect: {{challenge: operators-write}}\n"
    gated.policy.write_text(GATED + test)
    coverage = json.loads(gated.run("policy", "test", gated.policy, "--coverage", "--format", "json").stdout)["coverage"]
    assert [entry["name"] for entry in coverage["assurances"]["never"]] == ["idle"]
    assert coverage["roles"]["never"] == [] and coverage["rules"]["never"] == []


def test_without_the_option_there_is_no_coverage(gated):
    assert "exercised" not in gated.run("policy", "test", gated.policy).stdout
    assert "coverage" not in json.loads(gated.run("policy", "test", gated.policy, "--format", "json").stdout)


# ---- why-not and eval --explain ----


def test_why_not_lists_everything_that_the_closest_rule_lacks(gated):
    result = gated.run("policy", "why-not", gated.policy, "--given", given(gated, STALE), "--format", "json")
    assert result.returncode == 0
    answer = json.loads(result.stdout)
    assert answer["verdict"] == "deny" and answer["closest"] == "tools/operators-write"
    (rule,) = answer["rules"]
    assert rule["rule"] == "tools/operators-write" and rule["closest"] and rule["outcome"] == "none"
    assert [(lack["what"], lack["detail"]) for lack in rule["lacks"]] == [
        ("purpose", "purpose is absent; the rule allows incident"),
        ("condition", 'header x-a is "9", which the rule\'s condition does not accept'),
        ("condition", "the rule's condition on header x-b is not met"),
        (
            "assurance",
            "1 factor proved, the rule wants 2; auth_time is 1200 s old, the rule allows 300 s (+30 s clock skew)",
        ),
    ]
    assert answer["other_rules"] == 2


def test_why_not_without_user_and_workload_says_both(gated):
    request = {"method": "PUT", "path": "/v/tin"}
    text = gated.run("policy", "why-not", gated.policy, "--given", given(gated, request)).stdout
    assert "allow tools/operators-write (priority 0): does not allow this" in text
    assert "the request is about item tin [tier=low]; the rule is about type item, tier is high" in text
    assert "no certificate was presented" in text and "no user token was presented" in text


def test_why_not_names_the_deny_that_decides(gated):
    text = gated.run("policy", "why-not", gated.policy, "--given", given(gated, {"method": "DELETE", "path": "/v/tin"})).stdout
    assert "deny tools/no-drop (priority 0): decides" in text


def test_why_not_of_what_is_allowed_lacks_nothing(gated):
    request = {"path": "/v/tin", "workload": "spiffe://prod.example/ns/apps/sa/a"}
    answer = json.loads(gated.run("policy", "why-not", gated.policy, "--given", given(gated, request), "--format", "json").stdout)
    assert answer["verdict"] == "allow" and answer["rules"][0]["outcome"] == "allow" and answer["rules"][0]["lacks"] == []


def test_why_not_before_any_rule_says_what_was_wrong(gated):
    text = gated.run("policy", "why-not", gated.policy, "--given", given(gated, {"path": "/v/../tin"})).stdout
    assert "no rule was asked: the path is not canonical" in text


def test_why_not_of_another_request_has_no_rule(gated):
    text = gated.run("policy", "why-not", gated.policy, "--given", given(gated, {"method": "PATCH", "path": "/v/tin"})).stdout
    assert "no rule is about this request" in text and "3 rules are about other actions" in text


def test_eval_explains_with_the_same_rules(gated):
    file = given(gated, STALE)
    explained = json.loads(gated.run("policy", "eval", gated.policy, "--given", file, "--explain", "--format", "json").stdout)
    why = json.loads(gated.run("policy", "why-not", gated.policy, "--given", file, "--format", "json").stdout)
    plain = json.loads(gated.run("policy", "eval", gated.policy, "--given", file, "--format", "json").stdout)
    assert explained["rules"] == why["rules"] and "rules" not in plain


def test_why_not_needs_a_request(gated):
    assert gated.run("policy", "why-not", gated.policy).returncode == 3
    assert gated.run("policy", "why-not", gated.policy, "--given", gated.folder / "none").returncode == 4
    assert gated.run("policy", "why-not", gated.policy, "--given", given(gated, {"pth": "/"})).returncode == 2


# ---- lint ----


def lint(place, spec: str) -> list:
    place.policy.write_text(HEAD + spec)
    result = place.run("policy", "lint", place.policy, "--format", "json")
    findings = json.loads(result.stdout)
    assert result.returncode == (1 if findings else 0), result.stderr
    assert all(finding["severity"] == "warning" and finding["hint"] for finding in findings)
    return [(finding["code"], finding["line"]) for finding in findings]


USERS = """\
  issuers: {sso: {url: "https://sso.example", audiences: [api], profile: generic, stepUp: {twoFactors: [mfa]}}}
  roles:
    op: {members: [{user: {issuer: sso, claims: {roles: {anyOf: [op]}}}}]}
    app: {members: [{workload: {namespace: apps}}]}
"""
READ = '  actions: {read: {http: [{methods: [GET], paths: ["/v/{item}"]}]}}\n'


def line(spec: str, part: str) -> int:
    return next(number for number, text in enumerate((HEAD + spec).splitlines(), 1) if part in text)


def test_lint_finds_nothing_in_a_good_policy(place):
    result = place.run("policy", "lint", place.policy)
    assert result.returncode == 0 and result.stdout == "0 findings\n"


def test_lint_shows_the_line_with_a_caret(place):
    place.policy.write_text(POLICY.replace("    read: {", "    spare: {http: [{methods: [PUT], paths: [/x]}]}\n    read: {"))
    result = place.run("policy", "lint", place.policy)
    assert result.returncode == 1 and "warning[W1007]: action `spare` is never used" in result.stderr
    assert "spare: {http:" in result.stderr and "^" in result.stderr


def test_lint_of_what_does_not_compile_is_data(place):
    place.policy.write_text(POLICY.replace("rules:", "rulez:"))
    assert place.run("policy", "lint", place.policy).returncode == 2
    assert place.run("policy", "lint", place.folder / "none").returncode == 4


@pytest.mark.parametrize(
    "subjects, assurance, is_found",
    [
        ("{user: [op]}", None, True),
        ("{user: any}", None, True),
        ("{user: [op]}", "{factors: 2}", True),
        ("{user: [op]}", "{factors: 2, bound: workload}", False),
        ("{user: [op], workload: [app]}", None, False),
        ("{user: [op], workload: any}", None, False),
        ("{workload: [app]}", None, False),
        ("any", None, False),
        ("{user: [op], delegation: {actor: peer, maxDepth: 1}}", None, False),
    ],
)
def test_lint_warns_of_users_alone_with_a_token_bound_to_nobody(place, subjects, assurance, is_found):
    spec = USERS + (f"  assurance: {{fresh: {assurance}}}\n" if assurance else "") + READ + "  rules:\n"
    spec += f"    - {{allow: it, subjects: {subjects}, actions: [read]{', assurance: fresh' if assurance else ''}}}\n"
    spec += "    - {allow: other, priority: 1, subjects: {user: [op], workload: [app]}, when: {port: 1}}\n"
    assert (("W1001", line(spec, "allow: it")) in lint(place, spec)) == is_found


@pytest.mark.parametrize(
    "when, is_found",
    [
        ("{header: {name: x-risk, equals: high}}", True),
        ("{header: {name: x-risk, prefix: hi}}", True),
        ("{all: [{port: 80}, {header: {name: x-risk, equals: high}}]}", True),
        ("{not: {header: {name: x-risk, equals: low}}}", False),
        ("{header: {name: x-risk, present: true}}", False),
        ("{any: [{header: {name: x-risk, equals: high}}, {header: {name: x-risk, present: false}}]}", False),
        ("{any: [{header: {name: x-risk, equals: high}}, {header: {name: x-other, present: false}}]}", True),
        ("{context: {name: zone, equals: red}}", False),
        ("{port: 80}", False),
    ],
)
def test_lint_warns_of_a_deny_that_a_client_slips_by_leaving_a_header_out(place, when, is_found):
    spec = READ + f"  rules:\n    - {{allow: it, subjects: {{workload: any}}, actions: [read]}}\n    - deny: risky\n      when: {when}\n"
    assert (("W1002", line(spec, "when:")) in lint(place, spec)) == is_found


def test_lint_warns_of_a_claim_that_no_token_has_only_where_something_goes_on_without_one(place):
    deny = "    - deny: risky\n      when: {claim: {name: risk, equals: high}}\n"
    spec = USERS + READ + "  rules:\n    - {allow: it, subjects: {workload: [app]}, actions: [read]}\n" + deny
    assert ("W1002", line(spec, "when:")) in lint(place, spec)
    spec = USERS + READ + "  rules:\n    - {allow: it, subjects: {workload: [app], user: [op]}, actions: [read]}\n" + deny
    assert lint(place, spec) == []


def test_lint_warns_of_a_deny_for_users_that_a_request_without_a_token_slips(place):
    deny = "    - {deny: not-op, subjects: {user: [op]}, actions: [read], when: {port: 1}}\n"
    spec = USERS + READ + "  rules:\n    - {allow: it, subjects: {workload: [app]}, actions: [read]}\n" + deny
    assert lint(place, spec) == [("W1003", line(spec, "deny:"))]
    spec = USERS + READ + "  rules:\n    - {allow: it, subjects: {workload: [app], user: any}, actions: [read]}\n" + deny
    assert lint(place, spec) == []


def test_lint_warns_of_roles_assurances_and_actions_that_nothing_uses(place):
    spec = """\
  issuers: {sso: {url: "https://sso.example", audiences: [api], profile: generic, stepUp: {twoFactors: [mfa]}}}
  assurance:
    unused-level: {factors: 2}
  roles:
    used: {members: [{workload: {namespace: apps}}]}
    senior: {inherits: [used], members: [{workload: {namespace: ops}}]}
    spare: {members: [{workload: {namespace: spare}}]}
    base-of-spare: {members: [{workload: {namespace: spare}}]}
  actions:
    read: {http: [{methods: [GET], paths: ["/v/{item}"]}]}
    unused-action: {http: [{methods: [PUT], paths: ["/v/{item}"]}]}
  rules:
    - {allow: it, subjects: {workload: [used]}, actions: [read]}
"""
    assert lint(place, spec) == [
        ("W1004", line(spec, "    spare:")),
        ("W1004", line(spec, "base-of-spare:")),
        ("W1006", line(spec, "unused-level:")),
        ("W1007", line(spec, "unused-action:")),
    ]


def test_lint_warns_of_a_role_that_nobody_can_hold(place):
    spec = """\
  roles:
    app: {members: [{workload: {namespace: apps}}]}
    nobody: {inherits: [app]}
  rules:
    - {allow: it, subjects: {workload: [nobody, app]}}
"""
    assert lint(place, spec) == [("W1005", line(spec, "nobody:"))]
    assert lint(place, spec.replace("    nobody: {inherits: [app]}", "    nobody: {inherits: [app], members: [{workload: {namespace: x}}]}")) == []


def test_lint_warns_of_resources_that_no_rule_selects_and_of_labels_that_are_not_taken_over(place):
    spec = (
        READ
        + """\
  resourceTypes: {item: {id: [path.item]}}
  resources:
    - {type: item, id: "*", labels: {}}
    - {type: item, id: "embed-*", labels: {tier: low, data: pci}}
    - {type: item, id: embed-big, labels: {tier: low}}
    - {type: item, id: lonely, labels: {tier: secret}}
  rules:
    - {allow: it, subjects: any, actions: [read], resources: {labels: {tier: [low]}}}
"""
    )
    assert lint(place, spec) == [("W1009", line(spec, "embed-big")), ("W1008", line(spec, "lonely"))]


def test_lint_warns_of_a_rule_that_a_broader_one_always_decides_before(place):
    rules = "    - {allow: broad, subjects: {workload: any}, actions: [read]}\n    - {allow: narrow, subjects: {workload: [app]}, actions: [read]}\n"
    spec = USERS.replace("    op: {members: [{user: {issuer: sso, claims: {roles: {anyOf: [op]}}}}]}\n", "") + READ + "  rules:\n" + rules
    assert lint(place, spec) == [("W1010", line(spec, "narrow"))]
    assert lint(place, spec.replace("{allow: narrow, ", "{allow: narrow, priority: 1, ")) == []
    assert lint(place, spec.replace("{allow: narrow, ", "{allow: a-narrow, ")) == []
    assert lint(place, spec.replace("{allow: broad, ", "{allow: broad, when: {port: 1}, ")) == []


@pytest.mark.parametrize(
    "proof, resources, guard, is_found",
    [
        ("xfcc-text", "", "{allow: op, subjects: {user: [op], workload: [app]}, actions: [read], assurance: fresh}", True),
        ("certificate", "", "{allow: op, subjects: {user: [op], workload: [app]}, actions: [read], assurance: fresh}", False),
        ("xfcc-text", "", "{allow: op, subjects: {user: [op], workload: [app]}, actions: [write], assurance: fresh}", False),
        ("xfcc-text", "", "{deny: stale, subjects: {user: any}, actions: [read], unlessAssurance: fresh}", True),
        ("xfcc-text", ", resources: {labels: {tier: [low]}}",
         "{allow: op, subjects: {user: [op], workload: [app]}, actions: [read], resources: {labels: {tier: [high]}}, assurance: fresh}", False),
        ("xfcc-text", ", resources: {labels: {tier: [low, high]}}",
         "{allow: op, subjects: {user: [op], workload: [app]}, actions: [read], resources: {labels: {tier: [high]}}, assurance: fresh}", True),
    ],
)
def test_lint_warns_of_a_proxys_word_where_an_assurance_is_asked_for(place, proof, resources, guard, is_found):
    spec = USERS + "  assurance: {fresh: {factors: 2}}\n  resourceTypes: {item: {id: [path.item]}}\n"
    spec += READ.replace("}]}}", "}]}, write: {http: [{methods: [PUT], paths: [\"/v/{item}\"]}]}}")
    spec += f"  rules:\n    - {{allow: it, subjects: {{workload: [app], proof: {proof}}}, actions: [read]{resources}}}\n    - {guard}\n"
    assert (("W1011", line(spec, "allow: it")) in lint(place, spec)) == is_found


def test_lint_finds_nothing_in_the_policies_that_are_shipped(place, root):
    for path in ("tests/policy/inference-gateway.yaml", "deploy/k8s/base/inference-gateway.yaml", "deploy/demo/policy"):
        result = place.run("policy", "lint", root / path)
        assert result.returncode == 0, result.stderr


# ---- new ----

BASIC = ("--name", "shop", "--trust-domain", "prod.example", "--namespace", "web")
SSO = ("--issuer", "https://sso.example/realms/a", "--audience", "shop")


@pytest.mark.parametrize("protocol", [None, "http", "kserve-v1", "kserve-v2", "openai", "mcp"])
@pytest.mark.parametrize("users", [(), SSO])
def test_a_new_policy_passes_check_test_and_lint_and_its_tests_cover_it(place, protocol, users):
    made = place.run("policy", "new", *BASIC, *users, *(("--protocol", protocol) if protocol else ()))
    assert made.returncode == 0 and made.stderr == ""
    place.policy.write_text(made.stdout)
    assert place.run("policy", "check", place.policy).returncode == 0
    assert place.run("policy", "lint", place.policy).stdout == "0 findings\n"
    result = json.loads(place.run("policy", "test", place.policy, "--coverage", "--format", "json").stdout)
    assert result["failed"] == 0 and result["passed"] >= 4
    assert all(part["never"] == [] for part in result["coverage"].values())
    assert place.run("policy", "new", *BASIC, "--protocol", "htp").returncode == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--name", "shop"),
        (*BASIC, "--issuer", "https://sso.example"),
        (*BASIC, "--audience", "api"),
        (*BASIC, "--protocol", "soap"),
        (*BASIC[2:], "--name", 'a", b: "c'),
        (*BASIC[2:], "--name", "a\nb"),
        (*BASIC[2:], "--name", ""),
        (*BASIC, "extra"),
    ],
)
def test_flags_of_which_no_policy_can_be_made_are_usage(place, words):
    result = place.run("policy", "new", *words)
    assert result.returncode == 3 and result.stdout == ""


@pytest.mark.parametrize("words", [(*BASIC[2:], "--name", "a b"), (*BASIC[:2], "--trust-domain", "UPPER", "--namespace", "web")])
def test_values_that_the_language_refuses_make_no_policy(place, words):
    result = place.run("policy", "new", *words)
    assert result.returncode == 2 and result.stdout == "" and result.stderr != ""


# ---- bench ----


def test_bench_has_figures_for_each_test_and_for_all(place):
    result = place.run("policy", "bench", place.policy, "--n", "50", "--format", "json")
    assert result.returncode == 0
    figures = json.loads(result.stdout)
    assert figures["requests"] == 2 and figures["rounds"] == 50
    assert [test["name"] for test in figures["tests"]] == ["the web may read", "others may not"]
    for part in (figures["all"], *figures["tests"]):
        assert 0 < part["p50_ns"] <= part["p99_ns"] and part["p50_low_ns"] <= part["p50_ns"] <= part["p50_high_ns"]


def test_bench_prints_a_line_for_each_test(place):
    result = place.run("policy", "bench", place.policy, "--n", "1")
    assert result.returncode == 0 and result.stdout.splitlines()[-1].endswith(" all")
    assert "2 requests, 1 rounds" in result.stdout


@pytest.mark.parametrize("number", ["0", "-1", "x", "1000001"])
def test_a_number_of_rounds_that_makes_no_sense_is_usage(place, number):
    assert place.run("policy", "bench", place.policy, "--n", number).returncode == 3


def test_a_policy_without_tests_has_nothing_to_measure(place):
    place.policy.write_text(POLICY.split("  tests:")[0])
    result = place.run("policy", "bench", place.policy)
    assert result.returncode == 2 and "no tests" in result.stderr


# ---- fmt ----

MESSY = POLICY.replace("  roles:\n", "  roles:   # who\n").replace("      subjects:", "      # the web\n      subjects:").replace("given: {path: /items/1, ", "given: {path:   /items/1,  ")


def digest(place, path) -> str:
    return place.run("policy", "check", path).stdout.split("digest ")[1]


def test_fmt_prints_the_canonical_form_which_means_the_same(place):
    place.policy.write_text(MESSY)
    result = place.run("policy", "fmt", place.policy)
    assert result.returncode == 0 and result.stderr == ""
    assert place.policy.read_text() == MESSY
    assert "  roles: # who\n" in result.stdout and "# the web\n" in result.stdout and "{path: /items/1, workload" in result.stdout
    formatted = place.folder / "formatted.yaml"
    formatted.write_text(result.stdout)
    assert digest(place, formatted) == digest(place, place.policy)
    assert place.run("policy", "fmt", formatted).stdout == result.stdout
    assert place.run("policy", "fmt", "-", text=MESSY).stdout == result.stdout


def test_fmt_check_names_what_would_change_and_changes_nothing(place):
    folder = place.folder / "set"
    folder.mkdir()
    (folder / "a.yaml").write_text(MESSY)
    (folder / "b.yaml").write_text(place.run("policy", "fmt", place.policy).stdout)
    result = place.run("policy", "fmt", folder, "--check")
    assert result.returncode == 1 and result.stdout == f"{folder}/a.yaml\n"
    assert (folder / "a.yaml").read_text() == MESSY
    assert place.run("policy", "fmt", folder / "b.yaml", "--check").returncode == 0


def test_fmt_write_replaces_what_changes_and_leaves_the_rest(place):
    folder = place.folder / "set"
    folder.mkdir()
    messy, neat, broken, link = (folder / name for name in ("a.yaml", "b.yaml", "c.yaml", "d.yaml"))
    messy.write_text(MESSY)
    messy.chmod(0o640)
    neat.write_text(place.run("policy", "fmt", place.policy).stdout)
    broken.write_text("a: |2\n   x\n")
    (place.folder / "target.txt").write_text("b:   1\n")
    link.symlink_to("../target.txt")
    before = neat.stat().st_ino
    result = place.run("policy", "fmt", folder, "--write")
    assert result.returncode == 2 and result.stdout == f"{messy}\n{link}\n"
    assert "c.yaml: cannot be formatted" in result.stderr and broken.read_text() == "a: |2\n   x\n"
    assert messy.stat().st_mode & 0o777 == 0o640 and neat.stat().st_ino == before
    assert link.is_symlink() and (place.folder / "target.txt").read_text() == "b: 1\n"
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "b.yaml", "c.yaml", "d.yaml"]
    assert place.run("policy", "fmt", messy, "--check").returncode == 0


def test_fmt_of_no_yaml_says_where(place):
    place.policy.write_text("a: [1\n")
    result = place.run("policy", "fmt", place.policy)
    assert result.returncode == 2 and result.stdout == "" and "error[" in result.stderr
    assert place.run("policy", "fmt", place.folder / "none").returncode == 4


@pytest.mark.parametrize("words", [("PATH", "--check", "--write"), ("FOLDER",), ("-", "--write")])
def test_fmt_without_a_clear_wish_is_usage(place, words):
    paths = {"PATH": place.policy, "FOLDER": place.folder}
    assert place.run("policy", "fmt", *(paths.get(word, word) for word in words)).returncode == 3


def test_fmt_keeps_the_meaning_and_the_comments_of_the_policies_that_are_shipped(place, root):
    for path in [*root.glob("tests/policy/*.yaml"), *root.glob("deploy/demo/policy/*.yaml"), root / "deploy/k8s/base/inference-gateway.yaml"]:
        formatted = place.folder / "formatted.yaml"
        formatted.write_text(place.run("policy", "fmt", path).stdout)
        assert digest(place, formatted) == digest(place, path)
        assert place.run("policy", "fmt", formatted).stdout == formatted.read_text()
        assert formatted.read_text().count("# ") == path.read_text().count("# ")


@pytest.mark.parametrize("users", [(), SSO])
def test_a_new_policy_is_read_again_by_fmt(place, users):
    place.policy.write_text(place.run("policy", "new", *BASIC, *users).stdout)
    before = digest(place, place.policy)
    assert place.run("policy", "fmt", place.policy, "--write").returncode == 0
    assert digest(place, place.policy) == before
