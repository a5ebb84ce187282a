// SPDX-License-Identifier: Apache-2.0

// OPA among the peers of the policy benchmark: the engine as a library, a prepared query, inputs
// parsed beforehand, data in the store as values that an evaluation reads without converting them.
// The conversation is that of bench/policy_peer.c.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bartizan.dev/bench/peers/converse"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/version"
)

//go:embed policy.rego
var base string

type object = map[string]any

// under gives the object at the path of keys, made where it is missing.
func under(root object, keys ...string) object {
	for _, key := range keys {
		next, ok := root[key].(object)
		if !ok {
			next = object{}
			root[key] = next
		}
		root = next
	}
	return root
}

func add(root object, key string, value any) {
	list, _ := root[key].([]any)
	root[key] = append(list, value)
}

func names(numbers []int) []string {
	if numbers == nil {
		return []string{"any"}
	}
	var out []string
	for _, number := range numbers {
		out = append(out, strconv.Itoa(number))
	}
	return out
}

// index is what a person would keep as data, and the shapes of what is in it.
type index struct {
	data   object
	depths map[int]bool    // lengths of paths
	rests  map[int]bool    // lengths before a `{**}`
	kinds  map[string]bool // EFFECT/KIND of conditions
}

func (x *index) roles(policy *converse.Policy) {
	for number, role := range policy.Roles {
		for _, workload := range role.Workloads {
			add(under(x.data, "workloads"), workload, strconv.Itoa(number))
		}
		for _, user := range role.Users {
			for _, value := range user.Values {
				add(under(x.data, "groups", user.Issuer), value, strconv.Itoa(number))
			}
		}
	}
}

// paths are a trie: at its leaves the method, the action and where its path has the resource's id.
func (x *index) paths(policy *converse.Policy) {
	for number, action := range policy.Actions {
		for _, operation := range action {
			leaf := under(x.data, append([]string{"paths"}, operation.Path...)...)
			for _, method := range operation.Methods {
				add(under(leaf, "$"), method, []any{strconv.Itoa(number), operation.IDAt})
			}
			if last := len(operation.Path) - 1; operation.Path[last] == "{**}" {
				x.rests[last] = true
			} else {
				x.depths[len(operation.Path)] = true
			}
		}
	}
}

func (x *index) rule(rule *converse.Rule) {
	roles := rule.Workload
	if roles == nil {
		roles = rule.User
	}
	need := "nothing"
	if rule.NeedsWorkload {
		need = "workload"
	}
	for _, action := range names(rule.Actions) {
		for _, role := range names(roles) {
			cell := under(x.data, rule.Effect, action, role, need)
			x.kinds[rule.Effect+"/"+x.condition(cell, rule)] = true
		}
	}
}

// condition puts what a rule asks beyond role and action into a cell; it asks at most one thing.
func (x *index) condition(cell object, rule *converse.Rule) string {
	switch {
	case rule.IDs != nil:
		for _, id := range rule.IDs {
			under(cell, "ids")[id] = true
		}
		return "ids"
	case rule.Labels != nil:
		for key, values := range rule.Labels {
			for _, value := range values {
				under(cell, "labels", key)[value] = true
			}
		}
		return "labels"
	case rule.Header != nil:
		for _, value := range rule.Header.Values {
			under(cell, "headers", rule.Header.Name)[value] = true
		}
		return "headers"
	}
	cell["free"] = true
	return "free"
}

// walk writes the lookups of a path of some depth in the trie, each segment by its text or as `{}`.
func walk(depth int) string {
	var out strings.Builder
	node := "data.index.paths"
	for i := range depth {
		fmt.Fprintf(&out, "\tsome k%d in {segments[%d], \"{}\"}\n\tn%d := %s[k%d]\n", i, i, i, node, i)
		node = fmt.Sprintf("n%d", i)
	}
	return out.String()
}

func node(depth int) string {
	if depth == 0 {
		return "data.index.paths"
	}
	return fmt.Sprintf("n%d", depth-1)
}

var conditions = map[string]string{
	"free":    "cell.free",
	"ids":     "cell.ids[segments[at]]",
	"labels":  "labels := data.index.resources[segments[at]]\n\tsome key, values in cell.labels\n\tvalues[labels[key]]",
	"headers": "some name, values in cell.headers\n\tvalues[input.headers[name]]",
}

func (x *index) module() string {
	var out strings.Builder
	out.WriteString(base)
	out.WriteString("\nfits contains [\"any\", -1]\n")
	for _, depth := range slices.Sorted(maps.Keys(x.depths)) {
		fmt.Fprintf(&out, "\nfits contains fit if {\n\tdepth == %d\n%s\tsome fit in %s[\"$\"][input.method]\n}\n",
			depth, walk(depth), node(depth))
	}
	for _, depth := range slices.Sorted(maps.Keys(x.rests)) {
		fmt.Fprintf(&out, "\nfits contains fit if {\n\tdepth >= %d\n%s\tsome fit in %s[\"{**}\"][\"$\"][input.method]\n}\n",
			depth, walk(depth), node(depth))
	}
	for _, kind := range slices.Sorted(maps.Keys(x.kinds)) {
		effect, condition, _ := strings.Cut(kind, "/")
		fmt.Fprintf(&out, "\ngranted.%s if {\n\tsome [action, at] in fits\n\tcells := data.index.%s[action]\n"+
			"\tsome role in held\n\tsome need in needs\n\tcell := cells[role][need]\n\t%s\n}\n",
			effect, effect, conditions[condition])
	}
	return out.String()
}

type peer struct {
	query  rego.PreparedEvalQuery
	inputs []ast.Value
}

func load(folder string) (*peer, error) {
	policy, err := converse.ReadPolicy(folder)
	if err != nil {
		return nil, err
	}
	x := index{data: object{}, depths: map[int]bool{}, rests: map[int]bool{}, kinds: map[string]bool{}}
	x.data["resources"] = policy.Resources
	x.roles(policy)
	x.paths(policy)
	for i := range policy.Rules {
		x.rule(&policy.Rules[i])
	}
	store := inmem.NewFromObjectWithOpts(object{"index": x.data}, inmem.OptReturnASTValuesOnRead(true))
	query, err := rego.New(rego.Query("data.bench.allow"), rego.Module("policy.rego", x.module()), rego.Store(store)).
		PrepareForEval(context.Background())
	if err != nil {
		return nil, err
	}
	return &peer{query: query}, nil
}

func (p *peer) Add(given json.RawMessage, _ *converse.Request) error {
	value, err := ast.ValueFromReader(strings.NewReader(string(given)))
	p.inputs = append(p.inputs, value)
	return err
}

func (p *peer) Allows(i int) (bool, error) {
	results, err := p.query.Eval(context.Background(), rego.EvalParsedInput(p.inputs[i]))
	return results.Allowed(), err
}

func main() {
	start := time.Now()
	p, err := load(os.Args[1])
	if err == nil {
		err = converse.Run(filepath.Join(os.Args[1], "requests.jsonl"), "OPA "+version.Version, time.Since(start), p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "opa:", err)
		os.Exit(2)
	}
}
