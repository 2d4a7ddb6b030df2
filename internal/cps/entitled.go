package cps

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/latent"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// numberingWait is how long a request waits to learn whose a number is.
const numberingWait = 500 * time.Millisecond

// mayRead is nil when a principal may read under a key. What it says does not depend on what is held.
//
// In the agreed form the key names the publisher, whose list is asked; in the mesh form each record is, one by one,
// because the key does not name him, and a record that may not be read is as good as absent.
func (s *Service) mayRead(ctx context.Context, p oob.Principal, key oob.Key) error {
	switch row := key.Profile.Row(); {
	case row.ForSPC:
		if !p.Scope.HasSPC(key.SPC) {
			return oob.Faultf(oob.OutOfScope, "the certificate does not name this provider")
		}
		return nil
	case row.ByScope:
		n, ok := key.Dest.Number()
		if !ok {
			return oob.Faultf(oob.OutOfScope, "who is called is no number")
		}
		return s.entitled(ctx, p, n)
	case !s.lets(key.SPC, p):
		return oob.Faultf(oob.Refused, "the publisher does not let this SPC read")
	}
	return nil
}

// entitled is nil when a principal may read who calls a number: it is listed in its certificate, or belongs now to a provider
// that is (RFC 9888 §6, §10: otherwise any holder of a STIR certificate could read the calls of any provider).
func (s *Service) entitled(ctx context.Context, p oob.Principal, n tn.Number) error {
	switch {
	case p.Scope.HasNumber(n), slices.ContainsFunc(p.Scope.SPCs, func(spc string) bool { return s.everything[spc] }):
		return nil
	case len(p.Scope.SPCs) == 0:
		return outOfScope()
	case s.config.Numbering == nil:
		return oob.Faultf(oob.OutOfScope, "this CPS does not know whose numbers are whose, and the certificate does not list this one")
	}
	holders, err := s.holders(ctx, n)
	switch {
	case errors.Is(err, oob.NotFound):
		return outOfScope()
	case err != nil:
		return oob.Faultf(oob.Overloaded, "whose number this is cannot be found out now").Because(err).After(time.Second)
	case !slices.ContainsFunc(holders, p.Scope.HasSPC):
		return outOfScope()
	}
	return nil
}

func outOfScope() error {
	return oob.Faultf(oob.OutOfScope, "the certificate does not cover the called number")
}

func (s *Service) holders(ctx context.Context, n tn.Number) ([]string, error) {
	ctx, cancel := latent.WithTimeout(ctx, numberingWait)
	defer cancel()
	return s.config.Numbering.SPCs(ctx, n)
}

// checkServed refuses calls to providers that this CPS does not serve. Whose number it is may not be known: such a call is taken,
// for nobody can read it who may not.
func (s *Service) checkServed(ctx context.Context, key oob.Key) error {
	if len(s.serves) == 0 {
		return nil
	}
	refused := oob.Faultf(oob.Refused, "this CPS does not serve the called party's provider")
	if key.Profile.Row().ForSPC {
		if !s.serves[key.SPC] {
			return refused
		}
		return nil
	}
	n, ok := key.Dest.Number()
	if !ok || s.config.Numbering == nil {
		return nil
	}
	holders, err := s.holders(ctx, n)
	if err == nil && !slices.ContainsFunc(holders, func(spc string) bool { return s.serves[spc] }) {
		return refused
	}
	return nil
}
