package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
)

// providerScenarios are the calls over the forms of service providers.
var providerScenarios = []scenario{
	{
		title:   "RFC 9888: the CPS of the called number is found by its advertisement, and asked over mutual TLS",
		verstat: oob.VerstatPassed, attest: "A",
		place: func(ctx context.Context, t *trip) ([]arrival, error) {
			return t.direct(ctx, "12155550160", "rfc9888-out", "rfc9888-in")
		},
	},
	{
		title:   "Pushed: the PASSporT is there before its call",
		verstat: oob.VerstatPassed, attest: "A",
		place: placePushed,
	},
	{
		title:   "A provider asks for another's calls and gets nothing",
		verstat: oob.VerstatPassed, attest: "A",
		place: placeCurious,
	},
	{
		title:   "The company form: the CPS is found in the STI-PA's signed list, and the record is consumed",
		verstat: oob.VerstatPassed, attest: "C",
		place: placeCompany,
	},
	{
		title:   "In band and out of band, and they differ: the lower attestation counts",
		verstat: oob.VerstatPassed, attest: "B",
		place: placeBoth,
	},
}

// placePushed waits until the terminating provider has been told of the call.
func placePushed(ctx context.Context, t *trip) ([]arrival, error) {
	inbox := t.providers[terminatingSPC].element.switches.boxes()[0]
	before := inbox.Stats().Held
	if err := until(ctx, func() bool { return inbox.Stats().Up }); err != nil {
		return nil, fmt.Errorf("there is no subscription: %w", err)
	}
	records := inbox.Stats().Records
	call, err := t.send(ctx, originatingSPC, "rfc9888-out", newCall("12155550161", demoDest))
	if err != nil {
		return nil, err
	}
	if err := until(ctx, func() bool { return inbox.Stats().Records > records }); err != nil {
		return nil, fmt.Errorf("nothing was pushed: %w", err)
	}
	t.steps = append(t.steps, step{who: "SPC " + terminatingSPC, what: "stream of the CPS", outcome: "the PASSporT comes in"})
	arrivals, err := one(t.arrive(ctx, "pushed-in", t.cross(call)))
	if err == nil && inbox.Stats().Held == before {
		return nil, errors.New("the PASSporT had to be fetched")
	}
	return arrivals, err
}

// placeCurious has a provider between look for a call of the terminating provider's, before that does.
func placeCurious(ctx context.Context, t *trip) ([]arrival, error) {
	call, err := t.send(ctx, originatingSPC, "rfc9888-out", newCall("12155550162", demoDest))
	if err != nil {
		return nil, err
	}
	seen, _, record, err := t.ask(ctx, transitSPC, "curious-in", t.cross(call))
	if err != nil {
		return nil, err
	}
	if len(seen.identity) > 0 || !refused(record) {
		return nil, errors.New("a provider was given the PASSporT of another's call")
	}
	return one(t.arrive(ctx, "rfc9888-in", t.cross(call)))
}

func refused(record *trace.Record) bool {
	n := len(record.Retrieve)
	return n > 0 && record.Retrieve[n-1].Status == oob.OutOfScope.String()
}

// placeCompany begins at the provider between, which knows of no advertisements.
func placeCompany(ctx context.Context, t *trip) ([]arrival, error) {
	call, err := t.send(ctx, transitSPC, "company-out", newCall("12125550163", demoDest))
	if err != nil {
		return nil, err
	}
	shelf := t.cps.cps.store.Stats().Records
	arrivals, err := one(t.arrive(ctx, "company-in", t.cross(call)))
	if err != nil {
		return nil, err
	}
	if err := until(ctx, func() bool { return t.cps.cps.store.Stats().Records < shelf }); err != nil {
		return nil, fmt.Errorf("the record was not consumed: %w", err)
	}
	t.steps = append(t.steps, step{who: "CPS", what: "shelf", outcome: "the record is gone: its call has come"})
	return arrivals, nil
}

// placeBoth has a call arrive with a PASSporT in band, and with another one out of band.
func placeBoth(ctx context.Context, t *trip) ([]arrival, error) {
	call := newCall("12155550164", demoDest)
	published, err := t.send(ctx, originatingSPC, "tdm-out", call)
	if err != nil {
		return nil, err
	}
	call.id = published.id + "-in-band"
	if call, err = t.send(ctx, originatingSPC, "partial-out", call); err != nil {
		return nil, err
	}
	return one(t.arrive(ctx, "from-"+originatingSPC, call))
}

// until waits for what others are doing.
func until(ctx context.Context, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, switchPatience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
