package stipa_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

func base64Of(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestATIS84_TrustList_BothWrappings: a list is the same however it is wrapped and its entries are written.
func TestATIS84_TrustList_BothWrappings(t *testing.T) {
	l := newLaboratory(t)
	root, intermediate := l.pki.Root.Certificate, l.pki.Intermediate.Certificate
	list := l.list(oobtest.TrustListConfig{Sequence: 7, Certificates: []*x509.Certificate{root, intermediate}})
	oneLine := strings.ReplaceAll(pemOf(root.Raw), "\n", "")
	for _, c := range []struct {
		name string
		body string
	}{
		{"bare JWT", list},
		{"bare JWT and a line end", list + "\r\n"},
		{"answer of the interface", string(oobtest.TrustListAnswer(list))},
		{"answer with more members", `{"message":"","status":"success","caList":"` + list + `","errorCode":0}`},
		{"base64 alone", l.list(oobtest.TrustListConfig{Sequence: 7, Entries: []string{base64Of(root.Raw), base64Of(intermediate.Raw)}})},
		{"PEM in one line, base64 in many", l.list(oobtest.TrustListConfig{Sequence: 7, Entries: []string{
			oneLine, base64Of(intermediate.Raw)[:64] + "\r\n" + base64Of(intermediate.Raw)[64:],
		}})},
		{"iat and what nobody knows", l.list(oobtest.TrustListConfig{Sequence: 7, Certificates: []*x509.Certificate{root, intermediate},
			Header: map[string]any{"kid": "1"}, Payload: map[string]any{"iat": epoch.Unix(), "version": "1.0", "more": []any{map[string]any{}}}})},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stipa.Parse([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if got.Sequence != 7 || len(got.Certificates) != 2 || !got.Certificates[0].Equal(root) || !got.Certificates[1].Equal(intermediate) ||
				got.Skipped.Total() != 0 || !got.Expires.After(epoch) {
				t.Errorf("sequence %d, %d certificates, %+v, expires %s", got.Sequence, len(got.Certificates), got.Skipped, got.Expires)
			}
			if _, err := l.pinned().Check(t.Context(), stipa.Offer{Body: []byte(c.body), Now: epoch}); err != nil {
				t.Errorf("signature: %v", err)
			}
		})
	}
}

// TestTrustList_OneBadEntryTakesNothingElseDown: what cannot be used is passed over and counted.
func TestTrustList_OneBadEntryTakesNothingElseDown(t *testing.T) {
	l := newLaboratory(t)
	leaf, err := l.pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	root := l.pki.Root.Certificate.Raw
	got, err := stipa.Parse([]byte(l.list(oobtest.TrustListConfig{Entries: []string{
		"", "not base64!", base64Of(root[:len(root)-1]), base64Of(append(bytes.Clone(root), 0)), // unreadable
		"-----BEGIN CERTIFICATE-----\n" + base64Of(root), pemOf(root) + pemOf(root), strings.Repeat("A", 16<<10+1), // unreadable, too
		base64Of(leaf.Certificate.Raw),                 // no CA
		base64Of(root), pemOf(root), " " + pemOf(root), // one, and two that repeat it
		base64Of(leaf.Certificate.Raw), // repeats
	}})))
	if err != nil {
		t.Fatal(err)
	}
	if want := (stipa.Skipped{Unreadable: 7, NotCA: 1, Repeated: 3}); len(got.Certificates) != 1 || got.Skipped != want {
		t.Errorf("%d certificates, %+v, want 1, %+v", len(got.Certificates), got.Skipped, want)
	}
}

func TestTrustList_Refused(t *testing.T) {
	l := newLaboratory(t)
	good := l.list(oobtest.TrustListConfig{})
	with := func(header, payload map[string]any) string {
		return l.list(oobtest.TrustListConfig{Header: header, Payload: payload})
	}
	type m = map[string]any
	for _, c := range []struct {
		name string
		body string
		want stipa.Problem
	}{
		{"nothing", "", stipa.Malformed},
		{"a page", "<html></html>", stipa.Malformed},
		{"two segments", good[:strings.LastIndex(good, ".")], stipa.Malformed},
		{"an answer that is none", `{"status":"error","message":"x","errorCode":701}`, stipa.Malformed},
		{"an answer with an error and a list", `{"status":"error","caList":"` + good + `"}`, stipa.Malformed},
		{"an answer with two lists", `{"status":"success","caList":"` + good + `","caList":"` + good + `"}`, stipa.Malformed},
		{"an answer whose list is an object", `{"status":"success","caList":{}}`, stipa.Malformed},
		{"alg none", with(m{"alg": "none"}, nil), stipa.Malformed},
		{"alg HS256", with(m{"alg": "HS256"}, nil), stipa.Malformed},
		{"no alg", with(m{"alg": nil}, nil), stipa.Malformed},
		{"a PASSporT's type", with(m{"typ": "passport"}, nil), stipa.Malformed},
		{"no typ", with(m{"typ": nil}, nil), stipa.Malformed},
		{"crit", with(m{"crit": []string{"exp"}}, nil), stipa.Malformed},
		{"x5u is a number", with(m{"x5u": 1}, nil), stipa.Malformed},
		{"nine certificates in x5c", with(m{"x5c": make([]string, 9)}, nil), stipa.Malformed},
		{"no version", with(nil, m{"version": nil}), stipa.Malformed},
		{"a long version", with(nil, m{"version": strings.Repeat("1", 32)}), stipa.Malformed},
		{"no sequence", with(nil, m{"sequence": nil}), stipa.Malformed},
		{"sequence below zero", with(nil, m{"sequence": -1}), stipa.Malformed},
		{"sequence with a fraction", with(nil, m{"sequence": 1.5}), stipa.Malformed},
		{"sequence is a text", with(nil, m{"sequence": "1"}), stipa.Malformed},
		{"sequence beyond 64 bits", with(nil, m{"sequence": 2e19}), stipa.Malformed},
		{"no exp", with(nil, m{"exp": nil}), stipa.Malformed},
		{"exp is a text", with(nil, m{"exp": "2030-01-01"}), stipa.Malformed},
		{"iat is a text", with(nil, m{"iat": "now"}), stipa.Malformed},
		{"no list", with(nil, m{"trustList": nil}), stipa.Malformed},
		{"the list is a text", with(nil, m{"trustList": "x"}), stipa.Malformed},
		{"an entry is no text", with(nil, m{"trustList": []any{1}}), stipa.Malformed},
		{"1001 entries", with(nil, m{"trustList": make([]string, stipa.EntriesMax+1)}), stipa.Malformed},
		{"nested deeply", with(nil, m{"x": json.RawMessage("[[[[]]]]")}), stipa.Malformed},
		{"4 MiB and a byte", good + strings.Repeat("\n", stipa.ListBytesMax+1-len(good)), stipa.Malformed},
		{"an empty list", l.list(oobtest.TrustListConfig{Entries: []string{}}), stipa.Empty},
		{"not a single CA", l.list(oobtest.TrustListConfig{Entries: []string{"x"}}), stipa.Empty},
		{"1000 entries and no CA", with(nil, m{"trustList": make([]string, stipa.EntriesMax)}), stipa.Empty},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stipa.Parse([]byte(c.body))
			if !errors.Is(err, c.want) || got != nil {
				t.Errorf("a list: %t, %v; want %v", got != nil, err, c.want)
			}
		})
	}
	if _, err := stipa.Parse([]byte(good + strings.Repeat("\n", stipa.ListBytesMax-len(good)))); err != nil {
		t.Errorf("4 MiB: %v", err)
	}
}

