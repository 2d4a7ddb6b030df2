package isup_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/stoptest"
)

// heard is what the far phone is told about the caller: the user part of P-Asserted-Identity, and Attestation-Info.
func heard(invite *sip.Request) (asserted, attested string) {
	for _, value := range values(invite, "P-Asserted-Identity") {
		_, user, _ := strings.Cut(value, ":")
		asserted, _, _ = strings.Cut(user, "@")
	}
	return asserted, strings.Join(values(invite, "Attestation-Info"), ",")
}

func TestVerstatArrivesOverATrunkThatLosesTheToken(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		wants(t, "tshark")
		elements := sharedElements(t)
		b := startBed(t, v, elements[0].asked(v, "out"), elements[1].asked(v, "in"))
		from := subscriber(v, 51)
		call, ring := b.cross(t, "P-Asserted-Identity: <sip:"+from+"@phone.example>")
		call.hangUp(t)
		ring.over(t)
		asserted, attested := heard(ring.InviteRequest)
		if want := from + ";verstat=TN-Validation-Passed"; asserted != want || attested != "A" {
			t.Errorf("the far phone is told %s, attested %s; want %s, A\n%s", asserted, attested, want, ring.InviteRequest)
		}
		if got := values(ring.InviteRequest, "Origination-Id"); len(got) != 1 {
			t.Errorf("the far phone is told of %d Origination-Id", len(got))
		}
		carries(t, b.trunk, "IAM ACM ANM REL RLC")
		carriesNothingOf(t, b.trunk, strings.Join(values(ring.InviteRequest, "Origination-Id"), ""))
	})
}

func TestCallThatNobodySignedIsNotVerified(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		wants(t)
		elements := sharedElements(t)
		b := startBed(t, v, element{}, elements[1].asked(v, "in"))
		call := b.place(t, called[v], "P-Asserted-Identity: <sip:"+subscriber(v, 54)+"@phone.example>")
		ring := b.far.ringing(t)
		ring.respond(t, 486)
		call.refused(t)
		asserted, attested := heard(ring.InviteRequest)
		if !strings.HasSuffix(asserted, ";verstat=No-TN-Validation") || attested != "" {
			t.Errorf("the far phone is told %s, attested %q\n%s", asserted, attested, ring.InviteRequest)
		}
	})
}

func TestTokenInTransitComesBack(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		wants(t, "tshark")
		elements := sharedElements(t)
		from := subscriber(v, 52)
		signed := identityOf(t, v, from)
		b := startBed(t, v, elements[0].asked(v, "transit-out"), elements[1].asked(v, "transit-in"))
		call, ring := b.cross(t, "P-Asserted-Identity: <sip:"+from+"@phone.example>", "Identity: "+signed)
		call.hangUp(t)
		ring.over(t)
		if got := values(ring.InviteRequest, "Identity"); !slices.Contains(got, signed) {
			t.Errorf("the far phone is told of Identity\n%q, want\n%q", got, signed)
		}
		carriesNothingOf(t, b.trunk, signed)
	})
}

// What one end of a trunk signs and publishes is what the other finds, however the numbers cross: both compute the same key.
func TestBothEndsComputeTheSameKey(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		wants(t)
		elements := sharedElements(t)
		b := startBed(t, v, elements[0].asked(v, "out"), elements[1].asked(v, "in"))
		for _, c := range crossings[v] {
			call := b.near.place(t, "sip:"+c.user+"@"+b.a.address, c.invite(v)...)
			ring := b.far.ringing(t)
			ring.respond(t, 486)
			call.refused(t)
			got, attested := heard(ring.InviteRequest)
			want, attest := c.caller(), c.attest
			switch {
			case want == "":
				if strings.Contains(got, "Passed") || attested != "" {
					t.Errorf("%s: the far phone is told %s, attested %q", c.name, got, attested)
				}
				continue
			case attest == "":
				attest = "A" // an own number
			}
			if want += ";verstat=TN-Validation-Passed"; got != want || attested != attest {
				t.Errorf("%s: the far phone is told %s, attested %s; want %s, %s", c.name, got, attested, want, attest)
			}
			if got, want := values(ring.InviteRequest, "Privacy"), c.privacy(); !slices.Equal(got, want) {
				t.Errorf("%s: the far phone is told of Privacy %q, want %q", c.name, got, want)
			}
		}
	})
}

// caller is the number that the far phone is told; empty if there is none.
func (c crossing) caller() string {
	for _, field := range c.far {
		if rest, found := strings.CutPrefix(field, "P-Asserted-Identity: <sip:"); found {
			number, _, _ := strings.Cut(rest, "@")
			return number
		}
	}
	return ""
}

// privacy is what the far phone is told of Privacy.
func (c crossing) privacy() []string {
	var all []string
	for _, field := range c.far {
		if rest, found := strings.CutPrefix(field, "Privacy: "); found {
			all = append(all, rest)
		}
	}
	return all
}

// A call goes on without an element, and the next is verified again as soon as there is one.
func TestElementThatHangs(t *testing.T) {
	for _, c := range []struct {
		name string
		side int
	}{{"at the near end", 0}, {"at the far end", 1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wants(t)
			elements := sharedElements(t)
			hanging, process := shared.lab.startElement(t, c.side, elementConfig{cps: shared.lab.cps})
			elements[c.side] = hanging
			b := startBed(t, ansi, elements[0].asked(ansi, "out"), elements[1].asked(ansi, "in"))
			from := subscriber(ansi, 41+c.side)
			crosses := func() string {
				call := b.place(t, called[ansi], "P-Asserted-Identity: <sip:"+from+"@phone.example>")
				ring := b.far.ringing(t)
				ring.respond(t, 486)
				call.refused(t)
				told, _ := heard(ring.InviteRequest)
				return told
			}
			check(t, stoptest.Stop(process.cmd.Process))
			if got, want := crosses(), []string{from + ";verstat=No-TN-Validation", from}[c.side]; got != want {
				t.Errorf("without it the far phone is told %s, want %s", got, want)
			}
			check(t, process.cmd.Process.Signal(syscall.SIGCONT))
			if got, want := crosses(), from+";verstat=TN-Validation-Passed"; got != want {
				t.Errorf("with it the far phone is told %s, want %s", got, want)
			}
		})
	}
}

func TestCPSThatIsAway(t *testing.T) {
	t.Parallel()
	wants(t)
	elements := sharedElements(t)
	elements[0], _ = shared.lab.startElement(t, 0, elementConfig{cps: "127.0.0.1:1"}) // nobody listens there
	b := startBed(t, ansi, elements[0].asked(ansi, "out"), elements[1].asked(ansi, "in"))
	call, ring := b.cross(t, "P-Asserted-Identity: <sip:"+subscriber(ansi, 43)+"@phone.example>")
	call.hangUp(t)
	ring.over(t)
	if got, want := values(ring.InviteRequest, "P-Asserted-Identity"), 1; len(got) != want || !strings.Contains(got[0], ";verstat=No-TN-Validation@") {
		t.Errorf("the far phone is told %q", got)
	}
}
