package trust_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// A provider that may issue for its own numbers can make certificates that are hundreds of times as large as all others.
func TestCache_LongTNAuthListsDisplaceEachOther(t *testing.T) {
	const most = 1000
	a := newAdministration(t, func(c *trust.Config) { c.CertificatesMax = most })
	other := a.issue(oobtest.IssueConfig{SPC: "567B"})
	if err := a.verifier.Lay(x5uOf(0), other.ChainPEM); err != nil {
		t.Fatal(err)
	}
	var long stircert.TNAuthList
	for i := range 3000 {
		r, err := tn.ParseRange(fmt.Sprintf("1215555%04d", i))
		if err != nil {
			t.Fatal(err)
		}
		long.Ranges = append(long.Ranges, r)
	}
	before := heapBytes()
	for i := range 40 {
		id, err := a.pki.Issue(oobtest.IssueConfig{TNAuthList: long, Path: "/sp.pem"})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.verifier.Lay(x5uOf(1000*i+1), id.ChainPEM); err != nil { // of one owner
			t.Fatal(err)
		}
	}
	s := a.verifier.Stats()
	if took := heapBytes() - before; took > 4000*most || s.Certificates < 5 || s.Certificates > 25 || s.Evictions < 15 {
		t.Errorf("%d bytes: %+v", took, s)
	}
	if !a.verifier.Cached(x5uOf(0)) {
		t.Error("what others use had to go")
	}
	runtime.KeepAlive(a)
}
