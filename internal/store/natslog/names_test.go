package natslog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// says waits until a node is not ready for a reason with these words.
func (n *node) says(words string) {
	n.Helper()
	var last error
	if !eventually(func() bool { last = n.log.Ready(); return last != nil && strings.Contains(last.Error(), words) }) {
		n.Fatalf("%s in %s says %v, not %q", n.log.Node(), n.cfg.Dir, last, words)
	}
}

// TestANameThatIsTaken: a vote is counted by the name of who gives it, so that two of one name would be a majority of their own.
func TestANameThatIsTaken(t *testing.T) {
	t.Parallel()
	all := site(t, newAuthority(t), "east", 3)
	nodes := openAll(t, all)
	ready(t, nodes...)
	nodes[1].close()

	twin := all[1] // n1.yaml, copied to the machine of n2, with but the address changed
	twin.Node, twin.Dir = "n1", t.TempDir()
	second := open(t, twin)
	second.says(`another node looks for "n2" here, and this one is n1`)

	elsewhere := all[0] // a machine that is the copy of another
	elsewhere.Dir, elsewhere.Listen = t.TempDir(), freeAddress(t)
	third := open(t, elsewhere)
	third.says("another node refuses this one")

	ready(t, nodes[0], nodes[2])
	ev := event()
	nodes[0].append(ev)
	nodes[2].gets(ev)
	for _, n := range []*node{second, third} {
		if peers := n.log.Peers(); len(peers) != 0 {
			t.Errorf("the second n1 has met %v", peers)
		}
		n.close()
	}
	nodes[1].open()
	ready(t, nodes...)
	nodes[1].gets(ev)
}

// TestANameOfAnother: the certificate of a node is for its address, and with it for its name.
func TestANameOfAnother(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	all := site(t, ca, "east", 3)
	for i := range all {
		for j := range all[i].Nodes {
			all[i].Nodes = slices.Clone(all[i].Nodes)
			all[i].Nodes[j].Address = strings.Replace(all[j].Listen, "127.0.0.1", "127.0.0."+string(rune('1'+j)), 1)
		}
		all[i] = ca.credentials(t, all[i], "127.0.0."+string(rune('1'+i)))
	}
	for i := range all {
		all[i].Listen = all[i].Nodes[i].Address
	}
	twin := all[1]
	twin.Node, twin.Dir = "n1", t.TempDir() // n1 itself is away
	second, other := open(t, twin), open(t, all[2])
	second.says("another node refuses this one")
	other.says("1 of 3 nodes of the site are there")
	if peers := other.log.Peers(); len(peers) != 0 {
		t.Errorf("it has met %v", peers)
	}
	second.close()
	nodes := append(openAll(t, all[:2]), other)
	ready(t, nodes...)
}

// TestNodesThatAreNotAlike: who reads a list of his own waits for others than they do.
func TestNodesThatAreNotAlike(t *testing.T) {
	t.Parallel()
	all := site(t, newAuthority(t), "east", 3)
	all[2].Nodes = slices.Clone(all[2].Nodes)
	all[2].Nodes[1].Address = freeAddress(t)
	nodes := openAll(t, all)
	ready(t, nodes...)
	for i, want := range [][]string{{"east/n3"}, {"east/n3"}, {"east/n1", "east/n2"}} {
		var got []string
		if !eventually(func() bool { got = nodes[i].log.Unlike(); return slices.Equal(got, want) }) {
			t.Errorf("%s: unlike are %q, want %q", nodes[i].log.Node(), got, want)
		}
	}
	nodes[0].close()
	nodes[1].close()
	nodes[2].says("1 of 3 nodes of the site are there")
}

// TestTwoOfOneNameAtAnExternalNATS: nobody refuses the second there; the one that came later stands back.
func TestTwoOfOneNameAtAnExternalNATS(t *testing.T) {
	t.Parallel()
	cfg := natslog.Config{Site: "east", Node: "n1", KeepMax: keep, BytesMax: 64 << 20, External: []string{external(t)}, Log: complaints(t)}
	first := open(t, cfg)
	ready(t, first)
	second := open(t, cfg)
	second.says("another process is node n1, too, and was there before")
	ready(t, first)
	first.close()
	ready(t, second)
}

// TestAStorageOfItsOwn: a node whose log is to lie elsewhere than that of its site does not serve, and says why; the others go on.
func TestAStorageOfItsOwn(t *testing.T) {
	t.Parallel()
	nodes := openAll(t, site(t, newAuthority(t), "east", 3))
	ready(t, nodes...)
	nodes[2].close()
	nodes[2].cfg.Memory = true
	nodes[2].open()
	nodes[2].says("its storage cannot be changed")
	ready(t, nodes[:2]...)
	nodes[0].append(event())
}
