package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Numbers of the demonstration: 555-01xx belongs to nobody. Each kind of call has its own, so that none finds what
// another has left.
const demoDest = "12155550131"

// scenarios are the calls of the demonstration.
var scenarios = []scenario{
	{
		title:   "Signed A, over the agreed form (ATIS-1000105)",
		verstat: oob.VerstatPassed, attest: "A",
		place: func(ctx context.Context, t *trip) ([]oob.Verdict, error) {
			return t.direct(ctx, "12155550101", func(c tdmCall) oob.Key { return c.agreedKey(originatingSPC) })
		},
	},
	{
		title:   "Signed A, over the mesh form (ATIS-1000096)",
		verstat: oob.VerstatPassed, attest: "A",
		place: func(ctx context.Context, t *trip) ([]oob.Verdict, error) {
			return t.direct(ctx, "12155550102", tdmCall.meshKey)
		},
	},
	{
		title:   "Transit: two TDM trunks, the provider between retrieves and publishes onward",
		verstat: oob.VerstatPassed, attest: "A",
		place: placeTransit,
	},
	{
		title:   "Spoofed: nobody has signed it, nothing was published",
		verstat: oob.VerstatNoValidation,
		place: func(ctx context.Context, t *trip) ([]oob.Verdict, error) {
			orig, err := number("12155550104")
			if err != nil {
				return nil, err
			}
			dest, err := number(demoDest)
			if err != nil {
				return nil, err
			}
			call := t.cross(sipCall{orig: orig, dest: dest})
			return []oob.Verdict{t.arrive(ctx, t.providers[terminatingSPC].verifies, call, call.agreedKey(originatingSPC))}, nil
		},
	},
	{
		title:   "Tampered token: the CPS refuses it; a careless CPS hands it on, and verification finds out",
		verstat: oob.VerstatFailed, errCase: "E18",
		place: placeTampered,
	},
	{
		title:   "Expired record: the call arrives after the deadline of its record",
		verstat: oob.VerstatNoValidation,
		place:   placeExpired,
	},
	{
		title:   "Two quick calls between the same numbers",
		verstat: oob.VerstatPassed, attest: "A",
		place: placeTwice,
	},
	{
		title:   "Diverted: the called party forwards the call, and signs that it did",
		verstat: oob.VerstatPassed, attest: "A",
		place: placeDiverted,
	},
	{
		title:   "Revoked signer: the CPS refuses its PASSporT; a careless CPS hands it on, and verification finds out",
		verstat: oob.VerstatFailed, errCase: "E17",
		place: placeRevoked,
	},
	{
		title:   "A certificate that does not cover the number: the CPS refuses it; a careless CPS hands it on, and verification finds out",
		verstat: oob.VerstatFailed, errCase: "E17",
		place: placeUncovered,
	},
	{
		title:   "Replayed: a second call comes for the PASSporT of the first, and neither is verified any more",
		verstat: oob.VerstatNoValidation, errCase: "V1",
		place: placeReplayed,
	},
	{
		title:   "CPS down: the call goes on, unverified",
		verstat: oob.VerstatNoValidation,
		place:   placeWithoutCPS,
	},
}

// direct is the plain road: sign, publish, TDM, retrieve, verify.
func (t *trip) direct(ctx context.Context, from string, key func(tdmCall) oob.Key) ([]oob.Verdict, error) {
	call, signed, err := t.originate(from, demoDest)
	if err != nil {
		return nil, err
	}
	t.publish(ctx, t.providers[originatingSPC].client, originatingSPC, oob.Publication{
		Key: key(tdm(call)), Passports: []string{signed.Passport}, Expires: time.Now().Add(keep),
	})
	arrived := t.cross(call)
	return []oob.Verdict{t.arrive(ctx, t.providers[terminatingSPC].verifies, arrived, key(arrived))}, nil
}

// arriveAsking lets a call cross and arrive where another CPS than the agreed one is asked.
func (t *trip) arriveAsking(ctx context.Context, url string, call sipCall) ([]oob.Verdict, error) {
	arrived := t.cross(call)
	terminating := t.providers[terminatingSPC]
	retriever, err := terminating.dial(url)
	if err != nil {
		return nil, err
	}
	defer retriever.Close()
	service, err := terminating.verification(retriever)
	if err != nil {
		return nil, err
	}
	return []oob.Verdict{t.arrive(ctx, service, arrived, arrived.agreedKey(originatingSPC))}, nil
}

