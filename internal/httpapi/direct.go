package httpapi

import (
	"net/http"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
)

// way is a resource, and how it is written in the log.
type way struct {
	pattern  string
	resource func(*exchange) error
}

// direct are the ways to the two ATIS forms, by the segments that their paths have behind atis.Root: nearly all that is asked
// of a CPS goes there, and is found without the mux, which takes a microsecond.
type direct [4]way

// put notes the way to an endpoint.
func (d *direct) put(e atis.Endpoint, resource func(*exchange) error) {
	d[strings.Count(strings.TrimPrefix(e.Pattern, atis.Root), "/")+1] = way{e.Pattern, resource}
}

// find gives the way of a request and the segments of its path, {spc}, {dest} and {orig}. ok is false where the mux has to
// look: whatever has a percent sign or anything but letters and digits in a segment, which is where two readers of a path
// could differ.
func (d *direct) find(r *http.Request) (w *way, segments [3]string, ok bool) {
	rest, found := strings.CutPrefix(r.URL.Path, atis.Root)
	if !found || r.URL.RawPath != "" || r.Method != http.MethodGet && r.Method != http.MethodPost {
		return nil, segments, false
	}
	from, n := 0, 0
	for i := 0; i <= len(rest); i++ {
		if i < len(rest) && isAlphanumeric(rest[i]) {
			continue
		}
		if i < len(rest) && rest[i] != '/' || i == from || n == len(segments) {
			return nil, segments, false
		}
		segments[n] = rest[from:i]
		n++
		from = i + 1
	}
	if n == 2 {
		segments = [3]string{"", segments[0], segments[1]}
	}
	w = &d[n]
	return w, segments, w.resource != nil
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// segment gives a segment of the path by its name, decoded.
func (x *exchange) segment(name string) string {
	if x.segments[1] == "" {
		return x.r.PathValue(name)
	}
	switch name {
	case "spc":
		return x.segments[0]
	case "dest":
		return x.segments[1]
	}
	return x.segments[2]
}
