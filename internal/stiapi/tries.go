package stiapi

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httplimit"
)

// Bounds of failed attempts to authenticate with a key. Whoever is beyond waits for the window to end, with a good key
// too: to look at it would go on telling good from bad. Certificates and addresses cannot be guessed, and are looked at
// always.
const (
	TriesMax      = 10          // of one address in one window
	TriesWindow   = time.Minute //
	triesAddrsMax = 1 << 14     // addresses that are counted in one window; others then go uncounted, so that they keep nobody out
)

// tries counts failed attempts.
type tries struct {
	now func() time.Time

	mu    sync.Mutex
	began time.Time            // of the window; guarded by mu
	by    map[netip.Prefix]int // guarded by mu
}

// wait is how long an address has to wait; 0 when it has not.
func (t *tries) wait(remote string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := t.left()
	if t.by[httplimit.AddressOf(remote)] < TriesMax {
		return 0
	}
	return left
}

func (t *tries) failed(remote string) {
	from := httplimit.AddressOf(remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left()
	if _, counted := t.by[from]; counted || len(t.by) < triesAddrsMax {
		t.by[from]++
	}
}

// left begins a new window when the last one is over, and tells how much there is left of it. The lock mu is held.
func (t *tries) left() time.Duration {
	now := t.now()
	if t.by == nil || now.Sub(t.began) >= TriesWindow || now.Before(t.began) {
		t.began, t.by = now, map[netip.Prefix]int{}
	}
	return TriesWindow - now.Sub(t.began)
}

// seconds is a time to wait, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
