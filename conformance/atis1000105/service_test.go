package atis1000105_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// by makes a retrieval that of another provider, or a publication with all that it says.
func by(id *oobtest.Identity, a *oobtest.Attempt) *oobtest.Attempt {
	a.Signer, a.Access.Issuer = id, id.SPC
	if a.Access.Action == oob.ActionPublish {
		a.Access.SPC = id.SPC
		a.Path = strings.Replace(a.Path, oobtest.UpstreamSPC, id.SPC, 1)
	}
	return a
}

func TestATIS105_01_HealthNeedsNoToken(t *testing.T) {
	got := start(t, oobtest.CPSConfig{}).Ask(&oobtest.Attempt{Method: http.MethodGet, Path: "/health", Authorization: []string{}})
	if got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestATIS105_02_PublishByPost(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	if a.Method != "POST" || a.Path != "/passports/"+oobtest.UpstreamSPC+"/"+oobtest.CalledNumber+"/"+oobtest.CallingNumber || a.Signer.SPC != oobtest.UpstreamSPC {
		t.Fatalf("%s %s by %s", a.Method, a.Path, a.Signer.SPC)
	}
	p.Created(a)
}

func TestATIS105_03_PublishedIs201(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	if got := p.Ask(p.Publish(form, p.Passport("x"))); got.Status != 201 || got.Body != `{"status":201,"message":"Created"}` {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if got := p.CPS.Store.Stats().Records; got != 1 {
		t.Errorf("%d records", got)
	}
}

func TestATIS105_04_RetrieveByUpstreamSPC(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	a := p.Retrieve(form)
	if a.Method != "GET" || !strings.HasPrefix(a.Path, "/passports/"+oobtest.UpstreamSPC+"/") || a.Signer.SPC != oobtest.DownstreamSPC {
		t.Fatalf("%s %s by %s", a.Method, a.Path, a.Signer.SPC)
	}
	p.Brings(a, p.Passport("x"))
}

func TestATIS105_05_RetrievedIs200(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("1"), p.Passport("2")))
	p.Holds(p.Passport("1"), p.Passport("2"))
}

func TestATIS105_06_NothingIs404(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Refused(p.Retrieve(form), 404, oob.NotFound)
}

func TestATIS105_07_PassportsComeBackUnchanged(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token := p.Passport("x")
	a := p.Publish(form, token)
	a.Body = []byte("{ \"passports\":\n[\"" + strings.ReplaceAll(token, "e", `\u0065`) + "\"] }")
	p.Created(a)
	p.Holds(token)
}

func TestATIS105_08_SPCIsInTheKey(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	third := p.Issue(oobtest.IssueConfig{SPC: "890C"})
	one, two := p.Passport("1"), p.Passport("2")
	p.Created(p.Publish(form, one))
	p.Created(by(third, p.Publish(form, two)))
	p.Holds(one)
	a := p.Retrieve(form)
	a.Path, a.Access.SPC = strings.Replace(a.Path, oobtest.UpstreamSPC, "890C", 1), "890C"
	p.Brings(a, two)
}

func TestATIS105_33_RecordsAccumulateAndStay(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	one := p.Passport("1")
	p.Created(p.Publish(form, one))
	p.Wait(time.Second)
	two := p.Passport("2")
	p.Created(p.Publish(form, two))
	p.Holds(two, one)
	p.Holds(two, one)
}

func TestATIS105_34_BothFormsOnOneHost(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	one, two := p.Passport("1"), p.Passport("2")
	p.Created(p.Publish(form, one))
	p.Created(p.Publish(other, two))
	p.Holds(one)
	p.Brings(p.Retrieve(other), two)
}

func TestATIS105_35_FormsAreApart(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	p.Refused(p.Retrieve(other), 404, oob.NotFound)
}

// TestATIS105_36_NothingIsRepublished: a CPS of this form asks nobody but certificate repositories.
func TestATIS105_36_NothingIsRepublished(t *testing.T) {
	p, second := start(t, oobtest.CPSConfig{}), start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	p.Holds(p.Passport("x"))
	if got := second.CPS.Store.Stats(); got.Records != 0 || got.Tokens != 0 {
		t.Errorf("another CPS holds %+v", got)
	}
	a := p.Publish(form, p.Passport("x"))
	a.Access.Action = "republish"
	p.Refused(a, 401, oob.Unproven)
}

func TestATIS105_37_ReadersMayBeNamed(t *testing.T) {
	p := start(t, oobtest.CPSConfig{Service: cps.Config{Readers: map[string][]string{oobtest.UpstreamSPC: {oobtest.DownstreamSPC}}}})
	p.Created(p.Publish(form, p.Passport("x")))
	p.Holds(p.Passport("x"))
	p.Refused(by(p.Issue(oobtest.IssueConfig{SPC: "890C"}), p.Retrieve(form)), 403, oob.Refused)
}

func TestATIS105_38_MissesAreCounted(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for range 3 {
		p.Refused(p.Retrieve(form), 404, oob.NotFound)
	}
	p.Created(p.Publish(form, p.Passport("x")))
	p.Holds(p.Passport("x"))
	if got := fmt.Sprint(p.CPS.Service.MissesBySPC()); got != "map["+oobtest.DownstreamSPC+":3]" {
		t.Error(got)
	}
}

func TestATIS105_39_TooFastIs429(t *testing.T) {
	one := cps.Rate{PerSecond: 0.5, Burst: 1}
	p := start(t, oobtest.CPSConfig{Service: cps.Config{PublishRate: one, RetrieveRate: one}})
	for _, a := range p.Both() {
		if got := p.Ask(a); got.Status >= 400 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	for _, a := range p.Both() {
		if got := p.Refused(a, 429, oob.RateLimited); got.Header.Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
		}
	}
}

func TestATIS105_40_FullIs503(t *testing.T) {
	p := start(t, oobtest.CPSConfig{Store: store.Config{Records: 1}})
	p.Created(p.Publish(form, p.Passport("1")))
	if got := p.Refused(p.Publish(form, p.Passport("2")), 503, oob.Overloaded); got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	p.Holds(p.Passport("1"))
}

func TestATIS105_32_WrongDigestIs400(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, digest := range []string{"", atis.Digest([]string{p.Passport("2"), p.Passport("1")}), "sha256-"} {
		a := p.Publish(form, p.Passport("1"), p.Passport("2"))
		a.Access.Digest = digest
		p.Refused(a, 400, oob.DigestMismatch)
	}
}
