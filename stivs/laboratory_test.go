package stivs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

var (
	caller  = number("12155550121")
	called  = number("12155550131")
	another = number("12155550199")
	key     = oob.Key{Profile: oob.Mesh, Dest: called, Orig: caller}
)

func number(s string) tn.Identity {
	n, err := tn.ParseNumber(s)
	if err != nil {
		panic(err)
	}
	return tn.Of(n)
}

// laboratory is two providers: one signs, the other verifies. Its PKI, its https repository and its verifier are real;
// its clock stands still.
type laboratory struct {
	t        testing.TB
	pki      *oobtest.PKI
	base     string // of the repository
	fetches  atomic.Int64
	hanging  chan struct{} // paths that begin with /hang are answered when it is closed
	now      time.Time
	verifier *trust.Verifier
	signer   *oobtest.Identity
}

func newLaboratory(t testing.TB) *laboratory {
	t.Helper()
	l := &laboratory{t: t, now: time.Now().Truncate(time.Second), hanging: make(chan struct{})}
	var err error
	l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	l.must(err)
	own := l.pki.Handler()
	host, err := l.pki.StartHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.fetches.Add(1)
		if strings.HasPrefix(r.URL.Path, "/hang") {
			<-l.hanging
		}
		own.ServeHTTP(w, r)
	}))
	l.must(err)
	l.base = host.URL
	anchors, err := trust.NewAnchors(l.pki.Root.Certificate)
	l.must(err)
	l.verifier, err = trust.New(trust.Config{
		Anchors: anchors, Now: l.clock,
		Repository: trust.RepositoryConfig{
			Deadline:   30 * time.Second, // nothing may depend on the speed of this machine
			Laboratory: trust.Laboratory{Hosts: []string{host.Host}, Roots: l.pki.TLSRoots()},
		},
	})
	l.must(err)
	t.Cleanup(func() {
		close(l.hanging)
		l.verifier.Close()
		host.Close()
	})
	l.signer = l.issue(l.pki, oobtest.IssueConfig{SPC: "1234"})
	return l
}

// in makes a subtest the one that fails, until it ends.
func (l *laboratory) in(t testing.TB) {
	outer := l.t
	l.t = t
	t.Cleanup(func() { l.t = outer })
}

func (l *laboratory) clock() time.Time { return l.now }

func (l *laboratory) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// issue makes a credential whose certificate the laboratory's repository serves, whoever signed it.
func (l *laboratory) issue(pki *oobtest.PKI, cfg oobtest.IssueConfig) *oobtest.Identity {
	l.t.Helper()
	id, err := pki.Issue(cfg)
	l.must(err)
	path := id.X5U[strings.LastIndex(id.X5U, "/"):]
	l.pki.Serve(path, id.ChainPEM)
	id.X5U = l.base + path
	return id
}

// service is a verification service with a budget that no machine can use up, unless edit says otherwise.
func (l *laboratory) service(edit func(*stivs.Config)) *stivs.Service {
	l.t.Helper()
	cfg := stivs.Config{Verifier: l.verifier, Now: l.clock, Budget: time.Minute}
	if edit != nil {
		edit(&cfg)
	}
	s, err := stivs.New(cfg)
	l.must(err)
	return s
}

// verify asks a service that finds the given tokens out of band.
func (l *laboratory) verify(call stivs.Call, outOfBand ...string) oob.Verdict {
	l.t.Helper()
	s := l.service(func(cfg *stivs.Config) {
		cfg.Retriever = retriever(func(context.Context, oob.Key) ([]string, error) { return outOfBand, nil })
	})
	if len(outOfBand) > 0 {
		call.Key = key
	}
	verdict := s.Verify(l.t.Context(), call)
	checkShape(l.t, verdict)
	return verdict
}

// signed is a call from caller to called, signed by the real authentication service.
func (l *laboratory) signed() stias.Signed { return l.signedBy(l.signer, caller, called) }

func (l *laboratory) signedBy(id *oobtest.Identity, orig tn.Identity, dest ...tn.Identity) stias.Signed {
	l.t.Helper()
	s, err := stias.New(stias.Config{
		SPC: id.SPC, Credential: stias.Credential{Key: id.Key, X5U: id.X5U}, Now: l.clock, Policy: stias.Policy{Customers: []string{"a customer"}},
	})
	l.must(err)
	signed, err := s.Sign(stias.Call{Orig: orig, Dest: dest, Customer: "a customer"})
	l.must(err)
	return signed
}

// members are those of a JSON object; nil takes one away.
type members map[string]any

// forge makes a token of any content, signed with the signer's key.
func (l *laboratory) forge(header, payload members) string {
	l.t.Helper()
	return l.forgeBy(l.signer, header, payload)
}

func (l *laboratory) forgeBy(id *oobtest.Identity, header, payload members) string {
	l.t.Helper()
	h := members{"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": id.X5U}
	p := members{
		"attest": "A", "dest": members{"tn": []string{called.String()}}, "iat": l.now.Unix(),
		"orig": members{"tn": caller.String()}, "origid": "123e4567-e89b-12d3-a456-426655440000",
	}
	return l.sign(id.Key, l.segment(h, header)+"."+l.segment(p, payload))
}

func (l *laboratory) segment(object, edit members) string {
	l.t.Helper()
	maps.Copy(object, edit)
	maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(object)
	l.must(err)
	return base64.RawURLEncoding.EncodeToString(text)
}

