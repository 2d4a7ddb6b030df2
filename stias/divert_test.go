package stias_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

var forwarded, again = number("12155550142"), number("12155550153") // called is forwarded, and forwarded once more

// retarget is a provider that owns the called numbers, and the PASSporTs of the one where calls begin.
type retarget struct {
	t       *testing.T
	id      *oobtest.Identity
	cfg     stias.Config
	service *stias.Service
}

func newRetarget(t *testing.T, edit ...func(*stias.Config)) *retarget {
	t.Helper()
	r := &retarget{t: t, id: credential(t, oobtest.IssueConfig{SPC: "1234"})}
	r.cfg = config(t, r.id)
	for _, e := range edit {
		e(&r.cfg)
	}
	r.service = service(t, r.cfg)
	return r
}

// original is a PASSporT of a call as another provider has signed it, some seconds ago.
func (r *retarget) original(ppt passport.Type, age time.Duration, edit ...func(*passport.Claims)) string {
	r.t.Helper()
	id := credential(r.t, oobtest.IssueConfig{SPC: "567B"})
	claims := passport.Claims{IAT: now.Add(-age), Orig: caller, Dest: []tn.Identity{called}}
	switch ppt {
	case passport.Shaken:
		claims.Attest, claims.OrigID = "A", origid
	case passport.RPH:
		claims.RPH = []string{"ets.0"}
	}
	for _, e := range edit {
		e(&claims)
	}
	token, err := passport.Sign(id.Key, ppt, id.X5U, claims)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

func to(dest ...tn.Identity) func(*passport.Claims) {
	return func(c *passport.Claims) { c.Dest = dest }
}

func (r *retarget) divert(d stias.Diversion) []stias.Signed {
	r.t.Helper()
	signed, err := r.service.Divert(d)
	if err != nil {
		r.t.Fatal(err)
	}
	return signed
}

func (r *retarget) parse(signed stias.Signed) *passport.Token {
	r.t.Helper()
	token, err := passport.Parse(signed.Passport)
	if err != nil || token.Verify(&r.id.Key.PublicKey) != nil || token.Header.X5U != r.id.X5U {
		r.t.Fatalf("not a good PASSporT of the retargeting provider: %v", err)
	}
	return token
}

func tokens(signed []stias.Signed) []string {
	var all []string
	for _, s := range signed {
		all = append(all, s.Passport)
	}
	return all
}

func TestRFC8946_S3_DivSaysOnlyWhoWasCalled(t *testing.T) {
	r := newRetarget(t)
	original := r.original(passport.Shaken, 5*time.Second)
	signed := r.divert(stias.Diversion{Carried: []string{original}, From: called, To: forwarded, HI: "1.1"})
	if len(signed) != 1 {
		t.Fatalf("%d PASSporTs", len(signed))
	}
	d := passport.Diagnose(signed[0].Passport)
	wantHeader := `{"alg":"ES256","ppt":"div","typ":"passport","x5u":"` + r.id.X5U + `"}`
	wantPayload := `{"dest":{"tn":["12155550142"]},"div":{"hi":"1.1","tn":"12155550131"},"iat":1443208340,"orig":{"tn":"12155550121"}}`
	if d.Refusal != nil || len(d.Deviations) != 0 || d.Header != wantHeader || d.Payload != wantPayload {
		t.Errorf("%+v", d)
	}
	r.parse(signed[0])
	want := identity.Header{Token: signed[0].Passport, Info: r.id.X5U, Alg: "ES256", PPT: "div"}
	if signed[0].Identity.String() != want.String() || signed[0].IAT.Unix() != 1443208340 || signed[0].Attest != "" || signed[0].OrigID != "" {
		t.Errorf("%+v", signed[0])
	}
}

func TestRFC8946_S4_1_OneDivForEachPairOfOrigAndDest(t *testing.T) {
	r := newRetarget(t)
	shaken, rph := r.original(passport.Shaken, 5*time.Second), r.original(passport.RPH, 3*time.Second)
	other := func(c *passport.Claims) { c.Orig = number("12155550122") }
	header := identity.Header{Token: shaken, Info: "https://example.com/a.pem", Alg: "ES256", PPT: "shaken"}.String()
	for _, c := range []struct {
		name    string
		carried []string
		want    int
	}{
		{"one", []string{shaken}, 1},
		{"the whole header field", []string{header}, 1},
		{"two of the same call", []string{shaken, rph}, 1},
		{"the same twice", []string{shaken, shaken}, 1},
		{"another caller", []string{shaken, r.original(passport.Shaken, 0, other)}, 2},
		{"more called parties", []string{shaken, r.original(passport.Shaken, 0, to(called, again))}, 2},
		{"more called parties in another order", []string{r.original(passport.Shaken, 0, to(again, called)), r.original(passport.RPH, 0, to(called, again))}, 1},
		{"beside one of another call", []string{shaken, r.original(passport.Shaken, 0, to(again))}, 1},
		{"beside one that cannot be read", []string{"x", "..signature", "a.b.c", shaken}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			signed := r.divert(stias.Diversion{Carried: c.carried, From: called, To: forwarded})
			if len(signed) != c.want {
				t.Errorf("%d PASSporTs, want %d", len(signed), c.want)
			}
			for _, s := range signed {
				token := r.parse(s)
				if token.Claims.Div != called || !token.Claims.Names(forwarded) || len(token.Claims.Dest) != 1 {
					t.Errorf("%+v", token.Claims)
				}
			}
		})
	}
	signed := r.divert(stias.Diversion{Carried: []string{shaken, rph}, From: called, To: forwarded})
	if got := signed[0].IAT; !got.Equal(now.Add(-3 * time.Second).Truncate(time.Second)) {
		t.Errorf("of two, the iat is not that of the newer: %s", got)
	}
}

