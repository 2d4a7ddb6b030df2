package cps_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// latecomer is a Numbering that takes so long to answer, that every number is the downstream provider's; it may be longer than
// anybody waits.
type latecomer struct{ takes atomic.Int64 }

func (l *latecomer) SPCs(ctx context.Context, _ tn.Number) ([]string, error) {
	timer := time.NewTimer(time.Duration(l.takes.Load()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return []string{oobtest.DownstreamSPC}, nil
	case <-ctx.Done():
		return nil, oob.Faultf(oob.PeerTimeout, "no answer in time")
	}
}

// bare is a service with its shelf and its hub, without a door, in a synctest bubble.
type bare struct {
	*testing.T
	*cps.Service
	numbering latecomer
	shelf     *store.Store
	laid      uint64
}

func inBubble(t *testing.T, test func(b *bare)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bare{T: t, shelf: local.Open(store.Config{FeedProfiles: []oob.Profile{oob.RFC9888}})}
		defer b.shelf.Close()
		hub := push.New(push.Config{Feed: b.shelf.Feed(), Numbering: &b.numbering})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go hub.Run(ctx)
		var err error
		b.Service, err = cps.New(cps.Config{
			Store: b.shelf, Hub: hub, Numbering: &b.numbering, Audience: []string{"cps.example"}, Inspector: &cps.Inspector{Depth: cps.InspectMatch},
		})
		if err != nil {
			t.Fatal(err)
		}
		test(b)
	})
}

func (b *bare) called() tn.Number {
	b.Helper()
	n, err := tn.ParseNumber(oobtest.CalledNumber)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// lay puts something for the called number on the shelf, which lives for a minute.
func (b *bare) lay(text string) {
	b.Helper()
	b.laid++
	now := time.Now()
	use := oob.TokenUse{Until: now.Add(time.Minute)}
	binary.BigEndian.PutUint64(use.ID[:], b.laid)
	if _, err := b.shelf.Publish(b.Context(), oob.Publication{
		Key: oob.Key{Profile: oob.RFC9888, Dest: tn.Of(b.called()), Orig: tn.Of(b.called())}, Passports: []string{text}, Publisher: "us",
		Received: now, Expires: now.Add(time.Minute), Use: use,
	}); err != nil {
		b.Fatal(err)
	}
}

// request is that of the holder of a certificate.
func request(scope stircert.TNAuthList, account string) cps.Request {
	return cps.Request{Bare: true, Prove: func(context.Context, string) (oob.Principal, error) {
		return oob.Principal{Scope: scope, Account: account}, nil
	}}
}

var ofProvider = request(stircert.TNAuthList{SPCs: []string{oobtest.DownstreamSPC}}, oobtest.DownstreamSPC)

func (b *bare) subscribe(r cps.Request, interest push.Interest) *cps.Subscription {
	b.Helper()
	interest.Profile = oob.RFC9888
	_, subscription, err := b.Subscribe(b.Context(), r, interest, "")
	if err != nil {
		b.Fatal(err)
	}
	return subscription
}

func (b *bare) numberOf() []tn.Range {
	b.Helper()
	r, err := tn.NewRange(b.called(), 1)
	if err != nil {
		b.Fatal(err)
	}
	return []tn.Range{r}
}

// next is what is told within a heartbeat; "" when nothing is.
func (b *bare) next(s *cps.Subscription, heartbeat time.Duration) (text, cursor string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), heartbeat)
	defer cancel()
	event, err := s.Next(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", s.Cursor()
	case err != nil:
		b.Fatal(err)
	}
	return event.Held.Passports[0], event.Cursor
}

// TestRFC9888_S6_NothingIsLeftOut: while nobody can say whose number it is, what was acknowledged waits, and so does the cursor;
// it is told as soon as that is known, however short the heartbeat.
func TestRFC9888_S6_NothingIsLeftOut(t *testing.T) {
	for name, interest := range map[string]push.Interest{
		"the number":   {},
		"the provider": {SPCs: []string{oobtest.DownstreamSPC}},
	} {
		for _, heartbeat := range []time.Duration{100 * time.Millisecond, 15 * time.Second} {
			inBubble(t, func(b *bare) {
				if interest.SPCs == nil {
					interest.Numbers = b.numberOf()
				}
				s := b.subscribe(ofProvider, interest)
				defer s.Close()
				began := s.Cursor()
				b.numbering.takes.Store(int64(time.Hour))
				b.lay("a")
				for hung := time.Now(); time.Since(hung) < 31*time.Second; {
					if text, cursor := b.next(s, heartbeat); text != "" || cursor != began {
						b.Fatalf("%s: told %q up to %s, began at %s", name, text, cursor, began)
					}
				}
				b.numbering.takes.Store(int64(300 * time.Millisecond))
				text, cursor := "", ""
				for back := time.Now(); text == "" && time.Since(back) < 25*time.Second; {
					text, cursor = b.next(s, heartbeat)
				}
				if text != "a" || cursor == began {
					b.Errorf("%s: then %q", name, text)
				}
			})
		}
	}
}

// TestRFC9888_S6_WhatIsStaleIsWaitedForNoMore: nor does it hold back for ever what comes after it.
func TestRFC9888_S6_WhatIsStaleIsWaitedForNoMore(t *testing.T) {
	inBubble(t, func(b *bare) {
		s := b.subscribe(ofProvider, push.Interest{Numbers: b.numberOf()})
		defer s.Close()
		b.numbering.takes.Store(int64(time.Hour))
		b.lay("a")
		if text, _ := b.next(s, 59*time.Second); text != "" {
			b.Fatalf("told %q", text)
		}
		b.lay("b")
		b.numbering.takes.Store(0)
		time.Sleep(2 * time.Second)
		if text, _ := b.next(s, time.Second); text != "b" {
			b.Errorf("told %q", text)
		}
	})
}

// TestRFC9888_S6_HangingNumberingKeepsNobodyWaiting: whose certificate lists the number is told at once; who asks for what it
// would take a look-up to read is told to come again.
func TestRFC9888_S6_HangingNumberingKeepsNobodyWaiting(t *testing.T) {
	inBubble(t, func(b *bare) {
		provider := b.subscribe(ofProvider, push.Interest{SPCs: []string{oobtest.DownstreamSPC}})
		defer provider.Close()
		owner := b.subscribe(request(stircert.TNAuthList{Ranges: b.numberOf()}, "a delegate"), push.Interest{Numbers: b.numberOf()})
		defer owner.Close()
		b.numbering.takes.Store(int64(time.Hour))
		for _, text := range []string{"a", "b", "c"} {
			began := time.Now()
			b.lay(text)
			if got, _ := b.next(owner, time.Second); got != text || time.Since(began) != 0 {
				b.Errorf("told %q after %s", got, time.Since(began))
			}
		}
		r := ofProvider
		r.Key = oob.Key{Profile: oob.RFC9888, Dest: tn.Of(b.called())}
		began := time.Now()
		if _, _, err := b.Retrieve(b.Context(), r); !errors.Is(err, oob.Overloaded) || time.Since(began) > time.Second {
			b.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
