package stias_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

const origid = "123e4567-e89b-12d3-a456-426655440000"

// now is when the tests are: 2015-09-25 19:12:25.7 UTC, the second of the example in RFC 8588 §6.
var now = time.Unix(1443208345, 700_000_000)

var caller, called = number("12155550121"), number("12155550131")

func number(s string) tn.Identity {
	n, err := tn.ParseNumber(s)
	if err != nil {
		panic(err)
	}
	return tn.Of(n)
}

func ranges(t testing.TB, texts ...string) []tn.Range {
	t.Helper()
	var all []tn.Range
	for _, text := range texts {
		r, err := tn.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// credential is issued by a laboratory PKI at now.
func credential(t testing.TB, cfg oobtest.IssueConfig) *oobtest.Identity {
	t.Helper()
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.Issue(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// credentialOf is what the service signs with.
func credentialOf(t testing.TB, id *oobtest.Identity) stias.Credential {
	t.Helper()
	certs, err := stircert.ParseChainPEM(id.ChainPEM)
	if err != nil {
		t.Fatal(err)
	}
	return stias.Credential{Key: id.Key, X5U: id.X5U, Chain: trust.NewChain(certs)}
}

// config is that of provider 1234, which owns some numbers and has one other customer.
func config(t testing.TB, id *oobtest.Identity) stias.Config {
	t.Helper()
	return stias.Config{
		SPC: "1234", Credential: credentialOf(t, id),
		Policy: stias.Policy{Own: ranges(t, "12155550100-12155550199", "911"), Customers: []string{"enterprise", ""}},
		Now:    func() time.Time { return now },
	}
}

func service(t testing.TB, cfg stias.Config) *stias.Service {
	t.Helper()
	s, err := stias.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNew_RefusesACredentialThatCannotSign(t *testing.T) {
	good := credential(t, oobtest.IssueConfig{SPC: "1234"})
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		edit func(*stias.Config)
		want error
	}{
		{"good", func(*stias.Config) {}, nil},
		{"no certificate at hand", func(c *stias.Config) { c.Credential.Chain = nil }, nil},
		{"no key", func(c *stias.Config) { c.Credential.Key = nil }, stias.KeyUnfit},
		{"P-384 key", func(c *stias.Config) { c.Credential.Key, c.Credential.Chain = p384, nil }, stias.KeyUnfit},
		{"key of another certificate", func(c *stias.Config) {
			c.Credential.Key = credential(t, oobtest.IssueConfig{SPC: "1234"}).Key
		}, stias.KeyMismatch},
		{"SPC of another provider", func(c *stias.Config) { c.SPC = "567B" }, stias.OtherProvider},
		{"no SPC, and no numbers", func(c *stias.Config) { c.SPC = "" }, stias.NotDelegated},
		{"no SPC, and no certificate at hand", func(c *stias.Config) { c.SPC, c.Credential.Chain = "", nil }, stias.NotDelegated},
		{"certificate without TNAuthList", func(c *stias.Config) {
			c.Credential = credentialOf(t, credential(t, oobtest.IssueConfig{SPC: "1234", Key: good.Key, WithoutTNAuthList: true}))
		}, stircert.NoTNAuthList},
		{"no x5u", func(c *stias.Config) { c.Credential.X5U = "" }, stias.X5UUnfit},
		{"x5u http", func(c *stias.Config) { c.Credential.X5U = "http://example.com/a.pem" }, stias.X5UUnfit},
		{"x5u that breaks out of its brackets", func(c *stias.Config) { c.Credential.X5U = "https://example.com/a.pem>;alg=none" }, stias.X5UUnfit},
		{"x5u with a line break", func(c *stias.Config) { c.Credential.X5U = "https://example.com/a\r\nVia: b" }, stias.X5UUnfit},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, good)
			c.edit(&cfg)
			if s, err := stias.New(cfg); !errors.Is(err, c.want) || (s != nil) != (c.want == nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestRFC8588_S4_Attestation(t *testing.T) {
	s := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234"})))
	uri, err := tn.ParseURI("sip:alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	foreign := number("13175550100")
	for _, c := range []struct {
		name string
		call stias.Call
		want passport.Attestation
	}{
		{"own number", stias.Call{Orig: caller}, "A"},
		{"own number of a known customer", stias.Call{Orig: caller, Customer: "enterprise"}, "A"},
		{"own single number", stias.Call{Orig: number("911")}, "A"},
		{"known customer, foreign number", stias.Call{Orig: foreign, Customer: "enterprise"}, "B"},
		{"known customer, no number", stias.Call{Orig: uri, Customer: "enterprise"}, "B"},
		{"unknown customer, foreign number", stias.Call{Orig: foreign, Customer: "somebody"}, "C"},
		{"nobody, although the list names nobody", stias.Call{Orig: foreign}, "C"},
		{"neighbour of an own block", stias.Call{Orig: number("12155550200")}, "C"},
		{"own number from another network", stias.Call{Orig: caller, Gateway: true}, "C"},
		{"known customer from another network", stias.Call{Orig: foreign, Customer: "enterprise", Gateway: true}, "C"},
		{"no caller", stias.Call{}, "C"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.Attest(c.call)
			if got.Attest != c.want || got.Reason == "" || got.Row == "" || strings.ContainsAny(got.Reason+got.Row, "0123456789") {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
}

func TestRFC8588_S8_SignedCallIsCanonical(t *testing.T) {
	id := credential(t, oobtest.IssueConfig{SPC: "1234"})
	s := service(t, config(t, id))
	signed, err := s.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}, OrigID: origid})
	if err != nil {
		t.Fatal(err)
	}
	d := passport.Diagnose(signed.Passport)
	wantHeader := `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"` + id.X5U + `"}`
	wantPayload := `{"attest":"A","dest":{"tn":["12155550131"]},"iat":1443208345,"orig":{"tn":"12155550121"},"origid":"` + origid + `"}`
	if d.Refusal != nil || len(d.Deviations) != 0 || d.Header != wantHeader || d.Payload != wantPayload {
		t.Errorf("%+v", d)
	}
	token, err := passport.Parse(signed.Passport)
	if err != nil || token.Verify(&id.Key.PublicKey) != nil {
		t.Error("does not verify")
	}
	if signed.Attest != "A" || signed.OrigID != origid || !signed.IAT.Equal(time.Unix(1443208345, 0)) || signed.Reason == "" {
		t.Errorf("%+v", signed)
	}
	want := signed.Passport + ";info=<" + id.X5U + ">;alg=ES256;ppt=shaken"
	if got := signed.Identity.String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if h, err := identity.Parse(want); err != nil || h.Token != signed.Passport {
		t.Error("the header field cannot be read back")
	}
}

func TestRFC8588_S5_NewOrigIDForEachCall(t *testing.T) {
	s := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234"})))
	call := stias.Call{Orig: caller, Dest: []tn.Identity{called}}
	first, err1 := s.Sign(call)
	second, err2 := s.Sign(call)
	if err1 != nil || err2 != nil || first.OrigID == second.OrigID || len(first.OrigID) != 36 {
		t.Errorf("%q, %q, %v, %v", first.OrigID, second.OrigID, err1, err2)
	}
	cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
	cfg.NewID = func() string { return origid }
	if signed, err := service(t, cfg).Sign(call); err != nil || signed.OrigID != origid {
		t.Errorf("%q, %v", signed.OrigID, err)
	}
}

func TestSign_RefusesWhatNoPassportCanName(t *testing.T) {
	s := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234"})))
	for _, c := range []struct {
		name string
		call stias.Call
		want error
	}{
		{"no caller", stias.Call{Dest: []tn.Identity{called}}, passport.ClaimMissing},
		{"no called party", stias.Call{Orig: caller}, nil},
		{"origid that is no UUID", stias.Call{Orig: caller, Dest: []tn.Identity{called}, OrigID: "call-1"}, passport.OrigIDForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := s.Sign(c.call)
			if err == nil || signed.Passport != "" || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%+v, %v", signed, err)
			}
			if strings.Contains(err.Error(), caller.String()) {
				t.Errorf("a number in %q", err)
			}
		})
	}
}

func TestRFC8224_S6_1_SignsOnlyWithinTheValidityOfItsCertificate(t *testing.T) {
	id := credential(t, oobtest.IssueConfig{SPC: "1234", NotBefore: now.Truncate(time.Second), NotAfter: now.Truncate(time.Second).Add(time.Minute)})
	for _, c := range []struct {
		name string
		at   time.Time
		want error
	}{
		{"before", id.Certificate.X509().NotBefore.Add(-time.Nanosecond), stircert.NotYetValid},
		{"first instant", id.Certificate.X509().NotBefore, nil},
		{"last instant", id.Certificate.X509().NotAfter, nil},
		{"after", id.Certificate.X509().NotAfter.Add(time.Nanosecond), stircert.Expired},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, id)
			cfg.Now = func() time.Time { return c.at }
			signed, err := service(t, cfg).Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}})
			if !errors.Is(err, c.want) || (err == nil) != (signed.Passport != "") {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// brokenKey is a key whose hardware has failed.
type brokenKey struct{ *ecdsa.PrivateKey }

var errHardware = errors.New("hardware failure")

func (brokenKey) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	return nil, errHardware
}

// published is a CPS that answers as a test likes and remembers what it was given.
type published struct {
	answer error
	got    []oob.Publication
}

func (p *published) Publish(_ context.Context, publication oob.Publication) error {
	p.got = append(p.got, publication)
	return p.answer
}

func TestPlace_PublishesWhatItSigned(t *testing.T) {
	cps := &published{}
	cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
	cfg.Publisher = cps
	key := oob.Key{Profile: oob.Agreed, SPC: "1234", Dest: called, Orig: caller}
	placed, err := service(t, cfg).Place(t.Context(), stias.Call{Orig: caller, Dest: []tn.Identity{called}}, key, now.Add(15*time.Second))
	if err != nil || placed.PublishErr != nil || len(cps.got) != 1 {
		t.Fatalf("%+v, %v, %d published", placed, err, len(cps.got))
	}
	got := cps.got[0]
	if got.Key != key || len(got.Passports) != 1 || got.Passports[0] != placed.Passport || !got.Expires.Equal(now.Add(15*time.Second)) {
		t.Errorf("%+v", got)
	}
}

func TestPlace_CallGoesOnWhenTheCPSFails(t *testing.T) {
	id := credential(t, oobtest.IssueConfig{SPC: "1234"})
	call := stias.Call{Orig: caller, Dest: []tn.Identity{called}}
	for _, c := range []struct {
		name      string
		publisher oob.Publisher
		want      error
	}{
		{"CPS down", &published{answer: oob.Faultf(oob.PeerFailed, "")}, oob.PeerFailed},
		{"CPS slow", &published{answer: context.DeadlineExceeded}, context.DeadlineExceeded},
		{"no CPS", nil, stias.ErrNoPublisher},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, id)
			cfg.Publisher = c.publisher
			placed, err := service(t, cfg).Place(t.Context(), call, oob.Key{}, time.Time{})
			if err != nil || placed.Passport == "" || !errors.Is(placed.PublishErr, c.want) {
				t.Errorf("%+v, %v", placed, err)
			}
		})
	}
}

func TestPlace_PublishesNothingThatIsNotSigned(t *testing.T) {
	cps := &published{}
	id := credential(t, oobtest.IssueConfig{SPC: "1234"})
	cfg := config(t, id)
	cfg.Publisher, cfg.Credential.Key = cps, brokenKey{id.Key}
	placed, err := service(t, cfg).Place(t.Context(), stias.Call{Orig: caller, Dest: []tn.Identity{called}}, oob.Key{}, time.Time{})
	if !errors.Is(err, errHardware) || placed.Passport != "" || len(cps.got) != 0 {
		t.Errorf("%+v, %v, %d published", placed, err, len(cps.got))
	}
}

func BenchmarkSign(b *testing.B) {
	s := service(b, config(b, credential(b, oobtest.IssueConfig{SPC: "1234"})))
	call := stias.Call{Orig: caller, Dest: []tn.Identity{called}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(call); err != nil {
			b.Fatal(err)
		}
	}
}
