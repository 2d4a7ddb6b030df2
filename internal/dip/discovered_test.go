package dip_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// Whoever advertises CPSs makes up their URLs: neither memory nor metrics grow with them, and no metric holds a number.
func TestRFC9888_S4_DiscoveredURLsAreNoMetrics(t *testing.T) {
	c := openCountry(t)
	n := 0
	pool, err := cpsclient.NewPool(cpsclient.PoolConfig{
		Find: func(context.Context, oob.Key) ([]cpsclient.CPS, error) {
			n++
			return []cpsclient.CPS{{URL: fmt.Sprintf("https://127.0.0.1:1/12155550%03d", n)}}, nil
		},
		Client: cpsclient.Config{SPC: oobtest.UpstreamSPC, Key: c.upstream.identity.Key, X5U: c.upstream.identity.X5U, Budget: 50 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	row := c.upstream.on(trunk.SignPublish)
	row.Publisher = pool
	for i := range 100 {
		c.upstream.Do(t.Context(), row, call(fmt.Sprint(i)))
	}
	asked := c.upstream.Stats().Asked
	if len(asked) > 10 {
		t.Errorf("%d counters for 100 calls", len(asked))
	}
	for count := range asked {
		if strings.Contains(count.CPS, "12155550") {
			t.Errorf("a number in a metric: %s", count.CPS)
			break
		}
	}
	var _ dip.Answer
}
