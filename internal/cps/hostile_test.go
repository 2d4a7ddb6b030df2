package cps_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// unlimited are rates that nothing in a test comes to.
var unlimited = cps.Rate{PerSecond: 1e6, Burst: 1e6}

// twin is a PASSporT with the other signature that verifies as well, which anybody can make: (r, n-s).
func twin(compact string) string {
	at := strings.LastIndexByte(compact, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(compact[at:])
	if err != nil || len(signature) != 64 {
		return ""
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return compact[:at] + base64.RawURLEncoding.EncodeToString(signature)
}

// TestCompany_ConsumedStaysConsumed: in whatever way the same PASSporT is sent again.
func TestCompany_ConsumedStaysConsumed(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	for name, again := range map[string]func(token string) string{
		"as it was":                    func(token string) string { return token },
		"twice in one body":            func(token string) string { return token + "\n" + token },
		"with the other signature":     twin,
		"with another, new one":        func(token string) string { return token + "\n" + p.Passport("more") },
		"with both signatures at once": func(token string) string { return token + "\n" + twin(token) },
	} {
		token := p.Passport(name)
		p.is(p.ask(nil, http.MethodPost, company, token), 201)
		p.is(p.ask(p.Downstream, http.MethodDelete, companyCall+"/"+oob.PassportID(token), ""), 204)
		got := p.ask(nil, http.MethodPost, company, again(token))
		if back := p.ask(p.Downstream, http.MethodGet, companyCall, ""); back.status != 404 {
			t.Errorf("%s: %d, and it is back: %d %s", name, got.status, back.status, back.body)
		}
	}
}

// TestCompany_ConsumedNeverComesBackByTime: whatever is forgotten is forgotten when the PASSporT is not taken any more.
func TestCompany_ConsumedNeverComesBackByTime(t *testing.T) {
	for _, c := range []struct {
		ahead, kept  time.Duration // of iat; retention
		past, future time.Duration // in which it is fresh; zero for the default
	}{
		{60 * time.Second, 60 * time.Second, 0, 0}, {60 * time.Second, time.Second, 0, 0}, {0, time.Second, 0, 0},
		{100 * time.Second, 10 * time.Second, 120 * time.Second, 120 * time.Second},
		{-60 * time.Second, 60 * time.Second, 120 * time.Second, 120 * time.Second}, {-10 * time.Second, 60 * time.Second, 10 * time.Second, time.Second},
	} {
		p := startPair(t, oobtest.CPSConfig{
			Service:   cps.Config{Retention: map[oob.Profile]time.Duration{oob.Company: c.kept}, PublishRate: unlimited, OpenRate: unlimited, RetrieveRate: unlimited},
			Inspector: &cps.Inspector{Freshness: oob.Freshness{Past: c.past, Future: c.future}},
		})
		began := p.Clock.Now()
		token := p.signed(passport.Shaken, func(k *passport.Claims) { k.IAT = began.Add(c.ahead) })
		p.ask(nil, http.MethodPost, company, token) // the oldest is stale already
		p.is(p.ask(p.Downstream, http.MethodDelete, companyCall+"/"+oob.PassportID(token), ""), 204)
		for _, after := range []int{1, 9, 10, 11, 59, 60, 61, 62, 119, 120, 121, 122, 180, 181, 219, 220, 221, 222, 241, 300} {
			p.wait(began.Add(time.Duration(after) * time.Second).Sub(p.Clock.Now()))
			p.ask(nil, http.MethodPost, company, token)
			if back := p.ask(p.Downstream, http.MethodGet, companyCall, ""); back.status != 404 {
				t.Errorf("%+v: back after %d s: %d", c, after, back.status)
			}
		}
	}
}

// TestCompany_ReplaysUseUpNobodysRate: whoever has seen a PASSporT, in a header field of a call, can send it again and again;
// its signer publishes all the same.
func TestCompany_ReplaysUseUpNobodysRate(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Service: cps.Config{PublishRate: cps.Rate{PerSecond: 1, Burst: 10}, OpenRate: unlimited}})
	token := p.Passport("seen")
	for range 20 {
		p.ask(nil, http.MethodPost, company, token)
		p.ask(nil, http.MethodPost, company, twin(token))
	}
	p.is(p.ask(p.Upstream, http.MethodPost, collection, p.Passport("own")), 201)
}

