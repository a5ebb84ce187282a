# SPDX-License-Identifier: Apache-2.0
"""A policy of cases.py as Bartizan's YAML; JSON is YAML."""

import json

from cases import PATHS, TYPES, Policy, Rule


def members(role: dict) -> list:
    if role["kind"] == "workload":
        return [{"workload": {"spiffe": each}} for each in role["members"]]
    return [{"user": {"issuer": "sso"} | ({"claims": {"groups": {"anyOf": each["groups"]}}} if "groups" in each else each)}
            for each in role["members"]]  # fmt: skip


def condition(node: tuple) -> dict:
    if node[0] in ("all", "any"):
        return {node[0]: [condition(child) for child in node[1]]}
    if node[0] == "not":
        return {"not": condition(node[1])}
    kind, name, test, values = node
    return {kind: {"name": name, test: values[0] if test == "equals" else values}}


def rule_form(rule: Rule) -> dict:
    subjects = {key: value for key, value in (("workload", rule.workload), ("user", rule.user)) if value is not None}
    resources = {"types": rule.types, "ids": rule.ids, "labels": rule.labels, "notLabels": rule.not_labels}
    out = {rule.effect: rule.name, "subjects": subjects or "any", "actions": rule.actions,
           "resources": {key: value for key, value in resources.items() if value},
           "when": rule.when and condition(rule.when), "unless": rule.unless and condition(rule.unless)}  # fmt: skip
    return {key: value for key, value in out.items() if value}


def text(policy: Policy) -> str:
    spec = {
        "issuers": {"sso": {"url": "https://sso.example", "audiences": ["api"]}},
        "roles": {name: {"members": members(role)} | ({"inherits": role["inherits"]} if role["inherits"] else {})
                  for name, role in policy.roles.items()},
        "actions": {name: {"http": [{"methods": methods, "paths": [f"/{path}/{{id}}"]} for methods, path in entries]}
                    for name, entries in policy.actions.items()} | {
            "paths": {"http": [{"paths": [f"/{path}/{{id}}" for path in [*PATHS, "four"]]}]}},
        "resourceTypes": {name: {"hosts": [host], "id": ["path.id"]} for name, host in TYPES.items()},
        "resources": [{"type": kind, "id": item, "labels": labels} for (kind, item), labels in policy.catalog.items()],
        "rules": [rule_form(rule) for rule in policy.rules],
    }  # fmt: skip
    return json.dumps({"apiVersion": "bartizan.dev/v1alpha1", "kind": "AccessPolicy", "metadata": {"name": "oracle"},
                       "spec": {key: value for key, value in spec.items() if value}}, indent=1)  # fmt: skip
