package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// What is written of a flood.
const (
	FloodLines = floodLines
	FloodTime  = floodTime
)

// OpenFlood gives what tells of each of a flood whether it has a line.
func OpenFlood(log *slog.Logger) (hasLine func(oob.Kind) bool) { return (&flood{log: log}).hasLine }

// FindDirect is how the way to one of the two ATIS forms is found without the mux: its pattern, and the segments of the path.
func FindDirect(r *http.Request) (pattern string, segments [3]string, ok bool) {
	var d direct
	for _, e := range atis.Endpoints {
		d.put(e, func(*exchange) error { return nil })
	}
	w, segments, ok := d.find(r)
	if !ok {
		return "", [3]string{}, false
	}
	return w.pattern, segments, true
}

// CountedMost is how long an answer can be of which net/http says the length.
const CountedMost = countedMost
