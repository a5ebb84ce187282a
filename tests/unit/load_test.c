/* SPDX-License-Identifier: Apache-2.0 */
/* Policies with one thing wrong each: the finding's code, the very word under its
 * caret, and where it helps a part of the hint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy.h"

#include <stdlib.h>

static const char GOOD[] =
    "apiVersion: bartizan.dev/v1alpha1\n"
    "kind: AccessPolicy\n"
    "metadata: {name: test}\n"
    "spec:\n"
    "  issuers:\n"
    "    sso: {url: \"https://sso.example\", audiences: [api], acrOrder: [low, mid, high],\n"
    "          stepUp: {twoFactors: [mfa], phishingResistant: [phr]}}\n"
    "    bare: {url: \"https://bare.example\", audiences: [api]}\n"
    "  assurance:\n"
    "    fresh: {factors: 2, maxAge: 5m, issuers: [sso]}\n"
    "  roles:\n"
    "    app: {members: [{workload: {namespace: checkout}}]}\n"
    "    operator: {members: [{user: {issuer: sso, claims: {groups: {anyOf: [ops]}}}}]}\n"
    "    lead: {inherits: [operator]}\n"
    "  actions:\n"
    "    read: {http: [{methods: [GET], paths: [\"/v1/items/{item}\"]}]}\n"
    "  resourceTypes:\n"
    "    item: {hosts: [api.example], id: [path.item]}\n"
    "  resources:\n"
    "    - {type: item, id: one, labels: {tier: low}}\n"
    "  rules:\n"
    "    - allow: apps\n"
    "      subjects: {workload: [app]}\n"
    "      actions: [read]\n"
    "    - allow: leads\n"
    "      subjects: {user: [lead]}\n"
    "      assurance: fresh\n"
    "      obligations: {requestHeaders: {set: {x-user: $user.sub}}}\n"
    "    - deny: frozen\n"
    "      subjects: any\n"
    "      when: {time: {days: [sat]}}\n"
    "  tests:\n"
    "    - name: apps read\n"
    "      given: {path: /v1/items/one, host: api.example, workload: \"spiffe://a/ns/checkout/sa/b\"}\n"
    "      expect: {allow: apps}\n";

struct bad {
    const char *name;
    const char *find, *write; /* the one change to GOOD; NULL for a good one */
    const char *code;         /* NULL: stays good */
    const char *at;           /* what the caret stands under, from the change on */
    const char *hint;         /* a part of it; NULL: whatever */
};

