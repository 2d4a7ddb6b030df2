package cpsclient_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// relaying is a client of one CPS of the mesh, and what it passes on.
func relaying(t *testing.T, n *network, answer http.HandlerFunc) (*cpsclient.Client, cpsclient.Relay) {
	t.Helper()
	c := n.client(n.upstream, func(cfg *cpsclient.Config) {
		cfg.CPSs[0].Audience, cfg.Breaker.Failures = "name.example", 3
	}, n.serve("cps.example", answer))
	r, err := cpsclient.NewRelay(oob.Publication{Key: keyOf(oob.Mesh), Passports: []string{"a.b.c"}, Token: "t.t.t"})
	if err != nil {
		t.Fatal(err)
	}
	return c, r
}

func TestATIS1000096_S7_RelayHasATokenOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var path, authorization, body string
		c, r := relaying(t, n, func(w http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			path, authorization, body = r.URL.Path, r.Header.Get("Authorization"), string(text)
			w.WriteHeader(http.StatusCreated)
		})
		if got := c.Relay(t.Context(), r); got.Fault != nil {
			t.Fatal(got.Fault)
		}
		if want := string(atis.WriteRelay([]string{"a.b.c"}, "t.t.t")); body != want || !strings.HasPrefix(path, "/passports/") {
			t.Errorf("%s %s, want %s", path, body, want)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(authorization, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		a, err := atis.ReadAccess(payload)
		if err != nil || a.Action != oob.ActionRepublish || a.Audience[0] != "name.example" || a.Issuer != a.Subject || a.Issuer == "" ||
			a.Digest != atis.Digest([]string{"a.b.c"}) || a.ID == "" || a.Dest != keyOf(oob.Mesh).Dest || !a.Deadline.IsZero() {
			t.Errorf("%s: %v", payload, err)
		}
	})
}

// TestRelayedSaysWhatToDoNext, for every sort of answer.
func TestRelayedSaysWhatToDoNext(t *testing.T) {
	status := func(kind oob.Kind, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.WriteHeader(kind.Row().HTTP)
			_, _ = w.Write(atis.WriteStatus(kind.Row().HTTP, kind.Row().Title, kind.String()))
		}
	}
	code := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		kind   oob.Kind // Internal for none
		again  bool
		wait   time.Duration
		whole  bool
	}{
		"created":                            {code(201), oob.Internal, false, 0, false},
		"200":                                {code(200), oob.Internal, false, 0, false},
		"there already, says one":            {code(409), oob.Internal, false, 0, false},
		"there already, says another":        {status(oob.Replayed, ""), oob.Internal, false, 0, false},
		"refused":                            {status(oob.Refused, ""), oob.Refused, false, 0, true},
		"stale":                              {status(oob.TokenStale, ""), oob.TokenStale, false, 0, true},
		"too many":                           {status(oob.RateLimited, "3"), oob.RateLimited, true, 3 * time.Second, true},
		"too many, for who knows how long":   {status(oob.RateLimited, ""), oob.RateLimited, true, 0, true},
		"too many of this publisher":         {status(oob.QuotaExceeded, "2"), oob.QuotaExceeded, true, 2 * time.Second, false},
		"the publisher cannot be proven now": {status(oob.CredentialUnreachable, ""), oob.CredentialUnreachable, true, 0, false},
		"overloaded":                         {status(oob.Overloaded, "1"), oob.Overloaded, true, time.Second, true},
		"broken":                             {code(500), oob.PeerFailed, true, 0, true},
		"another path":                       {code(404), oob.WrongPath, false, 0, true},
		"a redirect":                         {code(302), oob.PeerFailed, false, 0, true},
		"too slow":                           {code(408), oob.TooSlow, true, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				client, r := relaying(t, n, c.answer)
				got := client.Relay(t.Context(), r)
				if got.Again != c.again || got.Wait != c.wait || got.Whole != c.whole {
					t.Errorf("%+v", got)
				}
				if c.kind == oob.Internal == (got.Fault != nil && got.Fault.Kind != oob.Internal) || got.Fault != nil && got.Fault.Kind != c.kind {
					t.Errorf("%v, want %v", got.Fault, c.kind)
				}
			})
		})
	}
}

// TestRelayLeavesASickCPSAlone until its breaker lets it be asked.
func TestRelayLeavesASickCPSAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		asked := 0
		c, r := relaying(t, n, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(http.StatusInternalServerError)
		})
		for range 3 {
			c.Relay(t.Context(), r)
		}
		if got := c.Relay(t.Context(), r); !got.Again || !got.Whole || got.Wait != time.Second || asked != 3 {
			t.Errorf("%+v after %d requests", got, asked)
		}
	})
}

func TestRelayEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		c, r := relaying(t, n, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if got := c.Relay(ctx, r); got.Fault == nil || got.Fault.Kind != oob.PeerTimeout || !got.Again {
			t.Errorf("%+v", got)
		}
	})
}

func TestWhatIsNotToBeRelayed(t *testing.T) {
	for _, p := range []oob.Publication{
		{Key: oob.Key{Profile: oob.Mesh}, Passports: []string{"a.b.c"}},
		{Key: oob.Key{Profile: oob.Agreed}, Passports: []string{"a.b.c"}, Token: "t.t.t"},
	} {
		if r, err := cpsclient.NewRelay(p); err == nil || fmt.Sprint(r) != fmt.Sprint(cpsclient.Relay{}) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
