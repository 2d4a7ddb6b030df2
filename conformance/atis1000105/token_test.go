package atis1000105_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/pairtest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

func TestATIS105_09_SPCInsteadOfSub(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, a := range p.Both() {
		if a.Access.SPC == "" || a.Access.Subject != "" {
			t.Fatalf("%+v", a.Access)
		}
		if got := p.Ask(a); got.Status >= 400 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	for _, a := range p.Both() { // both at once
		a.Access.Subject = a.Access.Issuer
		p.Refused(a, 403, oob.OutOfScope)
	}
}

func TestATIS105_10_SPCMatchesPath(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Path = strings.Replace(a.Path, oobtest.UpstreamSPC, "890C", 1) })
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.SPC = "890C" })
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.SPC = "" })
}

func TestATIS105_11_PublisherIsInTNAuthList(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	a.Signer, a.Access.Issuer = p.Downstream, p.Downstream.SPC // in its own name under the SPC of another
	p.Refused(a, 403, oob.OutOfScope)
	a = p.Publish(form, p.Passport("x"))
	a.Signer = p.Downstream // in the name of another as well
	p.Refused(a, 403, oob.OutOfScope)
}

func TestATIS105_12_IssIsInTNAuthList(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Retrieve(form)
	a.Access.Issuer = "890C"
	p.Refused(a, 403, oob.OutOfScope)
	a = by(&oobtest.Identity{SPC: "890C", Key: p.Upstream.Key, X5U: p.Upstream.X5U}, p.Publish(form, p.Passport("x")))
	p.Refused(a, 403, oob.OutOfScope)
}

func TestATIS105_13_ReaderIsAnother(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	for _, reader := range []*oobtest.Identity{p.Downstream, p.Upstream, p.Issue(oobtest.IssueConfig{SPC: "890C"})} {
		p.Brings(by(reader, p.Retrieve(form)), p.Passport("x"))
	}
}

func TestATIS105_14_MeshTokenIsRefused(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.Subject, a.Access.SPC = a.Access.Issuer, "" })
}

func TestATIS105_15_ExpIsTheDeadline(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token := p.Passport("x")
	a := p.Publish(form, token)
	a.Access.Deadline = p.Clock.Now().Add(40 * time.Second)
	p.Created(a)
	p.Wait(40*time.Second - time.Millisecond)
	p.Holds(token)
	p.Wait(time.Millisecond)
	if got := p.CPS.Store.Stats(); got.Records != 0 || got.Bytes != 0 {
		t.Errorf("still there: %+v", got)
	}
}

func TestATIS105_16_NothingAfterTheDeadline(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	a.Access.Deadline = p.Clock.Now().Add(2 * time.Second)
	p.Created(a)
	p.Clock.Advance(2 * time.Second) // it has not been swept away yet
	p.Refused(p.Retrieve(form), 404, oob.NotFound)
}

func TestATIS105_17_SixtySecondsAtMost(t *testing.T) {
	for _, iat := range []time.Duration{0, 5 * time.Second, -30 * time.Second} {
		p := start(t, oobtest.CPSConfig{})
		token := p.Passport("x")
		a := p.Publish(form, token)
		a.Access.IssuedAt = p.Clock.Now().Add(iat)
		a.Access.Deadline = p.Clock.Now().Add(time.Hour)
		p.Created(a)
		kept := time.Minute + min(iat, 0)
		p.Wait(kept - time.Millisecond)
		p.Holds(token)
		p.Wait(time.Millisecond)
		p.Refused(p.Retrieve(form), 404, oob.NotFound)
	}
}

func TestATIS105_18_ExpMayBeAbsent(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token := p.Passport("x")
	p.Created(p.Publish(form, token))
	p.Wait(15*time.Second - time.Millisecond)
	p.Holds(token)
	p.Wait(time.Millisecond)
	p.Refused(p.Retrieve(form), 404, oob.NotFound)
}

func TestATIS105_19_ExpIsNotTheTokensExpiry(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	a.Access.Deadline = p.Clock.Now().Add(time.Second)
	p.Created(a)
	p.Wait(30 * time.Second)
	p.Created(a) // a retry, with a token that is fresh though its exp has passed
	a = p.Publish(form, p.Passport("y"))
	a.Access.IssuedAt = p.Clock.Now().Add(-61 * time.Second)
	a.Access.Deadline = p.Clock.Now().Add(time.Second)
	p.Refused(a, 401, oob.TokenStale) // and one that is not fresh though its exp is to come
}