/* clang-format off */
static const struct bad CASES[] = {
    {"the policy that the others are changes of is good", "{name: test}", "{name: test}", NULL, NULL, NULL},

    /* documents */
    {"another apiVersion", "v1alpha1", "v2", "E0201", "bartizan.dev/v2", "v1alpha1"},
    {"another kind", "AccessPolicy", "AccesPolicy", "E0202", "AccesPolicy", "AccessPolicy"},
    {"a catalog alone", "AccessPolicy", "RoleSet", "E0220", NULL, "AccessPolicy"},
    {"an unknown key at the top", "spec:\n", "specs: 1\nspec:\n", "E0203", "specs", "`spec`"},
    {"no name", "{name: test}", "{}", "E0204", "{}", NULL},
    {"a list for a map", "metadata: {name: test}", "metadata: [a]", "E0205", "[a]", NULL},
    {"an unknown key of spec", "  roles:", "  role: {}\n  roles:", "E0203", "role", "`roles`"},
    {"no imports", "  roles:", "  imports: []\n  roles:", NULL, NULL, NULL},
    {"an import that is not there", "  roles:", "  imports: [{kind: RoleSet, name: staff}]\n  roles:", "E0222", "{kind", "same file"},
    {"an import of a policy", "  roles:", "  imports: [{kind: AccessPolicy, name: p}]\n  roles:", "E0206", "AccessPolicy", NULL},
    {"an invariant that says nothing", "  roles:", "  invariants: [{name: i}]\n  roles:", "E0204", "{name: i}", NULL},
    {"an invariant that says two things", "  roles:", "  invariants: [{name: i, never: {verdict: deny, actions: [read]}, always: {verdict: deny}}]\n  roles:", "E0204", "{name: i", NULL},
    {"an invariant without a verdict", "  roles:", "  invariants: [{name: i, never: {assurance: none}}]\n  roles:", "E0204", "{assurance", NULL},
    {"an invariant about an unknown verdict", "  roles:", "  invariants: [{name: i, never: {verdict: permit}}]\n  roles:", "E0206", "permit", NULL},
    {"an invariant about an unknown level", "  roles:", "  invariants: [{name: i, never: {verdict: deny, assurance: nome}}]\n  roles:", "E0212", "nome", NULL},
    {"an invariant about an unknown role", "  roles:", "  invariants: [{name: i, never: {verdict: deny, notSubjects: {workload: [ap]}}}]\n  roles:", "E0214", "ap", "`app`"},
    {"an invariant about proof", "  roles:", "  invariants: [{name: i, never: {verdict: deny, subjects: {proof: xfcc-text}}}]\n  roles:", "E0416", "xfcc-text", NULL},
    {"an invariant about nobody", "  roles:", "  invariants: [{name: i, never: {verdict: deny, notSubjects: any}}]\n  roles:", "E0220", "any", NULL},
    {"an unknown path mode", "  roles:", "  paths: lax\n  roles:", "E0206", "lax", "strict"},
    {"the envoy path mode", "  roles:", "  paths: envoy\n  roles:", NULL, NULL, NULL},
    {"a limit over the most", "  roles:", "  limits: {maxSegments: 65}\n  roles:", "E0206", "65", NULL},
    {"a limit at the most", "  roles:", "  limits: {maxSegments: 64}\n  roles:", NULL, NULL, NULL},
    {"a name that is none", "    app: ", "    a/pp: ", "E0209", "a/pp", NULL},

    /* issuers and assurance */
    {"an unknown profile", "audiences: [api], acr", "profile: keycloack, audiences: [api], acr", "E0206", "keycloack", "`keycloak`"},
    {"a known profile", "audiences: [api], acr", "profile: keycloak, audiences: [api], acr", NULL, NULL, NULL},
    {"a URL with a fragment", "https://sso.example", "https://sso.example#a", "E0302", "\"https", "byte for byte"},
    {"an acr twice in the order", "[low, mid, high]", "[low, mid, low]", "E0302", NULL, NULL},
    {"two issuers of one URL that differ", "https://bare.example\", audiences: [api]", "https://sso.example\", audiences: [b]", "E0219", NULL, NULL},
    {"no audience", "audiences: [api]}", "audiences: []}", "E0220", "[]", NULL},
    {"a clock too far off", "audiences: [api]}", "audiences: [api], clockSkew: 61s}", "E0207", "61s", NULL},
    {"a clock at the limit", "audiences: [api]}", "audiences: [api], clockSkew: 60s}", NULL, NULL, NULL},
    {"a client that is a pattern", "audiences: [api]}", "audiences: [api], clients: {c: \"spiffe://a/*\"}}", "E0301", "\"spiffe", NULL},
    {"a class that is none", "audiences: [api]}", "audiences: [api], amrClasses: {x: ownership}}", "E0206", "ownership", "possession"},
    {"a duration without unit", "maxAge: 5m", "maxAge: 300", "E0207", "300", "5m"},
    {"a duration of units in the wrong order", "maxAge: 5m", "maxAge: 5m1h", "E0207", "5m1h", NULL},
    {"a duration of two units", "maxAge: 5m", "maxAge: 1h30m", NULL, NULL, NULL},
    {"four factors", "factors: 2", "factors: 4", "E0206", "4", NULL},
    {"an unknown binding", "maxAge: 5m", "bound: cert", "E0206", "cert", "certificate"},
    {"an unknown issuer", "issuers: [sso]", "issuers: [ssso]", "E0211", "ssso", "defined at policy.yaml:6:5"},
    {"a challenge that one issuer cannot answer", ", issuers: [sso]", "", "E0303", NULL, "stepUp.twoFactors"},
    {"the same with something to ask", ", issuers: [sso]", ", ask: [mfa]", NULL, NULL, NULL},
    {"age alone can always be asked", "{factors: 2, maxAge: 5m, issuers: [sso]}", "{maxAge: 5m}", NULL, NULL, NULL},
    {"phishing resistance that cannot be asked", ", phishingResistant: [phr]}", "}", NULL, NULL, NULL},
    {"atLeast an acr that is not ranked", "factors: 2", "acr: {atLeast: top}", "E0304", NULL, "acrOrder"},
    {"atLeast an acr that is ranked", "factors: 2", "acr: {atLeast: mid}", NULL, NULL, NULL},
    {"methods of both kinds", "factors: 2", "methods: {anyOf: [hwk], allOf: [otp]}", "E0219", NULL, NULL},
    {"an assurance that asks nothing", "{factors: 2, maxAge: 5m, issuers: [sso]}", "{}", "E0220", NULL, NULL},

    /* roles */
    {"an unknown key of a role", "{inherits: [operator]}", "{inherit: [operator]}", "E0203", "inherit", "`inherits`"},
    {"an unknown inherited role", "inherits: [operator]", "inherits: [operater]", "E0214", "operater", "`operator`? (defined at policy.yaml:13:5)"},
    {"a role that inherits itself", "inherits: [operator]", "inherits: [lead]", "E0217", NULL, NULL},
    {"a role of users that inherits workloads", "{inherits: [operator]}", "{inherits: [app], members: [{user: {issuer: sso}}]}", "E0218", "{inherits", NULL},
    {"a role of both", "[{workload: {namespace: checkout}}]", "[{workload: {namespace: checkout}}, {user: {issuer: sso}}]", "E0218", "[{workload", NULL},
    {"a member of neither", "{workload: {namespace: checkout}}", "{group: a}", "E0205", "{group", "workload"},
    {"an empty workload", "{namespace: checkout}", "{}", "E0220", "{}", NULL},
    {"a trust domain that is a suffix", "namespace: checkout", "spiffe: \"spiffe://*foo/ns/a\"", "E0301", "\"spiffe", "write it out"},
    {"any trust domain", "namespace: checkout", "spiffe: \"spiffe://*/ns/a\"", NULL, NULL, NULL},
    {"a rest in the middle", "namespace: checkout", "spiffe: \"spiffe://a/**/b\"", "E0301", "\"spiffe", NULL},
    {"a rest at the end", "namespace: checkout", "spiffe: \"spiffe://a/b*c/**\"", NULL, NULL, NULL},
    {"an upper-case trust domain", "namespace: checkout", "trustDomain: A", "E0301", "A", NULL},
    {"a dot segment", "namespace: checkout", "spiffe: \"spiffe://a/../b\"", "E0301", "\"spiffe", NULL},
    {"a namespace pattern", "namespace: checkout", "namespace: check*", "E0301", "check*", "spiffe"},
    {"a service account without namespace", "namespace: checkout", "serviceAccount: api", "E0301", "api", "namespace/account"},
    {"a service account", "namespace: checkout", "serviceAccount: [a/b, c/d]", NULL, NULL, NULL},
    {"a claim tested twice", "{anyOf: [ops]}", "{anyOf: [ops], prefix: o}", "E0219", "prefix", NULL},
    {"a claim tested by a suffix", "{anyOf: [ops]}", "{suffix: ops}", "E0203", "suffix", NULL},
    {"gRPC methods with a body", "read: {http:", "infer: {grpc: [{methods: [p.S/M, p.S/N*], body: kserve}, p.S/O]}\n    read: {http:", NULL, NULL, NULL},
    {"gRPC methods that are none", "read: {http:", "infer: {grpc: [{methods: []}]}\n    read: {http:", "E0220", "[]}", NULL},
    {"a gRPC entry without methods", "read: {http:", "infer: {grpc: [{body: kserve}]}\n    read: {http:", "E0204", "{body", NULL},
    {"a gRPC entry with a body that is JSON", "read: {http:", "infer: {grpc: {methods: p.S/M, body: openai}}\n    read: {http:", "E0206", "openai", "kserve"},
    {"an empty list of values", "{anyOf: [ops]}", "{anyOf: []}", "E0220", "[]", NULL},
    {"an empty prefix", "{anyOf: [ops]}", "{prefix: \"\"}", "E0206", "\"\"", "present"},
    {"a claim with an empty step", "groups:", "a..b:", "E0206", "a..b", NULL},
    {"a user without issuer", "{issuer: sso, claims", "{claims", "E0204", "{claims", NULL},

    /* actions and resources */
    {"an unknown operation", "http: [{methods: [GET], paths: [\"/v1/items/{item}\"]}]", "uses: [kserve-v1.predct]", "E0216", "kserve-v1.predct", "`kserve-v1.predict`"},
    {"a catalog alone", "http: [{methods: [GET], paths: [\"/v1/items/{item}\"]}]", "uses: [nothing]", "E0216", "nothing", "catalogs: grpc, kserve-v1, kserve-v2, mcp, mlflow, openai"},
    {"a lower-case method", "[GET]", "[get]", "E0403", "get", NULL},
    {"a path with a rest in the middle", "/v1/items/{item}", "/v1/{**}/{item}", "E0402", "\"/v1", NULL},
    {"a path without a slash", "/v1/items/{item}", "v1/{item}", "E0402", "\"v1", NULL},
    {"a call without a body", "methods: [GET], ", "call: tools/call, ", "E0219", NULL, "body: mcp"},
    {"a gRPC name without a method", "read: {", "read: {grpc: [pkg.Svc], ", "E0404", "pkg.Svc", NULL},
    {"a gRPC prefix", "read: {", "read: {grpc: [pkg.Svc/Get*, pkg.Svc/*], ", NULL, NULL, NULL},
    {"an action of nothing", "{http: [{methods: [GET], paths: [\"/v1/items/{item}\"]}]}", "{}", "E0220", NULL, NULL},
    {"a host with a path", "[api.example]", "[api.example/x]", "E0401", "api.example/x", NULL},
    {"a host with a star inside", "[api.example]", "[\"a*.example\"]", "E0401", "\"a*", NULL},
    {"a host with a port", "[api.example]", "[\"*.example:8443\", \"[2001:db8::1]:80\"]", NULL, NULL, NULL},
    {"a host with port 0", "[api.example]", "[\"api.example:0\"]", "E0401", "\"api", NULL},
    {"an id from nowhere", "path.item", "query.item", "E0405", "query.item", "header.NAME"},
    {"an id that no path captures", "path.item", "path.thing", "E0405", NULL, NULL},
    {"a literal id beside another", "[path.item]", "[path.item, \"=one\"]", "E0405", "[path", NULL},
    {"an unknown type", "type: item", "type: itm", "E0215", "itm", "`item`"},
    {"a star inside an id", "id: one", "id: o*e", "E0405", "o*e", NULL},
    {"a resource twice", "id: one, labels: {tier: low}}\n", "id: one}\n    - {type: item, id: one}\n", "E0210", NULL, "policy.yaml:20"},
    {"a literal and its prefix are two", "id: one, labels: {tier: low}}\n", "id: one}\n    - {type: item, id: one*}\n", NULL, NULL, NULL},

    /* rules */
    {"an unknown role", "[app]", "[ap]", "E0214", "ap", NULL},
    {"a role of workloads for a user", "user: [lead]", "user: [app]", "E0218", "[app]", "`workload`"},
    {"an unknown action", "[read]", "[raed]", "E0213", "raed", "`read`"},
    {"an unknown assurance", "assurance: fresh", "assurance: frsh", "E0212", "frsh", "`fresh`? (defined at policy.yaml:10:5)"},
    {"a rule's name twice", "deny: frozen", "deny: apps", "E0210", "apps", "policy.yaml:22:14"},
    {"a rule that does both", "deny: frozen", "deny: frozen\n      allow: x", "E0204", "deny", NULL},
    {"a rule that does neither", "deny: frozen\n      subjects", "subjects", "E0204", "subjects", "allow: NAME"},
    {"an unknown key of a rule", "actions: [read]", "action: [read]", "E0203", "action", "`actions`"},
    {"no roles at all", "[app]", "[]", "E0220", "[]", NULL},
    {"no subjects at all", "{workload: [app]}", "{}", "E0220", "{}", "any"},
    {"a priority over the most", "actions: [read]", "priority: 16", "E0206", "16", NULL},
    {"a priority at the most", "actions: [read]", "priority: 15", NULL, NULL, NULL},
    {"assurance on a deny", "subjects: any", "assurance: fresh", "E0416", "assurance", "unlessAssurance"},
    {"unless on an allow", "actions: [read]", "unless: {port: 1}", "E0416", "unless", "when"},
    {"headers on a deny", "subjects: any", "obligations: {requestHeaders: {set: {a: b}}}", "E0416", "requestHeaders", NULL},
    {"an audit level on a deny", "subjects: any", "obligations: {audit: full}", NULL, NULL, NULL},
    {"delegation to somebody else", "[app]}", "[app], delegation: {actor: other}}", "E0206", "other", "peer"},
    {"delegation to the peer", "[app]}", "[app], delegation: {actor: peer, maxDepth: 1}}", NULL, NULL, NULL},
    {"delegation too deep", "[app]}", "[app], delegation: {actor: peer, maxDepth: 5}}", "E0206", "5", NULL},
    {"minimal audit on a rule about resources", "actions: [read]", "resources: {labels: {tier: low}}\n      obligations: {audit: minimal}", "E0415", "{audit", NULL},
    {"minimal audit on another rule", "actions: [read]", "obligations: {audit: minimal}", NULL, NULL, NULL},
    {"a resource of an unknown type", "actions: [read]", "resources: {types: [thing]}", "E0215", "thing", NULL},
    {"a deny for proved callers only", "subjects: any", "subjects: {workload: any, proof: certificate}", "E0416", "certificate", NULL},
    {"a deny for callers proved in either way", "subjects: any", "subjects: {workload: any, proof: xfcc-text}", NULL, NULL, NULL},
    {"two operations that read two ids", "read: {http: [", "read: {http: [{paths: [\"/v1/{item}/{x}\"]}, ", "E0417", NULL, NULL},
    {"a purpose from nowhere", "actions: [read]", "purpose: {from: query.p, anyOf: [a]}", "E0206", "query.p", "claim.NAME"},
    {"a purpose without values", "actions: [read]", "purpose: {from: claim.p}", "E0204", "{from", NULL},

    /* conditions */
    {"an empty condition", "{time: {days: [sat]}}", "{}", "E0406", "{}", NULL},
    {"two conditions in one", "{time: {days: [sat]}}", "{port: 1, sni: a}", "E0406", "{port", "all"},
    {"an unknown condition", "{time: {days: [sat]}}", "{tyme: {days: [sat]}}", "E0203", "tyme", "`time`"},
    {"a query", "{time: {days: [sat]}}", "{query: {name: a, anyOf: [x, y]}}", NULL, NULL, NULL},
    {"a query that is there", "{time: {days: [sat]}}", "{query: {name: \"a b\", present: true}}", NULL, NULL, NULL},
    {"a query without a test", "{time: {days: [sat]}}", "{query: {name: a}}", "E0204", "{name", NULL},
    {"a query without a name", "{time: {days: [sat]}}", "{query: {equals: a}}", "E0204", "{equals", NULL},
    {"an operation by its query", "read: {http: [{", "read: {http: [{query: {op: [list, show], v: \"\"}, ", NULL, NULL, NULL},
    {"an operation by no query", "read: {http: [{", "read: {http: [{query: {}, ", "E0220", "{}", NULL},
    {"an operation by a query of no values", "read: {http: [{", "read: {http: [{query: {op: []}, ", "E0220", "[]", NULL},
    {"an operation by a tree of queries", "read: {http: [{", "read: {http: [{query: {op: {equals: x}}, ", "E0205", "{equals", NULL},
    {"a time zone by its name", "days: [sat]", "tz: Europe/Paris, days: [sat]", NULL, NULL, NULL},
    {"a time zone that is not in the database", "days: [sat]", "tz: Europe/Pariss, days: [sat]", "E0408", "Europe/Pariss", "IANA"},
    {"a time zone that is a folder", "days: [sat]", "tz: Europe, days: [sat]", "E0408", "Europe", "IANA"},
    {"a time zone outside of the database", "days: [sat]", "tz: ../../../etc/localtime, days: [sat]", "E0408", "../../../etc/localtime", "IANA"},
    {"the machine's own time", "days: [sat]", "tz: localtime, days: [sat]", "E0408", "localtime", "IANA"},
    {"a time zone alone", "days: [sat]", "tz: Europe/Paris", "E0220", "{tz", NULL},
    {"a day that is none", "[sat]", "[sat-sunday]", "E0407", "sat-sunday", NULL},
    {"days over the week's end", "[sat]", "[sat-mon, wed]", NULL, NULL, NULL},
    {"an hour that is none", "days: [sat]", "between: [\"08:00\", \"25:00\"]", "E0407", "[\"08", NULL},
    {"a window over midnight", "days: [sat]", "between: [\"22:00\", \"06:00\"]", NULL, NULL, NULL},
    {"a window of nothing", "days: [sat]", "between: [\"08:00\", \"08:00\"]", "E0407", "[\"08", NULL},
    {"a date that is none", "days: [sat]", "from: \"2026-02-30T00:00:00Z\"", "E0407", "\"2026", NULL},
    {"a date with an offset", "days: [sat]", "from: \"2024-02-29T23:00:00-01:00\"", NULL, NULL, NULL},
    {"an end before the start", "days: [sat]", "from: \"2026-02-02T00:00:00Z\", until: \"2026-02-01T00:00:00Z\"", "E0407", "{from", NULL},
    {"an address that is none", "{time: {days: [sat]}}", "{sourceIP: {in: [10.0.0.256/8]}}", "E0409", "10.0", NULL},
    {"a prefix too long", "{time: {days: [sat]}}", "{sourceIP: {in: [10.0.0.0/33]}}", "E0409", "10.0", NULL},
    {"host bits", "{time: {days: [sat]}}", "{remoteIP: {in: [10.0.0.1/8]}}", "E0409", "10.0", NULL},
    {"address ranges", "{time: {days: [sat]}}", "{sourceIP: {in: [10.0.0.0/8, \"2001:db8::/32\", 192.0.2.7]}}", NULL, NULL, NULL},
    {"a negated tree", "{time: {days: [sat]}}", "{not: {any: [{port: 1}]}}", "E0411", "{any", NULL},
    {"a negated leaf", "{time: {days: [sat]}}", "{not: {port: 1}}", NULL, NULL, NULL},
    {"a tree too deep", "{time: {days: [sat]}}", "{all: [{any: [{all: [{any: [{port: 1}]}]}]}]}", "E0410", "{port", NULL},
    {"a tree at the limit", "{time: {days: [sat]}}", "{all: [{any: [{all: [{port: 1}]}]}]}", NULL, NULL, NULL},
    {"a range of ports the wrong way round", "{time: {days: [sat]}}", "{port: [9, 8]}", "E0206", "[9", NULL},
    {"three ports", "{time: {days: [sat]}}", "{port: [1, 2, 3]}", "E0206", "[1", NULL},
    {"a header without a name", "{time: {days: [sat]}}", "{header: {equals: a}}", "E0204", "{equals", NULL},
    {"a header without a test", "{time: {days: [sat]}}", "{header: {name: a}}", "E0204", "{name", NULL},
    {"a pseudo header", "{time: {days: [sat]}}", "{header: {name: \":path\", equals: a}}", "E0412", "\":path", NULL},
    {"a header that anybody writes about the request", "{time: {days: [sat]}}", "{header: {name: X-Forwarded-Proto, equals: http}}", "E0418", "X-Forwarded-Proto", "sourceIP"},
    {"a header that is the host", "{time: {days: [sat]}}", "{header: {name: host, equals: a}}", "E0418", "host", NULL},
    {"a header that only looks like one", "{time: {days: [sat]}}", "{header: {name: x-forwarded, equals: a}}", NULL, NULL, NULL},
    {"a header in a range", "{time: {days: [sat]}}", "{header: {name: X-A, intRange: [-5, 5]}}", NULL, NULL, NULL},
    {"a range of words", "{time: {days: [sat]}}", "{header: {name: X-A, intRange: [a, 5]}}", "E0206", "a, 5", NULL},
    {"an empty range", "{time: {days: [sat]}}", "{header: {name: X-A, intRange: [6, 5]}}", "E0206", "[6", NULL},
    {"a regular expression", "{time: {days: [sat]}}", "{header: {name: X-A, matches: a.*}}", "E0203", "matches", NULL},
    {"present with something else than a truth value", "{time: {days: [sat]}}", "{claim: {name: a, present: yes}}", "E0206", "yes", "true or false"},
    {"a metadata test", "{time: {days: [sat]}}", "{metadata: {filter: envoy.x, path: [a, b], equals: c}}", NULL, NULL, NULL},
    {"a metadata test without a path", "{time: {days: [sat]}}", "{metadata: {filter: envoy.x, equals: c}}", "E0204", "{filter", NULL},

    /* obligations */
    {"a routing header", "{x-user: $user.sub}", "{\":path\": /x}", "E0413", "\":path", NULL},
    {"the host header", "{x-user: $user.sub}", "{Host: x}", "E0413", "Host", NULL},
    {"a header of Envoy", "{x-user: $user.sub}", "{X-Envoy-Foo: x}", "E0413", "X-Envoy-Foo", NULL},
    {"removing what says who the caller is", "set: {x-user: $user.sub}", "remove: [x-forwarded-client-cert]", "E0413", "x-forwarded-client-cert", NULL},
    {"removing a token", "set: {x-user: $user.sub}", "remove: [authorization]", NULL, NULL, NULL},
    {"a header twice in two cases", "{x-user: $user.sub}", "{x-user: a, X-User: b}", "E0210", "X-User", NULL},
    {"a variable that is none", "$user.sub", "$user.subject", "E0414", "$user.subject", "$claim.NAME"},
    {"a dollar at the end", "$user.sub", "5$", "E0414", "5$", "$$"},
    {"a claim, a dollar and text", "$user.sub", "\"$claim.realm.name costs $$5, id=$decision.id\"", NULL, NULL, NULL},
    {"a claim without a name", "$user.sub", "$claim.", "E0414", "$claim.", NULL},
    {"a value that cannot stand in a header", "$user.sub", "\"a\\nb\"", "E0414", "\"a", NULL},
    {"query parameters", "requestHeaders: {set: {x-user: $user.sub}}", "queryParams: {set: {who: \"u=$user.sub\"}, remove: [debug, a.b]}", NULL, NULL, NULL},
    {"a query parameter that would be written in two ways", "requestHeaders: {set: {x-user: $user.sub}}", "queryParams: {set: {\"a b\": c}}", "E0419", "\"a b", NULL},
    {"a removed parameter that would be written in two ways", "requestHeaders: {set: {x-user: $user.sub}}", "queryParams: {remove: [\"a[]\"]}", "E0419", "\"a[]", NULL},
    {"a query parameter with a variable that is none", "requestHeaders: {set: {x-user: $user.sub}}", "queryParams: {set: {a: $user.name}}", "E0414", "$user.name", NULL},
    {"an appended query parameter", "requestHeaders: {set: {x-user: $user.sub}}", "queryParams: {append: {a: b}}", "E0203", "append", NULL},
    {"query parameters on a deny", "subjects: any", "obligations: {queryParams: {remove: [a]}}", "E0416", "queryParams", NULL},
    {"an own status on an allow", "requestHeaders: {set: {x-user: $user.sub}}", "deny: {status: 404}", "E0416", "{status", NULL},
    {"an own status", "subjects: any", "obligations: {deny: {status: 404, body: \"no such thing\", grpcMessage: none}}", NULL, NULL, NULL},
    {"a denial that looks like a success", "subjects: any", "obligations: {deny: {status: 200}}", "E0206", "200", NULL},
    {"a denial that sends elsewhere", "subjects: any", "obligations: {deny: {status: 302}}", "E0206", "302", NULL},
    {"a status at the most", "subjects: any", "obligations: {deny: {status: 599}}", NULL, NULL, NULL},
    {"a status over the most", "subjects: any", "obligations: {deny: {status: 600}}", "E0206", "600", NULL},
    {"a denial without a say", "subjects: any", "obligations: {deny: {}}", "E0220", "{}", NULL},
    {"a message that cannot stand in a header", "subjects: any", "obligations: {deny: {grpcMessage: \"a\\nb\"}}", "E0206", "\"a", NULL},
    {"an audit level that is none", "requestHeaders: {set: {x-user: $user.sub}}", "audit: none", "E0206", "none", "minimal"},
    {"a stream of no length", "requestHeaders: {set: {x-user: $user.sub}}", "maxStream: 0s", "E0207", "0s", NULL},
    {"a stream as long as the credentials", "requestHeaders: {set: {x-user: $user.sub}}", "maxStream: credentials", NULL, NULL, NULL},

    /* tests */
    {"a test that expects an unknown rule", "{allow: apps}", "{allow: app}", "E0502", "app", "`apps`"},
    {"a test that expects two answers", "{allow: apps}", "{allow: apps, deny: frozen}", "E0502", "{allow", NULL},
    {"a test that expects an unknown reason", "{allow: apps}", "{deny: default, reason: mood}", "E0502", "mood", NULL},
    {"a test that allows by default", "{allow: apps}", "{allow: default}", "E0502", "{allow", NULL},
    {"a test that expects a header to be removed", "{allow: apps}", "{allow: apps, obligations: {removeRequestHeaders: [x-a]}}", NULL, NULL, NULL},
    {"a test that expects no header to be removed", "{allow: apps}", "{allow: apps, obligations: {removeRequestHeaders: []}}", "E0220", "[]", "leave the key out"},
    {"a test that expects no parameter to be removed", "{allow: apps}", "{allow: apps, obligations: {removeQueryParams: []}}", "E0220", "[]", NULL},
    {"a test that expects a rule of another policy", "{allow: apps}", "{allow: other/apps}", "E0502", "other", "DOCUMENT/RULE"},
    {"a test that names its own policy", "{allow: apps}", "{allow: test/apps}", NULL, NULL, NULL},
    {"a header with a denial", "{allow: apps}", "{deny: frozen, obligations: {requestHeaders: {x-a: b}}}", "E0502", "requestHeaders", NULL},
    {"the look of a denial with an allow", "{allow: apps}", "{allow: apps, obligations: {deny: {status: 403}}}", "E0502", "deny", NULL},
    {"a stream with a challenge", "{allow: apps}", "{challenge: leads, obligations: {audit: full, maxStream: 5m}}", "E0502", "maxStream", NULL},
    {"the record of a denial", "{allow: apps}", "{deny: frozen, obligations: {audit: full}}", NULL, NULL, NULL},
    {"a record that is none", "{allow: apps}", "{allow: apps, obligations: {audit: none}}", "E0206", "none", "minimal"},
    {"an obligation that is none", "{allow: apps}", "{allow: apps, obligations: {headers: {x-a: b}}}", "E0203", "headers", NULL},
    {"a test without a path", "{path: /v1/items/one, host", "{host", "E0501", "{host", NULL},
    {"a test with an unknown key", "{path: /v1/items/one, host", "{path: /v1/items/one, hosts", "E0203", "hosts", "`host`"},
    {"a test at a time that is none", "{path: /v1/items/one,", "{path: /v1/items/one, now: today,", "E0407", "today", NULL},
    {"a test with an empty matrix", "{path: /v1/items/one,", "{path: [],", "E0220", "{path", NULL},
    {"a certificate of nobody", "{path: /v1/items/one, host: api.example, workload: \"spiffe://a/ns/checkout/sa/b\"", "{path: /x, certificate: valid", "E0501", "{path", NULL},
    {"a token bound to a word", "workload: \"spiffe://a/ns/checkout/sa/b\"", "jwt: {iss: \"https://sso.example\", sub: a, cnf: me}", "E0501", "me", "peer"},
    {"a time of a token that is none", "workload: \"spiffe://a/ns/checkout/sa/b\"", "jwt: {iss: \"https://sso.example\", sub: a, auth_time: yesterday}", "E0501", "yesterday", "-20m"},
};

