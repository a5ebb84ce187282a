// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// certificate is tests/judges/cases.py's description of one.
type certificate struct {
	Name        string      `json:"name"`
	Issuer      string      `json:"issuer"`
	Key         string      `json:"key"`
	Digest      string      `json:"digest"`
	Subject     [][2]string `json:"subject"`
	Serial      string      `json:"serial"`
	Version     int         `json:"version"`
	NotBefore   int64       `json:"not_before"`
	NotAfter    int64       `json:"not_after"`
	Names       [][2]string `json:"names"`
	Basic       *basic      `json:"basic"`
	Usage       *words      `json:"usage"`
	Purposes    *words      `json:"purposes"`
	Constraints *constraint `json:"constraints"`
	KeyIDs      bool        `json:"key_ids"`
	Raw         []raw       `json:"raw"`
}

type basic struct {
	CA       bool `json:"ca"`
	Length   *int `json:"length"`
	Critical bool `json:"critical"`
}

type words struct {
	Words    []string `json:"words"`
	Critical bool     `json:"critical"`
}

type constraint struct {
	Permitted [][2]string `json:"permitted"`
	Excluded  [][2]string `json:"excluded"`
	Critical  bool        `json:"critical"`
}

type raw struct {
	OID      string `json:"oid"`
	Critical bool   `json:"critical"`
	Value    string `json:"value"`
}

type order struct {
	Keys         map[string]string `json:"keys"`
	Certificates []certificate     `json:"certificates"`
}

type result struct {
	PEM map[string]string `json:"pem"`
	Why string            `json:"why"`
}

var usages = map[string]x509.KeyUsage{
	"digitalSignature": x509.KeyUsageDigitalSignature, "keyEncipherment": x509.KeyUsageKeyEncipherment,
	"keyAgreement": x509.KeyUsageKeyAgreement, "keyCertSign": x509.KeyUsageCertSign, "cRLSign": x509.KeyUsageCRLSign,
	"nonRepudiation": x509.KeyUsageContentCommitment, "dataEncipherment": x509.KeyUsageDataEncipherment,
}

var purposes = map[string]x509.ExtKeyUsage{
	"serverAuth": x509.ExtKeyUsageServerAuth, "clientAuth": x509.ExtKeyUsageClientAuth,
	"anyExtendedKeyUsage": x509.ExtKeyUsageAny, "codeSigning": x509.ExtKeyUsageCodeSigning,
	"emailProtection": x509.ExtKeyUsageEmailProtection,
}

var algorithms = map[string]x509.SignatureAlgorithm{
	"rsa-sha256": x509.SHA256WithRSA, "rsa-sha384": x509.SHA384WithRSA, "rsa-sha512": x509.SHA512WithRSA, "rsa-sha1": x509.SHA1WithRSA,
	"rsa-pss-sha256": x509.SHA256WithRSAPSS,
	"ec-sha256":      x509.ECDSAWithSHA256, "ec-sha384": x509.ECDSAWithSHA384, "ec-sha512": x509.ECDSAWithSHA512, "ec-sha1": x509.ECDSAWithSHA1,
	"ed25519-": x509.PureEd25519,
}

func objectID(text string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for _, part := range strings.Split(text, ".") {
		number, err := strconv.Atoi(part)
		if err != nil {
			return nil, err
		}
		oid = append(oid, number)
	}
	return oid, nil
}

func setNames(template *x509.Certificate, names [][2]string) error {
	for _, name := range names {
		switch name[0] {
		case "uri":
			parsed, err := url.Parse(name[1])
			if err != nil {
				return err
			}
			if parsed.String() != name[1] {
				return fmt.Errorf("net/url writes %q otherwise", name[1])
			}
			template.URIs = append(template.URIs, parsed)
		case "dns":
			template.DNSNames = append(template.DNSNames, name[1])
		case "email":
			template.EmailAddresses = append(template.EmailAddresses, name[1])
		case "ip":
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(name[1]))
		}
	}
	return nil
}

func setConstraints(template *x509.Certificate, wanted *constraint) error {
	template.PermittedDNSDomainsCritical = wanted.Critical
	for i, list := range [][][2]string{wanted.Permitted, wanted.Excluded} {
		for _, each := range list {
			uris, names, mails := &template.PermittedURIDomains, &template.PermittedDNSDomains, &template.PermittedEmailAddresses
			if i == 1 {
				uris, names, mails = &template.ExcludedURIDomains, &template.ExcludedDNSDomains, &template.ExcludedEmailAddresses
			}
			switch each[0] {
			case "uri":
				*uris = append(*uris, each[1])
			case "dns":
				*names = append(*names, each[1])
			case "email":
				*mails = append(*mails, each[1])
			default:
				return fmt.Errorf("crypto/x509 has no word for a constraint on %s", each[0])
			}
		}
	}
	return nil
}

