package cps_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// opens tells how a subscription is answered, and keeps it open when it is one.
func (p *pair) opens(as *oobtest.Identity, path string) int {
	p.Helper()
	request, err := http.NewRequestWithContext(p.Context(), http.MethodGet, p.CPS.URL+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	request.Header.Set("Accept", rfc9888.StreamMedia)
	response, err := p.client(as).Do(request)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { response.Body.Close() })
	return response.StatusCode
}

// TestRFC9888_S6_AGreedyRangeIsRefused: a range is the certificate's, or not so large that everything is in it.
func TestRFC9888_S6_AGreedyRangeIsRefused(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Service: cps.Config{Numbering: numbers(t, oobtest.DownstreamSPC+",12150000000,100000000\n")}})
	for name, c := range map[string]struct {
		who   *oobtest.Identity
		block string
		want  int
	}{
		"a delegate, everything":        {p.delegate("2-" + oobtest.CalledNumber), "1-12155550131-1000000000", 403},
		"a provider, everything":        {p.Downstream, "1-12155550131-1000000000", 403},
		"a provider, as many as may be": {p.Downstream, "1-12155550131-1000000", 200},
		"a provider, one too many":      {p.Downstream, "1-12155550131-1000001", 403},
		"a delegate, all of its own":    {p.delegate("1-12150000000-10000000"), "1-12150000000-10000000", 200},
	} {
		if got := p.opens(c.who, subscription(oob.RFC9888, "", c.block)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestCompany_SubscriptionIsForWhoHasTheCode: numbers are nobody's in this form, and naming those of others takes no room.
func TestCompany_SubscriptionIsForWhoHasTheCode(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Push: push.Config{AllEntriesMax: 512}})
	thief := p.delegate("2-13005550000")
	var others []string
	for i := range 256 {
		others = append(others, fmt.Sprintf("2-1215555%04d", 2*i))
	}
	for range 2 {
		if got := p.opens(thief, subscription(oob.Company, "", others...)); got != 403 {
			t.Errorf("numbers of others, by a certificate without any code: %d", got)
		}
	}
	if got := p.opens(p.Downstream, subscription(oob.RFC9888, "", downstream)); got != 200 {
		t.Errorf("the provider: %d", got)
	}
}

// TestRFC9888_S6_EverythingIsEverything: who reads everything by its code is told of calls to #911 too, which is in no range,
// and it takes no more entries than one.
func TestRFC9888_S6_EverythingIsEverything(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Service: cps.Config{Everything: []string{oobtest.DownstreamSPC}}})
	many := []string{downstream}
	for i := range 250 {
		many = append(many, fmt.Sprintf("2-1215555%04d", 2*i))
	}
	l := p.listen(p.Downstream, subscription(oob.RFC9888, "", many...))
	p.subscribers(1)
	token := p.signed(passport.Shaken, func(c *passport.Claims) { c.Dest = []tn.Identity{p.number("#911")} })
	p.is(p.ask(p.Upstream, http.MethodPost, "/cps/%23911/ppts", token), 201)
	p.is(p.ask(p.Downstream, http.MethodGet, "/cps/%23911/ppts", ""), 200)
	l.hears(token)
}

// TestRFC9888_S6_CutBeforeTheFirstEventMissesNothing: a stream begins with its cursor.
func TestRFC9888_S6_CutBeforeTheFirstEventMissesNothing(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	first := p.listen(p.Downstream, subscription(oob.RFC9888, "", downstream))
	event, err := first.next()
	if err != nil || event.Type != rfc9888.EventAlive || event.Cursor == "" {
		t.Fatalf("%+v, %v", event, err)
	}
	first.close()
	p.subscribers(0)
	token := p.Passport("a")
	p.submit(token) // while it comes again
	p.listen(p.Downstream, subscription(oob.RFC9888, event.Cursor, downstream)).hears(token)
}

// TestRFC9888_S6_ABusyStreamOutlivesNoCredential: who subscribes is asked again though there is always something to tell.
func TestRFC9888_S6_ABusyStreamOutlivesNoCredential(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{
		Door: httpapi.Config{Heartbeat: 200 * time.Millisecond}, Service: cps.Config{PublishRate: unlimited},
	})
	brief := p.issue(oobtest.IssueConfig{SPC: oobtest.DownstreamSPC, NotAfter: p.Clock.Now().Add(time.Hour)})
	l := p.listen(brief, subscription(oob.RFC9888, "", "1-12155550130-5"))
	p.subscribers(1)
	p.Clock.Advance(2 * time.Hour)
	for told := 0; ; told++ {
		p.submit(p.signed(passport.Shaken, func(c *passport.Claims) { c.Orig = p.number(fmt.Sprint(13005550000 + told)) }))
		event, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		if event.Type == rfc9888.EventEnd {
			if event.Reason != rfc9888.EndCredential {
				t.Errorf("reason %s", event.Reason)
			}
			return
		}
		if told == 10_000 {
			t.Fatal("told on and on")
		}
	}
}

// counting is a Numbering that counts how often it is asked.
type counting struct {
	oob.Numbering
	times atomic.Int64
}

func (c *counting) SPCs(ctx context.Context, n tn.Number) ([]string, error) {
	c.times.Add(1)
	return c.Numbering.SPCs(ctx, n)
}

// TestRFC9888_S5_NobodyIsAskedAboutForStrangers: a look-up costs, and is not done for who has proven nothing.
func TestRFC9888_S5_NobodyIsAskedAboutForStrangers(t *testing.T) {
	c := &counting{Numbering: numbers(t, holders)}
	p := startPair(t, oobtest.CPSConfig{Service: cps.Config{Numbering: c, Serves: []string{"9999"}}})
	p.is(p.ask(nil, http.MethodPost, collection, "a.b.c"), 401, oob.Unproven)
	p.is(p.ask(nil, http.MethodGet, collection, ""), 401, oob.Unproven)
	p.is(p.ask(nil, http.MethodGet, subscription(oob.RFC9888, "", downstream), "", "Accept", rfc9888.StreamMedia), 401, oob.Unproven)
	if n := c.times.Load(); n != 0 {
		t.Errorf("%d look-ups", n)
	}
	p.is(p.ask(p.Upstream, http.MethodPost, collection, p.Passport("a")), 403, oob.Refused)
	if n := c.times.Load(); n != 1 {
		t.Errorf("%d look-ups for who has proven who it is", n)
	}
}
