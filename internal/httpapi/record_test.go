package httpapi_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// TestOneLogLinePerRequest says what is in it, and what is not.
func TestOneLogLinePerRequest(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	passport := p.Passport("x")
	unproven := p.Retrieve(oob.Mesh)
	unproven.Access.Audience = nil
	denied := p.Publish(oob.Agreed, passport)
	denied.Access.Digest = ""
	for _, c := range []struct {
		name    string
		attempt *oobtest.Attempt
		want    map[string]any
	}{
		{"publish", p.Publish(oob.Agreed, passport), map[string]any{"method": "POST", "resource": "/passports/{spc}/{dest}/{orig}", "status": 201.0, "spc": "1234"}},
		{"retrieve", p.Retrieve(oob.Agreed), map[string]any{"method": "GET", "resource": "/passports/{spc}/{dest}/{orig}", "status": 200.0, "spc": "567B"}},
		{"nothing held", p.Retrieve(oob.Mesh), map[string]any{"method": "GET", "resource": "/passports/{dest}/{orig}", "status": 404.0, "spc": "567B",
			"fault": "not-found", "detail": "nothing is held for these numbers"}},
		{"unproven", unproven, map[string]any{"method": "GET", "resource": "/passports/{dest}/{orig}", "status": 401.0, "spc": "",
			"fault": "unproven", "detail": "aud does not name this CPS"}},
		{"wrong digest", denied, map[string]any{"method": "POST", "resource": "/passports/{spc}/{dest}/{orig}", "status": 400.0, "spc": "",
			"fault": "digest-mismatch", "detail": "the passports claim is not the digest of the body's passports"}},
		{"unknown path", &oobtest.Attempt{Method: http.MethodGet, Path: "/12155550121", Authorization: []string{}},
			map[string]any{"method": "GET", "resource": "", "status": 404.0, "spc": "", "fault": "wrong-path", "detail": "there is no such resource"}},
		{"invented method", &oobtest.Attempt{Method: "X12155550121", Path: "/health", Authorization: []string{}},
			map[string]any{"method": "other", "resource": "/health", "status": 405.0, "spc": "", "fault": "wrong-method", "detail": "allowed here: GET, HEAD"}},
		{"health", &oobtest.Attempt{Method: http.MethodGet, Path: "/health", Authorization: []string{}},
			map[string]any{"method": "GET", "resource": "/health", "status": 200.0, "spc": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.T = t
			p.log.take(t)
			p.send(c.attempt)
			lines, text := p.log.take(t)
			if len(lines) != 1 {
				t.Fatalf("%d lines: %s", len(lines), text)
			}
			p.silent("log", text, passport, c.attempt.Access.ID)
			c.want["level"], c.want["msg"] = "INFO", "request"
			for name, want := range c.want {
				if lines[0][name] != want {
					t.Errorf("%s is %v, want %v", name, lines[0][name], want)
				}
			}
			for name := range lines[0] {
				if _, known := c.want[name]; !known && !slices.Contains([]string{"time", "took_ms", "peer", "cause"}, name) {
					t.Errorf("%s is logged as well: %v", name, lines[0][name])
				}
			}
		})
	}
}

// TestMetricsNameWhatWasAskedAndHowItEnded, with nothing in a label that a peer can choose.
func TestMetricsNameWhatWasAskedAndHowItEnded(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	p.published(oob.Agreed, p.Passport("x"))
	p.published(oob.Mesh, p.Passport("x"))
	replay := p.Retrieve(oob.Mesh)
	p.send(replay)
	p.send(replay)
	p.send(&oobtest.Attempt{Method: "PURGE", Path: replay.Path, Authorization: []string{}})
	p.send(&oobtest.Attempt{Method: http.MethodGet, Path: "/health", Authorization: []string{}})
	p.send(&oobtest.Attempt{Method: http.MethodGet, Path: "/12155550121", Authorization: []string{}})
	p.counted(map[string]uint64{
		"publish agreed ": 1, "retrieve agreed ": 1, "publish mesh ": 1, "retrieve mesh ": 2,
		"retrieve mesh replayed": 1, " mesh wrong-method": 1, "health  ": 1, "  wrong-path": 1,
	})
}
