package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// placeDiverted lets the transit provider's subscriber forward the call: the chain of both PASSporTs goes on.
func placeDiverted(ctx context.Context, t *trip) ([]arrival, error) {
	call, err := t.send(ctx, originatingSPC, "sip-out", newCall("12155550109", demoDest))
	if err != nil {
		return nil, err
	}
	call.id += "-forwarded"
	call.diverted, call.dest = call.dest, "12155550132"
	if call, err = t.send(ctx, transitSPC, "tdm-out", call); err != nil {
		return nil, err
	}
	a, err := t.arrive(ctx, "from-"+transitSPC, t.cross(call))
	if err == nil && len(call.identity) != 2 {
		err = errors.New("the forwarding was not signed")
	}
	return one(a, err)
}

// placeTampered changes one character of the signature.
func placeTampered(ctx context.Context, t *trip) ([]arrival, error) {
	call, err := t.send(ctx, originatingSPC, "sip-out", newCall("12155550105", demoDest))
	if err != nil {
		return nil, err
	}
	header, err := identity.Parse(call.identity[0])
	if err != nil {
		return nil, err
	}
	header.Token = tamper(header.Token)
	call.identity = []string{header.String()}
	return t.toBoth(ctx, call)
}

// tamper changes the first character of the signature: the last one may hold bits that say nothing.
func tamper(token string) string {
	at := strings.LastIndexByte(token, '.') + 1
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// placeRevoked has the originating provider carry what a revoked one has signed. That one's own element does not sign any
// more, so somebody has taken its key elsewhere.
func placeRevoked(ctx context.Context, t *trip) ([]arrival, error) {
	return t.handOn(ctx, "12155550110", revokedSPC, passport.Shaken, "sign, with a revoked certificate")
}

// placeUncovered has an enterprise sign for a number that lies beside its own.
func placeUncovered(ctx context.Context, t *trip) ([]arrival, error) {
	return t.handOn(ctx, "12155550150", delegate, passport.Base, "sign, as holder of "+delegateNumbers)
}

// handOn lets the originating provider carry what somebody else has signed.
func (t *trip) handOn(ctx context.Context, from, who string, ppt passport.Type, what string) ([]arrival, error) {
	began := time.Now()
	signer := Signer{Lab: t.dir, SPC: who}
	key, err := signer.load()
	if err != nil {
		return nil, err
	}
	claims := passport.Claims{IAT: began, Orig: number(from), Dest: []tn.Identity{number(demoDest)}}
	if ppt == passport.Shaken {
		claims.Attest, claims.OrigID = passport.AttestFull, uuid.New()
	}
	token, err := passport.Sign(key, ppt, signer.X5U, claims)
	if err != nil {
		return nil, err
	}
	t.steps = append(t.steps, step{who: who, what: what, outcome: "a PASSporT for " + from, took: time.Since(began)})
	call := newCall(from, demoDest)
	call.identity = []string{identity.Header{Token: token, Info: signer.X5U, Alg: "ES256", PPT: string(ppt)}.String()}
	return t.toBoth(ctx, call)
}

// number is for the numbers of this file's country.
func number(canonical string) tn.Identity {
	n, err := tn.ParseNumber(canonical)
	if err != nil {
		panic(err) // a constant of this package
	}
	return tn.Of(n)
}

// toBoth publishes what the call carries to the CPS that all have agreed on and to the careless one, where the far side
// then looks.
func (t *trip) toBoth(ctx context.Context, call sipCall) ([]arrival, error) {
	for _, label := range []string{"transit-out", "careless-out"} {
		call.id += "-out"
		if _, err := t.send(ctx, originatingSPC, label, call); err != nil {
			return nil, err
		}
	}
	return one(t.arrive(ctx, "careless-in", t.cross(call)))
}

// placeReplayed lets somebody who knows of the call place another between the same numbers while its PASSporT lies there.
func placeReplayed(ctx context.Context, t *trip) ([]arrival, error) {
	call, err := t.send(ctx, originatingSPC, "tdm-out", newCall("12155550111", demoDest))
	if err != nil {
		return nil, err
	}
	genuine := t.cross(call)
	first, err := t.arrive(ctx, "from-"+originatingSPC, genuine)
	if err != nil || first.verstat != oob.VerstatPassed {
		return []arrival{first}, err
	}
	second, err := t.arrive(ctx, "from-"+originatingSPC, newCall(call.orig, call.dest))
	if err != nil {
		return nil, err
	}
	why, err := t.withdrawn(ctx, genuine.id)
	if err != nil {
		return nil, err
	}
	t.steps = append(t.steps, step{who: "SPC " + terminatingSPC, what: "withdraw", outcome: "the first call is no longer verified: " + why})
	return []arrival{second}, nil
}

// withdrawn waits for the record of a call to say that its verdict was withdrawn: records settle a while after the answer.
func (t *trip) withdrawn(ctx context.Context, callID string) (why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*trace.DefaultSettle)
	defer cancel()
	for {
		record, err := t.providers[terminatingSPC].record(callID)
		if err != nil || !record.Withdrawn.IsZero() {
			return record.WithdrawnReason, err
		}
		select {
		case <-ctx.Done():
			return "", errors.New("the verdict on the first call was not withdrawn")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