// TestCompany_ReplaysFillNobodysKey: nor do they take the room of the next call of the same two.
func TestCompany_ReplaysFillNobodysKey(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Service: cps.Config{PublishRate: unlimited, OpenRate: unlimited}})
	forms := []string{p.Passport("seen")}
	forms = append(forms, twin(forms[0]))
	for length := 1; length <= 5; length++ {
		for bits := range 1 << length {
			body := make([]string, length)
			for i := range body {
				body[i] = forms[bits>>i&1]
			}
			p.ask(nil, http.MethodPost, company, strings.Join(body, "\n"))
		}
	}
	if n := p.CPS.Store.Stats().Records; n != 1 {
		t.Errorf("%d records of one PASSporT", n)
	}
	p.is(p.ask(nil, http.MethodPost, company, p.Passport("the next call")), 201)
}

// TestCompany_StrangersNamesAreShort: of a signer whom nobody has proven, no more is remembered than has a fixed size.
func TestCompany_StrangersNamesAreShort(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	stranger := *p.Upstream
	stranger.X5U = "https://" + p.Repository.Host + "/" + strings.Repeat("a", 5000)
	p.ask(nil, http.MethodPost, company, p.PassportBy(&stranger, "a"))
	if count, longest := p.CPS.Service.Claimed(); count != 1 || longest > 64 {
		t.Errorf("%d are remembered, one with %d bytes", count, longest)
	}
}

// TestCompany_AConsumeTokenIsForOneItem: it can be repeated, but not for what came later.
func TestCompany_AConsumeTokenIsForOneItem(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	a, b := p.Passport("a"), p.Passport("b")
	p.is(p.ask(nil, http.MethodPost, company, a), 201)
	p.is(p.ask(nil, http.MethodPost, company, b), 201)
	key := oob.Key{Profile: oob.Company, SPC: oobtest.DownstreamSPC, Dest: p.Dest, Orig: p.Orig}
	attempt := p.Retrieve(oob.Mesh)
	attempt.Access = p.Downstream.Access(oob.ActionConsume, key, nil, attempt.Access.ID, p.Clock.Now())
	attempt.Access.Subject, attempt.Access.SPC = "", key.SPC
	attempt.Method = http.MethodDelete
	for _, c := range []struct {
		token string
		want  int
	}{{a, 204}, {a, 204}, {b, 401}} {
		attempt.Path = atis.ConsumePath(key, oob.PassportID(c.token))
		if got := p.send(attempt); got.Status != c.want {
			t.Errorf("%d %s, want %d", got.Status, got.Body, c.want)
		}
	}
	p.is(p.ask(p.Downstream, http.MethodGet, companyCall, ""), 200)
}

// lie publishes records for the called number, in the name of another, from so many callers.
func (p *pair) lie(publisher string, count int) {
	p.Helper()
	now := p.Clock.Now()
	for i := range count {
		use := oob.TokenUse{Until: now.Add(time.Minute)}
		binary.BigEndian.PutUint64(use.ID[:], uint64(i+1))
		_, err := p.CPS.Store.Publish(p.Context(), oob.Publication{
			Key: oob.Key{Profile: oob.RFC9888, Dest: p.Dest, Orig: p.number(fmt.Sprint(13005550000 + i))}, Passports: []string{fmt.Sprintf("a.%d.c", i)},
			Publisher: publisher, Received: now, Expires: now.Add(time.Minute), Use: use,
		})
		if err != nil {
			p.Fatal(err)
		}
	}
}

// TestRFC8816_S9_AnItemIsThereWhileItLives: however many of the same publisher come after it for the same number.
func TestRFC8816_S9_AnItemIsThereWhileItLives(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	stored := p.ask(p.Upstream, http.MethodPost, collection, p.Passport("first"))
	p.is(stored, 201)
	p.Clock.Advance(time.Second)
	p.lie(oobtest.UpstreamSPC, cps.CalledMax+10)
	p.is(p.ask(p.Downstream, http.MethodGet, stored.header.Get("Location"), ""), 200)
	if got := p.ask(p.Downstream, http.MethodGet, collection+"?orig="+oobtest.CallingNumber, ""); got.status != 200 || got.body == "[]" {
		t.Errorf("of its caller alone: %d %s", got.status, got.body)
	}
}