func TestRFC8946_S4_1_WithoutAPassportNoDiv(t *testing.T) {
	r := newRetarget(t)
	for _, c := range []struct {
		name string
		d    stias.Diversion
		want error
	}{
		{"none", stias.Diversion{From: called, To: forwarded}, stias.NothingToDivert},
		{"one for another called party", stias.Diversion{Carried: []string{r.original(passport.Shaken, 0, to(again))}, From: called, To: forwarded}, stias.NothingToDivert},
		{"garbage", stias.Diversion{Carried: []string{"x", "", "a.b.c;info=<https://example.com>"}, From: called, To: forwarded}, stias.NothingToDivert},
		{"compact form", stias.Diversion{Carried: []string{"..c2lnbmF0dXJl;info=<https://example.com>"}, From: called, To: forwarded}, stias.NothingToDivert},
		{"the same called party", stias.Diversion{Carried: []string{r.original(passport.Shaken, 0)}, From: called, To: called}, stias.NotRetargeted},
		{"to a party that is called already", stias.Diversion{Carried: []string{r.original(passport.Shaken, 0, to(called, forwarded))}, From: called, To: forwarded}, stias.NothingToDivert},
		{"nobody to go to", stias.Diversion{Carried: []string{r.original(passport.Shaken, 0)}, From: called}, passport.NumberForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := r.service.Divert(c.d)
			if !errors.Is(err, c.want) || signed != nil {
				t.Errorf("%d, %v, want %v", len(signed), err, c.want)
			}
		})
	}
}

func TestRFC8946_S3_SignerHasAuthorityOverTheFormerCalledParty(t *testing.T) {
	uri, err := tn.ParseURI("sip:bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	listed := stircert.TNAuthList{SPCs: []string{"1234"}, Ranges: ranges(t, "12155550131")}
	for _, c := range []struct {
		name string
		edit func(*stias.Config)
		from tn.Identity
		want error
	}{
		{"own number", func(*stias.Config) {}, called, nil},
		{"foreign number", func(c *stias.Config) { c.Policy = stias.Policy{Customers: []string{"enterprise"}} }, called, stias.NoAuthority},
		{"number of a row that gives A", func(c *stias.Config) {
			c.Policy = stias.Policy{Rows: []stias.Row{{Customers: []string{"x"}, Numbers: ranges(t, "12155550131"), Attest: "A"}}}
		}, called, nil},
		{"number of a row that gives B", func(c *stias.Config) {
			c.Policy = stias.Policy{Rows: []stias.Row{{Customers: []string{"x"}, Numbers: ranges(t, "12155550131"), Attest: "B"}}}
		}, called, stias.NoAuthority},
		{"number of the certificate", func(cfg *stias.Config) {
			cfg.Policy = stias.Policy{}
			cfg.Credential = credentialOf(t, credential(t, oobtest.IssueConfig{SPC: "1234", TNAuthList: listed}))
		}, called, nil},
		{"a URI", func(*stias.Config) {}, uri, stias.NoAuthority},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRetarget(t, c.edit)
			signed, err := r.service.Divert(stias.Diversion{Carried: []string{r.original(passport.Shaken, 0, to(c.from))}, From: c.from, To: again})
			if !errors.Is(err, c.want) || (len(signed) == 1) != (c.want == nil) {
				t.Errorf("%d, %v, want %v", len(signed), err, c.want)
			}
		})
	}
}

