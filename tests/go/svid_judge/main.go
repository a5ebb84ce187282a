// SPDX-License-Identifier: Apache-2.0

// svid_judge mints certificates with crypto/x509 and verifies X.509-SVIDs with go-spiffe: JSON Lines in and out.
//
//	svid_judge mint    {"keys": {NAME: PKCS #8 PEM}, "certificates": [...]}  ->  {NAME: PEM | "": why not}
//	svid_judge verify  {"chain": [PEM...], "bundles": {DOMAIN: [PEM...]}, "time": UNIX}  ->  {"id": ..., "error": ...}
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

type question struct {
	Chain   []string            `json:"chain"`
	Bundles map[string][]string `json:"bundles"`
	Time    int64               `json:"time"`
}

type verdict struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

func der(text string) ([]byte, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("no PEM block")
	}
	return block.Bytes, nil
}

func verify(asked question) (spiffeid.ID, error) {
	var raw [][]byte
	for _, text := range asked.Chain {
		bytes, err := der(text)
		if err != nil {
			return spiffeid.ID{}, err
		}
		raw = append(raw, bytes)
	}
	set := x509bundle.NewSet()
	for name, texts := range asked.Bundles {
		domain, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return spiffeid.ID{}, err
		}
		bundle := x509bundle.New(domain)
		for _, text := range texts {
			bytes, err := der(text)
			if err != nil {
				return spiffeid.ID{}, err
			}
			authority, err := x509.ParseCertificate(bytes)
			if err != nil {
				return spiffeid.ID{}, fmt.Errorf("bundle: %w", err)
			}
			bundle.AddX509Authority(authority)
		}
		set.Add(bundle)
	}
	id, _, err := x509svid.ParseAndVerify(raw, set, x509svid.WithTime(time.Unix(asked.Time, 0)))
	return id, err
}

func answer(asked question) verdict {
	id, err := verify(asked)
	if err != nil {
		return verdict{Error: err.Error()}
	}
	return verdict{ID: id.String()}
}

// each reads a line of JSON into a fresh value and writes what `work` makes of it.
func each[In any, Out any](work func(In) Out) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<28)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	write := json.NewEncoder(out)
	for lines.Scan() {
		var in In
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			return err
		}
		if err := write.Encode(work(in)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "verify":
		err = each(answer)
	case len(os.Args) == 2 && os.Args[1] == "mint":
		err = each(mint)
	default:
		err = fmt.Errorf("usage: svid_judge mint|verify")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "svid_judge:", err)
		os.Exit(1)
	}
}
