package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

// With tables, a CPS verifies access tokens and PASSporTs with them once it knows a key, and refuses what it refused before.
func TestPublish_KeysThatAreSeenOftenHaveTables(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Trust: trust.Config{Tables: 4}, Store: store.Config{KeyPublisherRecords: 50}})
	const calls = 40
	for i := range calls {
		p.wantBody(p.send(p.Publish(oob.Agreed, p.Passport(fmt.Sprint("x", i)))), 201, `{"status":201,"message":"Created"}`)
	}
	before := p.CPS.Verifier.Stats()
	if before.Tables != 1 || before.TablesBuilt != 1 || before.TableAnswers != 2*calls-64 {
		t.Fatalf("%+v", before)
	}
	forged := *p.Upstream
	forged.Key = p.Downstream.Key

	a := p.Publish(oob.Agreed, p.Passport("y"))
	a.Signer = &forged
	p.wantFault(p.send(a), oob.Unproven, "the access token's signature does not verify")
	p.wantFault(p.send(p.Publish(oob.Agreed, p.sign(forged.Key, forged.X5U, p.Claims("y")))), oob.PassportInvalid, "PASSporT 1: the signature does not verify")
	p.wantBody(p.send(p.Publish(oob.Agreed, p.Passport("y"))), 201, `{"status":201,"message":"Created"}`)
	if after := p.CPS.Verifier.Stats(); after.TableAnswers != before.TableAnswers+5 || after.TablesOff {
		t.Errorf("%+v", after)
	}
}