func placeTransit(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	call, signed, err := t.originate("12155550103", demoDest)
	if err != nil {
		return nil, err
	}
	expires := time.Now().Add(keep)
	t.publish(ctx, t.providers[originatingSPC].client, originatingSPC, oob.Publication{
		Key: tdm(call).agreedKey(originatingSPC), Passports: []string{signed.Passport}, Expires: expires,
	})
	middle := t.cross(call)
	transit := t.providers[transitSPC]
	var found []string
	if err := t.do(transitSPC, "retrieve, agreed", func() (string, error) {
		var err error
		found, err = transit.client.Retrieve(ctx, middle.agreedKey(originatingSPC))
		return fmt.Sprintf("%d PASSporT(s)", len(found)), err
	}); err != nil {
		return nil, err
	}
	if len(found) != 1 || found[0] != signed.Passport {
		return nil, errors.New("the PASSporT did not arrive unchanged")
	}
	t.publish(ctx, transit.client, transitSPC, oob.Publication{
		Key: middle.agreedKey(transitSPC), Passports: found, Expires: expires,
	})
	arrived := t.cross(sipCall{orig: middle.orig, dest: middle.dest})
	return []oob.Verdict{t.arrive(ctx, t.providers[terminatingSPC].verifies, arrived, arrived.agreedKey(transitSPC))}, nil
}

// placeTampered changes one character of the signature, publishes to the CPS, which refuses, and then to one that does
// not look.
func placeTampered(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	call, signed, err := t.originate("12155550105", demoDest)
	if err != nil {
		return nil, err
	}
	return t.toBoth(ctx, call, tamper(signed.Passport))
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

func placeExpired(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	call, signed, err := t.originate("12155550106", demoDest)
	if err != nil {
		return nil, err
	}
	// exp counts whole seconds; the next but one is between one and two seconds away.
	expires := time.Now().Truncate(time.Second).Add(2 * time.Second)
	t.publish(ctx, t.providers[originatingSPC].client, originatingSPC, oob.Publication{
		Key: tdm(call).agreedKey(originatingSPC), Passports: []string{signed.Passport}, Expires: expires,
	})
	_ = t.do(originatingSPC, "wait", func() (string, error) {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(expires)):
		}
		return "until the record's deadline", nil
	})
	arrived := t.cross(call)
	return []oob.Verdict{t.arrive(ctx, t.providers[terminatingSPC].verifies, arrived, arrived.agreedKey(originatingSPC))}, nil
}

// placeTwice has both PASSporTs under one key before the first call arrives.
func placeTwice(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	var calls []sipCall
	for range 2 {
		call, signed, err := t.originate("12155550107", demoDest)
		if err != nil {
			return nil, err
		}
		t.publish(ctx, t.providers[originatingSPC].client, originatingSPC, oob.Publication{
			Key: tdm(call).agreedKey(originatingSPC), Passports: []string{signed.Passport}, Expires: time.Now().Add(keep),
		})
		calls = append(calls, call)
	}
	var verdicts []oob.Verdict
	for _, call := range calls {
		arrived := t.cross(call)
		verdicts = append(verdicts, t.arrive(ctx, t.providers[terminatingSPC].verifies, arrived, arrived.agreedKey(originatingSPC)))
	}
	return verdicts, nil
}

// placeWithoutCPS asks a CPS that is not there: a port that was just given back.
func placeWithoutCPS(ctx context.Context, t *trip) ([]oob.Verdict, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	nowhere := "https://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	call, signed, err := t.originate("12155550108", demoDest)
	if err != nil {
		return nil, err
	}
	publisher, err := t.providers[originatingSPC].dial(nowhere)
	if err != nil {
		return nil, err
	}
	defer publisher.Close()
	t.publish(ctx, publisher, originatingSPC, oob.Publication{
		Key: tdm(call).agreedKey(originatingSPC), Passports: []string{signed.Passport}, Expires: time.Now().Add(keep),
	})
	return t.arriveAsking(ctx, nowhere, call)
}