// TestRFC9888_S6_LargeRecordsHideNothing: whoever fills an answer with long PASSporTs pushes out none of another's.
func TestRFC9888_S6_LargeRecordsHideNothing(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	good := p.Passport("good")
	p.is(p.ask(p.Upstream, http.MethodPost, collection, good), 201)
	p.Clock.Advance(time.Second)
	for i := range 5 {
		lines := make([]string, oob.PassportsMax)
		for k := range lines {
			lines[k] = p.typed("x", fmt.Sprintf(`,"pad":"%s%d-%d"`, strings.Repeat("x", 2700), i, k))
		}
		p.is(p.ask(p.issue(oobtest.IssueConfig{SPC: fmt.Sprintf("666%d", i)}), http.MethodPost, collection, strings.Join(lines, "\n")), 201)
	}
	got := p.ask(p.Downstream, http.MethodGet, collection+"?orig="+oobtest.CallingNumber, "", "Prefer", "return=representation")
	var held struct{ Passports []string }
	if err := json.Unmarshal([]byte(got.body), &held); err != nil || !slices.Contains(held.Passports, good) {
		t.Errorf("%d PASSporTs in %d bytes, and the good one is not among them: %v", len(held.Passports), len(got.body), err)
	}
}

// TestRFC9888_S6_ReadersListsDoNotCount: where the certificate says who may read, no list of a publisher does.
func TestRFC9888_S6_ReadersListsDoNotCount(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Service: cps.Config{Readers: map[string][]string{oobtest.UpstreamSPC: {"4444"}}}})
	for _, form := range []struct{ write, read string }{{collection, collection}, {company, companyCall}} {
		p.is(p.ask(p.Upstream, http.MethodPost, form.write, p.Passport("a")), 201)
		if got := p.ask(p.Downstream, http.MethodGet, form.read, ""); got.status != 200 || got.body == "[]" {
			t.Errorf("%s: %d %s", form.read, got.status, got.body)
		}
	}
}

// TestRFC9888_S5_TheSameAtOnceIsARetry: a request that comes twice at the same time is answered twice.
func TestRFC9888_S5_TheSameAtOnceIsARetry(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	for i := range 10 {
		passports := []string{p.Passport(fmt.Sprint(i))}
		a := p.Publish(oob.Mesh)
		a.Access = p.Upstream.Access(oob.ActionPublish, oob.Key{Profile: oob.RFC9888, Dest: p.Dest}, passports, a.Access.ID, p.Clock.Now())
		a.Access.Subject, a.Access.Orig = "", tn.Identity{}
		a.Path, a.Body, a.Header = collection, []byte(passports[0]), http.Header{"Content-Type": {"application/passport"}}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if got, err := p.Send(t.Context(), a); err != nil || got.Status != 201 {
					t.Errorf("%d: %d %s %v", i, got.Status, got.Body, err)
				}
			})
		}
		all.Wait()
	}
}

// TestRFC9888_S6_TokensOfOtherFormsAreNoneHere: what somebody signed for another form, with sub or spc, opens nothing.
func TestRFC9888_S6_TokensOfOtherFormsAreNoneHere(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	body := p.Passport("a")
	p.submit(body)
	for _, profile := range []oob.Profile{oob.Mesh, oob.Agreed} {
		read, write := p.Retrieve(profile), p.Publish(profile, body)
		read.Path = collection + "?orig=" + oobtest.CallingNumber
		write.Path, write.Body, write.Header = collection, []byte(body), http.Header{"Content-Type": {"application/passport"}}
		for _, a := range []*oobtest.Attempt{read, write} {
			if got := p.send(a); got.Status != 401 && got.Status != 403 {
				t.Errorf("%s, %s: %d %s", profile, a.Method, got.Status, got.Body)
			}
		}
	}
}

// TestRFC9060_S5_AProviderDelegatesNoMoreThanItsOwn: a number below a certificate that does not cover it opens nothing.
func TestRFC9060_S5_AProviderDelegatesNoMoreThanItsOwn(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	called := p.numbersOf("2-" + oobtest.CalledNumber)
	for name, above := range map[string]stircert.TNAuthList{"another provider": {SPCs: []string{"6666"}}, "other numbers": p.numbersOf("1-13005550000-10")} {
		below := p.below(above)
		for what, config := range map[string]oobtest.IssueConfig{"a number": {TNAuthList: called}, "a provider": {SPC: oobtest.DownstreamSPC}} {
			id, err := below.Issue(config)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.ask(id, http.MethodGet, collection, ""); got.status != 401 && got.status != 403 {
				t.Errorf("%s below %s: %d %s", what, name, got.status, got.body)
			}
		}
	}
}
