package trust_test

import (
	"bufio"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

const certificates = "../stircert/testdata/"

var criticalExtension = pkix.Extension{Id: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}

func realAnchors(t testing.TB) *trust.Anchors {
	t.Helper()
	roots, err := filepath.Glob(certificates + "ca/root-*.pem")
	if err != nil || len(roots) != 22 {
		t.Fatalf("%d roots, %v", len(roots), err)
	}
	anchors, err := trust.LoadAnchors(roots...)
	if err != nil {
		t.Fatal(err)
	}
	return anchors
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func realIntermediates(t testing.TB) []*x509.Certificate {
	t.Helper()
	files, err := filepath.Glob(certificates + "ca/intermediate-*.pem")
	if err != nil {
		t.Fatal(err)
	}
	var all []*x509.Certificate
	for _, name := range files {
		certs, err := stircert.ParseChainPEM(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, certs...)
	}
	return all
}

// The column "judged" of stircert/testdata/outcomes.tsv; the other columns are tested there.
func TestCore_S6_2_RealCertificatesAreJudgedAsStated(t *testing.T) {
	var now time.Time
	v, err := trust.New(trust.Config{Anchors: realAnchors(t), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	intermediates := realIntermediates(t)
	trusted := 0
	lines := bufio.NewScanner(strings.NewReader(string(read(t, certificates+"outcomes.tsv"))))
	lines.Scan() // the head
	for lines.Scan() {
		column := strings.Split(lines.Text(), "\t")
		name, want := column[0], column[3]
		if want == "-" {
			continue
		}
		if now, err = time.Parse(time.RFC3339, column[4]); err != nil {
			t.Fatal(err)
		}
		certs, err := stircert.ParseChainPEM(read(t, certificates+name))
		if err != nil {
			t.Fatal(err)
		}
		got := "ok"
		if err := v.Judge(trust.NewChain(append(certs, intermediates...))); err != nil {
			problem, _ := errors.AsType[stircert.Problem](err)
			got = problem.Name()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if got == "ok" {
			trusted++
		}
	}
	if trusted != 95 {
		t.Errorf("%d certificates are trusted, want 95", trusted)
	}
}

// A chain as its repository served it is enough, in any order.
func TestCore_S4_4_ChainsStandForThemselvesInAnyOrder(t *testing.T) {
	files, err := filepath.Glob(certificates + "chains/*.pem")
	if err != nil || len(files) != 13 {
		t.Fatalf("%d chains, %v", len(files), err)
	}
	for _, name := range files {
		certs, err := stircert.ParseChainPEM(read(t, name))
		if err != nil {
			t.Fatal(err)
		}
		leaf := certs[0]
		middle := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
		v, err := trust.New(trust.Config{Anchors: realAnchors(t), Now: func() time.Time { return middle }})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		want := error(nil)
		if strings.Contains(name, "1routegroup") { // its TNAuthList is cut short
			want = stircert.BadTNAuthList
		}
		reversed := []*x509.Certificate{leaf}
		for i := len(certs) - 1; i > 0; i-- {
			reversed = append(reversed, certs[i])
		}
		for _, chain := range [][]*x509.Certificate{certs, reversed} {
			if err := v.Judge(trust.NewChain(chain)); !errors.Is(err, want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestJudge_UntrustedIsRememberedForAMinute(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234", NotBefore: l.clock().Add(30 * time.Second)})
	chain := trust.NewChain([]*x509.Certificate{id.Certificate.X509(), l.pki.Intermediate.Certificate})
	for range 3 {
		wants(t, l.verifier.Judge(chain), oob.CredentialUntrusted, stircert.NotYetValid)
	}
	if n := l.verifier.Stats().ChainBuilds; n != 1 {
		t.Errorf("%d chain builds", n)
	}
	l.advance(trust.UntrustedLifetime)
	if err := l.verifier.Judge(chain); err != nil {
		t.Error(err)
	}
}

func TestJudge_VerdictsAreBounded(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.CertificatesMax = 1 }) // and two verdicts
	var chains []*trust.Chain
	for range 3 {
		id := l.issue(oobtest.IssueConfig{SPC: "1234"})
		chains = append(chains, trust.NewChain([]*x509.Certificate{id.Certificate.X509(), l.pki.Intermediate.Certificate}))
	}
	for range 2 {
		for _, chain := range chains {
			if err := l.verifier.Judge(chain); err != nil {
				t.Error(err)
			}
		}
	}
	if n := l.verifier.Stats().ChainBuilds; n < 4 || n > 6 {
		t.Errorf("%d chain builds; two verdicts of three can be remembered", n)
	}
}

func TestLoadAnchors_NamesFileAndBlock(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.Root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	root, intermediate := string(pki.RootPEM()), string(pki.Intermediate.CertificatePEM())
	broken := strings.Replace(root, "\nM", "\nA", 1)
	for _, c := range []struct{ name, content, want string }{
		{"one", root, ""},
		{"two with text between", "# ours\n" + root + "# theirs\n" + intermediate, ""},
		{"nothing", "", "no PEM block"},
		{"text", "root", "no PEM block"},
		{"a key", root + string(key), `block 2: not a certificate but "PRIVATE KEY"`},
		{"no CA", root + string(id.ChainPEM), "block 2: not the certificate of a CA"},
		{"broken DER", root + broken, "block 2: "},
		{"broken PEM", root + root[:100], "broken PEM block after block 1"},
		{"too large", root + strings.Repeat("#", trust.AnchorFileBytesMax), "more than 1048576 bytes"},
		{"too many", strings.Repeat(root, trust.AnchorsMax+1), "more than 1000 anchors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "anchors.pem")
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			anchors, err := trust.LoadAnchors(file)
			if c.want == "" {
				if err != nil || anchors.Len() != strings.Count(c.content, "BEGIN") {
					t.Errorf("%v", err)
				}
				return
			}
			if err == nil || anchors != nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want %q and the file", err, c.want)
			}
		})
	}
	if _, err := trust.LoadAnchors(filepath.Join(t.TempDir(), "none.pem")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if a, err := trust.LoadAnchors(); err != nil || a.Len() != 0 {
		t.Errorf("no files: %v", err)
	}
}
