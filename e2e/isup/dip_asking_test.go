package isup_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/internal/stoptest"
)

// crossesUnverified wants a call to cross, and the far phone to be told nothing by which the caller would be verified.
func (b *bed) crossesUnverified(t *testing.T, from string) {
	t.Helper()
	call, ring := b.cross(t, "P-Asserted-Identity: <sip:"+from+"@phone.example>")
	if told, attested := heard(ring.InviteRequest); strings.Contains(told, "Passed") || !strings.HasPrefix(told, from) || attested != "" {
		t.Errorf("the far phone is told %s, attested %q", told, attested)
	}
	call.hangUp(t)
	ring.over(t)
}

func TestCallsGoOnWithoutAnElement(t *testing.T) {
	t.Parallel()
	wants(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0") // nobody reads it
	check(t, err)
	t.Cleanup(func() { silent.Close() })
	gone, err := porttest.Address("tcp")
	check(t, err)
	hung := element{address: silent.LocalAddr().String(), transport: "udp", label: "t"}
	down := element{address: gone, transport: "tcp", label: "t"}
	elements := sharedElements(t)
	for _, c := range []struct {
		name      string
		near, far element
	}{
		{"hung, and down", hung, down},
		{"down, and hung", down, hung},
		{"a trunk that neither knows: 404", elements[0].asked(ansi, "unknown"), elements[1].asked(ansi, "unknown")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			startBed(t, ansi, c.near, c.far).crossesUnverified(t, subscriber(ansi, 44))
		})
	}
}

// A bad token is not carried by the CPS, so that nothing comes of it.
func TestTokenThatTheCPSRefuses(t *testing.T) {
	t.Parallel()
	wants(t)
	elements := sharedElements(t)
	b := startBed(t, ansi, elements[0].asked(ansi, "transit-out"), elements[1].asked(ansi, "in"))
	from := subscriber(ansi, 53)
	call := b.place(t, called[ansi], "P-Asserted-Identity: <sip:"+from+"@phone.example>", "Identity: "+swapped(t, identityOf(t, ansi, from)))
	ring := b.far.ringing(t)
	ring.respond(t, 486)
	call.refused(t)
	if told, _ := heard(ring.InviteRequest); told != from+";verstat=No-TN-Validation" {
		t.Errorf("the far phone is told %s", told)
	}
}

// A token of somebody who is not believed is told to the phone. Only where policy wants it, it stops the call.
func TestTokenOfAStranger(t *testing.T) {
	t.Parallel()
	wants(t)
	elements := sharedElements(t)
	others := filepath.Join(t.TempDir(), "lab")
	check(t, exec.Command(viaduct, "lab", "init", others, "--spc", "999C").Run())
	suspicious, _ := shared.lab.startElement(t, 1, elementConfig{cps: shared.lab.cps, roots: filepath.Join(others, "sti-root.pem")})
	for i, role := range []string{"in", "strict"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			b := startBed(t, ansi, elements[0].asked(ansi, "out"), suspicious.asked(ansi, role))
			from := subscriber(ansi, 55+i)
			call := b.place(t, called[ansi], "P-Asserted-Identity: <sip:"+from+"@phone.example>")
			if role == "strict" {
				if r := call.refused(t); r.StatusCode != 603 {
					t.Errorf("the caller hears %d, want 603", r.StatusCode)
				}
				return
			}
			ring := b.far.ringing(t)
			ring.respond(t, 486)
			call.refused(t)
			told, attested := heard(ring.InviteRequest)
			if told != from+";verstat=TN-Validation-Failed" || attested != "" {
				t.Errorf("the far phone is told %s, attested %q", told, attested)
			}
		})
	}
}

// No circuit is seized for a call that ends while the element is asked, and the element is told.
func TestCancelWhileTheElementIsAsked(t *testing.T) {
	t.Parallel()
	wants(t, "tshark")
	sharedElements(t)
	thinking, process := shared.lab.startElement(t, 0, elementConfig{cps: shared.lab.cps})
	b := startBed(t, ansi, thinking.asked(ansi, "out"), element{})
	check(t, stoptest.Stop(process.cmd.Process))
	call := b.place(t, called[ansi], "P-Asserted-Identity: <sip:"+subscriber(ansi, 45)+"@phone.example>")
	call.cancel()
	await(t, call.done, "the end of the call")
	if call.InviteResponse.StatusCode != 487 {
		t.Errorf("the caller hears %d, want 487", call.InviteResponse.StatusCode)
	}
	check(t, process.cmd.Process.Signal(syscall.SIGCONT))
	if got := messages(t, b.trunk); got != "" {
		t.Errorf("the trunk carries %s", got)
	}
}
