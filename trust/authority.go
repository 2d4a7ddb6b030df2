package trust

import (
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Authorise asks whether the holder of the certificate, believed and with a good signature under the PASSporT, may say what
// it says: the certificate may limit its claims (RFC 8226 §8, RFC 9118 §4), and its TNAuthList the numbers. A provider
// may speak for all numbers: which are its own a certificate does not say (RFC 8226 §9). Delegates, who have numbers
// alone or their certificate from a CA that is limited itself, sign neither shaken PASSporTs (ATIS-1000080 §6.4.1) nor rph;
// and who has numbers alone signs others for these numbers.
//
// The error wraps stircert.ConstraintViolated, NotProvider or NotCovered; it holds no number.
func (v *Verifier) Authorise(c *Credential, e *passport.Envelope, claims *passport.Claims) error {
	cert := c.Certificate
	if cert.Constraints != nil { // which is rare
		texts := e.ClaimTexts()
		if texts == nil {
			return stircert.ConstraintViolated
		}
		if err := cert.CheckClaims(func(name string) (string, bool) { text, ok := texts[name]; return text, ok }); err != nil {
			return err
		}
	}
	isProvider := len(cert.TNAuthList.SPCs) > 0
	forProviders := e.Header.PPT == passport.Shaken || e.Header.PPT == passport.RPH
	switch {
	case forProviders && (!isProvider || v.judge.Load().isDelegate(c.chain)):
		return stircert.NotProvider
	case isProvider:
		// DIVERGES RFC 8224 §8.4: a caller with a URI is believed of a provider too, whose certificate names no domain,
		// because the network signs such calls, and the provider answers for them as it does for its numbers.
		return nil
	}
	if number, ok := claims.SpeaksFor(e.Header.PPT).Number(); ok && cert.TNAuthList.HasNumber(number) {
		return nil
	}
	return stircert.NotCovered
}