// A call that is retargeted twice has one div for each step, and the second comes from the first.
func TestRFC8946_S4_1_SecondRetargetingFollowsTheFirst(t *testing.T) {
	r := newRetarget(t)
	carried := []string{r.original(passport.RPH, 4*time.Second), r.original(passport.Shaken, 4*time.Second)}
	first := r.divert(stias.Diversion{Carried: carried, From: called, To: forwarded})
	carried = append(carried, tokens(first)...)
	second := r.divert(stias.Diversion{Carried: carried, From: forwarded, To: again})
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("%d and %d PASSporTs", len(first), len(second))
	}
	token := r.parse(second[0])
	if token.Claims.Div != forwarded || !token.Claims.Names(again) || token.Claims.Orig != caller || token.Claims.IAT.Unix() != now.Unix()-4 {
		t.Errorf("%+v", token.Claims)
	}
	// Back to where it was called first, and on from there: the original and the last div name the same parties.
	back := r.divert(stias.Diversion{Carried: append(carried, tokens(second)...), From: again, To: called})
	carried = append(append(carried, tokens(second)...), tokens(back)...)
	if on := r.divert(stias.Diversion{Carried: carried, From: called, To: forwarded}); len(on) != 1 {
		t.Errorf("%d PASSporTs", len(on))
	}
}

func TestRFC8946_S3_IATIsKeptWhileItIsFresh(t *testing.T) {
	for _, c := range []struct {
		name  string
		age   time.Duration
		fresh bool
		want  time.Duration
	}{
		{"kept", 59 * time.Second, false, 59 * time.Second},
		{"stale, so that nobody would believe it", 2 * time.Minute, false, 0},
		{"new by configuration", 5 * time.Second, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRetarget(t, func(cfg *stias.Config) { cfg.FreshDiversions = c.fresh })
			signed := r.divert(stias.Diversion{Carried: []string{r.original(passport.Shaken, c.age)}, From: called, To: forwarded})
			want := now.Add(-c.want).Truncate(time.Second)
			if got := r.parse(signed[0]).Claims.IAT; !got.Equal(want) || !signed[0].IAT.Equal(want) {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestRFC8946_S5_DivOHasTheOneBeforeInside(t *testing.T) {
	r := newRetarget(t)
	shaken, rph := r.original(passport.Shaken, 0), r.original(passport.RPH, 0)
	div := r.divert(stias.Diversion{Carried: []string{shaken}, From: called, To: forwarded})
	first := r.divert(stias.Diversion{Carried: []string{shaken, rph, shaken, div[0].Passport}, From: called, To: forwarded, OutOfBand: true})
	if len(first) != 2 {
		t.Fatalf("%d PASSporTs for two different ones", len(first))
	}
	for i, before := range []string{shaken, rph} {
		token := r.parse(first[i])
		if token.Header.PPT != passport.DivO || token.Claims.Opt != before || token.Claims.Div != called || first[i].Identity.Token != "" {
			t.Errorf("%s: %+v", token.Header.PPT, token.Claims)
		}
	}
	second := r.divert(stias.Diversion{Carried: append(tokens(first), div[0].Passport), From: forwarded, To: again, OutOfBand: true})
	if len(second) != 2 {
		t.Fatalf("%d PASSporTs: a div has no original inside", len(second))
	}
	token := r.parse(second[0])
	within, err := token.Nested()
	if err != nil || len(within) != 2 || within[0].String() != first[0].Passport || within[1].String() != shaken {
		t.Errorf("%d inside, %v", len(within), err)
	}
}

func TestDivert_NestsNoDeeperThanAVerifierReads(t *testing.T) {
	r := newRetarget(t)
	carried, parties := r.original(passport.Shaken, 0), [2]tn.Identity{called, forwarded}
	for depth := 1; ; depth++ {
		signed, err := r.service.Divert(stias.Diversion{
			Carried: []string{carried}, From: parties[(depth+1)%2], To: parties[depth%2], OutOfBand: true,
		})
		if err != nil {
			if !errors.Is(err, stias.TooDeep) && !errors.Is(err, passport.TooLong) || depth < 5 {
				t.Errorf("depth %d: %v", depth, err)
			}
			return
		}
		within, err := r.parse(signed[0]).Nested()
		if err != nil || len(within) != depth || depth > passport.DivDepthMax {
			t.Fatalf("depth %d: %d inside, %v", depth, len(within), err)
		}
		carried = signed[0].Passport
	}
}

// What is no PASSporT hides none, and what is read is bounded all the same.
func TestCarried_IsReadToABound(t *testing.T) {
	r := newRetarget(t)
	original, other := r.original(passport.Shaken, 0), r.original(passport.Shaken, 0, to(again))
	full := "a.b.c;x=" + strings.Repeat("a", identity.BytesMax-len("a.b.c;x="))
	for _, c := range []struct {
		name   string
		before []string
		found  bool
	}{
		{"as many without PASSporT as are read with one", slices.Repeat([]string{"a.b.c;info=<https://x/>"}, identity.HeadersMax), true},
		{"many without PASSporT", slices.Repeat([]string{"", "x", "..c2ln;info=<https://x/>"}, 1000), true},
		{"values that are too long to be read", slices.Repeat([]string{full + "a"}, 2*identity.HeadersMax), true},
		{"almost as many PASSporTs as are read", slices.Repeat([]string{other}, identity.HeadersMax-1), true},
		{"as many PASSporTs as are read", slices.Repeat([]string{other}, identity.HeadersMax), false},
		{"almost as many bytes as are read", slices.Repeat([]string{full}, identity.HeadersMax-1), true},
		{"as many bytes as are read", slices.Repeat([]string{full}, identity.HeadersMax), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			carried := append(slices.Clone(c.before), original)
			signed, err := r.service.Divert(stias.Diversion{Carried: carried, From: called, To: forwarded})
			if (len(signed) == 1) != c.found || !c.found && !errors.Is(err, stias.NothingToDivert) {
				t.Errorf("%d, %v", len(signed), err)
			}
			if err != nil && strings.Contains(err.Error(), called.String()) {
				t.Errorf("a number in %q", err)
			}
			_, err = r.service.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}, Carried: carried})
			if errors.Is(err, stias.AlreadySigned) != c.found {
				t.Errorf("signed although it is: %v", err)
			}
		})
	}
}

