package cps_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/tn"
)

// TestRFC9888_S6_TokensBehindATerminator: an access token signed by the STIR certificate does what the certificate of the connection does.
func TestRFC9888_S6_TokensBehindATerminator(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	passports := []string{p.Passport("a")}
	key := oob.Key{Profile: oob.RFC9888, Dest: p.Dest}
	attempt := func(id *oobtest.Identity, action oob.Action) *oobtest.Attempt {
		a := p.Retrieve(oob.Mesh)
		a.Signer, a.Access = id, id.Access(action, key, nil, a.Access.ID, p.Clock.Now())
		a.Access.Subject, a.Access.Orig, a.Path = "", tn.Identity{}, collection
		return a
	}
	publish := attempt(p.Upstream, oob.ActionPublish)
	publish.Method, publish.Body = http.MethodPost, []byte(passports[0])
	publish.Access.Digest = atis.Digest(passports)
	publish.Header = http.Header{"Content-Type": {"application/passport"}}
	if got := p.send(publish); got.Status != 201 {
		t.Fatalf("publish: %d %s", got.Status, got.Body)
	}
	if got := p.send(publish); got.Status != 201 { // a retry
		t.Errorf("the same again: %d %s", got.Status, got.Body)
	}
	publish.Body = []byte(p.Passport("b"))
	publish.Access.Digest = atis.Digest([]string{string(publish.Body)})
	if got := p.send(publish); got.Status != 401 {
		t.Errorf("the token with another PASSporT: %d %s", got.Status, got.Body)
	}
	for _, c := range []struct {
		name string
		edit func(*oobtest.Attempt)
		want int
	}{
		{"good", func(*oobtest.Attempt) {}, 200},
		{"another provider", func(a *oobtest.Attempt) { a.Signer = p.Upstream; a.Access.Issuer = p.Upstream.SPC }, 403},
		{"for another number", func(a *oobtest.Attempt) { a.Path = "/cps/12155550132/ppts" }, 403},
		{"to publish", func(a *oobtest.Attempt) { a.Access.Action = oob.ActionPublish }, 401},
		{"for another CPS", func(a *oobtest.Attempt) { a.Access.Audience = []string{"cps.example.net"} }, 401},
		{"stale", func(a *oobtest.Attempt) { a.Access.IssuedAt = p.Clock.Now().Add(-2 * time.Minute) }, 401},
		{"two of them", func(a *oobtest.Attempt) { a.Authorization = []string{"Bearer a.b.c", "Bearer a.b.c"} }, 401},
	} {
		a := attempt(p.Downstream, oob.ActionRetrieve)
		c.edit(a)
		got := p.send(a)
		if got.Status != c.want || c.want == 200 && got.Body == "[]" {
			t.Errorf("%s: %d %s, want %d", c.name, got.Status, got.Body, c.want)
		}
		if c.want == 200 {
			if again := p.send(a); again.Status != 401 {
				t.Errorf("%s, replayed: %d", c.name, again.Status)
			}
		}
	}
	several := bytes.Join([][]byte{[]byte(p.Passport("c")), []byte(p.Passport("d"))}, []byte("\r\n"))
	p.is(p.ask(p.Upstream, http.MethodPost, collection, string(several)), 201)
}
