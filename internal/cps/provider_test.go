package cps_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// holders gives the downstream provider the numbers around the called one, but for one that has been ported to 9999.
const holders = oobtest.DownstreamSPC + ",12155550130,10\n9999,12155550139\n"

// numbers is a number file.
func numbers(t *testing.T, rows string) oob.Numbering {
	t.Helper()
	name := filepath.Join(t.TempDir(), "numbers.csv")
	if err := os.WriteFile(name, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := numbering.OpenFile(numbering.FileConfig{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(file.Close)
	return file
}

// startProviders is a pair with a CPS that knows whose numbers are whose.
func startProviders(t *testing.T, c oobtest.CPSConfig) *pair {
	t.Helper()
	if c.Service.Numbering == nil {
		c.Service.Numbering = numbers(t, holders)
	}
	return startPair(t, c)
}

// reply is what a CPS answers.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends one request as the holder of a certificate; as nobody for nil.
func (p *pair) ask(as *oobtest.Identity, method, path, body string, header ...string) reply {
	p.Helper()
	settings := &tls.Config{RootCAs: p.PKI.TLSRoots()}
	if as != nil {
		settings.Certificates = []tls.Certificate{as.TLS()}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(p.Context(), method, p.CPS.URL+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/passport")
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// is wants a status, and of a refusal the kind.
func (p *pair) is(got reply, status int, kind ...oob.Kind) {
	p.Helper()
	if got.status != status {
		p.Errorf("%d %s, want %d", got.status, got.body, status)
	}
	for _, k := range kind {
		if !strings.Contains(got.body, `"urn:viaduct:fault:`+k.String()+`"`) || got.header.Get("Content-Type") != "application/problem+json" {
			p.Errorf("%s %s, want the problem %s", got.header.Get("Content-Type"), got.body, k)
		}
	}
}

const collection = "/cps/" + oobtest.CalledNumber + "/ppts"

// delegate issues a certificate for numbers, under one of the downstream provider (RFC 9060).
func (p *pair) delegate(text string) *oobtest.Identity {
	p.Helper()
	list := p.numbersOf(text)
	id, err := p.below(list).Issue(oobtest.IssueConfig{TNAuthList: list})
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// below is a CA of its own, with a certificate for list.
func (p *pair) below(list stircert.TNAuthList) *oobtest.PKI {
	p.Helper()
	below, err := p.PKI.Below(oobtest.IssueConfig{TNAuthList: list, IssuedByRoot: true, Modify: func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}})
	if err != nil {
		p.Fatal(err)
	}
	return below
}

// numbersOf is a list of a number or a range.
func (p *pair) numbersOf(text string) stircert.TNAuthList {
	p.Helper()
	resource, err := stircert.ParseResource(text)
	if err != nil {
		p.Fatal(err)
	}
	return stircert.TNAuthList{Ranges: []tn.Range{resource.Numbers()}}
}

// call is a PASSporT of a call to another number.
func (p *pair) call(seed, dest string) string {
	p.Helper()
	n, err := tn.ParseNumber(dest)
	if err != nil {
		p.Fatal(err)
	}
	claims := p.Claims(seed)
	claims.Dest = []tn.Identity{tn.Of(n)}
	token, err := passport.Sign(p.Upstream.Key, passport.Shaken, p.Upstream.X5U, claims)
	if err != nil {
		p.Fatal(err)
	}
	return token
}

// TestRFC8816_S9_SubmitListFetch: the three steps of the interface, over mutual TLS (RFC 9888 §5, §6).
func TestRFC8816_S9_SubmitListFetch(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	token := p.Passport("a")
	stored := p.ask(p.Upstream, http.MethodPost, collection, token)
	p.is(stored, 201)
	item := stored.header.Get("Location")
	if item != collection+"/"+oob.PassportID(token) {
		t.Errorf("Location %q", item)
	}
	list := p.ask(p.Downstream, http.MethodGet, collection, "")
	p.is(list, 200)
	if list.body != `["`+item+`"]` || list.header.Get("Content-Type") != "application/json" || list.header.Get("Link") != `<`+collection+`>; rel="self"` {
		t.Errorf("list %s %v", list.body, list.header)
	}
	got := p.ask(p.Downstream, http.MethodGet, item, "")
	p.is(got, 200)
	if strings.TrimSpace(got.body) != token || got.header.Get("Content-Type") != "application/passport" || got.header.Get("Link") != `<`+collection+`>; rel="collection"` {
		t.Errorf("item %s %v", got.body, got.header)
	}
	p.is(p.ask(p.Downstream, http.MethodGet, collection+"/"+oob.PassportID("another"), ""), 404, oob.NotFound)
	p.is(p.ask(p.Downstream, http.MethodDelete, item, ""), 405, oob.WrongMethod)
	if empty := p.ask(p.Downstream, http.MethodGet, "/cps/12155550132/ppts", ""); empty.status != 200 || empty.body != "[]" {
		t.Errorf("nothing there: %d %s", empty.status, empty.body)
	}
	if again := p.ask(p.Upstream, http.MethodPost, collection, token); again.status != 201 || again.header.Get("Location") != item {
		t.Errorf("again: %d %v", again.status, again.header)
	}
	if list := p.ask(p.Downstream, http.MethodGet, collection, ""); list.body != `["`+item+`"]` {
		t.Errorf("after a second submission: %s", list.body)
	}
}

// TestRFC8816_S9_Tolerances: how a called number may be written, the slash at the end, one caller alone, what a requester prefers.
func TestRFC8816_S9_Tolerances(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	token := p.Passport("a")
	for i, dest := range []string{"+12155550131", "1.215.555.0131", "1-215-555-0131", "%2B1%20(215)%20555-0131"} {
		if got := p.ask(p.Upstream, http.MethodPost, "/cps/"+dest+"/ppts/", p.Passport(strconv.Itoa(i))); got.status != 201 || !strings.HasPrefix(got.header.Get("Location"), collection+"/") {
			t.Errorf("%s: %d %s %v", dest, got.status, got.body, got.header)
		}
	}
	p.is(p.ask(p.Upstream, http.MethodPost, collection, token), 201)
	preferred := p.ask(p.Downstream, http.MethodGet, collection+"/?orig="+oobtest.CallingNumber, "", "Prefer", "return=representation")
	var held struct{ Passports []string }
	if err := json.Unmarshal([]byte(preferred.body), &held); err != nil || len(held.Passports) != 5 || preferred.header.Get("Preference-Applied") == "" {
		t.Errorf("representation: %d %s %v", preferred.status, preferred.body, preferred.header)
	}
	if other := p.ask(p.Downstream, http.MethodGet, collection+"?orig=12155550999", ""); other.body != "[]" {
		t.Errorf("another caller: %s", other.body)
	}
	for _, bad := range []string{"/cps/twelve/ppts", "/cps/12155550131x/ppts", "/cps/%00/ppts", collection + "?orig=twelve", collection + "/../ppts"} {
		if got := p.ask(p.Downstream, http.MethodGet, bad, ""); got.status != 400 && got.status != 404 {
			t.Errorf("%s: %d", bad, got.status)
		}
	}
	p.is(p.ask(p.Upstream, http.MethodPost, collection, token, "Content-Type", "application/json"), 415, oob.WrongMedia)
	p.is(p.ask(p.Upstream, http.MethodPost, collection, strings.Repeat("a", oob.BodyBytesMax+1)), 413, oob.TooLarge)
	p.is(p.ask(p.Upstream, http.MethodPost, collection, "no token"), 400, oob.Malformed)
}

// TestRFC9888_S6_RetrievalFollowsTheTNAuthList: who reads what, and that the answer tells nothing of what is held.
func TestRFC9888_S6_RetrievalFollowsTheTNAuthList(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	thief, ported := p.issue(oobtest.IssueConfig{SPC: "6666"}), p.issue(oobtest.IssueConfig{SPC: "9999"})
	several := p.issue(oobtest.IssueConfig{TNAuthList: stircert.TNAuthList{SPCs: []string{"6666", oobtest.DownstreamSPC}}})
	web, err := p.PKI.Issue(oobtest.IssueConfig{WithoutTNAuthList: true})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{oobtest.CalledNumber, "12155550139", "12155559999"} // held by the provider, ported away, known to nobody
	for _, dest := range all {
		p.is(p.ask(p.Upstream, http.MethodPost, "/cps/"+dest+"/ppts", p.call(dest, dest)), 201)
	}
	for _, c := range []struct {
		name  string
		who   *oobtest.Identity
		reads []string
		else_ int
	}{
		{"the provider", p.Downstream, all[:1], 403},
		{"who a number was ported to", ported, all[1:2], 403},
		{"another provider, who wrote all of them", p.Upstream, nil, 403},
		{"a thief", thief, nil, 403},
		{"one of two codes", several, all[:1], 403},
		{"delegate of the number", p.delegate("2-" + oobtest.CalledNumber), all[:1], 403},
		{"delegate of a range", p.delegate("1-12155550130-10"), all[:2], 403},
		{"delegate of a number known to nobody", p.delegate("2-12155559999"), all[2:], 403},
		{"delegate of others", p.delegate("1-12155550140-10"), nil, 403},
		{"a certificate without TNAuthList", web, nil, 401},
		{"nobody", nil, nil, 401},
	} {
		for _, dest := range append(slices.Clone(all), "12155550138") {
			path := "/cps/" + dest + "/ppts"
			got := p.ask(c.who, http.MethodGet, path, "")
			switch may := slices.Contains(c.reads, dest) || dest == "12155550138" && got.status == 200 && got.body == "[]"; {
			case may && got.status != 200, !may && got.status != c.else_:
				t.Errorf("%s, %s: %d %s", c.name, dest, got.status, got.body)
			}
		}
		// What it may not read is refused in the same words, whether there is anything or not.
		if c.reads == nil {
			held := p.ask(c.who, http.MethodGet, collection, "")
			free := p.ask(c.who, http.MethodGet, "/cps/12155550135/ppts", "")
			if held.body != free.body {
				t.Errorf("%s: %s and %s tell what is held", c.name, held.body, free.body)
			}
		}
	}
}

// TestRFC9888_S10_WhoseNumberItIsMustBeKnown: without number data a provider's certificate reads nothing, unless the CPS is its own.
func TestRFC9888_S10_WhoseNumberItIsMustBeKnown(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	p.is(p.ask(p.Downstream, http.MethodGet, collection, ""), 403, oob.OutOfScope)
	p.is(p.ask(p.delegate("2-"+oobtest.CalledNumber), http.MethodGet, collection, ""), 200)
	own := startPair(t, oobtest.CPSConfig{Service: cps.Config{Everything: []string{oobtest.DownstreamSPC}}})
	own.is(own.ask(own.Downstream, http.MethodGet, collection, ""), 200)
	own.is(own.ask(own.Upstream, http.MethodGet, collection, ""), 403, oob.OutOfScope)
	failing := startPair(t, oobtest.CPSConfig{Service: cps.Config{Numbering: numbering.Chain{down{}}}})
	failing.is(failing.ask(failing.Downstream, http.MethodGet, collection, ""), 503, oob.Overloaded)
}

// TestRFC9888_S5_HeldNoLongerThanFresh: 60 seconds from iat, and never more than 60 from now.
func TestRFC9888_S5_HeldNoLongerThanSixtySeconds(t *testing.T) {
	for _, c := range []struct {
		age  time.Duration // of the PASSporT when it is submitted
		kept time.Duration
	}{{0, 60 * time.Second}, {40 * time.Second, 20 * time.Second}, {-30 * time.Second, 60 * time.Second}} {
		p := startProviders(t, oobtest.CPSConfig{})
		claims := p.Claims("a")
		claims.IAT = p.Clock.Now().Add(-c.age)
		token, err := passport.Sign(p.Upstream.Key, passport.Shaken, p.Upstream.X5U, claims)
		if err != nil {
			t.Fatal(err)
		}
		p.is(p.ask(p.Upstream, http.MethodPost, collection, token), 201)
		p.wait(c.kept - time.Second)
		if got := p.ask(p.Downstream, http.MethodGet, collection, ""); got.body == "[]" {
			t.Errorf("age %s: gone before %s", c.age, c.kept)
		}
		p.wait(time.Second)
		if got := p.ask(p.Downstream, http.MethodGet, collection, ""); got.body != "[]" {
			t.Errorf("age %s: there after %s: %s", c.age, c.kept, got.body)
		}
	}
	p := startProviders(t, oobtest.CPSConfig{})
	claims := p.Claims("a")
	claims.IAT = p.Clock.Now().Add(-61 * time.Second)
	stale, err := passport.Sign(p.Upstream.Key, passport.Shaken, p.Upstream.X5U, claims)
	if err != nil {
		t.Fatal(err)
	}
	p.is(p.ask(p.Upstream, http.MethodPost, collection, stale), 400, oob.PassportStale)
}

// TestRFC9888_S5_WhoMaySubmit: any provider carries what others have signed; who has numbers alone publishes for calls from them.
func TestRFC9888_S5_WhoMaySubmit(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Service: cps.Config{
		Numbering: numbers(t, holders), Deny: []string{"6666"}, Serves: []string{oobtest.DownstreamSPC},
	}})
	own, other := p.delegate("2-"+oobtest.CallingNumber), p.delegate("2-12155550122")
	base := func(id *oobtest.Identity) string {
		token, err := passport.Sign(id.Key, passport.Base, id.X5U, passport.Claims{IAT: p.Clock.Now(), Orig: p.Orig, Dest: []tn.Identity{p.Dest}})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	p.is(p.ask(p.Downstream, http.MethodPost, collection, p.Passport("transit")), 201)
	p.is(p.ask(own, http.MethodPost, collection, base(own)), 201)
	p.is(p.ask(other, http.MethodPost, collection, base(own)), 403, oob.OutOfScope)
	p.is(p.ask(other, http.MethodPost, collection, base(other)), 403, oob.OutOfScope)
	p.is(p.ask(nil, http.MethodPost, collection, p.Passport("nobody")), 401, oob.Unproven)
	p.is(p.ask(p.issue(oobtest.IssueConfig{SPC: "6666"}), http.MethodPost, collection, p.Passport("denied")), 403, oob.Refused)
	p.is(p.ask(p.Upstream, http.MethodPost, "/cps/12155550139/ppts", p.Passport("not served")), 403, oob.Refused)
	p.is(p.ask(p.Upstream, http.MethodPost, "/cps/12155550132/ppts", p.Passport("another number")), 403, oob.IdentityMismatch)
	forged := p.Passport("forged")
	p.is(p.ask(p.Upstream, http.MethodPost, collection, forged[:len(forged)-8]+"AAAAAAAA"), 400, oob.PassportInvalid)
}

// TestRFC9060_S4_DelegatesShareOneAccount: whoever may delegate has the share of one, however many certificates it issues.
func TestRFC9060_S4_DelegatesShareOneAccount(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{Service: cps.Config{
		Numbering: numbers(t, holders), RetrieveRate: cps.Rate{PerSecond: 0.01, Burst: 2},
	}})
	list := stircert.TNAuthList{Ranges: []tn.Range{mustRange(t, "1-12155550130-5")}}
	below, err := p.PKI.Below(oobtest.IssueConfig{TNAuthList: list, IssuedByRoot: true, Modify: func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 200, 429} {
		leaf, err := below.Issue(oobtest.IssueConfig{TNAuthList: list})
		if err != nil {
			t.Fatal(err)
		}
		if got := p.ask(leaf, http.MethodGet, collection, ""); got.status != want {
			t.Errorf("leaf %d: %d %s", i, got.status, got.body)
		}
	}
	p.is(p.ask(p.delegate("2-"+oobtest.CalledNumber), http.MethodGet, collection, ""), 200)
}

func mustRange(t *testing.T, text string) tn.Range {
	t.Helper()
	resource, err := stircert.ParseResource(text)
	if err != nil {
		t.Fatal(err)
	}
	return resource.Numbers()
}
