package stivs

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// attempt is what came of asking for a certificate and verifying a signature with it.
type attempt struct {
	credential *trust.Credential // nil unless all went well
	err        error             // of the verifier
	tried      bool              // there was a certificate, it was believed, and so the signature was looked at
	signature  error             // what looking at it last gave
	began      time.Time         // looking at it, the last time
	ended      time.Time
}

// believe takes the last steps: it gets the signer's certificate, makes sure that it is believed, verifies the
// signature with its key, asks whether the signer may say what it says, and whether the PASSporT has been used before.
// It may use one of so many equal shares of the time that is left.
func (v *verification) believe(ctx context.Context, c *candidate, shares int) bool {
	ctx, cancel := context.WithTimeout(ctx, remaining(ctx)/time.Duration(shares))
	defer cancel()
	began := v.now()
	var a attempt
	a.credential, a.err = v.verifier.Verify(ctx, c.envelope.Header.X5U, func(key *ecdsa.PublicKey) error {
		a.tried, a.began = true, v.now()
		a.signature = c.envelope.VerifyWith(key, v.verifier.ES256())
		a.ended = v.now()
		return a.signature
	})
	if !a.tried {
		a.began = v.now()
		a.ended = a.began
	}
	verified := c.record(a.fetched(), began, a.began) &&
		c.record(v.trusted(&a, c), a.began, a.began) &&
		c.record(a.verified(), a.began, a.ended)
	if !verified {
		return false
	}
	c.certificate = a.credential.Certificate
	return c.record(v.authorised(c, a.credential), a.ended, a.ended) &&
		c.record(v.diverted(c), a.ended, a.ended) &&
		c.record(v.spent(c), a.ended, a.ended)
}

// because is the cause of a fault, which says more than the fault: that is the case.
func because(err error) string {
	if f := oob.FaultOf(err); f.Err != nil {
		return f.Err.Error()
	}
	return err.Error()
}

func (a *attempt) fetched() finding {
	switch {
	case a.tried || errors.Is(a.err, oob.CredentialUntrusted):
		return pass("there is a certificate")
	case errors.Is(a.err, trust.ErrX5U):
		return fail(E7, because(a.err))
	case a.err != nil:
		return fail(E8, because(a.err))
	}
	return fail(E8, "no certificate")
}

func (v *verification) trusted(a *attempt, c *candidate) finding {
	switch {
	case !a.tried:
		return fail(E17, because(a.err))
	case a.credential == nil: // it was believed, but the signature is not its key's
		return pass("a trust anchor stands behind it")
	}
	certificate := a.credential.Certificate
	if err := certificate.CheckTime(a.ended); err != nil {
		return fail(E17, err.Error())
	}
	// RFC 8224 §6.2, step 4: the date of the call, and of what was signed, lies inside the validity of the credential.
	if err := certificate.CheckTime(c.claims.IAT); err != nil {
		return fail(E17, "at the iat: "+err.Error())
	}
	if date := v.call.Time; !date.IsZero() {
		if err := certificate.CheckTime(date); err != nil {
			return fail(E17, "at the date of the call: "+err.Error())
		}
	}
	detail := "a trust anchor stands behind a holder of numbers"
	if list := certificate.TNAuthList; len(list.SPCs) > 0 {
		detail = "a trust anchor stands behind provider " + list.SPCs[0]
	}
	if doubt := v.verifier.Doubt(a.credential); doubt != "" {
		detail += "; " + doubt
	}
	return pass(detail)
}

// verified is true of nothing but a signature that was seen to be good.
func (a *attempt) verified() finding {
	switch {
	case a.tried && a.signature == nil && a.err == nil && a.credential != nil:
		return pass("ES256 with the certificate's key")
	case a.signature != nil:
		return fail(E18, a.signature.Error())
	}
	return fail(E18, "not verified")
}

// authorised asks whether the signer may say what it says.
func (v *verification) authorised(c *candidate, credential *trust.Credential) finding {
	err := v.verifier.Authorise(credential, c.envelope, &c.claims)
	switch {
	case errors.Is(err, stircert.NotCovered):
		return fail(E17, "the certificate does not cover "+c.claims.SpeaksFor(c.envelope.Header.PPT).String())
	case err != nil:
		return fail(E17, err.Error())
	case c.role == prioritises && !v.prioritySigners[c.signerSPC()]:
		return fail(E17, "the signer may not authorise a priority here")
	case len(c.certificate.TNAuthList.SPCs) > 0:
		return pass("a provider, for numbers of its own")
	}
	return pass("the certificate covers " + c.claims.SpeaksFor(c.envelope.Header.PPT).String())
}
