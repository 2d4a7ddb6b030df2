package stias

import (
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// Diversion is the retargeting of one call: it goes on to another called party.
type Diversion struct {
	Carried []string    // Identity header values, or bare PASSporTs, that came with the call, in any order
	From    tn.Identity // the called party before
	To      tn.Identity // the called party now
	HI      string      // index of From in History-Info (RFC 8946 §8); empty for none

	// OutOfBand asks for div-o, which has the PASSporT before it inside (RFC 8946 §5), in place of div, which stands
	// beside it in a SIP message.
	OutOfBand bool
}

// Divert signs that a call was retargeted, with authority over the former called party: what the call carried is to go
// on with it, and beside it what Divert gives (RFC 8946 §4.1). In band that is one div for each pair of orig and dest
// among the PASSporTs that name the former called party, whether they are div themselves or not; out of band, one div-o
// for each of those PASSporTs that is not a div, because an opt has room for one. No claim of them goes along but orig.
//
// The signatures of what came are not looked at: who verifies the call will. Refusals: NotRetargeted, NothingToDivert,
// NoAuthority, TooDeep, Untrusted.
func (s *Service) Divert(d Diversion) ([]Signed, error) {
	if d.From == d.To {
		return nil, NotRetargeted
	}
	before := d.before()
	if len(before) == 0 {
		return nil, NothingToDivert
	}
	if !s.hasAuthority(d.From) {
		return nil, NoAuthority
	}
	now := s.cfg.Now()
	diverted := make([]Signed, 0, len(before))
	for _, token := range before {
		ppt, claims := passport.Div, passport.Claims{
			IAT: s.divertedAt(token.Claims.IAT, now), Orig: token.Claims.Orig, Dest: []tn.Identity{d.To}, Div: d.From, DivHI: d.HI,
		}
		if d.OutOfBand {
			within, err := token.Nested()
			if err != nil || len(within)+1 > passport.DivDepthMax {
				return nil, TooDeep
			}
			ppt, claims.Opt = passport.DivO, token.String()
		}
		signed, err := s.sign(Signed{IAT: claims.IAT}, now, ppt, claims)
		if err != nil {
			return nil, err
		}
		if d.OutOfBand {
			signed.Identity = identity.Header{}
		}
		diverted = append(diverted, signed)
	}
	return diverted, nil
}

// divertedAt is the iat of a diversion: that of what came (RFC 8946 §3) while it is fresh, because a stale one would be
// refused, else now.
func (s *Service) divertedAt(iat, now time.Time) time.Time {
	if s.cfg.FreshDiversions || Fresh.Check(iat, now) != nil {
		return now.Truncate(time.Second).UTC()
	}
	return iat
}

// before gives the PASSporTs from which the call is retargeted: those that name From and not already To. In band, of
// those with the same orig and dest only the newest. What cannot be read, and what is of a type that nobody here judges,
// is passed over: who verifies the call would not follow the chain to it.
func (d Diversion) before() []*passport.Token {
	var all []*passport.Token
	at := map[string]int{}
	for token := range carried(d.Carried) {
		if !token.Claims.Names(d.From) || token.Claims.Names(d.To) || d.OutOfBand && token.Header.PPT == passport.Div {
			continue
		}
		pair := token.String()
		if !d.OutOfBand {
			pair = parties(&token.Claims)
		}
		i, again := at[pair]
		switch {
		case !again:
			at[pair] = len(all)
			all = append(all, token)
		case token.Claims.IAT.After(all[i].Claims.IAT):
			all[i] = token
		}
	}
	return all
}

// parties is a text that is the same for the same orig and dest, in whatever order.
func parties(c *passport.Claims) string {
	dest := make([]string, 0, len(c.Dest))
	for _, id := range c.Dest {
		dest = append(dest, id.String())
	}
	slices.Sort(dest)
	return c.Orig.String() + " " + strings.Join(slices.Compact(dest), " ")
}

// hasAuthority reports whether the provider may sign for a called party (RFC 8946 §3): a number that its policy lists as
// its own or as a customer's, or that its certificate lists. A provider code alone says nothing of single numbers, and a
// URI is nobody's number.
func (s *Service) hasAuthority(id tn.Identity) bool {
	number, ok := id.Number()
	return ok && s.policy.Load().ours.contain(number) || s.credentials.Load().current.lists(id)
}
