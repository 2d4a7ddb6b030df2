package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Numbers of the demonstration: 555-01xx belongs to nobody. Each kind of call has its own, so that none finds what
// another has left.
const demoDest = "12155550131"

// scenarios are the calls of the demonstration.
var scenarios = slices.Concat(classicScenarios, providerScenarios)

// classicScenarios are the calls over the ATIS forms.
var classicScenarios = []scenario{
	{
		title:   "Signed A, over the agreed form (ATIS-1000105)",
		verstat: oob.VerstatPassed, attest: "A",
		place: func(ctx context.Context, t *trip) ([]arrival, error) {
			return t.direct(ctx, "12155550101", "tdm-out", "from-"+originatingSPC)
		},
	},
	{
		title:   "Signed A, over the mesh form (ATIS-1000096)",
		verstat: oob.VerstatPassed, attest: "A",
		place: func(ctx context.Context, t *trip) ([]arrival, error) {
			return t.direct(ctx, "12155550102", "mesh-out", "mesh-in")
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
		place: func(ctx context.Context, t *trip) ([]arrival, error) {
			return one(t.arrive(ctx, "from-"+originatingSPC, t.cross(newCall("12155550104", demoDest))))
		},
	},
	{
		title:   "Tampered token: the CPS refuses it; a careless CPS hands it on, and verification finds out",
		verstat: oob.VerstatFailed, errCase: "E18",
		place: placeTampered,
	},
	{
		title:   "Expired record: the call arrives after its CPS has let go of it",
		verstat: oob.VerstatNoValidation,
		place:   placeExpired,
	},
	{
		title:   "Two quick calls between the same numbers",
		verstat: oob.VerstatPassed, attest: "A",
		place: placeTwice,
	},
	{
		title:   "Diverted: the called party forwards the call, and its provider signs that it did",
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
		place: func(ctx context.Context, t *trip) ([]arrival, error) {
			return t.direct(ctx, "12155550108", "nowhere-out", "nowhere-in")
		},
	},
}

// one is the list of one arrival.
func one(a arrival, err error) ([]arrival, error) { return []arrival{a}, err }

// direct is the plain road: sign and publish, TDM, retrieve and verify.
func (t *trip) direct(ctx context.Context, from, out, in string) ([]arrival, error) {
	call, err := t.send(ctx, originatingSPC, out, newCall(from, demoDest))
	if err != nil {
		return nil, err
	}
	return one(t.arrive(ctx, in, t.cross(call)))
}

func placeTransit(ctx context.Context, t *trip) ([]arrival, error) {
	call, err := t.send(ctx, originatingSPC, "tdm-out", newCall("12155550103", demoDest))
	if err != nil {
		return nil, err
	}
	middle, err := t.send(ctx, transitSPC, "transit-from-"+originatingSPC, t.cross(call))
	if err != nil {
		return nil, err
	}
	if !slices.Equal(middle.identity, call.identity) {
		return nil, errors.New("the PASSporT did not arrive unchanged")
	}
	middle.id += "-out" // the transit switch's other leg
	if middle, err = t.send(ctx, transitSPC, "transit-out", middle); err != nil {
		return nil, err
	}
	return one(t.arrive(ctx, "from-"+transitSPC, t.cross(middle)))
}

// placeExpired has the careless CPS keep the record, which does not do so for long.
func placeExpired(ctx context.Context, t *trip) ([]arrival, error) {
	call, err := t.send(ctx, originatingSPC, "sip-out", newCall("12155550106", demoDest))
	if err != nil {
		return nil, err
	}
	call.id += "-out"
	if _, err := t.send(ctx, originatingSPC, "careless-out", call); err != nil {
		return nil, err
	}
	t.steps = append(t.steps, step{who: "SPC " + originatingSPC, what: "wait", outcome: "until the record is gone", took: carelessRetention})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(carelessRetention):
	}
	return one(t.arrive(ctx, "careless-in", t.cross(call)))
}

// placeTwice has both PASSporTs under one key before the first call arrives.
func placeTwice(ctx context.Context, t *trip) ([]arrival, error) {
	var calls []sipCall
	for range 2 {
		call, err := t.send(ctx, originatingSPC, "tdm-out", newCall("12155550107", demoDest))
		if err != nil {
			return nil, err
		}
		calls = append(calls, call)
	}
	var arrivals []arrival
	for _, call := range calls {
		a, err := t.arrive(ctx, "from-"+originatingSPC, t.cross(call))
		if err != nil {
			return nil, err
		}
		arrivals = append(arrivals, a)
	}
	return arrivals, nil
}
