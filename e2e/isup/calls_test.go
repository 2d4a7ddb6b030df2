package isup_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// bed is a trunk with a switch at either end and a phone at each switch.
type bed struct {
	*trunk
	a, b      *gateway
	near, far *phone
}

// plans are the numberings of both kinds of trunk.
var plans = map[variant]numbering{
	ansi: {variant: ansi, country: "1", jip: "215555"},
	itu:  {variant: itu, country: "44"},
}

// subscriber is one of a hundred numbers of the provider at the near end. Tests that ask elements call from one of their own,
// because several calls between the same two numbers are judged together.
func subscriber(v variant, n int) string {
	return fmt.Sprintf("%s%02d", map[variant]string{ansi: "+121555501", itu: "+4416329601"}[v], n)
}

// Numbers of both countries that nobody has.
var (
	caller = map[variant]string{ansi: "+12155550121", itu: "+441632960121"}
	called = map[variant]string{ansi: "+12155550131", itu: "+442079460131"}
)

func startBed(t testing.TB, v variant, asksA, asksB element) *bed {
	t.Helper()
	b := &bed{trunk: startTrunk(t, v), near: startPhone(t), far: startPhone(t)}
	b.a = startGateway(t, b.trunk, 0, plans[v], asksA, b.near.address)
	b.b = startGateway(t, b.trunk, 1, plans[v], asksB, b.far.address)
	return b
}

// place lets the near phone call a user part at its switch.
func (b *bed) place(t testing.TB, user string, fields ...string) *placedCall {
	t.Helper()
	fields = append([]string{"From: <sip:" + caller[b.variant] + "@phone.example>;tag=" + sip.GenerateTagN(16)}, fields...)
	return b.near.place(t, "sip:"+user+"@"+b.a.address+";user=phone", fields...)
}

// cross brings a call to its answer, and gives both ends of it.
func (b *bed) cross(t testing.TB, fields ...string) (*placedCall, *ring) {
	t.Helper()
	call := b.place(t, called[b.variant], fields...)
	ring := b.far.ringing(t)
	ring.respond(t, 180)
	call.progress(t, 180)
	ring.answer(t)
	call.answered(t)
	return call, ring
}

// eachVariant runs a test on a trunk of either kind, at the same time as others.
func eachVariant(t *testing.T, test func(*testing.T, variant)) {
	t.Parallel()
	for _, v := range []variant{ansi, itu} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

func TestTrunkCarriesTheCallAndNotTheIdentity(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		wants(t, "tshark")
		b := startBed(t, v, element{}, element{})
		token := identityOf(t, v, caller[v])
		call, ring := b.cross(t, "P-Asserted-Identity: <sip:"+caller[v]+"@phone.example>", "Identity: "+token)
		call.hangUp(t)
		ring.over(t)
		if got := values(call.InviteRequest, "Identity"); !slices.Equal(got, []string{token}) {
			t.Errorf("the caller tells of Identity %q", got)
		}
		if got := values(ring.InviteRequest, "Identity"); got != nil {
			t.Errorf("the far phone is told of Identity %q", got)
		}
		carriesNothingOf(t, b.trunk, token)
		carries(t, b.trunk, "IAM ACM ANM REL RLC")
	})
}

// Both directions are full at the same time.
func TestManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	b := startBed(t, ansi, element{}, element{})
	const each = circuits / 2
	talk := func(from, to *phone, via *gateway) {
		placed := map[string]*placedCall{} // by called number
		for i := range each {
			number := fmt.Sprintf("+121555501%02d", i)
			placed[number] = from.place(t, "sip:"+number+"@"+via.address, "From: <sip:+12155550121@phone.example>;tag=1")
		}
		rung := map[string]*ring{}
		for range each {
			r := to.ringing(t)
			rung[calledOf(r.InviteRequest.Recipient.User)] = r
			r.answer(t)
		}
		for _, call := range placed {
			call.answered(t)
		}
		crowd := from.place(t, "sip:+12155550199@"+via.address, "From: <sip:+12155550121@phone.example>;tag=1")
		if r := crowd.refused(t); r.StatusCode != 503 || r.GetHeader("Reason").Value() != "Q.850;cause=34" {
			t.Errorf("one call more than circuits is answered %d", r.StatusCode)
		}
		for number, call := range placed {
			if r := rung[number]; r == nil {
				t.Errorf("a call has not arrived")
			} else if strings.HasSuffix(number, "0") {
				call.hangUp(t)
				r.over(t)
			} else {
				r.hangUp(t)
				call.over(t)
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { talk(b.near, b.far, b.a) })
	both.Go(func() { talk(b.far, b.near, b.b) })
	both.Wait()
}

func TestCancelBeforeAnswer(t *testing.T) {
	eachVariant(t, func(t *testing.T, v variant) {
		b := startBed(t, v, element{}, element{})
		call := b.place(t, called[v])
		ring := b.far.ringing(t)
		ring.respond(t, 180)
		call.progress(t, 180)
		call.cancel()
		await(t, call.done, "the end of the call at the caller")
		if call.InviteResponse.StatusCode != 487 {
			t.Errorf("the caller hears %d, want 487", call.InviteResponse.StatusCode)
		}
		ring.over(t)
		again, ring := b.cross(t) // the circuit is idle again
		again.hangUp(t)
		ring.over(t)
	})
}

func TestRelease(t *testing.T) {
	t.Parallel()
	wants(t, "tshark")
	b := startBed(t, ansi, element{}, element{})
	t.Run("by the caller", func(t *testing.T) {
		call, ring := b.cross(t)
		call.hangUp(t)
		ring.over(t)
	})
	t.Run("by the called", func(t *testing.T) {
		call, ring := b.cross(t)
		ring.hangUp(t)
		call.over(t)
	})
	for _, c := range []struct{ phone, caller, cause int }{
		{486, 486, 17}, {404, 404, 1}, {480, 480, 18}, {603, 603, 21}, {410, 410, 22}, {500, 503, 41},
	} {
		t.Run(fmt.Sprintf("refused with %d", c.phone), func(t *testing.T) {
			call := b.place(t, called[ansi])
			ring := b.far.ringing(t)
			ring.respond(t, c.phone)
			r := call.refused(t)
			if got := r.GetHeader("Reason").Value(); r.StatusCode != c.caller || got != fmt.Sprintf("Q.850;cause=%d", c.cause) {
				t.Errorf("the caller hears %d %s, want %d and cause %d", r.StatusCode, got, c.caller, c.cause)
			}
		})
	}
	if got, want := strings.Join(decode(t, b.trunk, "isup.message_type==12", "isup.cause_indicator"), " "), "16 16 17 1 18 21 22 41"; got != want {
		t.Errorf("the trunk carries causes %s, want %s", got, want)
	}
}

func TestTrunkDies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		side int
	}{{"at the caller's side", 0}, {"at the called side", 1}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := startBed(t, ansi, element{}, element{})
			talking, talk := b.cross(t)
			waiting := b.place(t, called[ansi])
			ring := b.far.ringing(t)
			ring.respond(t, 180)
			waiting.progress(t, 180)

			check(t, b.ends[c.side].cmd.Process.Kill())
			talking.over(t)
			talk.over(t)
			if r := waiting.refused(t); r.StatusCode != 503 {
				t.Errorf("the caller who waits hears %d, want 503", r.StatusCode)
			}
			ring.over(t)
			if r := b.place(t, called[ansi]).refused(t); r.StatusCode != 503 {
				t.Errorf("a new caller hears %d, want 503", r.StatusCode)
			}
		})
	}
}
