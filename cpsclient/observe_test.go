package cpsclient_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

func TestEveryAttemptIsToldAlsoInTheBackground(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		late := n.serve("late.example", late(200*time.Millisecond, created))
		sound := n.newCPS(t, "sound.example")
		well := n.serve("sound.example", sound.ServeHTTP)
		broken := n.serve("broken.example", answering(500, ""))
		up := n.client(n.upstream, func(c *cpsclient.Config) { c.Budget, c.Retry = 400*time.Millisecond, 300*time.Millisecond }, late, well, broken)
		var mu sync.Mutex
		var told []string
		ctx := cpsclient.WithObserver(t.Context(), func(a cpsclient.Attempt) {
			mu.Lock()
			defer mu.Unlock()
			host, _, _ := strings.Cut(strings.TrimPrefix(a.CPS, "https://"), ":")
			told = append(told, string(a.Action)+" "+host+" "+a.Outcome+" "+a.Took.String())
			if a.Action == oob.ActionRetrieve && host == "sound.example" && a.Count != 1 {
				t.Errorf("%d PASSporTs told of, 1 was there", a.Count)
			}
		})
		if err := up.Publish(ctx, n.publication(t, oob.Mesh)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // of the bubble
		synctest.Wait()
		down := n.client(n.downstream, nil, well)
		if _, err := down.Retrieve(ctx, n.publication(t, oob.Mesh).Key); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(told)
		want := []string{
			"publish broken.example peer-failed 0s", "publish broken.example peer-failed 0s",
			"publish late.example ok 200ms", "publish sound.example ok 0s", "retrieve sound.example ok 0s",
		}
		if !slices.Equal(told, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestTheClockOfACPSIsCompared(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		url := n.serve("cps.example", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(7*time.Second).UTC().Format(http.TimeFormat))
			created(w, r)
		})
		up := n.client(n.upstream, nil, url)
		if err := up.Publish(t.Context(), n.publication(t, oob.Mesh)); err != nil {
			t.Fatal(err)
		}
		if skew := up.States()[0].Skew; skew != 7*time.Second && skew != 8*time.Second {
			t.Errorf("a clock that is 7 s ahead is told of as %s", skew)
		}
	})
}
