package cpsclient_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// takesSeveral answers a relay alone, and says that several are taken; several are answered by together.
func takesSeveral(together http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == atis.RelaysPath {
			together(w, r)
			return
		}
		w.Header().Set(atis.RelaysHeader, "64")
		w.WriteHeader(http.StatusCreated)
	}
}

func TestSeveralRelaysHaveOneToken(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var authorization string
		var body []byte
		c, r := relaying(t, n, takesSeveral(func(w http.ResponseWriter, r *http.Request) {
			authorization = r.Header.Get("Authorization")
			body, _ = io.ReadAll(r.Body)
			_, _ = w.Write(atis.WriteRelaysAnswer([][]byte{
				atis.WriteStatus(201, "Created", ""), atis.WriteStatus(503, "", "overloaded"), atis.WriteStatus(409, "", ""), atis.WriteStatus(403, "", "refused"),
			}))
		}))
		if got := c.RelaysMax(); got != 0 {
			t.Errorf("%d before it has said anything", got)
		}
		if got := c.Relay(t.Context(), r); got.Fault != nil || c.RelaysMax() != 64 {
			t.Fatalf("%+v, then %d", got, c.RelaysMax())
		}
		got := c.RelayAll(t.Context(), []cpsclient.Relay{r, r, r, r})
		if len(got) != 4 || got[0].Fault != nil || got[1].Fault == nil || !got[1].Again || got[1].Whole || got[2].Fault != nil || got[3].Fault == nil || got[3].Again {
			t.Errorf("%+v", got)
		}
		if all, err := atis.ReadRelays(body); err != nil || len(all) != 4 || all[0].Key != keyOf(oob.Mesh) || all[0].Token != "t.t.t" {
			t.Errorf("%s: %v", body, err)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(authorization, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		a, err := atis.ReadAccess(payload)
		if err != nil || a.Action != oob.ActionRepublish || a.Audience[0] != "name.example" || a.Digest != atis.RelaysDigest(body) || !a.Dest.IsZero() || !a.Orig.IsZero() {
			t.Errorf("%s: %v", payload, err)
		}
	})
}

// TestWhatIsRefusedTogetherIsTriedAlone: nothing is given up because a CPS has become one that does not know such requests.
func TestWhatIsRefusedTogetherIsTriedAlone(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		most   int // that are sent together afterwards
		whole  bool
	}{
		"not found":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 0, false},
		"refused":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, 0, false},
		"no such answer":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":200}`)) }, 0, false},
		"too few answers":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"relays":[{"status":201}]}`)) }, 0, false},
		"too long answers":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5000)) }, 0, false},
		"overloaded":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 64, true},
		"more than it may":   {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "2"); w.WriteHeader(429) }, 64, true},
		"it does not answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 64, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				client, r := relaying(t, n, takesSeveral(c.answer))
				client.Relay(t.Context(), r)
				for _, got := range client.RelayAll(t.Context(), []cpsclient.Relay{r, r}) {
					if got.Fault == nil || !got.Again || got.Whole != c.whole {
						t.Errorf("%+v", got)
					}
				}
				if got := client.RelaysMax(); got != c.most {
					t.Errorf("%d", got)
				}
			})
		})
	}
}
