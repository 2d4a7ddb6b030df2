package dip_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// shelf is the shelf of a CPS, and nothing before it: whoever asks is let in.
type shelf struct {
	*store.Store

	mu       sync.Mutex
	consumed []string      // ids; guarded by mu
	refusal  error         // of consuming
	gate     chan struct{} // if not nil, consuming waits for it
}

func openShelf(t *testing.T) *shelf {
	s := &shelf{Store: local.Open(store.Config{})}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// lay publishes PASSporTs of one call together.
func (s *shelf) lay(t *testing.T, key oob.Key, id byte, tokens ...string) {
	t.Helper()
	now := time.Now()
	_, err := s.Publish(t.Context(), oob.Publication{
		Key: key, Passports: tokens, Publisher: oobtest.UpstreamSPC, Received: now, Expires: now.Add(time.Minute),
		Use: oob.TokenUse{ID: [16]byte{id}, Until: now.Add(time.Minute)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) Retrieve(ctx context.Context, k oob.Key) (all []string, err error) {
	records, err := s.Store.Retrieve(ctx, k)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		all = append(all, r.Passports...)
	}
	if len(all) == 0 {
		return nil, oob.Faultf(oob.NotFound, "nothing there")
	}
	return all, nil
}

func (s *shelf) Consume(ctx context.Context, k oob.Key, ids []string) error {
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		return s.refusal
	}
	for _, id := range ids {
		s.consumed = append(s.consumed, id)
		if _, err := s.Store.Consume(ctx, oob.Consumption{Key: k, Passport: id, Until: time.Now().Add(time.Minute)}); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.consumed)
}

// companyKey is the slot of calls from calling to called in the company form, at the downstream provider.
var companyKey = oob.Key{Profile: oob.Company, SPC: oobtest.DownstreamSPC, Dest: number(called), Orig: number(calling)}

// from is a trunk of the downstream provider that asks a shelf.
func (c *country) from(s *shelf, mode trunk.Mode) *dip.Trunk {
	c.t.Helper()
	t := c.downstream.on(mode)
	t.Profile, t.PeerSPC = oob.Company, ""
	t.Retriever, t.Consumer = s, s
	var err error
	t.Verifies, err = stivs.New(stivs.Config{Verifier: c.verifier(), Retriever: dip.Watched(s), Budget: trunk.BudgetMax})
	c.must(err)
	return t
}

// token signs a call of the upstream provider.
func (c *country) token(t *testing.T) string {
	t.Helper()
	signed := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("signed"))
	if signed.Result != dip.ResultSigned {
		t.Fatalf("%+v", signed)
	}
	text, _, _ := strings.Cut(signed.Identity[0], ";")
	return text
}

// told waits until CPSs have been told of as many calls.
func (c *country) told(t *testing.T, want dip.Consumptions) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		got := c.downstream.Stats().Consumed["verify"]
		if got == want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%+v, want %+v", got, want)
		case <-time.After(time.Millisecond):
		}
	}
}

func (c *country) verdict(t *testing.T, on *dip.Trunk, call dip.Call, want oob.Verstat) oob.Verdict {
	t.Helper()
	answer := c.downstream.Do(t.Context(), on, call)
	if answer.Verdict == nil || answer.Verdict.Verstat != want {
		t.Fatalf("%+v, want %s", answer.Verdict, want)
	}
	return *answer.Verdict
}

// The CPS is told, and the same call is verified again whenever its switch asks, though the
// record is gone.
func TestConsume_ARepeatedDipFindsWhatTheFirstHasConsumed(t *testing.T) {
	c, s := openCountry(t), openShelf(t)
	text := c.token(t)
	s.lay(t, companyKey, 1, text)
	on := c.from(s, trunk.Verify)
	c.verdict(t, on, call("a"), oob.VerstatPassed)
	c.told(t, dip.Consumptions{Done: 1})
	if got := s.ids(); !slices.Equal(got, []string{oob.PassportID(text)}) {
		t.Errorf("consumed %q", got)
	}
	if left, err := s.Retrieve(t.Context(), companyKey); err == nil {
		t.Fatalf("still there: %q", left)
	}
	for range 3 { // route advance: the same call, new transactions
		c.verdict(t, on, call("a"), oob.VerstatPassed)
	}
	c.told(t, dip.Consumptions{Done: 1})
	if looks := c.downstream.Stats().Looks["verify"]; looks != (dip.Looks{Hits: 1}) {
		t.Errorf("the CPS was asked again: %+v", looks)
	}
}

