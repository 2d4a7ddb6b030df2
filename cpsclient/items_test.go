package cpsclient_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// withoutPreferences is a CPS that applies no preference.
func withoutPreferences(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Prefer")
		next.ServeHTTP(w, r)
	}
}

// TestRFC8816_S9_AListIsFetched item by item from a real CPS that sends nothing else.
func TestRFC8816_S9_AListIsFetched(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var log asked
		url := n.serve("cps.example", log.record(withoutPreferences(n.newCPS(t, "cps.example"))))
		up, down := n.client(n.upstream, nil, url), n.shownClient(n.downstream, url)
		var want []string
		for range 20 {
			p := n.publication(t, oob.RFC9888)
			if err := up.Publish(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			want = append(p.Passports, want...)
		}
		before := log.count()
		got, err := down.Retrieve(t.Context(), keyOf(oob.RFC9888))
		if err != nil || len(got) != 16 || log.count()-before != 17 {
			t.Errorf("got %d with %d requests, %v", len(got), log.count()-before, err)
		}
		for _, p := range got {
			if !slices.Contains(want[:16], p) {
				t.Error("what was fetched is not the newest")
			}
		}
		empty := keyOf(oob.RFC9888)
		empty.Orig = number("12015550100")
		_, err = down.Retrieve(t.Context(), empty)
		wantFault(t, err, oob.NotFound)
	})
}

// listing answers lists with a body, and items by their last character.
func listing(list string, items map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if answer := items[r.URL.Path[len(r.URL.Path)-1:]]; answer != nil {
			answer(w, r)
			return
		}
		answering(200, list)(w, r)
	}
}

func TestListsOfContraryCPSs(t *testing.T) {
	item := answering(200, "a.b.c", "Content-Type", "application/passport")
	two := fmt.Sprintf(`["/cps/%s/ppts/1","/cps/%[1]s/ppts/2"]`, dest)
	for _, c := range []struct {
		name  string
		list  string
		items map[string]http.HandlerFunc
		want  int
		kind  oob.Kind
	}{
		{"two items that are the same", two, map[string]http.HandlerFunc{"1": item, "2": item}, 1, 0},
		{"one that is gone", two, map[string]http.HandlerFunc{"1": answering(404, ""), "2": item}, 1, 0},
		{"one that fails", two, map[string]http.HandlerFunc{"1": item, "2": answering(500, "")}, 1, 0},
		{"one that hangs", two, map[string]http.HandlerFunc{"1": item, "2": hanging}, 1, 0},
		{"all gone", two, map[string]http.HandlerFunc{"1": answering(404, ""), "2": answering(404, "")}, 0, oob.NotFound},
		{"one gone and one failing", two, map[string]http.HandlerFunc{"1": answering(404, ""), "2": answering(500, "")}, 0, oob.PeerFailed},
		{"an endless one", two, map[string]http.HandlerFunc{"1": endless(200), "2": answering(404, "")}, 0, oob.PeerFailed},
		{"items that are no PASSporTs", two, map[string]http.HandlerFunc{"1": answering(200, "<html>"), "2": answering(200, "{}")}, 0, oob.PeerFailed},
		{"items that redirect", two, map[string]http.HandlerFunc{"1": answering(307, "", "Location", "https://evil.example/1"), "2": answering(404, "")}, 0, oob.PeerFailed},
		{"items on another host", `["https://evil.example/cps/` + dest + `/ppts/1"]`, nil, 0, oob.PeerFailed},
		{"items of another number", `["/cps/` + orig + `/ppts/1"]`, nil, 0, oob.PeerFailed},
		{"an endless list", `["` + strings.Repeat("a", oob.RetrievedBytesMax) + `"]`, nil, 0, oob.PeerFailed},
		{"no list", `"a.b.c"`, nil, 0, oob.PeerFailed},
		{"an empty one", ` [ ] `, nil, 0, oob.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				n.serve("evil.example", item)
				down := n.client(n.downstream, func(cfg *cpsclient.Config) { cfg.NotFoundFinal = true }, n.serve("cps.example", listing(c.list, c.items)))
				got, err := down.Retrieve(t.Context(), keyOf(oob.RFC9888))
				if len(got) != c.want || c.kind == 0 && err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				if c.kind != 0 {
					wantFault(t, err, c.kind)
				}
				if n.dialed("evil.example") != 0 {
					t.Error("another host was asked")
				}
			})
		})
	}
}