func TestTrustList_ContentIsThatOfItsCertificates(t *testing.T) {
	l := newLaboratory(t)
	root, intermediate := l.pki.Root.Certificate, l.pki.Intermediate.Certificate
	content := func(cfg oobtest.TrustListConfig) string {
		list, err := stipa.Parse([]byte(l.list(cfg)))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x", list.Content())
	}
	one := content(oobtest.TrustListConfig{Certificates: []*x509.Certificate{root, intermediate}})
	if other := content(oobtest.TrustListConfig{Sequence: 9, Entries: []string{base64Of(intermediate.Raw), "?", base64Of(root.Raw)}}); other != one {
		t.Error("the same certificates in another order are another content")
	}
	if other := content(oobtest.TrustListConfig{Certificates: []*x509.Certificate{root}}); other == one {
		t.Error("other certificates are the same content")
	}
}

func TestProblems_EachHasAnOwnNameAndSentence(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range append(stipa.Problems(), 0, 200) {
		if p.Name() == "" || p.Error() == "" || p < 200 && (seen[p.Name()] || seen[p.Error()]) {
			t.Errorf("problem %d: %q, %q", p, p.Name(), p.Error())
		}
		seen[p.Name()], seen[p.Error()] = true, true
	}
}

// FuzzTrustList: an error is a Problem without a list; a list has at least one certificate, all of CAs, each once and
// within the limits, says the same when it is wrapped as the answer of the interface, and is signed by nobody who may.
func FuzzTrustList(f *testing.F) {
	l := newLaboratory(f)
	signers := l.pinned()
	list := l.list(oobtest.TrustListConfig{Certificates: []*x509.Certificate{l.pki.Root.Certificate, l.pki.Intermediate.Certificate}})
	stranger := l.list(oobtest.TrustListConfig{Signer: l.pki.Root, Entries: []string{"x", base64Of(l.pki.Root.Certificate.Raw)}})
	for _, seed := range []struct {
		body string
		good bool
	}{
		{list, true}, {stranger, true}, {string(oobtest.TrustListAnswer(list)), true}, {list + "\n", true},
		{"", false}, {"{}", false}, {"..", false}, {`{"status":"success","caList":""}`, false}, {l.list(oobtest.TrustListConfig{Entries: []string{}}), false},
	} {
		if _, err := stipa.Parse([]byte(seed.body)); (err == nil) != seed.good {
			f.Errorf("seed of %d bytes: %v", len(seed.body), err)
		}
		f.Add([]byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := stipa.Parse(body)
		if err != nil {
			if _, typed := errors.AsType[stipa.Problem](err); !typed || got != nil {
				t.Fatalf("a list: %t, %v", got != nil, err)
			}
			return
		}
		seen := map[string]bool{}
		for _, cert := range got.Certificates {
			if !cert.IsCA || seen[string(cert.Raw)] {
				t.Fatal("a certificate of no CA, or one twice")
			}
			seen[string(cert.Raw)] = true
		}
		if len(seen) == 0 || len(seen)+got.Skipped.Total() > stipa.EntriesMax {
			t.Fatalf("%d certificates, %+v", len(seen), got.Skipped)
		}
		if trimmed := bytes.TrimSpace(body); trimmed[0] != '{' {
			again, err := stipa.Parse(oobtest.TrustListAnswer(string(trimmed)))
			if len(trimmed) < stipa.ListBytesMax/2 && (err != nil || again.Content() != got.Content() || again.Sequence != got.Sequence) {
				t.Fatalf("wrapped: %v", err)
			}
		}
		if doc, err := signers.Check(t.Context(), stipa.Offer{Body: body, Now: epoch}); err == nil && doc.Value.Sequence != 1 {
			t.Fatal("a list that nobody has signed is believed")
		}
	})
}