// A second call between the same numbers is compared with the first, as if nothing had been taken away: it is not verified with
// the PASSporT of the first, and it does not take that one's place.
func TestConsume_TheNextCallBetweenTheSameNumbers(t *testing.T) {
	c, s := openCountry(t), openShelf(t)
	s.lay(t, companyKey, 1, c.token(t))
	on := c.from(s, trunk.Verify)
	c.verdict(t, on, call("a"), oob.VerstatPassed)
	c.told(t, dip.Consumptions{Done: 1})
	if v := c.verdict(t, on, call("b"), oob.VerstatNoValidation); v.Case != stivs.V1.String() {
		t.Errorf("case %q of a call that has none of its own", v.Case)
	}

	c, s = openCountry(t), openShelf(t)
	on = c.from(s, trunk.Verify)
	first := c.token(t)
	s.lay(t, companyKey, 1, first)
	c.verdict(t, on, call("a"), oob.VerstatPassed)
	c.told(t, dip.Consumptions{Done: 1})
	second := c.token(t)
	s.lay(t, companyKey, 2, second)
	if v := c.verdict(t, on, call("b"), oob.VerstatPassed); v.Passport != second {
		t.Error("verified with the PASSporT of another call")
	}
	c.told(t, dip.Consumptions{Done: 2})
	if got := s.ids(); !slices.Equal(got, []string{oob.PassportID(first), oob.PassportID(second)}) {
		t.Errorf("consumed %q", got)
	}
	for _, id := range []string{"b", "a"} {
		c.verdict(t, on, call(id), oob.VerstatPassed)
	}
}

// TestConsume_OnlyWhatVerifiedTheCall is a table of calls and of what their CPS is told.
func TestConsume_OnlyWhatVerifiedTheCall(t *testing.T) {
	c := openCountry(t)
	good := c.token(t)
	other := number("12155550139")
	diverting := c.downstreamDiverts(t, good, other, false)
	nested := c.downstreamDiverts(t, good, other, true)
	stranger := strings.Replace(good, ".", ".A", 1)
	diverted := call("")
	diverted.Parties.Dest = other
	for _, test := range []struct {
		name    string
		laid    []string
		call    dip.Call
		edit    func(*dip.Trunk)
		mode    trunk.Mode
		want    []string
		counted dip.Consumptions
	}{
		{"what verified it", []string{good}, call("x"), nil, trunk.Verify, []string{good}, dip.Consumptions{Done: 1}},
		{"not what is bad", []string{stranger, good}, call("x"), nil, trunk.Verify, []string{good}, dip.Consumptions{Done: 1}},
		{"nothing that failed", []string{stranger}, call("x"), nil, trunk.Verify, nil, dip.Consumptions{}},
		{"with its diversion", []string{good, diverting}, diverted, nil, trunk.Verify, []string{good, diverting}, dip.Consumptions{Done: 1}},
		{"what it is nested in", []string{nested}, diverted, nil, trunk.Verify, []string{nested}, dip.Consumptions{Done: 1}},
		{"in transit nothing", []string{good}, call("x"), nil, trunk.Retrieve, nil, dip.Consumptions{}},
		{"of a form without it nothing", []string{good}, call("x"), func(on *dip.Trunk) { on.Profile = oob.RFC9888 }, trunk.Verify, nil, dip.Consumptions{}},
		{"nobody to tell", []string{good}, call("x"), func(on *dip.Trunk) { on.Consumer = nil }, trunk.Verify, nil, dip.Consumptions{}},
		{"a call that nothing tells from others", []string{good}, call(""), nil, trunk.Verify, nil, dip.Consumptions{Left: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := openShelf(t)
			on := c.from(s, test.mode)
			if test.edit != nil {
				test.edit(on)
			}
			if test.call.Parties.Dest == other {
				test.call.ID = "diverted"
			}
			service, err := dip.New(dip.Config{SPC: oobtest.DownstreamSPC})
			if err != nil {
				t.Fatal(err)
			}
			key := on.Keys(test.call.Parties, oobtest.DownstreamSPC, false)[0]
			s.lay(t, key, 1, test.laid...)
			answer := service.Do(t.Context(), on, test.call)
			if test.want != nil && answer.Verdict.Verstat != oob.VerstatPassed {
				t.Fatalf("%+v", answer.Verdict)
			}
			deadline := time.After(20 * time.Second)
			for service.Stats().Consumed[test.mode.String()] != test.counted {
				select {
				case <-deadline:
					t.Fatalf("%+v, want %+v", service.Stats().Consumed, test.counted)
				case <-time.After(time.Millisecond):
				}
			}
			var want []string
			for _, text := range test.want {
				want = append(want, oob.PassportID(text))
			}
			got := s.ids()
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("consumed %q, want %q", got, want)
			}
		})
	}
}

