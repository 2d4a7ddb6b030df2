package cpsclient

import (
	"crypto/sha256"

	"github.com/viaduct-oob/viaduct/oob"
)

// recentMax is how many records are known again, at least; twice as many at most, 16 bytes each. It is what a busy CPS
// publishes within the longest retention.
const recentMax = 1 << 17

// recent knows again what was added last. The zero recent knows nothing.
type recent struct {
	now, before map[[16]byte]struct{}
}

// add is false for a record that is known already.
func (r *recent) add(h oob.Held) bool {
	id := identify(h)
	if _, known := r.now[id]; known {
		return false
	}
	if _, known := r.before[id]; known {
		return false
	}
	if r.now == nil || len(r.now) == recentMax {
		r.before, r.now = r.now, map[[16]byte]struct{}{}
	}
	r.now[id] = struct{}{}
	return true
}

// identify tells records apart by all that they hold: one PASSporT can be published for several called numbers.
func identify(h oob.Held) [16]byte {
	hash := sha256.New()
	for _, text := range append([]string{h.Key.Profile.String(), h.Key.SPC, h.Key.Dest.String(), h.Key.Orig.String()}, h.Passports...) {
		hash.Write([]byte(text))
		hash.Write([]byte{0})
	}
	return [16]byte(hash.Sum(nil))
}
