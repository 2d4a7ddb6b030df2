package app

import (
	"context"
	"crypto/x509"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// bubbleBegins is the time at which every bubble of testing/synctest begins.
var bubbleBegins = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// believing is a folder with two STI-CAs, one in a file and one on the STI-PA's list, and a configuration that names all.
type believing struct {
	t             *testing.T
	dir           string
	filed, listed *oobtest.PKI
	pa            *oobtest.PolicyAdministrator
}

func newBelieving(t *testing.T) *believing {
	b := &believing{t: t, dir: t.TempDir()}
	now := func() time.Time { return bubbleBegins }
	var err error
	if b.filed, err = oobtest.NewPKI(oobtest.PKIConfig{Name: "In a File", Now: now}); err != nil {
		t.Fatal(err)
	}
	if b.listed, err = oobtest.NewPKI(oobtest.PKIConfig{Name: "On the List", Now: now}); err != nil {
		t.Fatal(err)
	}
	if b.pa, err = b.listed.NewPolicyAdministrator(); err != nil {
		t.Fatal(err)
	}
	b.write("anchors.pem", b.filed.RootPEM())
	b.write("sti-pa.pem", b.pa.Signer.CertificatePEM())
	b.write("crl-issuer.pem", b.pa.CRLIssuer.CertificatePEM())
	b.write("numbers.csv", []byte("1234,12155550100,100\n"))
	b.list(1, b.filed.Root.Certificate, b.listed.Root.Certificate)
	b.revoke(1)
	return b
}

func (b *believing) write(name string, text []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), text, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *believing) list(sequence uint64, certs ...*x509.Certificate) {
	b.t.Helper()
	text, err := b.pa.TrustList(oobtest.TrustListConfig{Sequence: sequence, Certificates: certs})
	if err != nil {
		b.t.Fatal(err)
	}
	b.write("list.jwt", []byte(text))
}

func (b *believing) revoke(number int64, certs ...*x509.Certificate) {
	b.t.Helper()
	var revoked []oobtest.Revoked
	for _, cert := range certs {
		revoked = append(revoked, oobtest.Revoke(cert))
	}
	der, err := b.pa.RevocationList(oobtest.RevocationListConfig{Number: big.NewInt(number), Revoked: revoked})
	if err != nil {
		b.t.Fatal(err)
	}
	b.write("list.crl", der)
}

func (b *believing) leaf(pki *oobtest.PKI) (*trust.Chain, *x509.Certificate) {
	b.t.Helper()
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		b.t.Fatal(err)
	}
	certs, err := stircert.ParseChainPEM(id.ChainPEM)
	if err != nil {
		b.t.Fatal(err)
	}
	return trust.NewChain(certs), certs[0]
}

// plan reads the configuration as it is now.
func (b *believing) plan() *trustPlan {
	b.t.Helper()
	file := &configFile{Config: defaults()}
	c := &file.Config.Trust
	c.Anchors, c.Numbers = []string{"anchors.pem"}, "numbers.csv"
	c.List.Source.File, c.List.Signers = "list.jwt", []string{"sti-pa.pem"}
	c.Revocation.Source.File, c.Revocation.Signers = "list.crl", []string{"crl-issuer.pem"}
	file.resolve(b.dir)
	return resolveTrust(c, true, func(path string, err error) {
		if err != nil {
			b.t.Errorf("%s: %v", path, err)
		}
	})
}