// downstreamDiverts signs that the downstream provider has sent a call on.
func (c *country) downstreamDiverts(t *testing.T, token string, to tn.Identity, outOfBand bool) string {
	t.Helper()
	signer, err := stias.New(stias.Config{
		SPC: oobtest.DownstreamSPC, Credential: stias.Credential{Key: c.downstream.identity.Key, X5U: c.downstream.identity.X5U},
		Policy: stias.Policy{Own: []tn.Range{block("12155550130-12155550139")}},
	})
	c.must(err)
	signed, err := signer.Divert(stias.Diversion{Carried: []string{token}, From: number(called), To: to, OutOfBand: outOfBand})
	if err != nil || len(signed) != 1 {
		t.Fatal(signed, err)
	}
	if _, err := passport.Parse(signed[0].Passport); err != nil {
		t.Fatal(err)
	}
	return signed[0].Passport
}

// A CPS that is slow, away or full of faults costs no call anything, and no more than so many are told at a time.
func TestConsume_NeverInTheWayOfACall(t *testing.T) {
	c, s := openCountry(t), openShelf(t)
	s.gate = make(chan struct{})
	on := c.from(s, trunk.Verify)
	const more = 3
	for i := range dip.ConsumingMax + more {
		one := call(fmt.Sprint(i))
		one.Parties.Dest = number(fmt.Sprintf("1215556%04d", i))
		signed := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), one)
		text, _, _ := strings.Cut(signed.Identity[0], ";")
		s.lay(t, on.Keys(one.Parties, oobtest.DownstreamSPC, false)[0], byte(i+1), text)
		c.verdict(t, on, one, oob.VerstatPassed)
	}
	c.told(t, dip.Consumptions{Left: more})
	s.mu.Lock()
	s.refusal = errors.New("no")
	s.mu.Unlock()
	close(s.gate)
	c.told(t, dip.Consumptions{Left: more, Failed: dip.ConsumingMax})
}

// What was taken away is remembered for as long as it would have been served, and no longer.
func TestConsume_IsRememberedForAsLongAsItWouldLie(t *testing.T) {
	const text = "a.b.c"
	synctest.Test(t, func(t *testing.T) {
		m := dip.NewConsumed()
		if may, again := m.Begin(companyKey, "a", []string{text}); !may || again {
			t.Fatal("not taken")
		}
		if may, again := m.Begin(companyKey, "a", []string{text}); may || !again {
			t.Error("taken twice")
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if texts, mine := m.Of(companyKey, "a"); !mine || len(texts) != 1 {
			t.Error("forgotten early")
		}
		if texts, mine := m.Of(companyKey, "b"); mine || len(texts) != 1 {
			t.Error("not known to another call")
		}
		time.Sleep(time.Nanosecond)
		if texts, mine := m.Of(companyKey, "a"); mine || len(texts) != 0 {
			t.Error("not forgotten")
		}
		long := []string{strings.Repeat("x", dip.ConsumedBytesMax)}
		if may, _ := m.Begin(companyKey, "c", long); !may {
			t.Error("no room although all is forgotten")
		}
		if may, again := m.Begin(companyKey, "d", []string{"y"}); may || again {
			t.Error("more than there is room for")
		}
	})
}