/* clang-format on */

enum { CASE_COUNT = sizeof(CASES) / sizeof(CASES[0]) };

/* GOOD with the change; *changed is where it begins. */
static char *apply(const struct bad *bad, size_t *changed)
{
    const char *found = strstr(GOOD, bad->find);
    assert_non_null(found);
    size_t before = (size_t)(found - GOOD), size = strlen(GOOD) + strlen(bad->write) + 1;
    char *text = malloc(size);
    assert_non_null(text);
    (void)snprintf(text, size, "%.*s%s%s", (int)before, GOOD, bad->write, found + strlen(bad->find));
    *changed = before;
    return text;
}

/* The first `word` from the changed line on that ends behind the change's begin. */
static const char *find_word(const char *text, size_t changed, const char *word)
{
    size_t line = changed;
    while (line > 0 && text[line - 1] != '\n')
        line--;
    const char *found = strstr(text + line, word);
    while (found != NULL && found + strlen(word) <= text + changed)
        found = strstr(found + 1, word);
    return found;
}

static void line_and_column(const char *text, const char *at, uint32_t *line, uint32_t *column)
{
    *line = *column = 1;
    for (; text < at; text++) {
        *column = *text == '\n' ? 1 : *column + 1;
        *line += *text == '\n';
    }
}