func TestATIS105_20_PassedDeadlineIs400(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, ago := range []time.Duration{0, time.Second, time.Hour} {
		a := p.Publish(form, p.Passport("x"))
		a.Access.Deadline = p.Clock.Now().Add(-ago)
		p.Refused(a, 400, oob.DeadlinePassed)
	}
	if got := p.CPS.Store.Stats(); got.Records != 0 || got.Tokens != 0 {
		t.Errorf("something is stored: %+v", got)
	}
}

func TestATIS105_21_ThreeSecondsWork(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	token := p.Passport("x")
	a := p.Publish(form, token)
	a.Access.Deadline = a.Access.IssuedAt.Add(3 * time.Second)
	p.Created(a)
	p.Wait(3*time.Second - time.Millisecond)
	p.Holds(token)
	p.Wait(time.Millisecond)
	p.Refused(p.Retrieve(form), 404, oob.NotFound)
}

func TestATIS105_22_TokenForm(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, header := range []string{`{"alg":"none","x5u":"%s"}`, `{"alg":"HS256","x5u":"%s"}`, `{"alg":"ES256","x5c":["%s"]}`, `{"x5u":"%s"}`} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.JOSE = fmt.Appendf(nil, header, a.Signer.X5U) })
	}
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Authorization = []string{"Bearer a.b"} })
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Authorization = []string{} })
}

func TestATIS105_23_TokenSignatureVerifies(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	third := p.Issue(oobtest.IssueConfig{SPC: "890C"})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Signer = pairtest.WithKeyOf(a.Signer, third) })
}

func TestATIS105_24_ChainIsTrusted(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Signer = p.Stranger(a.Signer.SPC) })
}

func TestATIS105_26_StaleTokenIs401(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for iat, fresh := range map[time.Duration]bool{-61 * time.Second: false, 6 * time.Second: false, -60 * time.Second: true, 5 * time.Second: true} {
		for _, a := range p.Both() {
			a.Access.IssuedAt = p.Clock.Now().Add(iat)
			if !fresh {
				p.Refused(a, 401, oob.TokenStale)
			} else if got := p.Ask(a); got.Status >= 400 {
				t.Errorf("%v: %d %s", iat, got.Status, got.Body)
			}
		}
	}
}

func TestATIS105_27_ActionMatches(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, action := range []oob.Action{"", "republish", "Publish", "delete"} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.Action = action })
	}
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) {
		a.Access.Action = map[oob.Action]oob.Action{oob.ActionPublish: oob.ActionRetrieve, oob.ActionRetrieve: oob.ActionPublish}[a.Access.Action]
	})
}

func TestATIS105_28_AudIsTheName(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, names := range [][]string{nil, {"cps.example.net"}, {oobtest.CPSAudience + ":443"}, {p.CPS.Host}} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.Audience = names })
	}
}

func TestATIS105_29_ReplayIs401(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("1"))
	p.Created(a)
	again := p.Publish(form, p.Passport("2"))
	again.Access.ID = a.Access.ID
	p.Refused(again, 401, oob.Replayed)
	r := p.Retrieve(form)
	p.Brings(r, p.Passport("1"))
	p.Refused(r, 401, oob.Replayed)
}

func TestATIS105_30_RetryIsAnsweredAlike(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	a.Access.Deadline = p.Clock.Now().Add(3 * time.Second)
	first, stats := p.Ask(a), p.CPS.Store.Stats()
	for range 2 {
		if again := p.Ask(a); first.Status != 201 || again.Status != 201 || again.Body != first.Body || p.CPS.Store.Stats() != stats {
			t.Errorf("%+v, then %+v", first, again)
		}
		p.Wait(30 * time.Second) // the record expires meanwhile
		stats = p.CPS.Store.Stats()
	}
}

func TestATIS105_31_NumbersMatchPath(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.IdentityMismatch, func(a *oobtest.Attempt) { a.Access.Dest = p.Orig })
	p.RefusesBoth(403, oob.IdentityMismatch, func(a *oobtest.Attempt) { a.Access.Orig = p.Dest })
	p.RefusesBoth(403, oob.IdentityMismatch, func(a *oobtest.Attempt) { p.Claim(a, `"dest":`, `"x":`) })
}

func TestATIS105_47_ExpOfARetrievalIsAnExpiry(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	a := p.Retrieve(form)
	a.Access.Deadline = p.Clock.Now().Add(-5 * time.Second)
	p.Refused(a, 401, oob.TokenStale)
	a.Access.Deadline = p.Clock.Now().Add(time.Second)
	p.Brings(a, p.Passport("x"))
}

func TestATIS105_25_NoCertificateIsRevoked(t *testing.T) {
	start(t, oobtest.CPSConfig{}).NoneIsRevoked()
}