func TestDivert_SignsNothingWithAnExpiredCertificate(t *testing.T) {
	r := newRetarget(t)
	original := r.original(passport.Shaken, 0)
	r.cfg.Now = func() time.Time { return r.id.Certificate.NotAfter.Add(time.Second) }
	signed, err := service(t, r.cfg).Divert(stias.Diversion{Carried: []string{original}, From: called, To: forwarded})
	if !errors.Is(err, stircert.Expired) || signed != nil {
		t.Errorf("%d, %v", len(signed), err)
	}
}

// What is signed here when a call is retargeted, a verification service follows to the original, in band and out of it.
func TestRFC8946_S4_2_VerifierFollowsWhatWasDiverted(t *testing.T) {
	c := newChange(t)
	originates := service(t, c.cfg)
	id := c.issue(oobtest.IssueConfig{SPC: "567B"})
	cfg := config(t, id)
	cfg.SPC, cfg.Now = "567B", c.clock
	retargets := service(t, cfg)
	original, err := originates.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}})
	c.must(err)

	inBand := []string{original.Identity.String()}
	outOfBand := []string{original.Passport}
	parties := []tn.Identity{called, forwarded, again}
	for i := range 2 {
		div, err := retargets.Divert(stias.Diversion{Carried: inBand, From: parties[i], To: parties[i+1]})
		c.must(err)
		nested, err := retargets.Divert(stias.Diversion{Carried: outOfBand, From: parties[i], To: parties[i+1], OutOfBand: true})
		c.must(err)
		inBand, outOfBand = append(inBand, div[0].Identity.String()), tokens(nested)
	}
	key := oob.Key{Profile: oob.Mesh, Dest: again, Orig: caller}
	for name, call := range map[string]stivs.Call{
		"in band":     {ID: "1", Orig: caller, Dest: again, Identity: inBand},
		"out of band": {ID: "2", Orig: caller, Dest: again, Key: key},
	} {
		t.Run(name, func(t *testing.T) {
			verifies, err := stivs.New(stivs.Config{Verifier: c.judge, Retriever: held(outOfBand), Now: c.clock, Budget: time.Minute})
			c.must(err)
			verdict := verifies.Verify(t.Context(), call)
			if verdict.Verstat != oob.VerstatPassed || len(verdict.Diversions) != 2 || verdict.Attest != "A" {
				t.Errorf("%s, %d diversions, attest %q: %s", verdict.Verstat, len(verdict.Diversions), verdict.Attest, verdict.ReasonDesc)
			}
		})
	}
}

// held is what a CPS gives, whatever the key.
type held []string

func (h held) Retrieve(context.Context, oob.Key) ([]string, error) { return h, nil }
