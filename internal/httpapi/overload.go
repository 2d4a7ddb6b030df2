package httpapi

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oob"
)

// enter takes a place among the requests, which is kept until the answer has been taken, and waits until the request is to be
// worked on. A request whose body is not there yet has no place: whoever sends slowly keeps nobody out.
func (d *door) enter(x *exchange, errand turnstile.Errand, r cps.Request) error {
	from := httplimit.AddressOf(x.r.RemoteAddr)
	if !d.requests.Take(from) {
		return x.crowd()
	}
	x.leave = func() { d.requests.Leave(from) }
	pass, err := d.config.Turnstile.Enter(x.r.Context(), turnstile.Guest{Address: from, Claim: x.claim(r)}, errand)
	if err != nil {
		x.crowded = errors.Is(err, turnstile.ErrShare) || errors.Is(err, turnstile.ErrStrained)
		return entered(err)
	}
	pass.Context, x.pass, x.ctx = x.ctx, pass, pass // so that the deadline of the work starts no timer for who waits
	return nil
}

// entered is what who could not enter is told.
func entered(err error) error {
	switch {
	case errors.Is(err, turnstile.ErrShare):
		return oob.Faultf(oob.RateLimited, "more is asked than can be answered, and much of it by this requester").After(later())
	case errors.Is(err, turnstile.ErrStrained):
		return oob.Faultf(oob.Overloaded, "more is asked than can be answered").After(later())
	}
	return err
}

// claim is in whose name a request is made, as far as it says so: that of its access token, or what the certificate of its
// connection has that no other has, which is a part of its signature. Nothing of it has been looked at.
func (x *exchange) claim(r cps.Request) string {
	const enough = 16
	if !r.Bare {
		return r.Access.Issuer
	}
	if x.r.TLS == nil || len(x.r.TLS.PeerCertificates) == 0 {
		return ""
	}
	signature := x.r.TLS.PeerCertificates[0].Signature
	return string(signature[max(0, len(signature)-enough):])
}

// proves is how a requester proves who it is; one who has done so is told from those who only claim to be it.
func proves(how func(ctx context.Context, issuer string) (oob.Principal, error)) func(context.Context, string) (oob.Principal, error) {
	return func(ctx context.Context, issuer string) (oob.Principal, error) {
		principal, err := how(ctx, issuer)
		if err == nil {
			turnstile.Proven(ctx)
		}
		return principal, err
	}
}

// crowd is what is told to who finds no place, be it to wait.
func (x *exchange) crowd() error {
	x.crowded = true
	return oob.Faultf(oob.Overloaded, "too many requests at a time").After(later())
}

// later is when somebody may come again: in one to three seconds, and not all at the same time.
func later() time.Duration { return time.Second + rand.N(2*time.Second) }
