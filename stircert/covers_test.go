package stircert_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	_ "github.com/viaduct-oob/viaduct/internal/seedtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

func listOf(t interface{ Fatal(...any) }, spcs []string, ranges ...string) stircert.TNAuthList {
	list := stircert.TNAuthList{SPCs: spcs}
	for _, text := range ranges {
		r, err := tn.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		list.Ranges = append(list.Ranges, r)
	}
	return list
}

func TestRFC9060_S4_ScopeInsideScope(t *testing.T) {
	spcs := func(all ...string) []string { return all }
	block := "12155550100-12155550199"
	for _, c := range []struct {
		name          string
		parent, child stircert.TNAuthList
		want          bool
	}{
		{"the same provider", listOf(t, spcs("1234")), listOf(t, spcs("1234")), true},
		{"one of two providers", listOf(t, spcs("1234", "567B")), listOf(t, spcs("567B")), true},
		{"another provider", listOf(t, spcs("1234")), listOf(t, spcs("567B")), false},
		{"one provider more", listOf(t, spcs("1234")), listOf(t, spcs("1234", "567B")), false},
		{"the same provider in other letters", listOf(t, spcs("567B")), listOf(t, spcs("567b")), false},
		{"a number of a provider", listOf(t, spcs("1234")), listOf(t, nil, "12155550121"), false},
		{"a provider of a number", listOf(t, nil, block), listOf(t, spcs("1234")), false},
		{"the same block", listOf(t, nil, block), listOf(t, nil, block), true},
		{"a number of the block", listOf(t, nil, block), listOf(t, nil, "12155550121"), true},
		{"first and last number of the block", listOf(t, nil, block), listOf(t, nil, "12155550100", "12155550199"), true},
		{"one before the block", listOf(t, nil, block), listOf(t, nil, "12155550099"), false},
		{"one after the block", listOf(t, nil, block), listOf(t, nil, "12155550200"), false},
		{"a block that runs out of it", listOf(t, nil, block), listOf(t, nil, "12155550190-12155550200"), false},
		{"a block that begins before it", listOf(t, nil, block), listOf(t, nil, "12155550099-12155550101"), false},
		{"a number of another length", listOf(t, nil, "10-99"), listOf(t, nil, "050"), false},
		{"a long block under a short", listOf(t, nil, block, "12155550110"), listOf(t, nil, "12155550120-12155550130"), true},
		{"a service code in no range", listOf(t, nil, "00-99"), listOf(t, nil, "1*"), false},
		{"the same service code", listOf(t, nil, "00-99", "*67"), listOf(t, nil, "*67"), true},
		{"another service code", listOf(t, nil, "*67"), listOf(t, nil, "*69"), false},
		{"nothing of something", listOf(t, spcs("1234")), stircert.TNAuthList{}, true},
		{"something of nothing", stircert.TNAuthList{}, listOf(t, spcs("1234")), false},
	} {
		if got := c.parent.Covers(c.child, nil); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestRFC9060_S4_NumbersOfAProviderAreCoveredAsTheDataSay(t *testing.T) {
	spcs := func(all ...string) []string { return all }
	data := numberData(t, "1234,12155550100,100\n567B,12025550100,100\n")
	for _, c := range []struct {
		name          string
		parent, child stircert.TNAuthList
		want          bool
	}{
		{"a number of the provider", listOf(t, spcs("1234")), listOf(t, nil, "12155550121"), true},
		{"all its numbers", listOf(t, spcs("1234")), listOf(t, nil, "12155550100-12155550199"), true},
		{"one more than its numbers", listOf(t, spcs("1234")), listOf(t, nil, "12155550100-12155550200"), false},
		{"a number of another", listOf(t, spcs("1234")), listOf(t, nil, "12025550121"), false},
		{"numbers of two providers, both listed", listOf(t, spcs("1234", "567B")), listOf(t, nil, "12155550121", "12025550121"), true},
		{"numbers of two providers, one listed", listOf(t, spcs("1234")), listOf(t, nil, "12155550121", "12025550121"), false},
		{"the provider and a number of it", listOf(t, spcs("1234")), listOf(t, spcs("1234"), "12155550121"), true},
		{"another provider", listOf(t, spcs("1234")), listOf(t, spcs("567B")), false},
		{"a number that is listed and one of the provider", listOf(t, spcs("1234"), "13035550121"), listOf(t, nil, "12155550121", "13035550121"), true},
		{"a service code", listOf(t, spcs("1234")), listOf(t, nil, "*67"), false},
	} {
		if got := c.parent.Covers(c.child, data); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if c.parent.Covers(c.child, nil) && !c.want {
			t.Errorf("%s: covered without data", c.name)
		}
	}
}

func TestRFC9060_S4_PathsAreJudgedWithTheData(t *testing.T) {
	data := numberData(t, "1234,12155550100,100\n")
	provider := delegateCA(t, listOf(t, []string{"1234"}), "SHAKEN Intermediate CA")
	block := delegateCA(t, listOf(t, nil, "12155550120-12155550129"), "SHAKEN Intermediate CA 2")
	leaf := func(ranges ...string) *stircert.Certificate {
		c := template(t, stircert.Leaf)
		without(c, oidTNAuthList)
		list, err := listOf(t, nil, ranges...).Extension()
		if err != nil {
			t.Fatal(err)
		}
		c.ExtraExtensions = append(c.ExtraExtensions, list)
		return made(t, c, nil)
	}
	for _, c := range []struct {
		name    string
		leaf    *stircert.Certificate
		issuers []*x509.Certificate
		data    *stircert.NumberData
		want    error
	}{
		{"a number of the provider", leaf("12155550121"), []*x509.Certificate{provider}, data, nil},
		{"without data", leaf("12155550121"), []*x509.Certificate{provider}, nil, stircert.BeyondIssuer},
		{"a number of nobody", leaf("12155550200"), []*x509.Certificate{provider}, data, stircert.BeyondIssuer},
		{"a block under the provider", leaf("12155550121"), []*x509.Certificate{block, provider}, data, nil},
		{"outside the block, of the provider", leaf("12155550131"), []*x509.Certificate{block, provider}, data, stircert.BeyondIssuer},
		{"no issuer", leaf("12155550131"), nil, nil, nil},
	} {
		if err := c.leaf.CheckPath(c.issuers, c.data); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// delegateCA is a CA with a TNAuthList.
func delegateCA(t *testing.T, list stircert.TNAuthList, cn string) *x509.Certificate {
	t.Helper()
	c := template(t, stircert.Intermediate)
	c.Subject.CommonName = cn
	ext, err := list.Extension()
	if err != nil {
		t.Fatal(err)
	}
	c.ExtraExtensions = append(c.ExtraExtensions, ext)
	return made(t, c, nil).X509()
}

// The AuthorityKeyIdentifier of each certificate is the SubjectKeyIdentifier of the next (RFC 9060 §7). crypto/x509 takes
// it for a hint: it decides which issuer is tried first and not which is right, since that the signature shows. What is in
// the wrong order is sorted, and one that did not issue the certificate is passed over.
func TestRFC9060_S7_KeyIdentifiersAreHints(t *testing.T) {
	const identifier = "the identifier of ca"
	root := template(t, stircert.Root)
	root.SubjectKeyId = []byte(identifier)
	pool := x509.NewCertPool()
	pool.AddCert(made(t, root, keys().ca.Public()).X509())
	for _, c := range []struct {
		name, identifier string
		key              *ecdsa.PrivateKey // of the issuer
		want             bool
	}{
		{"the identifier and key of the anchor", identifier, keys().ca, true},
		{"another identifier, and the key of the anchor", "somebody else", keys().ca, true},
		{"the identifier of the anchor, and another key", identifier, keys().leaf, false},
	} {
		issuer := template(t, stircert.Root)
		issuer.SubjectKeyId = []byte(c.identifier) // which CreateCertificate writes into what is issued
		der, err := x509.CreateCertificate(rand.Reader, template(t, stircert.Leaf), issuer, keys().leaf.Public(), c.key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if string(leaf.AuthorityKeyId) != c.identifier {
			t.Fatalf("%s: AuthorityKeyIdentifier %q", c.name, leaf.AuthorityKeyId)
		}
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: leaf.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What is covered says no more than each entry compared with each.
func TestRFC9060_S4_CoversIsEachEntryWithinOne(t *testing.T) {
	digits := rapid.Custom(func(t *rapid.T) tn.Range {
		length := rapid.IntRange(1, 2).Draw(t, "length")
		limit := []int{0, 10, 100}[length]
		first := rapid.IntRange(0, limit-1).Draw(t, "first")
		last := rapid.IntRange(first, limit-1).Draw(t, "last")
		r, err := tn.ParseRange(fmt.Sprintf("%0*d-%0*d", length, first, length, last))
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		parent := rapid.SliceOfN(digits, 0, 4).Draw(t, "parent")
		child := digits.Draw(t, "child")
		want := false
		for _, r := range parent {
			want = want || r.Contains(child.Start()) && r.Contains(child.Last())
		}
		if got := (stircert.TNAuthList{Ranges: parent}).Covers(stircert.TNAuthList{Ranges: []tn.Range{child}}, nil); got != want {
			t.Fatalf("%v covers %v: %v", parent, child, got)
		}
	})
}