// setUsages fills what crypto/x509 writes in one form only: key usage critical, the other two as they are.
func setUsages(template *x509.Certificate, wanted certificate) error {
	if wanted.Usage != nil {
		if !wanted.Usage.Critical {
			return fmt.Errorf("crypto/x509 writes key usage critical")
		}
		for _, word := range wanted.Usage.Words {
			template.KeyUsage |= usages[word]
		}
	}
	if wanted.Purposes != nil {
		if wanted.Purposes.Critical {
			return fmt.Errorf("crypto/x509 writes extended key usage not critical")
		}
		for _, word := range wanted.Purposes.Words {
			template.ExtKeyUsage = append(template.ExtKeyUsage, purposes[word])
		}
	}
	if wanted.Basic == nil {
		return nil
	}
	if !wanted.Basic.Critical || (!wanted.Basic.CA && wanted.Basic.Length != nil) {
		return fmt.Errorf("crypto/x509 writes basic constraints critical, and a length for authorities only")
	}
	template.BasicConstraintsValid, template.IsCA = true, wanted.Basic.CA
	if wanted.Basic.Length != nil {
		template.MaxPathLen, template.MaxPathLenZero = *wanted.Basic.Length, *wanted.Basic.Length == 0
	} else {
		template.MaxPathLen = -1
	}
	return nil
}

func setSubject(template *x509.Certificate, subject [][2]string) {
	for _, each := range subject {
		switch each[0] {
		case "C":
			template.Subject.Country = append(template.Subject.Country, each[1])
		case "O":
			template.Subject.Organization = append(template.Subject.Organization, each[1])
		case "CN":
			template.Subject.CommonName = each[1]
		}
	}
}

func setRaw(template *x509.Certificate, list []raw) error {
	for _, each := range list {
		oid, err := objectID(each.OID)
		if err != nil {
			return err
		}
		value, err := hex.DecodeString(each.Value)
		if err != nil {
			return err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oid, Critical: each.Critical, Value: value})
	}
	return nil
}

func templateOf(wanted certificate) (*x509.Certificate, error) {
	serial, ok := new(big.Int).SetString(wanted.Serial, 10)
	if !ok || wanted.Version != 3 {
		return nil, fmt.Errorf("crypto/x509 writes version 3")
	}
	template := &x509.Certificate{SerialNumber: serial, NotBefore: time.Unix(wanted.NotBefore, 0), NotAfter: time.Unix(wanted.NotAfter, 0)}
	setSubject(template, wanted.Subject)
	if err := setNames(template, wanted.Names); err != nil {
		return nil, err
	}
	if err := setUsages(template, wanted); err != nil {
		return nil, err
	}
	if wanted.Constraints != nil {
		if err := setConstraints(template, wanted.Constraints); err != nil {
			return nil, err
		}
	}
	return template, setRaw(template, wanted.Raw)
}

func mintOne(wanted certificate, keys map[string]crypto.Signer, minted map[string]*x509.Certificate, used map[string]string) (*x509.Certificate, error) {
	template, err := templateOf(wanted)
	if err != nil {
		return nil, err
	}
	key, signer := keys[wanted.Key], keys[used[wanted.Issuer]]
	parent, algorithm := minted[wanted.Issuer], algorithms[wanted.Digest]
	if wanted.Issuer == "" {
		parent, signer = template, key
	}
	if key == nil || signer == nil || parent == nil || algorithm == 0 {
		return nil, fmt.Errorf("crypto/x509 has no such key or signature: %s, %s", wanted.Key, wanted.Digest)
	}
	if wanted.KeyIDs {
		template.SubjectKeyId = []byte(wanted.Key)
	} else if wanted.Basic != nil && wanted.Basic.CA {
		return nil, fmt.Errorf("crypto/x509 gives an authority its key identifier")
	} else if len(parent.SubjectKeyId) > 0 {
		return nil, fmt.Errorf("crypto/x509 writes the authority key identifier")
	}
	template.SignatureAlgorithm = algorithm
	bytes, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(bytes)
}

func readKeys(texts map[string]string) map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for name, text := range texts {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			continue
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if signer, ok := key.(crypto.Signer); err == nil && ok {
			keys[name] = signer
		}
	}
	return keys
}

// mint makes the certificates in order; "why" names the first that crypto/x509 cannot make.
func mint(wanted order) result {
	keys, minted, used := readKeys(wanted.Keys), map[string]*x509.Certificate{}, map[string]string{}
	out := result{PEM: map[string]string{}}
	for _, each := range wanted.Certificates {
		made, err := mintOne(each, keys, minted, used)
		if err != nil {
			out.Why = fmt.Sprintf("%s: %v", each.Name, err)
			return out
		}
		minted[each.Name], used[each.Name] = made, each.Key
		out.PEM[each.Name] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Raw}))
	}
	return out
}
