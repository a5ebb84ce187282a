// SPDX-License-Identifier: Apache-2.0
// Reads lines of {"policies": Cedar text, "calls": [..]} and answers each with the list of decisions.
// An error while Cedar evaluates (it skips such a policy) ends it: the translation is then wrong.
"use strict";

const readline = require("readline");
const cedar = require("@cedar-policy/cedar-wasm/nodejs");

function good(answer) {
  const errors = answer.type === "success" ? answer.response?.diagnostics.errors ?? [] : answer.errors;
  if (errors.length > 0) throw new Error(JSON.stringify(errors[0]));
  return answer;
}

function decisions({ policies, calls }) {
  good(cedar.preparsePolicySet("oracle", { staticPolicies: policies }));
  return calls.map((call) => good(cedar.statefulIsAuthorized({ ...call, preparsedPolicySetId: "oracle" })).response.decision);
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin }))
    process.stdout.write(JSON.stringify(decisions(JSON.parse(line))) + "\n");
}

main().catch((error) => {
  console.error(`cedar: ${error.message}`);
  process.exit(2);
});
