package cps_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/tn"
)

// down is a numbering that cannot answer.
type down struct{}

func (down) SPCs(context.Context, tn.Number) ([]string, error) {
	return nil, oob.Faultf(oob.PeerTimeout, "no answer in time")
}

const (
	company     = "/cps/company/" + oobtest.DownstreamSPC
	companyCall = company + "/" + oobtest.CalledNumber + "/" + oobtest.CallingNumber
)

// TestCompany_OpenToWhatVerifies: nobody is asked who he is, and nothing is stored that does not verify completely.
func TestCompany_OpenToWhatVerifies(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	token := p.Passport("a")
	p.is(p.ask(nil, http.MethodPost, company, token), 201)
	p.is(p.ask(nil, http.MethodPost, company, token), 201)
	got := p.ask(p.Downstream, http.MethodGet, companyCall, "")
	if got.status != 200 || got.body != `{"passports":["`+token+`"]}` {
		t.Errorf("%d %s", got.status, got.body)
	}
	strangers, err := oobtest.NewPKI(oobtest.PKIConfig{BaseURL: p.Repository.URL})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := strangers.Issue(oobtest.IssueConfig{SPC: oobtest.UpstreamSPC})
	if err != nil {
		t.Fatal(err)
	}
	unreachable := *p.Upstream
	unreachable.X5U = "https://" + p.Repository.Host + "/nothing.pem"
	before := p.CPS.Store.Stats()
	for name, c := range map[string]struct {
		body string
		want oob.Kind
	}{
		"forged":                    {token[:len(token)-8] + "AAAAAAAA", oob.PassportInvalid},
		"signer of no STI-CA":       {p.PassportBy(stranger, "b"), oob.CredentialUnreachable},
		"certificate cannot be had": {p.PassportBy(&unreachable, "c"), oob.CredentialUnreachable},
		"no PASSporT":               {"a.b", oob.Malformed},
		"one good, one forged":      {p.Passport("d") + "\n" + token[:len(token)-8] + "AAAAAAAA", oob.PassportInvalid},
	} {
		if got := p.ask(nil, http.MethodPost, company, c.body); got.status != c.want.Row().HTTP {
			t.Errorf("%s: %d %s, want %s", name, got.status, got.body, c.want)
		}
	}
	if after := p.CPS.Store.Stats(); after.Records != before.Records {
		t.Errorf("%d records, before %d", after.Records, before.Records)
	}
}

// TestCompany_ReadByTheProviderAlone: by nobody else, whoever wrote it; and gone once its call has come.
func TestCompany_ReadByTheProviderAlone(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	token := p.Passport("a")
	p.is(p.ask(nil, http.MethodPost, company, token), 201)
	p.is(p.ask(p.Upstream, http.MethodGet, companyCall, ""), 403, oob.OutOfScope)
	p.is(p.ask(nil, http.MethodGet, companyCall, ""), 401, oob.Unproven)
	item := companyCall + "/" + oob.PassportID(token)
	p.is(p.ask(p.Upstream, http.MethodDelete, item, ""), 403, oob.OutOfScope)
	p.is(p.ask(p.Downstream, http.MethodDelete, companyCall+"/"+oob.PassportID("another"), ""), 204)
	p.is(p.ask(p.Downstream, http.MethodGet, companyCall, ""), 200)
	for range 2 {
		p.is(p.ask(p.Downstream, http.MethodDelete, item, ""), 204)
		p.is(p.ask(p.Downstream, http.MethodGet, companyCall, ""), 404, oob.NotFound)
	}
	// The publisher's second attempt does not bring it back.
	p.is(p.ask(nil, http.MethodPost, company, token), 201)
	p.is(p.ask(p.Downstream, http.MethodGet, companyCall, ""), 404, oob.NotFound)
	// Nor is it to be had in another form.
	p.is(p.ask(nil, http.MethodPost, company, p.Passport("b")), 201)
	p.is(p.ask(p.delegate("2-"+oobtest.CalledNumber), http.MethodGet, collection+"?orig="+oobtest.CallingNumber, ""), 200)
	if got := p.ask(p.delegate("2-"+oobtest.CalledNumber), http.MethodGet, collection, ""); got.body != "[]" {
		t.Errorf("in another form: %s", got.body)
	}
	p.wait(61 * time.Second)
	p.is(p.ask(p.Downstream, http.MethodGet, companyCall, ""), 404, oob.NotFound)
}

// TestCompany_RatesOfAddressAndSigner: one address has its share before anything costly is done, and one signer his.
func TestCompany_RatesOfAddressAndSigner(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Service: cps.Config{OpenRate: cps.Rate{PerSecond: 0.1, Burst: 3}}})
	for _, seed := range []string{"a", "b", "c"} {
		p.is(p.ask(nil, http.MethodPost, company, p.Passport(seed)), 201)
	}
	limited := p.ask(nil, http.MethodPost, company, p.Passport("d"))
	p.is(limited, 429, oob.RateLimited)
	if limited.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come again")
	}
	signer := startPair(t, oobtest.CPSConfig{Service: cps.Config{PublishRate: cps.Rate{PerSecond: 0.1, Burst: 2}, Serves: []string{oobtest.DownstreamSPC}}})
	other := signer.issue(oobtest.IssueConfig{SPC: "4321"})
	signer.is(signer.ask(nil, http.MethodPost, company, signer.Passport("a")), 201)
	signer.is(signer.ask(nil, http.MethodPost, company, signer.Passport("b")), 201)
	signer.is(signer.ask(nil, http.MethodPost, company, signer.Passport("c")), 429, oob.RateLimited)
	signer.is(signer.ask(nil, http.MethodPost, company, signer.PassportBy(other, "d")), 201)
	signer.is(signer.ask(nil, http.MethodPost, "/cps/company/1111", signer.Passport("e")), 403, oob.Refused)
}
