// SPDX-License-Identifier: Apache-2.0

// Casbin among the peers of the policy benchmark. It scans its list of policies, so what can be done
// for it is a model with only the columns that this policy uses, the matcher's cheapest test first, an
// effect that stops at the first allow where there are no denies, and functions in Go in place of the
// regular expressions that keyMatch2 compiles for each policy and request. What the caller holds and
// the labels of the resource are looked up once per request, outside the scan and inside the timing.
// CachedEnforcer is not used: it would answer the repeated requests of a benchmark from a map.
// The conversation is that of bench/policy_peer.c.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"bartizan.dev/bench/peers/converse"
	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
)

// uses are the columns that some rule needs; a policy looks at one header and at one label.
type uses struct {
	role, workload, action, id, deny bool
	label, header                    string
}

func usesOf(policy *converse.Policy) (u uses) {
	for _, rule := range policy.Rules {
		u.role = u.role || rule.Workload != nil || rule.User != nil
		u.workload = u.workload || rule.NeedsWorkload
		u.action = u.action || rule.Actions != nil
		u.id = u.id || rule.IDs != nil
		for key := range rule.Labels {
			u.label = key
		}
		if rule.Header != nil {
			u.header = rule.Header.Name
		}
		u.deny = u.deny || rule.Effect == "deny"
	}
	return u
}

// text is the model in Casbin's own language. A column that a rule leaves open is empty.
func (u uses) text() string {
	columns, tests := []string{}, []string{}
	add := func(is bool, column, test string) {
		if is {
			columns, tests = append(columns, column), append(tests, test)
		}
	}
	add(u.id, "id", `(p.id == "" || p.id == r.id)`)
	add(u.header != "", "header", `(p.header == "" || p.header == r.header)`)
	add(u.label != "", "label", `(p.label == "" || p.label == r.label)`)
	add(u.role, "role", `(p.role == "" || held(r.request, p.role))`)
	add(u.workload, "need", `(p.need == "" || r.workload != "")`)
	add(u.action, "method", `method(r.method, p.method)`)
	add(u.action, "path", `path(r.request, p.path)`)
	effect := "some(where (p.eft == allow))"
	if u.deny {
		effect += " && !some(where (p.eft == deny))"
	}
	return "[request_definition]\nr = request, method, id, workload, header, label\n[policy_definition]\np = " +
		strings.Join(append(columns, "eft"), ", ") + "\n[policy_effect]\ne = " + effect +
		"\n[matchers]\nm = " + strings.Join(tests, " && ") + "\n"
}

func firstOf(list []string) string {
	if list == nil {
		return ""
	}
	return list[0]
}

// rows are a rule's lines: one for each of its roles and operations.
func (u uses) rows(policy *converse.Policy, rule *converse.Rule) [][]string {
	operations := []converse.Operation{{}}
	if rule.Actions != nil {
		operations = nil
	}
	for _, action := range rule.Actions {
		operations = append(operations, policy.Actions[action]...)
	}
	roles := rule.Workload
	if roles == nil {
		roles = rule.User
	}
	if roles == nil {
		roles = []int{-1}
	}
	var rows [][]string
	for _, role := range roles {
		for _, operation := range operations {
			rows = append(rows, u.row(rule, role, operation))
		}
	}
	return rows
}

func (u uses) row(rule *converse.Rule, role int, operation converse.Operation) []string {
	row := []string{}
	add := func(is bool, value string) {
		if is {
			row = append(row, value)
		}
	}
	var header, held, need, label string
	if rule.Header != nil {
		header = firstOf(rule.Header.Values)
	}
	if role >= 0 {
		held = strconv.Itoa(role)
	}
	if rule.NeedsWorkload {
		need = "workload"
	}
	for _, values := range rule.Labels {
		label = firstOf(values)
	}
	add(u.id, firstOf(rule.IDs))
	add(u.header != "", header)
	add(u.label != "", label)
	add(u.role, held)
	add(u.workload, need)
	add(u.action, strings.Join(operation.Methods, "|"))
	add(u.action, "/"+strings.Join(operation.Path, "/"))
	return append(row, rule.Effect)
}

