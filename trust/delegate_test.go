package trust_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// delegate makes a CA of a certificate that pki issues, and gives a PKI that issues with it.
func delegate(t *testing.T, pki *oobtest.PKI, cfg oobtest.IssueConfig) *oobtest.PKI {
	t.Helper()
	cfg.Modify = func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	}
	under, err := pki.Below(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return under
}

func blockOf(t *testing.T, text string) stircert.TNAuthList {
	t.Helper()
	r, err := tn.ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return stircert.TNAuthList{Ranges: []tn.Range{r}}
}

func TestRFC9060_S4_DelegateIssuesNoMoreThanItHas(t *testing.T) {
	l := newLaboratory(t, nil)
	block, number, outside := blockOf(t, "12155550100-12155550199"), blockOf(t, "12155550121"), blockOf(t, "12025550100")
	provider := oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true}
	numbers := oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, TNAuthList: block}
	subCA := oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true}
	for _, c := range []struct {
		name      string
		delegates []oobtest.IssueConfig // each issued by the one before
		leaf      oobtest.IssueConfig
		want      error
	}{
		{"its own block", []oobtest.IssueConfig{numbers}, oobtest.IssueConfig{TNAuthList: block}, nil},
		{"a number of its block", []oobtest.IssueConfig{numbers}, oobtest.IssueConfig{TNAuthList: number}, nil},
		{"a number outside", []oobtest.IssueConfig{numbers}, oobtest.IssueConfig{TNAuthList: outside}, stircert.BeyondIssuer},
		{"a provider", []oobtest.IssueConfig{numbers}, oobtest.IssueConfig{SPC: "567B"}, stircert.BeyondIssuer},
		{"its own provider", []oobtest.IssueConfig{provider}, oobtest.IssueConfig{SPC: "1234"}, nil},
		{"another provider", []oobtest.IssueConfig{provider}, oobtest.IssueConfig{SPC: "567B"}, stircert.BeyondIssuer},
		{"by a CA below that has no list", []oobtest.IssueConfig{numbers, subCA}, oobtest.IssueConfig{SPC: "567B"}, stircert.BeyondIssuer},
		{"by a CA below that gave itself more", []oobtest.IssueConfig{numbers, {SPC: "567B"}}, oobtest.IssueConfig{SPC: "567B"}, stircert.BeyondIssuer},
		{"by a CA below with a part", []oobtest.IssueConfig{numbers, {TNAuthList: number}}, oobtest.IssueConfig{TNAuthList: number}, nil},
		{"malformed list", []oobtest.IssueConfig{{SPC: "1234", IssuedByRoot: true, TNAuthListDER: []byte{0x30, 0}}}, oobtest.IssueConfig{SPC: "1234"}, stircert.BadTNAuthList},
	} {
		t.Run(c.name, func(t *testing.T) {
			pki := l.pki
			var authorities []*x509.Certificate
			for _, cfg := range c.delegates {
				pki = delegate(t, pki, cfg)
				authorities = append(authorities, pki.Intermediate.Certificate)
			}
			leaf, err := pki.Issue(c.leaf)
			if err != nil {
				t.Fatal(err)
			}
			err = l.verifier.Judge(trust.NewChain(append([]*x509.Certificate{leaf.Certificate.X509()}, authorities...)))
			if c.want == nil && err != nil || c.want != nil && !(errors.Is(err, c.want) && errors.Is(err, stircert.BeyondIssuer)) {
				t.Errorf("got %v, want %v", err, c.want)
			}

			// The anchor is an issuer like any other.
			anchors, err := trust.NewAnchors(authorities[0])
			if err != nil {
				t.Fatal(err)
			}
			l.verifier.SetAnchors(anchors)
			defer l.verifier.SetAnchors(l.config.Anchors)
			err = l.verifier.Judge(trust.NewChain(append([]*x509.Certificate{leaf.Certificate.X509()}, authorities...)))
			if (err == nil) != (c.want == nil) {
				t.Errorf("with the delegate as the anchor: %v", err)
			}
		})
	}
}

// A CA that has two certificates, one with a list and one without, is believed by the path that has none.
func TestRFC9060_S4_OnePathIsEnough(t *testing.T) {
	l := newLaboratory(t, nil)
	limited := delegate(t, l.pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Key: l.pki.Intermediate.Key})
	crossed := &oobtest.Authority{Certificate: limited.Intermediate.Certificate, Key: l.pki.Intermediate.Key}
	free, err := l.pki.Issue(oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, Key: crossed.Key, WithoutTNAuthList: true, Modify: func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
		c.Subject = pkix.Name{}
		c.RawSubject = crossed.Certificate.RawSubject
	}})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := limited.Issue(oobtest.IssueConfig{SPC: "567B"})
	if err != nil {
		t.Fatal(err)
	}
	judge := func(cas ...*x509.Certificate) error {
		return l.verifier.Judge(trust.NewChain(append([]*x509.Certificate{leaf.Certificate.X509()}, cas...)))
	}
	wants(t, judge(crossed.Certificate), oob.CredentialUntrusted, stircert.BeyondIssuer)
	if err := judge(crossed.Certificate, free.Certificate.X509()); err != nil {
		t.Error(err)
	}
}
