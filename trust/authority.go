package trust

import (
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Authorise asks whether the holder of a certificate, believed and with a good signature under the PASSporT, may say what
// it says: the certificate may limit its claims (RFC 8226 §8, RFC 9118 §4), and its TNAuthList the numbers. A provider
// may speak for all numbers: which are its own a certificate does not say (RFC 8226 §9). Who has numbers alone, a
// delegate, signs no shaken PASSporT (ATIS-1000080 §6.4.1), and others for these numbers.
//
// The error wraps stircert.ConstraintViolated, NotProvider or NotCovered; it holds no number.
func Authorise(cert *stircert.Certificate, e *passport.Envelope, claims *passport.Claims) error {
	if cert.Constraints != nil { // which is rare
		texts := e.ClaimTexts()
		if err := cert.CheckClaims(func(name string) (string, bool) { text, ok := texts[name]; return text, ok }); err != nil {
			return err
		}
	}
	switch {
	case len(cert.TNAuthList.SPCs) > 0:
		return nil
	case e.Header.PPT == passport.Shaken, e.Header.PPT == passport.RPH:
		return stircert.NotProvider
	}
	if number, ok := claims.SpeaksFor(e.Header.PPT).Number(); ok && cert.TNAuthList.HasNumber(number) {
		return nil
	}
	return stircert.NotCovered
}