// ---- the functions of the matcher -------------------------------------------------

// request is what the functions look at; Casbin hands it through.
type request struct {
	given converse.Given
	id    string
	held  map[string]bool
}

// fits says whether a path is under a pattern whose segments are literals, `{}` and a last `{**}`.
func fits(path, pattern string) bool {
	for {
		if pattern == "/{**}" {
			return true
		}
		if path == "" || pattern == "" {
			return path == pattern
		}
		want, got := end(pattern), end(path)
		if pattern[:want] != path[:got] && (pattern[:want] != "/{}" || got == 1) {
			return false
		}
		pattern, path = pattern[want:], path[got:]
	}
}

// end is the length of the first segment, its slash included.
func end(path string) int {
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return i + 1
	}
	return len(path)
}

func oneOf(word, list string) bool {
	for list != "" {
		var first string
		first, list, _ = strings.Cut(list, "|")
		if first == word {
			return true
		}
	}
	return false
}

var functions = map[string]func(args ...any) (any, error){
	"held":   func(args ...any) (any, error) { return args[0].(*request).held[args[1].(string)], nil },
	"path":   func(args ...any) (any, error) { return fits(args[0].(*request).given.Path, args[1].(string)), nil },
	"method": func(args ...any) (any, error) { return oneOf(args[0].(string), args[1].(string)), nil },
}

// ---- the peer -------------------------------------------------------------------------

type peer struct {
	uses      uses
	enforcer  *casbin.Enforcer
	workloads map[string][]string
	groups    map[[2]string][]string
	resources map[string]map[string]string
	requests  []request
}

func (p *peer) roles(policy *converse.Policy) {
	for number, role := range policy.Roles {
		name := strconv.Itoa(number)
		for _, workload := range role.Workloads {
			p.workloads[workload] = append(p.workloads[workload], name)
		}
		for _, user := range role.Users {
			for _, value := range user.Values {
				key := [2]string{user.Issuer, value}
				p.groups[key] = append(p.groups[key], name)
			}
		}
	}
}

func load(folder string) (*peer, error) {
	policy, err := converse.ReadPolicy(folder)
	if err != nil {
		return nil, err
	}
	u := usesOf(policy)
	rules, err := model.NewModelFromString(u.text())
	if err != nil {
		return nil, err
	}
	p := &peer{uses: u, workloads: map[string][]string{}, groups: map[[2]string][]string{}, resources: policy.Resources}
	if p.enforcer, err = casbin.NewEnforcer(rules); err != nil {
		return nil, err
	}
	for name, function := range functions {
		p.enforcer.AddFunction(name, function)
	}
	p.roles(policy)
	rows := [][]string{} // each once: Casbin refuses the same line twice, and a line has no name
	seen := map[string]bool{}
	for i := range policy.Rules {
		for _, row := range u.rows(policy, &policy.Rules[i]) {
			if key := strings.Join(row, ","); !seen[key] {
				seen[key] = true
				rows = append(rows, row)
			}
		}
	}
	_, err = p.enforcer.AddPolicies(rows)
	return p, err
}

func (p *peer) Add(_ json.RawMessage, line *converse.Request) error {
	p.requests = append(p.requests, request{given: line.Given, id: line.Resource})
	return nil
}

func (p *peer) Allows(i int) (bool, error) {
	r := p.requests[i]
	r.held = map[string]bool{}
	for _, role := range p.workloads[r.given.Workload] {
		r.held[role] = true
	}
	for _, group := range r.given.JWT.Groups {
		for _, role := range p.groups[[2]string{r.given.JWT.Iss, group}] {
			r.held[role] = true
		}
	}
	label := p.resources[r.id][p.uses.label]
	return p.enforcer.Enforce(&r, r.given.Method, r.id, r.given.Workload, r.given.Headers[p.uses.header], label)
}

// version is that of the module that was built in.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/casbin/casbin/v2" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return ""
}

func main() {
	start := time.Now()
	p, err := load(os.Args[1])
	if err == nil {
		err = converse.Run(filepath.Join(os.Args[1], "requests.jsonl"), "Casbin "+version(), time.Since(start), p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "casbin:", err)
		os.Exit(2)
	}
}
