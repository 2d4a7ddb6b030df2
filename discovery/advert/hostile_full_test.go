package advert_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

// A provider that has a delegate CA (RFC 9060 §4) can be as many signers as it likes: together they have the room of one.
func TestRFC9060_S4_DelegatesOfOneProviderDoNotFillTheBook(t *testing.T) {
	l := newLaboratory(t)
	ca, err := l.pki.Below(oobtest.IssueConfig{
		SPC: "1234", IssuedByRoot: true, TNAuthList: stircert.TNAuthList{Ranges: l.ranges("12155550100-12155550199")},
		Modify: func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := l.book(func(cfg *advert.BookConfig) { cfg.EntriesMax, cfg.SignerEntriesMax = 20, 5 })
	for i := range 4 {
		id, err := ca.Issue(oobtest.IssueConfig{TNAuthList: stircert.TNAuthList{Ranges: l.ranges(fmt.Sprintf("121555501%d0-121555501%d4", i, i))}})
		if err != nil {
			t.Fatal(err)
		}
		members := says{}
		for j := range 5 {
			members[fmt.Sprintf("2-121555501%d%d", i, j)] = "https://flood.example"
		}
		r := b.Add(t.Context(), []byte(l.sign(advert.Signer{Key: id.Key, X5C: []*x509.Certificate{id.Certificate.X509(), ca.Intermediate.Certificate}}, 1, members)))
		t.Log(r)
	}
	r := b.Add(t.Context(), []byte(l.sign(l.signer("567A"), 1, says{"0-567A": "https://cps.example.net"})))
	if r.Accepted != 1 || len(r.Refused) > 0 && errors.Is(r.Refused[0].Err, advert.Full) {
		t.Errorf("another provider has no room any more: %+v", r)
	}
}
