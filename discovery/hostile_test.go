package discovery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/tn"
)

// A number of an attacker whose provider's server hangs, asked now and then, makes nobody else do without.
func TestResolver_OneQuestionThatHangsLeavesTheOthersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		num := func(s string) tn.Number {
			n, err := tn.ParseNumber(s)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		net := &hangs{server: &server{name: "net", finding: has("https://net.example")}, for_: "1215666"}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{slowly(net, nil)}})
		lost := 0
		for i := range 50 {
			r.Resolve(t.Context(), discovery.Question{Number: num(fmt.Sprintf("121566600%02d", i))})
			time.Sleep(20 * time.Millisecond)
			a := r.Resolve(t.Context(), discovery.Question{Number: num("1215555" + string(rune('0'+i/10)) + string(rune('0'+i%10)) + "00")})
			if len(a.CPSs) == 0 {
				lost++
			}
			time.Sleep(200 * time.Millisecond)
		}
		if lost > 1 {
			t.Errorf("%d of 50 calls to other numbers did without: %s", lost, strings.TrimSpace(outcomes(r.Resolve(t.Context(), asked))))
		}
	})
}

type hangs struct {
	*server
	for_ string
}

func (h *hangs) Find(ctx context.Context, q discovery.Question) (discovery.Finding, error) {
	if strings.HasPrefix(q.Number.String(), h.for_) {
		<-ctx.Done()
		return discovery.Finding{}, ctx.Err()
	}
	return h.server.Find(ctx, q)
}
