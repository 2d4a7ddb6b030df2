package trunk_test

import (
	"slices"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// TestKeys_WhoseSPCIsInTheSlot is a table: of the two providers of a trunk, the slot names who publishes, who reads, or none.
func TestKeys_WhoseSPCIsInTheSlot(t *testing.T) {
	orig, dest, second := party(t, "12155550121"), party(t, "12155550131"), party(t, "18005550100")
	const own, peer = "505J", "709J"
	for _, c := range []struct {
		profile    oob.Profile
		publishing bool
		peer       string
		want       string
	}{
		{oob.Agreed, true, "", own},
		{oob.Agreed, true, peer, own},
		{oob.Agreed, false, peer, peer},
		{oob.Mesh, true, "", ""},
		{oob.Mesh, false, "", ""},
		{oob.RFC9888, true, "", ""},
		{oob.RFC9888, false, "", ""},
		{oob.Company, true, peer, peer},
		{oob.Company, true, "", ""}, // whoever publishes finds it out
		{oob.Company, false, "", own},
	} {
		r := trunk.Row{Profile: c.profile, PeerSPC: c.peer}
		want := []oob.Key{{Profile: c.profile, SPC: c.want, Dest: dest, Orig: orig}}
		if got := r.Keys(trunk.Parties{Orig: orig, Dest: dest}, own, c.publishing); !slices.Equal(got, want) {
			t.Errorf("%s, publishing %t, peer %q: %v, want %v", c.profile, c.publishing, c.peer, got, want)
		}
		if !c.publishing {
			want = append(want, want[0])
			want[1].Dest = second
		}
		if got := r.Keys(trunk.Parties{Orig: orig, Dest: dest, Second: second}, own, c.publishing); !slices.Equal(got, want) {
			t.Errorf("%s, publishing %t, with a second number: %v, want %v", c.profile, c.publishing, got, want)
		}
	}
}

func party(t *testing.T, text string) tn.Identity {
	t.Helper()
	id, err := tn.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