func TestTrusted_FilesListAndRevocationTogether(t *testing.T) {
	b := newBelieving(t)
	filed, _ := b.leaf(b.filed)
	listed, cert := b.leaf(b.listed)
	stranger, err := b.listed.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		verifier, err := trust.New(trust.Config{})
		if err != nil {
			t.Fatal(err)
		}
		trusted, err := newTrusted(b.plan(), verifier, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		believes := func(what string, anchors int, wantFiled, wantListed bool) {
			t.Helper()
			if got := trusted.anchorCount(); got != anchors {
				t.Errorf("%s: %d anchors, want %d", what, got, anchors)
			}
			if errFiled, errListed := verifier.Judge(filed), verifier.Judge(listed); (errFiled == nil) != wantFiled || (errListed == nil) != wantListed {
				t.Errorf("%s: %v, %v", what, errFiled, errListed)
			}
		}
		reload := func() {
			t.Helper()
			if err := trusted.reload(b.plan()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		believes("before anything runs", 2, true, true)
		trusted.run(context.Background())
		b.revoke(2, cert)
		reload()
		believes("revoked", 2, true, false)
		b.revoke(3)
		<-time.After(67 * time.Minute)
		synctest.Wait()
		believes("not on the next list", 2, true, true)
		b.list(2, b.listed.Root.Certificate)
		b.write("anchors.pem", b.listed.Intermediate.CertificatePEM())
		reload()
		believes("another file, and not on the list", 2, false, true)
		b.write("sti-pa.pem", stranger.Signer.CertificatePEM())
		reload()
		believes("the list's signer is none any more", 1, false, true)
		b.write("anchors.pem", b.filed.RootPEM())
		reload()
		believes("back", 1, true, false)
		b.write("crl-issuer.pem", b.filed.RootPEM())
		reload()
		if s := trusted.revocation.State(); s.Believed {
			t.Errorf("still used: %+v", s)
		}
		trusted.close()
		verifier.Close()
	})
}

func TestTrusted_MetricsTellOfBoth(t *testing.T) {
	b := newBelieving(t)
	_, cert := b.leaf(b.filed)
	b.revoke(7, cert)
	synctest.Test(t, func(t *testing.T) {
		verifier, err := trust.New(trust.Config{})
		if err != nil {
			t.Fatal(err)
		}
		trusted, err := newTrusted(b.plan(), verifier, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(30 * time.Hour) // both have expired
		values := map[string]float64{}
		note := func(desc *prometheus.Desc, value float64, labels ...string) {
			name, _, _ := strings.Cut(strings.TrimPrefix(desc.String(), `Desc{fqName: "oob_`), `"`)
			values[strings.Join(append([]string{name}, labels...), " ")] = value
		}
		trusted.collect(note, func(desc *prometheus.Desc, value int64, labels ...string) { note(desc, float64(value), labels...) })
		for name, want := range map[string]float64{
			"trust_anchors": 2, "trust_list_used": 1, "trust_list_number": 1, "trust_list_entries": 2, "trust_list_skipped_entries": 0,
			"trust_list_expires_seconds":      float64(bubbleBegins.Add(24 * time.Hour).Unix()),
			"trust_list_last_success_seconds": float64(bubbleBegins.Unix()), "trust_list_last_failure_seconds": 0,
			"trust_list_alarm expired": 1, "trust_list_alarm stale": 0, "trust_list_successes_total": 1, "trust_list_refusals_total backwards": 0,
			"trust_revocation_number": 7, "trust_revocation_entries": 1, "trust_revocation_alarm expired": 1, "trust_revoked_total": 0,
			"trust_revocation_unknown_total no_point": 0,
		} {
			if got, found := values[name]; !found || got != want {
				t.Errorf("%s: %v, %t; want %v", name, got, found, want)
			}
		}
		trusted.close()
		verifier.Close()
	})
}

func TestTrusted_ReportWritesNothing(t *testing.T) {
	b := newBelieving(t)
	p := b.plan()
	p.list.keeper.Directory = filepath.Join(b.dir, "cache")
	p.revocation.keeper.Directory = p.list.keeper.Directory
	var out strings.Builder
	synctest.Test(t, func(t *testing.T) {
		if good, err := p.describe(&out, nil); err != nil || !good {
			t.Fatalf("good: %t, %v\n%s", good, err, &out)
		}
	})
	for _, want := range []string{"believes 2 trust anchor(s)", "list of trusted STI-CAs from ", "held: number 1, 2 entries, until 2000-01-02T00:00:00Z", "revocation list from "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	if _, err := os.Stat(p.list.keeper.Directory); err == nil {
		t.Error("something was written")
	}
}
