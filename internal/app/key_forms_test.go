package app

import (
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
)

// TestKey_EveryForm is a table of forms: under which path both ends of a trunk are, and that they meet.
func TestKey_EveryForm(t *testing.T) {
	const id = "/12155550131/12155550121"
	invite := keyINVITE("sip:+12155550131@h", keyFrom)
	for _, c := range []struct {
		profile              oob.Profile
		here, there          string // flags
		publishes, retrieves string // paths
	}{
		{oob.Agreed, "--spc 1234", "--far-peer-spc 1234", "/passports/1234" + id, "/passports/1234" + id},
		{oob.Mesh, "", "", "/passports" + id, "/passports" + id},
		{oob.RFC9888, "", "", "/cps/12155550131/ppts", "/cps/12155550131/ppts?orig=12155550121"},
		{oob.Company, "--peer-spc 505J", "--far-spc 505J", "/cps/company/505J", "/cps/company/505J" + id},
		{oob.Company, "", "--far-spc 505J", "", "/cps/company/505J" + id}, // whose number it is, is found with the call
	} {
		t.Run(c.profile.String()+c.here, func(t *testing.T) {
			inKeyFolder(t, map[string]string{"there.txt": invite})
			flags := "--profile " + c.profile.String() + " " + c.here + " --far there.txt --far-profile " + c.profile.String() + " " + c.there
			answer, err := answerOf(t, invite, flags)
			if err != nil || !answer.Both.Same {
				t.Fatalf("%v: %+v", err, answer.Both)
			}
			if mine := answer.Here.does(publishes); len(mine) != 1 || mine[0].Path != c.publishes || mine[0].Profile != c.profile.String() {
				t.Errorf("publishes under %+v", mine)
			}
			if others := answer.There.does(retrieves); len(others) != 1 || others[0].Path != c.retrieves {
				t.Errorf("retrieves under %+v", others)
			}
		})
	}
	inKeyFolder(t, map[string]string{"there.txt": invite})
	answer, err := answerOf(t, invite, "--profile company --peer-spc 505J --far there.txt --far-profile company --far-spc 709J")
	if err == nil || answer.Both.Same || answer.Both.First != "spc" {
		t.Errorf("%v: %+v", err, answer.Both)
	}
}
