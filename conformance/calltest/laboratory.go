// Package calltest is what the conformance tests of documents about calls have in common: two providers, one of which signs
// calls that the other verifies.
//
// Knows: package testing, the test kit. Never hears of: the requirements.
package calltest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// OrigID is that of PASSporTs that say nothing else.
const OrigID = "123e4567-e89b-12d3-a456-426655440000"

// Who calls whom, and others.
var (
	Caller  = Party("12155550121")
	Called  = Party("12155550131")
	Another = Party("12155550199")
)

// Party is a caller or a called party by its canonical text.
func Party(text string) tn.Identity {
	id, err := tn.ParseIdentity(text)
	if err != nil {
		panic(err) // a mistake in a test
	}
	return id
}

// Numbers is what the certificate of a delegate lists: these numbers, and no provider.
func Numbers(texts ...string) stircert.TNAuthList {
	var list stircert.TNAuthList
	for _, text := range texts {
		r, err := tn.ParseRange(text)
		if err != nil {
			panic(err) // a mistake in a test
		}
		list.Ranges = append(list.Ranges, r)
	}
	return list
}

// Laboratory is a PKI, its repository and a verifier, all of them real. Its clock stands still.
type Laboratory struct {
	testing.TB
	*oobtest.PKI
	Clock      *oobtest.Clock
	Repository *oobtest.Repository
	Verifier   *trust.Verifier
	Signer     *oobtest.Identity // provider 1234
}

// Start makes one, for the time of a test.
func Start(t testing.TB) *Laboratory {
	t.Helper()
	l := &Laboratory{TB: t, Clock: oobtest.NewClock()}
	var err error
	l.PKI, err = oobtest.NewPKI(oobtest.PKIConfig{Now: l.Clock.Now})
	l.must(err)
	l.Repository, err = l.PKI.StartRepository()
	l.must(err)
	t.Cleanup(func() { l.Repository.Close() })
	// Nothing may depend on the speed of this machine.
	l.Verifier, err = l.PKI.Verifier(l.Repository, trust.Config{Repository: trust.RepositoryConfig{Deadline: 30 * time.Second}}, l.Clock.Now)
	l.must(err)
	t.Cleanup(l.Verifier.Close)
	l.Signer = l.Issue(oobtest.IssueConfig{SPC: "1234"})
	return l
}

func (l *Laboratory) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// Issue makes a credential whose certificate the repository serves.
func (l *Laboratory) Issue(cfg oobtest.IssueConfig) *oobtest.Identity {
	l.Helper()
	id, err := l.PKI.Issue(cfg)
	l.must(err)
	return id
}

// Stranger makes a credential for provider 1234 by a CA in which nobody trusts. The repository serves it all the same.
func (l *Laboratory) Stranger() *oobtest.Identity {
	l.Helper()
	foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.Clock.Now})
	l.must(err)
	id, err := foreign.Issue(oobtest.IssueConfig{SPC: "1234"})
	l.must(err)
	id.X5U = l.Serve("/stranger.pem", id.ChainPEM)
	return id
}

// Service is a verification service with all the time it needs, unless edit says otherwise. edit may be nil.
func (l *Laboratory) Service(edit func(*stivs.Config)) *stivs.Service {
	l.Helper()
	cfg := stivs.Config{Verifier: l.Verifier, Now: l.Clock.Now, Budget: time.Minute}
	if edit != nil {
		edit(&cfg)
	}
	s, err := stivs.New(cfg)
	l.must(err)
	return s
}

// Verify asks a new service about a call from Caller to Called with these Identity header field values.
func (l *Laboratory) Verify(fields ...string) oob.Verdict {
	l.Helper()
	return l.Service(nil).Verify(l.Context(), Call(fields...))
}

// Call is a call from Caller to Called.
func Call(fields ...string) stivs.Call {
	return stivs.Call{Orig: Caller, Dest: Called, Identity: fields}
}

// Sign makes a PASSporT of any type. What claims lack is that of a call from Caller to Called now.
func (l *Laboratory) Sign(by *oobtest.Identity, ppt passport.Type, claims passport.Claims) string {
	l.Helper()
	if claims.IAT.IsZero() {
		claims.IAT = l.Clock.Now()
	}
	if claims.Orig.IsZero() {
		claims.Orig = Caller
	}
	if claims.Dest == nil {
		claims.Dest = []tn.Identity{Called}
	}
	if ppt == passport.Shaken && claims.Attest == "" {
		claims.Attest, claims.OrigID = passport.AttestFull, OrigID
	}
	token, err := passport.Sign(by.Key, ppt, by.X5U, claims)
	l.must(err)
	return token
}

// Shaken is the Identity header field value of a good call.
func (l *Laboratory) Shaken() string {
	l.Helper()
	return Field(l.Sign(l.Signer, passport.Shaken, passport.Claims{}))
}

// Members are those of a JSON object; nil takes one away.
type Members map[string]any

// Forge makes a shaken PASSporT with any members, signed with the key of Signer.
func (l *Laboratory) Forge(header, payload Members) string {
	l.Helper()
	h := Members{"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": l.Signer.X5U}
	p := Members{
		"attest": "A", "dest": Members{"tn": []string{Called.String()}}, "iat": l.Clock.Now().Unix(),
		"orig": Members{"tn": Caller.String()}, "origid": OrigID,
	}
	return l.SignText(l.Signer.Key, l.segment(h, header)+"."+l.segment(p, payload))
}

func (l *Laboratory) segment(object, edit Members) string {
	l.Helper()
	maps.Copy(object, edit)
	maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
	text, err := json.Marshal(object)
	l.must(err)
	return base64.RawURLEncoding.EncodeToString(text)
}

// SignText adds a signature to a signing input.
func (l *Laboratory) SignText(key *ecdsa.PrivateKey, input string) string {
	l.Helper()
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(nil, key, digest[:])
	l.must(err)
	var raw [64]byte
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(raw[:])
}

// SigningInput is a token without its signature.
func SigningInput(token string) string { return token[:strings.LastIndexByte(token, '.')] }

// Field is the header field value of a token, with what the token says of itself. What says nothing is put in as shaken.
func Field(token string) string {
	field := identity.Header{Token: token, Alg: "ES256", PPT: string(passport.Shaken)}
	if envelope, err := passport.Open(token); err == nil {
		field.Info, field.PPT = envelope.Header.X5U, string(envelope.Header.PPT)
	}
	return field.String()
}

// Passes wants a verdict to say who calls.
func Passes(t testing.TB, v oob.Verdict) {
	t.Helper()
	if v.Verstat != oob.VerstatPassed || v.Code != 0 {
		t.Errorf("%s, %d %s, case %q\n%s", v.Verstat, v.Code, v.ReasonText, v.Case, story(v))
	}
}

// Answers wants a verdict that does not say so, with this code, text and verstat.
func Answers(t testing.TB, v oob.Verdict, code int, text string, verstat oob.Verstat) {
	t.Helper()
	if v.Code != code || v.ReasonText != text || v.Verstat != verstat || v.Attest != "" || v.SignerSPC != "" {
		t.Errorf("%d %q, %s, case %q, want %d %q, %s\n%s", v.Code, v.ReasonText, v.Verstat, v.Case, code, text, verstat, story(v))
	}
}

// story is the checks of a verdict, for a person.
func story(v oob.Verdict) string {
	var b strings.Builder
	for _, c := range v.Checks {
		b.WriteString("  " + c.Of + " " + c.Name + " " + string(c.Outcome) + " " + c.Case + ": " + c.Detail + "\n")
	}
	return b.String()
}
