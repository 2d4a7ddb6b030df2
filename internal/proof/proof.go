// Package proof finds out who is asking: it turns the credential of a request into an oob.Principal.
//
// Knows: access tokens signed with ES256 by the key of an STI certificate, which they point to with x5u or bring along in
// x5c (ATIS-1000096 §7, ATIS-1000105 §7, RFC 9888 §6); STI certificates that a client shows in the TLS handshake
// (RFC 9888 §5). Never hears of: what is asked for, whether it may be had, records, HTTP beyond the text of one header
// field.
//
// Whoever shows a certificate is believed for the STI trust anchors, and for nothing else: those of the web have no part in
// it, and TLS verifies no chain here.
//
// Read proof.go, token.go, header.go, connection.go, in this order.
//
// # Failures
//
// Every failure is an *oob.Fault of kind Unproven, whatever went wrong with the certificate, so that a CPS answers 401;
// the cause is kept for the log. A certificate that does not name who speaks is OutOfScope. Overloaded is our own fault: too
// many certificates are being fetched, or judged, to take one more.
//
// # Limits
//
// A token with x5u has at most 4 KiB, the reference client's has about 550 bytes; where x5c is taken it has at most 12 KiB.
// A chain has at most stircert.ChainCertificatesMax certificates, and in the TLS handshake [ChainBytesMax] bytes.
package proof

import (
	"errors"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// Rules are what a form of CPS takes for a proof.
type Rules struct {
	bytesMax int  // of an access token
	shown    bool // the chain may be in the token
	anyScope bool // the certificate may be for several SPCs, or for numbers alone
}

// The rules of the forms.
var (
	ATIS    = Rules{bytesMax: 4 << 10}                               // ATIS-1000096 and ATIS-1000105: x5u, one SPC
	RFC9888 = Rules{bytesMax: 12 << 10, shown: true, anyScope: true} // RFC 9888 and the company form: any STIR credential
)

// Holder is the holder of a credential, which counts as the provider whom it names, or else for itself. Of several
// providers none is said to ask.
func Holder(v *trust.Verifier, c *trust.Credential) oob.Principal {
	cert := c.Certificate
	p := oob.Principal{Scope: cert.TNAuthList, Cert: cert.Hash, X5U: c.X5U, Account: oob.AccountOf(cert.TNAuthList, v.Holder(c))}
	if len(p.Scope.SPCs) == 1 {
		p.SPC = p.Scope.SPCs[0]
	}
	return p
}

// unproven gives the fault for what has gone wrong with a credential; where says which that is.
func unproven(err error, where string) error {
	switch {
	case errors.Is(err, jws.ErrSignature), errors.Is(err, jws.ErrSignatureForm):
		return oob.Faultf(oob.Unproven, "the access token's signature does not verify").Because(err)
	case errors.Is(err, trust.ErrBusy):
		return oob.Faultf(oob.Overloaded, "too many certificates are being fetched").Because(err).After(time.Second)
	case errors.Is(err, oob.CredentialUnreachable):
		return oob.Faultf(oob.Unproven, "%s cannot be fetched", where).Because(err)
	case errors.Is(err, stircert.TNAuthListNotFetched): // not part of the row above: it was shown, and nobody has tried
		return oob.Faultf(oob.Unproven, "%s has its TNAuthList elsewhere, where an x5u is needed", where).Because(err)
	case errors.Is(err, oob.CredentialUntrusted):
		return oob.Faultf(oob.Unproven, "%s is not trusted", where).Because(err)
	}
	return err
}
