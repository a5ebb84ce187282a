// SPDX-License-Identifier: Apache-2.0

// Package converse is what the Go peers share: the files of bench/policy_export.c and the
// conversation of bench/policy_peer.c.
package converse

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"
)

type User struct {
	Issuer string   `json:"issuer"`
	Claim  string   `json:"claim"`
	Values []string `json:"values"`
}

type Role struct {
	Workloads []string `json:"workloads"`
	Users     []User   `json:"users"`
}

type Operation struct {
	Methods []string `json:"methods"`
	Path    []string `json:"path"`
	IDAt    int      `json:"id_at"`
}

type Header struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

type Rule struct {
	Name          string              `json:"name"`
	Effect        string              `json:"effect"`
	Workload      []int               `json:"workload"`
	NeedsWorkload bool                `json:"needs_workload"`
	User          []int               `json:"user"`
	Actions       []int               `json:"actions"`
	IDs           []string            `json:"ids"`
	Labels        map[string][]string `json:"labels"`
	Header        *Header             `json:"header"`
}

type Policy struct {
	Roles     []Role                       `json:"roles"`
	Actions   [][]Operation                `json:"actions"`
	Resources map[string]map[string]string `json:"resources"` // labels by id
	Rules     []Rule                       `json:"rules"`
}

// ReadPolicy reads rules.json, and refuses a rule that asks more than the peers' translations say.
func ReadPolicy(folder string) (*Policy, error) {
	text, err := os.ReadFile(filepath.Join(folder, "rules.json"))
	if err != nil {
		return nil, err
	}
	policy := &Policy{}
	if err := json.Unmarshal(text, policy); err != nil {
		return nil, err
	}
	for _, rule := range policy.Rules {
		asked := len(rule.Labels)
		for _, values := range rule.Labels {
			asked += len(values) - 1
		}
		if rule.IDs != nil {
			asked += len(rule.IDs)
		}
		if rule.Header != nil {
			asked += len(rule.Header.Values)
		}
		if asked > 1 || (rule.Workload != nil && rule.User != nil) {
			return nil, fmt.Errorf("rule %s asks two things at once", rule.Name)
		}
	}
	return policy, nil
}

type Given struct {
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Headers  map[string]string `json:"headers"`
	Workload string            `json:"workload"`
	JWT      struct {
		Iss    string   `json:"iss"`
		Groups []string `json:"groups"`
	} `json:"jwt"`
}

type Request struct {
	Given    Given
	Expect   string
	Resource string
}

// Peer decides about requests that it was given beforehand, by their place.
type Peer interface {
	Add(given json.RawMessage, request *Request) error
	Allows(i int) (bool, error)
}

type session struct {
	peer    Peer
	expects []bool
	checked int
}

func (s *session) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line struct {
			Given    json.RawMessage `json:"given"`
			Expect   string          `json:"expect"`
			Resource string          `json:"resource"`
		}
		request := Request{}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return err
		}
		if err := json.Unmarshal(line.Given, &request.Given); err != nil {
			return err
		}
		request.Expect, request.Resource = line.Expect, line.Resource
		if err := s.peer.Add(line.Given, &request); err != nil {
			return err
		}
		s.expects = append(s.expects, line.Expect == "allow")
	}
	return nil
}

func (s *session) check(limit time.Duration) (any, error) {
	start, wrong := time.Now(), []int{}
	s.checked = 0
	for i, expect := range s.expects {
		if time.Since(start) > limit {
			break
		}
		got, err := s.peer.Allows(i)
		if err != nil {
			return nil, err
		}
		if got != expect {
			wrong = append(wrong, i+1)
		}
		s.checked++
	}
	return map[string]any{"checked": s.checked, "wrong": wrong}, nil
}

func (s *session) round(kind string, limit time.Duration) (any, error) {
	const least = 5
	var samples []float64
	start := time.Now()
	for i := 0; len(samples) < least || time.Since(start) < limit; i++ {
		at := i % s.checked
		if s.expects[at] != (kind == "allow") {
			continue
		}
		from := time.Now()
		if _, err := s.peer.Allows(at); err != nil {
			return nil, err
		}
		samples = append(samples, float64(time.Since(from).Nanoseconds()))
	}
	sort.Float64s(samples)
	quantile := func(q float64) float64 { return samples[int(q*float64(len(samples)-1))] }
	return map[string]any{"p50_ns": quantile(0.5), "p99_ns": quantile(0.99), "count": len(samples)}, nil
}

func (s *session) answer(line string) (any, error) {
	var kind string
	var seconds float64
	if _, err := fmt.Sscanf(line, "check %f", &seconds); err == nil {
		return s.check(time.Duration(seconds * float64(time.Second)))
	}
	if _, err := fmt.Sscanf(line, "round %s %f", &kind, &seconds); err == nil && s.checked > 1 {
		return s.round(kind, time.Duration(seconds*float64(time.Second)))
	}
	return nil, errors.New("this is neither check nor round: " + line)
}

// Run reads the requests, says that it is ready, and answers until the input ends.
func Run(requests, version string, load time.Duration, peer Peer) error {
	s := session{peer: peer}
	if err := s.read(requests); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]any{"ready": true, "version": version, "load_ms": load.Seconds() * 1e3}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer, err := s.answer(lines.Text())
		if err != nil {
			return err
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}
