package cps

import (
	"crypto/sha256"
	"time"

	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// openGate bounds what somebody may publish of whom nothing is known but an address and what the PASSporT says of itself. A nil
// gate bounds nothing: who asks has been proven.
//
// What a PASSporT says of its signer is not believed before its signature is. So its x5u is counted together with the
// address alone: nobody can use up what another signer may publish by naming him.
type openGate struct {
	service *Service
	origin  string
	now     time.Time
	known   bool          // nothing new is published
	signer  oob.Principal // of the first PASSporT, once proven: its records are counted to him
}

// enter counts one publication of an address.
func (g *openGate) enter() error {
	return bounded(g.service.origins, g.origin, g.now, "more publications than this address may make")
}

// tries counts an attempt in the name of a signer, before anything costly is done about it.
func (g *openGate) tries(x5u string) error {
	if g == nil {
		return nil
	}
	return bounded(g.service.claimed, g.origin+" "+nameOf(x5u), g.now, "more publications in the name of this signer than this address may make")
}

// proven counts a PASSporT to its signer.
func (g *openGate) proven(v *trust.Verifier, c *trust.Credential) error {
	if g == nil {
		return nil
	}
	signer := proof.Holder(v, c)
	if err := g.service.checkListed(signer); err != nil {
		return err
	}
	if g.signer.Account == "" {
		g.signer = signer
	}
	if g.known {
		return nil
	}
	return bounded(g.service.publishes, signer.Account, g.now, "more PASSporTs than this signer may publish")
}

// nameOf is as long for every x5u: strangers choose how long theirs are, and how many.
func nameOf(x5u string) string {
	hash := sha256.Sum256([]byte(x5u))
	return string(hash[:16])
}

func bounded(l *limiter, account string, now time.Time, detail string) error {
	if wait, ok := l.take(account, now); !ok {
		return oob.Faultf(oob.RateLimited, "%s", detail).After(wait)
	}
	return nil
}
