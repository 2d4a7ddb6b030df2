package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// keep is how long the demonstration lets records live.
const keep = 15 * time.Second

// placeDiverted lets the transit provider's subscriber forward the call: the chain of both PASSporTs goes on.
func placeDiverted(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	call, signed, err := t.originate("12155550109", demoDest)
	if err != nil {
		return nil, err
	}
	forwarded := call
	if forwarded.dest, err = number("12155550132"); err != nil {
		return nil, err
	}
	var divs []stias.Signed
	if err := t.do(transitSPC, "forward, and sign div", func() (string, error) {
		divs, err = t.providers[transitSPC].signs.Divert(stias.Diversion{Carried: call.identity, From: call.dest, To: forwarded.dest})
		return fmt.Sprintf("from %s to %s", call.dest, forwarded.dest), err
	}); err != nil {
		return nil, err
	}
	chain := []string{signed.Passport}
	for _, div := range divs {
		chain = append(chain, div.Passport)
		forwarded.identity = append(forwarded.identity, div.Identity.String())
	}
	key := tdm(forwarded).agreedKey(transitSPC)
	t.publish(ctx, t.providers[transitSPC].client, transitSPC, oob.Publication{Key: key, Passports: chain, Expires: time.Now().Add(keep)})
	verdict := t.arrive(ctx, t.providers[terminatingSPC].verifies, t.cross(forwarded), key)
	if len(verdict.Diversions) != 1 || verdict.Diversions[0].SignerSPC != transitSPC {
		return nil, errors.New("the verdict does not say who forwarded the call")
	}
	return []oob.Verdict{verdict}, nil
}

// placeRevoked has another provider publish what a revoked one has signed.
func placeRevoked(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	return t.handOn(ctx, "12155550110", "sign, with a revoked certificate", func(call stias.Call) (string, error) {
		signed, err := t.providers[revokedSPC].signs.Sign(call)
		return signed.Passport, err
	})
}

// placeUncovered has an enterprise sign for a number that lies beside its own.
func placeUncovered(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	signer := Signer{Lab: t.dir, SPC: delegate}
	key, err := signer.load()
	if err != nil {
		return nil, err
	}
	return t.handOn(ctx, "12155550150", "sign, as holder of "+delegateNumbers, func(call stias.Call) (string, error) {
		return passport.Sign(key, passport.Base, signer.X5U, passport.Claims{IAT: time.Now(), Orig: call.Orig, Dest: call.Dest})
	})
}

// handOn lets the originating provider publish what somebody else has signed: to the CPS, which may refuse it, and to one
// that does not look.
func (t *trip) handOn(ctx context.Context, from, what string, sign func(stias.Call) (string, error)) ([]oob.Verdict, error) {
	var call sipCall
	var err error
	if call.orig, err = number(from); err != nil {
		return nil, err
	}
	if call.dest, err = number(demoDest); err != nil {
		return nil, err
	}
	var token string
	if err := t.do("?", what, func() (string, error) {
		token, err = sign(stias.Call{Orig: call.orig, Dest: []tn.Identity{call.dest}})
		return "a PASSporT for " + call.orig.String(), err
	}); err != nil {
		return nil, err
	}
	return t.toBoth(ctx, call, token)
}

// toBoth publishes a PASSporT to the CPS that all have agreed on and to the careless one, where the call then looks.
func (t *trip) toBoth(ctx context.Context, call sipCall, token string) ([]oob.Verdict, error) {
	p := oob.Publication{Key: tdm(call).agreedKey(originatingSPC), Passports: []string{token}, Expires: time.Now().Add(keep)}
	t.publish(ctx, t.providers[originatingSPC].client, originatingSPC, p)
	publisher, err := t.providers[originatingSPC].dial(t.careless.url())
	if err != nil {
		return nil, err
	}
	defer publisher.Close()
	t.publish(ctx, publisher, originatingSPC, p)
	return t.arriveAsking(ctx, t.careless.url(), call)
}

// placeReplayed lets somebody who knows of the call place another between the same numbers while its PASSporT lies there.
func placeReplayed(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	call, signed, err := t.originate("12155550111", demoDest)
	if err != nil {
		return nil, err
	}
	terminating := t.providers[terminatingSPC]
	key := tdm(call).agreedKey(originatingSPC)
	t.publish(ctx, t.providers[originatingSPC].client, originatingSPC, oob.Publication{
		Key: key, Passports: []string{signed.Passport}, Expires: time.Now().Add(keep),
	})
	var withdrawn []string
	service, err := stivs.New(stivs.Config{
		Verifier: terminating.verifier, Retriever: terminating.client,
		Withdrawn: func(call, why string) { withdrawn = append(withdrawn, call+" is no longer verified: "+why) },
	})
	if err != nil {
		return nil, err
	}
	first := t.arriveNamed(ctx, service, "genuine call", t.cross(call), key)
	if first.Verstat != oob.VerstatPassed {
		return []oob.Verdict{first}, nil
	}
	second := t.arriveNamed(ctx, service, "spoofed call", tdm(sipCall{orig: call.orig, dest: call.dest}), key)
	if err := t.do(terminatingSPC, "withdraw", func() (string, error) { return strings.Join(withdrawn, "; "), nil }); err != nil {
		return nil, err
	}
	if len(withdrawn) != 1 {
		return nil, errors.New("the first call was not withdrawn")
	}
	return []oob.Verdict{second}, nil
}