func (l *laboratory) sign(key *ecdsa.PrivateKey, input string) string {
	l.t.Helper()
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(nil, key, digest[:])
	if err != nil {
		l.t.Fatal(err)
	}
	var raw [64]byte
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(raw[:])
}

// field is the header field value of a token that is signed with x5u as it stands in it.
func (l *laboratory) field(token string) string { return fieldWith(token, l.signer.X5U) }

func fieldWith(token, info string) string {
	return token + ";info=<" + info + ">;alg=ES256;ppt=shaken"
}

func plainCall(fields ...string) stivs.Call {
	return stivs.Call{Orig: caller, Dest: called, Identity: fields}
}

// retriever is a CPS that answers as a test likes.
type retriever func(context.Context, oob.Key) ([]string, error)

func (r retriever) Retrieve(ctx context.Context, k oob.Key) ([]string, error) { return r(ctx, k) }

// stepNames are the checks of one PASSporT in their order.
var stepNames = []string{
	"field", "form", "type", "header", "info", "claims", "freshness", "orig", "dest", "credential", "trust", "signature",
	"authority", "diversion", "single use",
}

// group is the checks of one PASSporT.
type group struct {
	place  string // "in-band 1/2"
	checks []oob.Check
}

func groups(verdict oob.Verdict) []group {
	var all []group
	for _, check := range verdict.Checks {
		if check.Of == "" {
			continue
		}
		if len(all) == 0 || all[len(all)-1].place != check.Of {
			all = append(all, group{place: check.Of})
		}
		g := &all[len(all)-1]
		g.checks = append(g.checks, check)
	}
	return all
}

// checkShape holds a verdict against what is true of all of them: every group has every check in order, nothing but
// skipped ones follows a failed one, and nothing has passed that was not checked completely.
func checkShape(t testing.TB, verdict oob.Verdict) {
	t.Helper()
	complete := 0
	for _, g := range groups(verdict) {
		if len(g.checks) != len(stepNames) {
			t.Errorf("%s: %d checks, want %d", g.place, len(g.checks), len(stepNames))
			continue
		}
		failed, passed := false, 0
		for i, check := range g.checks {
			if check.Name != stepNames[i] {
				t.Errorf("%s: check %d is %q, want %q", g.place, i+1, check.Name, stepNames[i])
			}
			if failed && check.Outcome != oob.CheckSkipped {
				t.Errorf("%s: %s is %s after a failure", g.place, check.Name, check.Outcome)
			}
			if (check.Case != "") != (check.Outcome == oob.CheckFailed) || check.Section == "" || check.At.IsZero() {
				t.Errorf("%s: incomplete check %+v", g.place, check)
			}
			failed = failed || check.Outcome == oob.CheckFailed
			if check.Outcome == oob.CheckPassed || isOptional(check, g.place) {
				passed++
			}
		}
		if passed == len(stepNames) {
			complete++
		}
	}
	if isPassed := verdict.Verstat == oob.VerstatPassed; isPassed && complete == 0 {
		t.Errorf("%s with %d PASSporTs that passed every check", verdict.Verstat, complete)
	}
	if verdict.Began.IsZero() {
		t.Error("a verdict without time")
	}
	isGood := verdict.Verstat == oob.VerstatPassed
	if isGood != (verdict.Attest != "") || isGood != (verdict.SignerSPC != "") || isGood && (verdict.Case != "" || verdict.Code != 0) {
		t.Errorf("verdict contradicts itself: %+v", verdict)
	}
}

// isOptional is true of checks that a PASSporT may skip and yet be good.
func isOptional(check oob.Check, place string) bool {
	switch check.Name {
	case "field", "info":
		return strings.HasPrefix(place, "out-of-band") || strings.Contains(place, " opt ")
	case "diversion":
		return check.Detail == "the call was not diverted" || check.Detail == "it is a step of the way itself"
	case "single use":
		return check.Detail == "it does not prove who calls" || check.Detail == "a preview uses nothing up"
	}
	return false
}

// wantCase holds a verdict against the row of a case.
func wantCase(t testing.TB, verdict oob.Verdict, want stivs.Case) {
	t.Helper()
	row := want.Row()
	if verdict.Case != want.String() || verdict.Code != row.Code || verdict.ReasonText != row.ReasonText ||
		verdict.ReasonDesc != row.Sentence || verdict.Verstat != row.Verstat {
		t.Errorf("case %q, %d %q, %s, want %s: %+v\n%s", verdict.Case, verdict.Code, verdict.ReasonText, verdict.Verstat,
			want, row, story(verdict))
	}
}

func wantPassed(t testing.TB, verdict oob.Verdict, source oob.Source) {
	t.Helper()
	if verdict.Verstat != oob.VerstatPassed || verdict.Source != source {
		t.Errorf("%s, source %q, want passed, %q\n%s", verdict.Verstat, verdict.Source, source, story(verdict))
	}
}

// story is what a person would be shown.
func story(verdict oob.Verdict) string {
	var b strings.Builder
	for _, c := range verdict.Checks {
		b.WriteString("  " + c.Name + " " + string(c.Outcome) + " " + c.Case + " (" + c.Section + ") ")
		if c.Of != "" {
			b.WriteString(c.Of + ": ")
		}
		b.WriteString(c.Detail + "\n")
	}
	return b.String()
}

// checkNamed finds a check of the call itself.
func checkNamed(t testing.TB, verdict oob.Verdict, name string) oob.Check {
	t.Helper()
	for _, c := range verdict.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q\n%s", name, story(verdict))
	return oob.Check{}
}