static const struct diag *find_code(const struct diag_list *diags, const char *code)
{
    for (size_t i = 0; i < diags->count; i++)
        if (view_equals(diags->items[i].code, view_of(code)))
            return &diags->items[i];
    return NULL;
}

static void check(const struct bad *bad, const char *text, size_t changed, const struct diag_list *diags)
{
    const struct diag *diag = find_code(diags, bad->code);
    if (diag == NULL) {
        diag_list_print(diags, stderr);
        fail_msg("no %s", bad->code);
        return;
    }
    uint32_t line, column;
    const char *at = bad->at != NULL ? find_word(text, changed, bad->at) : NULL;
    if (bad->at != NULL) {
        assert_non_null(at);
        line_and_column(text, at, &line, &column);
        assert_int_equal(diag->span.line, line);
        assert_int_equal(diag->span.column, column);
        assert_true(diag->span.end_column > column);
    }
    assert_true(diag->span.line > 0);
    assert_true(view_is_present(diag->span.text));
    bool is_compilers = view_equals(diag->code, VIEW("E0417")); /* the compiler sees no YAML, and so no path in it */
    assert_true(is_compilers || view_is_present(diag->path));
    if (bad->hint != NULL)
        assert_non_null(strstr(diag->hint.data != NULL ? diag->hint.data : "", bad->hint));
}

static void run_case(void **state)
{
    const struct bad *bad = *state;
    size_t changed;
    char *text = apply(bad, &changed);
    struct arena arena;
    struct diag_list diags;
    struct policy *policy = NULL;
    arena_init(&arena, 1 << 22);
    diag_list_init(&diags, &arena);
    struct policy_source source = {VIEW("policy.yaml"), view_of(text)};
    enum err err = policy_build(&source, 1, &diags, &policy);
    if (bad->code == NULL && err != ERR_NONE)
        diag_list_print(&diags, stderr);
    assert_int_equal(err, bad->code == NULL ? ERR_NONE : ERR_INVALID);
    if (bad->code == NULL)
        assert_int_equal(diags.count, 0);
    else
        check(bad, text, changed, &diags);
    policy_free(policy);
    arena_free(&arena);
    free(text);
}

int main(void)
{
    struct CMUnitTest tests[CASE_COUNT];
    for (size_t i = 0; i < CASE_COUNT; i++) {
        union { /* cmocka takes the state as a pointer that a test could write through */
            const struct bad *in;
            void *out;
        } state = {.in = &CASES[i]};
        tests[i] = (struct CMUnitTest){.name = CASES[i].name, .test_func = run_case, .initial_state = state.out};
    }
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
