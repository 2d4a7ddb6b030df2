package stivs_test

import (
	"context"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stivs"
)

// TestRFC8816_S8_2_WhatOthersCallIsLeftOut: in the forms where the caller stands in the PASSporT alone, a CPS may give what it has
// for the called number. What is of other callers is no fault of this call, takes no room, and has no certificate fetched for it.
func TestRFC8816_S8_2_WhatOthersCallIsLeftOut(t *testing.T) {
	l := newLaboratory(t)
	good := l.signed().Passport
	var others []string
	for range stivs.RetrievedMax + 4 {
		stranger := l.issue(l.pki, oobtest.IssueConfig{SPC: "567B"})
		others = append(others, l.signedBy(stranger, another, called).Passport)
	}
	crowded := append(append([]string{"a.b.c"}, others...), good)
	for _, c := range []struct {
		name    string
		profile oob.Profile
		given   []string
		want    oob.Verstat
		judged  int
	}{
		{"others first", oob.RFC9888, crowded, oob.VerstatPassed, 1},
		{"others alone", oob.RFC9888, others, oob.VerstatNoValidation, 0},
		{"none that can be read", oob.RFC9888, []string{"a.b.c"}, oob.VerstatNoValidation, 0},
		{"where the caller was in no path that it was published to", oob.Company, crowded, oob.VerstatPassed, 1},
		{"where the path names the caller they are judged", oob.Mesh, others[:2], oob.VerstatNoValidation, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.in(t)
			s := l.service(func(cfg *stivs.Config) {
				cfg.Retriever = retriever(func(_ context.Context, k oob.Key) ([]string, error) {
					if k.Profile != c.profile || k.Dest != called || k.Orig != caller {
						t.Errorf("asked for %+v", k)
					}
					return c.given, nil
				})
			})
			call := plainCall()
			call.Key = oob.Key{Profile: c.profile, Dest: called, Orig: caller}
			before := l.fetches.Load()
			v := s.Verify(t.Context(), call)
			checkShape(t, v)
			if v.Verstat != c.want || len(v.Tokens) != c.judged {
				t.Errorf("%s, %d PASSporTs judged: %+v", v.Verstat, len(v.Tokens), v)
			}
			if c.judged == 0 && (v.Case != "" || v.Code != 0 || v.ReasonDesc == "") {
				t.Errorf("%+v", v)
			}
			if fetched := l.fetches.Load() - before; fetched > 1 {
				t.Errorf("%d certificates were fetched", fetched)
			}
		})
	}
}
