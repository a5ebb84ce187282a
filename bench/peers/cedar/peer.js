// SPDX-License-Identifier: Apache-2.0
// Cedar among the peers of the policy benchmark: the WebAssembly build of its Rust engine, the policy
// set parsed beforehand (preparsePolicySet, statefulIsAuthorized), the call's object made beforehand. This
// binding copies the whole policy set for each call; native/ asks the engine itself.
// What an application does before it asks Cedar is done outside the timing: it says which actions a
// request is (several fit in `templates`: then the request's action is an entity under them) and passes
// the entities of this request alone: the caller under its workload and groups, those under the roles
// they are in, the resource with its labels. The conversation is that of bench/policy_peer.c.
"use strict";

const fs = require("fs");
const path = require("path");
const readline = require("readline");
const cedar = require("@cedar-policy/cedar-wasm/nodejs");

const quote = JSON.stringify;
const uid = (type, id) => ({ type, id: String(id) });

// ---- policies ---------------------------------------------------------------------

function scope(rule, role) {
  const actions = rule.actions?.map((action) => `Action::"${action}"`);
  const principal = role === undefined ? "principal" : `principal in Role::"${role}"`;
  const action = actions === undefined ? "action" : `action in [${actions.join(", ")}]`;
  return `${principal}, ${action}`;
}

function policies(rule) {
  const tests = [];
  if (rule.needs_workload) tests.push("context has workload");
  for (const [key, values] of Object.entries(rule.labels ?? {}))
    tests.push(`resource has ${key} && ${quote(values)}.contains(resource.${key})`);
  if (rule.header)
    tests.push(`context.headers has ${quote(rule.header.name)} && ` +
      (rule.header.values.length === 1
        ? `context.headers[${quote(rule.header.name)}] == ${quote(rule.header.values[0])}`
        : `${quote(rule.header.values)}.contains(context.headers[${quote(rule.header.name)}])`));
  if (rule.workload && rule.user) throw new Error(`rule ${rule.name} asks for two roles at once`);
  const when = tests.length > 0 ? ` when { ${tests.join(" && ")} }` : "";
  const effect = rule.effect === "allow" ? "permit" : "forbid";
  const out = [];
  for (const role of rule.workload ?? rule.user ?? [undefined])
    for (const id of rule.ids ?? [undefined]) {
      const resource = id === undefined ? "resource" : `resource == Item::${quote(id)}`;
      out.push(`${effect}(${scope(rule, role)}, ${resource})${when};\n`);
    }
  return out.join("");
}

// ---- requests ------------------------------------------------------------------------

// Who is in which role, by workload and by issuer and group.
function memberships(roles) {
  const members = new Map();
  const add = (key, role) => members.set(key, [...(members.get(key) ?? []), uid("Role", role)]);
  roles.forEach((role, number) => {
    role.workloads.forEach((workload) => add(workload, number));
    role.users.forEach((user) => user.values.forEach((value) => add(`${user.issuer}\n${value}`, number)));
  });
  return members;
}

function call(line, policy, members) {
  const { given, actions, resource = "" } = line;
  const action = actions.length === 1 ? uid("Action", actions[0]) : uid("Action", "request");
  const groups = (given.jwt?.groups ?? []).map((group) => `${given.jwt.iss}\n${group}`);
  const entities = [
    {
      uid: uid("Caller", "request"),
      attrs: {},
      parents: [uid("Workload", given.workload), ...groups.map((group) => uid("Group", group))],
    },
    { uid: uid("Workload", given.workload), attrs: {}, parents: members.get(given.workload) ?? [] },
    ...groups.map((group) => ({ uid: uid("Group", group), attrs: {}, parents: members.get(group) ?? [] })),
    { uid: uid("Item", resource), attrs: policy.resources[resource] ?? {}, parents: [] },
  ];
  if (actions.length > 1) entities.push({ uid: action, attrs: {}, parents: actions.map((each) => uid("Action", each)) });
  return {
    principal: uid("Caller", "request"),
    action,
    resource: uid("Item", resource),
    context: { headers: given.headers, workload: given.workload },
    preparsedPolicySetId: "bench",
    entities,
  };
}

function isAllowed(request) {
  const answer = cedar.statefulIsAuthorized(request.call);
  if (answer.type !== "success") throw new Error(JSON.stringify(answer.errors));
  return answer.response.decision === "allow";
}

// ---- the conversation ------------------------------------------------------------------

let requests = [];
let checked = 0;

const now = () => Number(process.hrtime.bigint());

function check(seconds) {
  const end = now() + seconds * 1e9;
  const wrong = [];
  for (checked = 0; checked < requests.length && now() < end; checked++)
    if (isAllowed(requests[checked]) !== requests[checked].allows) wrong.push(checked + 1);
  return { checked, wrong };
}

function round(kind, seconds) {
  const LEAST = 5;
  const samples = [];
  const end = now() + seconds * 1e9;
  for (let i = 0; samples.length < LEAST || now() < end; i++) {
    const request = requests[i % checked];
    if (request.allows !== (kind === "allow")) continue;
    const from = now();
    isAllowed(request);
    samples.push(now() - from);
  }
  samples.sort((a, b) => a - b);
  const quantile = (q) => samples[Math.floor(q * (samples.length - 1))];
  return { p50_ns: quantile(0.5), p99_ns: quantile(0.99), count: samples.length };
}

function read(folder) {
  const policy = JSON.parse(fs.readFileSync(path.join(folder, "rules.json"), "utf8"));
  const members = memberships(policy.roles);
  const lines = fs.readFileSync(path.join(folder, "requests.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  requests = lines.map((line) => ({ call: call(line, policy, members), allows: line.expect === "allow" }));
  return policy.rules.map(policies).join("");
}

// For native/, which has no translation of its own.
function write(folder) {
  fs.writeFileSync(path.join(folder, "policies.cedar"), read(folder));
  fs.writeFileSync(path.join(folder, "calls.jsonl"), requests.map((request) => JSON.stringify(request) + "\n").join(""));
}

async function main(folder) {
  const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
  const start = now();
  const answer = cedar.preparsePolicySet("bench", { staticPolicies: read(folder) });
  if (answer.type !== "success") throw new Error(JSON.stringify(answer));
  say({ ready: true, version: `Cedar ${cedar.getCedarSDKVersion()} (wasm)`, load_ms: (now() - start) / 1e6 });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [word, ...rest] = line.split(" ");
    say(word === "check" ? check(Number(rest[0])) : round(rest[0], Number(rest[1])));
  }
}

async function run(words) {
  return words[0] === "--write" ? write(words[1]) : main(words[0]);
}

run(process.argv.slice(2)).catch((error) => {
  console.error(`cedar: ${error.message.slice(0, 500)}`);
  process.exit(2);
});
