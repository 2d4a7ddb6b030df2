package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestSwitchBehindFragmentDrop has switch and element in networks of their own, and drops all but the first fragment of a datagram
// between them, as many networks do: an answer with three PASSporTs is too long for a frame, and never arrives over UDP. It
// does over TCP. The call goes on in any case, and our counter shows why.
func TestSwitchBehindFragmentDrop(t *testing.T) {
	t.Parallel()
	other(t, "sipp", switchPackages)
	nft := other(t, "nft", "nftables")
	near, far := newPlaces(t)
	if out, err := near.command(nft, "add table ip cable; add chain ip cable in { type filter hook prerouting priority -450; }; "+
		"add rule ip cable in ip frag-off & 0x1fff != 0 counter drop").CombinedOutput(); err != nil {
		t.Skipf("NO FRAGMENTS DROPPED: no rules of nftables (they need a kernel with them): %v %s", err, out)
	}

	b := &bed{lab: initLaboratory(t, "127.0.0.1:8444", "--cps", "127.0.0.1:8443", "--sip", "127.0.0.1:0")}
	b.takeTime(t)
	b.edit(t, "switches/567B.yaml", "sources: [127.0.0.0/8]", "sources: ["+near.host+"/32]", `p: ["127.0.0.1:0"]`, `p: ["`+far.host+`:0"]`)
	b.lab.serve(t, far.command(filepath.Join(binDir, "viaduct"), "lab", "serve", b.lab.dir))
	b.serve(t, far, "viaduct.yaml")
	far.run(t, filepath.Join(binDir, "viaduct"), "publish", "--lab", b.lab.dir, "--spc", "1234", "--orig", caller, "--dest", called, "--keep", "60s",
		b.lab.sign(t), b.lab.sign(t, "--attest", "B"), b.lab.sign(t, "--attest", "C"))
	phone := near.answers(t, "uas.xml")

	for i, road := range roads {
		element := b.serve(t, far, "switches/567B.yaml")
		by := b.border(t, near, []string{element.uri(road)}, phone.address, map[string]map[string]string{"udp": ownPatience}[road])
		near.call(t, by, "uac.xml", 1, asserted, "X-Trunk: transit-from-1234", "X-Side: in")
		invites := phone.got(t, "INVITE ")
		if len(invites) != i+1 {
			t.Fatalf("%s: %d calls have arrived, want %d", road, len(invites), i+1)
		}
		if n := len(invites[i].values("Identity")); n != 3*i {
			t.Errorf("%s: %d PASSporTs, want %d", road, n, 3*i)
		}
		if i == 0 {
			by.said.wait(t, "408; ") // which may come later than the call
		}
		if n := by.said.count("408; "); n != 1-i {
			t.Errorf("%s: %d calls have waited in vain, want %d", road, n, 1-i)
		}
		if n := element.metric(t, "oob_udp_large_replies_total"); (n > 0) != (road == "udp") {
			t.Errorf("%s: %v large replies counted", road, n)
		}
	}
	rules, err := near.command(nft, "list", "table", "ip", "cable").Output()
	check(t, err)
	if strings.Contains(string(rules), "counter packets 0 ") {
		t.Errorf("no fragment was dropped:\n%s", rules)
	}
}
