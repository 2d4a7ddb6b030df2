package stivs_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// use is a call that was told to be verified, and how.
type use struct {
	call   string
	what   string // the PASSporT, and the called party for whom it was made
	source oob.Source
}

// world is one service with what has come to it.
type world struct {
	*laboratory
	r       *rand.Rand
	parties []party
	bad     int // how many of 24 things are wrong
	oracle  oracle
	cfg     stivs.Config
	uses    map[string]use  // by what: the first
	stands  map[string]use  // by call: the last, unless it was withdrawn
	lost    map[use]bool    // withdrawn because they were, or may have been, another's
	brought map[string]bool // by call and what was said: in band
	offered map[string]bool // what was ever said
	log     []string
}

// RFC 8224 §6.2, §12.1: whatever comes, in whatever order, on whatever road, and however the service is configured: no call
// passes without a PASSporT that is good for it and has verified no other, and none that brings such a one fails.
func TestNothingButAGoodPassportVerifiesACall(t *testing.T) {
	l := newLaboratory(t)
	foreign, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	l.must(err)
	parties := []party{
		{l.signer, ""}, {l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"}), ""},
		{l.issue(l.pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: delegated()}), caller.String()},
		{l.issue(foreign, oobtest.IssueConfig{SPC: "6666"}), ""}, // a stranger
	}
	for trial := range uint64(200) {
		w := &world{laboratory: l, r: rand.New(rand.NewPCG(8224, trial)), parties: parties}
		if err := w.play(t); err != nil {
			t.Fatalf("world %d: %v\n%s", trial, err, strings.Join(w.log, "\n"))
		}
	}
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// or gives what is right, or now and then something else.
func or[T any](w *world, right T, wrong ...T) T {
	if w.r.IntN(24) < w.bad {
		return pick(w.r, wrong...)
	}
	return right
}

// token makes the nth PASSporT, which may hold another.
func (w *world) token(n int, inner string) string {
	ppt := pick(w.r, "shaken", "shaken", "base", "rcd", "div", "div", "div-o", "rph")
	dest := pick(w.r, []string{called.String()}, []string{second.String()}, []string{called.String(), second.String()})
	header := members{"ppt": ppt}
	payload := members{"iat": w.now.Unix() - or(w, pick[int64](w.r, 0, 0, 1, 30), 60, 61, -60, -61, 300), "attest": nil, "origid": nil,
		"orig": members{"tn": or(w, caller, another).String()}}
	switch ppt {
	case "shaken":
		payload["attest"], payload["origid"] = or(w, pick(w.r, "A", "B", "C"), "D", ""), fmt.Sprintf("123e4567-e89b-42d3-a456-%012d", n)
	case "base":
		header["ppt"] = nil
	case "rcd":
		payload["rcd"] = members{"nam": fmt.Sprint(n)}
	case "rph":
		payload["rph"] = members{"auth": []string{"ets.0"}}
	default:
		from := pick(w.r, []tn.Identity{called, second}, []tn.Identity{second, third}, []tn.Identity{called, third}, []tn.Identity{third, called})
		payload["div"], dest = members{"tn": from[0].String()}, []string{from[1].String()}
		if ppt == "div-o" && inner != "" {
			payload["opt"] = inner
		}
	}
	payload["dest"] = members{"tn": dest}
	token := w.forgeBy(or(w, pick(w.r, w.parties[:2]...), w.parties[2:]...).Identity, header, payload)
	return or(w, token, malleate(w.t, token), w.sign(pick(w.r, w.parties...).Key, head(token)))
}

func (w *world) play(t *testing.T) error {
	w.uses, w.stands, w.lost = map[string]use{}, map[string]use{}, map[use]bool{}
	w.brought, w.offered = map[string]bool{}, map[string]bool{}
	w.bad, w.oracle = pick(w.r, 1, 4), oracle{signers: map[string]party{}, accepted: []string{"shaken"}}
	for _, p := range w.parties[:3] {
		w.oracle.signers[p.X5U] = p
	}
	cps := &shelf{}
	s := w.service(func(cfg *stivs.Config) {
		cfg.Retriever, cfg.Differ = cps, pick(w.r, 0, 0, stivs.InBandDecides, stivs.OutOfBandDecides, stivs.LowerDecides, stivs.NobodyDecides)
		cfg.KeepOutnumbered, cfg.Transfer = w.r.IntN(4) == 0, pick(w.r, 0, 10*time.Minute)
		if w.r.IntN(2) == 0 {
			cfg.Accept = []passport.Type{passport.Base, passport.RCD}
			w.oracle.accepted = append(w.oracle.accepted, "", "rcd")
		}
		cfg.PrioritySigners = pick(w.r, nil, []string{"1234"})
		cfg.Withdrawn = func(call, why string) {
			w.lost[w.stands[call]] = why == stivs.V1.Row().Sentence && w.stands[call].source == oob.SourceOutOfBand
			delete(w.stands, call)
		}
		w.cfg, w.oracle.transfer = *cfg, cfg.Transfer
	})
	pool := []string{w.token(0, "")}
	for n := range 3 + w.r.IntN(5) {
		pool = append(pool, w.token(n+1, or(w, pool[0], pool...)))
	}
	for range 10 {
		call := stivs.Call{ID: pick(w.r, "a", "b", "c", ""), Orig: caller, Dest: pick(w.r, called, called, second, third)}
		if call.ID != "" {
			call.ID += " to " + call.Dest.String() // one call has one called party
		}
		roads := map[oob.Source][]statement{}
		for range w.r.IntN(4) {
			token := pick(w.r, pool...)
			call.Identity = append(call.Identity, w.fieldOf(token))
			roads[oob.SourceInBand] = append(roads[oob.SourceInBand], readAll(token)...)
		}
		cps.tokens = nil
		for range w.r.IntN(4) {
			cps.tokens, call.Key = append(cps.tokens, pick(w.r, pool...)), oob.Key{Profile: oob.Mesh, Dest: call.Dest, Orig: caller}
		}
		roads[oob.SourceOutOfBand] = readAll(cps.tokens...)
		w.oracle.now = w.now
		v := s.Verify(t.Context(), call)
		w.log = append(w.log, fmt.Sprintf("%q to %s: %s %s, %s %s", call.ID, call.Dest, v.Verstat, v.Case, v.Source, v.Passport))
		if err := w.judge(v, call, roads); err != nil {
			return err
		}
		w.now = w.now.Add(time.Duration(w.r.IntN(12)) * time.Second)
	}
	return nil
}

// judge holds a verdict against what the oracle says.
func (w *world) judge(v oob.Verdict, call stivs.Call, roads map[oob.Source][]statement) error {
	passed, all := v.Verstat == oob.VerstatPassed, slices.Concat(roads[oob.SourceInBand], roads[oob.SourceOutOfBand])
	if !passed && (v.Attest+v.OrigID+v.SignerSPC != "" || v.Diversions != nil || v.Rich != nil) || passed && v.Code != 0 || (v.Case == "") != (v.Code == 0) {
		return fmt.Errorf("it contradicts itself: %+v", v)
	}
	for _, token := range v.Tokens {
		if token.Verstat == oob.VerstatPassed && !w.oracle.good(readAll(token.Passport)[0], call) {
			return fmt.Errorf("not good: %s", token.Passport)
		}
	}
	for _, reason := range stivs.Reasons(v, identity.ReasonSTIR) {
		if !slices.ContainsFunc(v.Tokens, func(t oob.TokenVerdict) bool {
			return t.Source == oob.SourceInBand && identity.CompactForm(t.Passport) == reason.PPI && (t.Code == reason.Cause || v.Passport == t.Passport)
		}) {
			return fmt.Errorf("a reason without a PASSporT: %+v", reason)
		}
	}
	if v.Priority != nil && v.Priority.Verstat == oob.PriorityPassed && !slices.ContainsFunc(all, func(s statement) bool {
		return s.PPT == "rph" && w.oracle.good(s, call) && w.oracle.signers[s.X5U].SPC == "1234"
	}) {
		return fmt.Errorf("a priority of nobody")
	}
	for _, s := range roads[oob.SourceInBand] {
		w.brought[call.ID+said(s)] = true
	}
	u := use{call: call.ID, source: v.Source}
	if v.Passport != "" {
		if u.what = readAll(v.Passport)[0].input + " " + call.Dest.String(); v.Diversions != nil {
			u.what = readAll(v.Passport)[0].input + " " + v.Diversions[0].From.String()
		}
	}
	// Whose a PASSporT out of band is nobody knows: nobody keeps it.
	if first := w.uses[u.what]; v.Case == stivs.V1.String() && !w.cfg.KeepOutnumbered && first.source == oob.SourceOutOfBand && w.stands[first.call] == first {
		return fmt.Errorf("%q keeps the PASSporT", first.call)
	}
	if passed {
		first, found := w.uses[u.what]
		s := readAll(v.Passport)[0]
		if w.brought[call.ID+said(s)] {
			u.source = oob.SourceInBand // at some time, so it is its own
		}
		switch {
		case !w.oracle.proves(s, call, roads[v.Source]):
			return fmt.Errorf("nothing proves it")
		case s.PPT == "shaken" && v.Attest != s.Attest || s.PPT != "shaken" && v.Attest != "":
			return fmt.Errorf("attest %q", v.Attest)
		case found && (call.ID == "" || first.call != call.ID):
			return fmt.Errorf("its PASSporT has verified %q", first.call)
		case w.lost[u]:
			return fmt.Errorf("it was withdrawn, and passes with the same PASSporT")
		case !found:
			w.uses[u.what] = u
		}
		if call.ID != "" {
			w.stands[call.ID] = u
		}
	}
	for _, s := range roads[oob.SourceInBand] {
		if !passed && w.cfg.Differ == stivs.NotCompared && !w.offered[said(s)] && w.oracle.proves(s, call, roads[oob.SourceInBand]) {
			return fmt.Errorf("it brought what proves it")
		}
	}
	for _, s := range all {
		w.offered[said(s)] = true
	}
	return nil
}
