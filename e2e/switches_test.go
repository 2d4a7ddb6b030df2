package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// asserted is how the switch is told who calls.
const asserted = "P-Asserted-Identity: <sip:+" + caller + "@127.0.0.1>"

// assertedForged is the caller of a call whose PASSporT was tampered with until it fits.
const assertedForged = "P-Asserted-Identity: <sip:+12155550122@127.0.0.1>"

// roads are the transports between the switch and the element.
var roads = []string{"udp", "tcp"}

// onEachRoad runs a test for both, side by side.
func onEachRoad(t *testing.T, test func(t *testing.T, road string)) {
	t.Helper()
	t.Parallel()
	for _, road := range roads {
		t.Run(road, func(t *testing.T) { test(t, road) })
	}
}

// callRecord is what the tests read of a record of GET /calls.
type callRecord struct {
	Trunk     string `json:"trunk"`
	SIPCode   int    `json:"sip_code"`
	FailOpen  string `json:"fail_open"`
	Repeated  bool   `json:"repeated"`
	Cancelled bool   `json:"cancelled"`
	OrigID    string `json:"origid"`
	Verstat   string `json:"verstat"`
}

// records are those of all calls, the newest first, once there are as many as wanted.
func (s *server) records(t *testing.T, want int) (records []callRecord) {
	t.Helper()
	await(t, "a record of each call", func() bool {
		var page struct {
			Calls []callRecord `json:"calls"`
		}
		check(t, json.Unmarshal([]byte(s.get(t, "/calls")), &page))
		records = page.Calls
		return len(records) >= want
	})
	if len(records) != want {
		t.Fatalf("%d records, want %d", len(records), want)
	}
	return records
}

func TestSwitchHasCallsSigned(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
		by := b.border(t, here, []string{element.uri(road)}, far.address, nil)
		here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: sip-out")

		invite := far.invite(t)
		value := invite.value(t, "Identity")
		checkForm(t, value, b.lab.repository+"/1234.pem")
		if got := b.lab.verify(t, value); got != passed {
			t.Errorf("viaduct says %s", got)
		}
		if status := findSecsipidx(t).check(t, b.lab, value, b.lab.repository+"/1234.pem", b.lab.path("sti-root.pem")); status != 0 {
			t.Errorf("secsipidx does not believe it: exit status %d", status)
		}
		if invite.value(t, "Date") == "" {
			t.Error("the call that goes on has no Date (RFC 8224 §6.1)")
		}
		if target, _, _ := strings.Cut(string(invite), " SIP/2.0"); target != "INVITE sip:+"+called+"@"+by.address {
			t.Errorf("the call goes on as %q", target)
		}
		if n := element.metric(t, "oob_sip_requests_total", `transport="`+road+`"`, `method="INVITE"`); n != 1 {
			t.Errorf("%v INVITEs over %s, want 1", n, road)
		}
		silent(t, by)
	})
}

// silent wants that no call has gone on without an answer.
func silent(t *testing.T, by *border) {
	t.Helper()
	if n := by.said.count("goes on"); n != 0 {
		t.Errorf("%d calls have gone on without an answer", n)
	}
}

// TestSwitchesAcrossATrunk has two switches and a trunk between them on which Identity does not survive: the call leaves 1234
// signed and published, and reaches 567B without.
func TestSwitchesAcrossATrunk(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		b.serve(t, here, "viaduct.yaml")
		from, to := b.serve(t, here, "switches/1234.yaml"), b.serve(t, here, "switches/567B.yaml")
		trunk, far := here.answers(t, "uas.xml"), here.answers(t, "uas.xml")
		near := b.border(t, here, []string{from.uri(road)}, trunk.address, nil)
		distant := b.border(t, here, []string{to.uri(road)}, far.address, nil)

		here.call(t, near, "uac.xml", 1, asserted, "X-Trunk: tdm-out")
		if len(trunk.invite(t).values("Identity")) != 1 {
			t.Error("not signed")
		}
		here.call(t, distant, "uac.xml", 1, strings.Replace(asserted, "@", ";verstat=TN-Validation-Failed@", 1), "X-Trunk: from-1234", "X-Side: in")
		invite, origID := far.invite(t), from.records(t, 1)[0].OrigID
		for field, want := range map[string]string{
			"P-Asserted-Identity": "<sip:+" + caller + ";verstat=" + passed + "@127.0.0.1>", "Attestation-Info": "A", "Origination-Id": origID, "Identity": "",
		} {
			if got := invite.value(t, field); got != want {
				t.Errorf("%s: %q, want %q", field, got, want)
			}
		}
		silent(t, near)
		silent(t, distant)
	})
}

// TestSwitchInTransit carries two PASSporTs around a trunk: both are published, and both go on.
func TestSwitchInTransit(t *testing.T) {
	b := newBed(t)
	b.serve(t, here, "viaduct.yaml")
	from, to := b.serve(t, here, "switches/1234.yaml"), b.serve(t, here, "switches/567B.yaml")
	trunk, far := here.answers(t, "uas.xml"), here.answers(t, "uas.xml")
	near := b.border(t, here, []string{from.uri("tcp")}, trunk.address, nil)
	distant := b.border(t, here, []string{to.uri("tcp")}, far.address, nil)

	carried := []string{b.lab.sign(t, "--header"), b.lab.sign(t, "--header", "--attest", "B")}
	here.call(t, near, "uac.xml", 1, asserted, "X-Trunk: transit-out", "Identity: "+carried[0], "Identity: "+carried[1])
	if got := trunk.invite(t).values("Identity"); !slices.Equal(got, carried) {
		t.Errorf("what came goes on as %q", got)
	}
	here.call(t, distant, "uac.xml", 1, asserted, "X-Trunk: transit-from-1234", "X-Side: in")
	got := tokens(far.invite(t).values("Identity"))
	if want := tokens(carried); !slices.Equal(got, want) {
		t.Errorf("what was published arrives as %q, want %q", got, want)
	}
	silent(t, near)
	silent(t, distant)
}

// tokens are the PASSporTs of Identity values, in an order of their own.
func tokens(values []string) (tokens []string) {
	for _, value := range values {
		token, _, _ := strings.Cut(value, ";")
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	return tokens
}

// TestSwitchFailsOpen breaks the element in every way that it can break: the call goes on, without.
func TestSwitchFailsOpen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trunk  string
		edit   []string
		broken func(t *testing.T, b *bed, element *server)
		says   string // Kamailio does, unless nothing was wrong
		own    bool   // it is the switch's own patience that ends
	}{
		"hung":         {"sip-out", nil, func(t *testing.T, _ *bed, element *server) { element.hang(t) }, "408; ", true},
		"down":         {"sip-out", nil, func(t *testing.T, _ *bed, element *server) { element.kill(t) }, "viaduct: ", true},
		"row unknown":  {"elsewhere", nil, nil, "", false},
		"stranger":     {"sip-out", []string{"127.0.0.0/8", "192.0.2.0/24", "{client: switch,", "{sources: [192.0.2.0/24], client: switch,"}, nil, "403; ", false},
		"nothing, 503": {"transit-out", []string{"mode: publish\n", "mode: publish\n    nothing: 503\n"}, nil, "503; ", false},
		"silent after 100": {"tdm-out", nil, func(t *testing.T, b *bed, _ *server) {
			b.serve(t, here, "viaduct.yaml").hang(t)
		}, "408; ", true},
	} {
		t.Run(name, func(t *testing.T) {
			onEachRoad(t, func(t *testing.T, road string) {
				b := newBed(t)
				b.edit(t, "switches/1234.yaml", c.edit...)
				element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
				by := b.border(t, here, []string{element.uri(road)}, far.address, map[bool]map[string]string{true: ownPatience}[c.own])
				if c.broken != nil {
					c.broken(t, b, element)
				}
				here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: "+c.trunk)
				invite := far.invite(t)
				if got := invite.values("Identity"); got != nil {
					t.Errorf("signed: %q", got)
				}
				if got := invite.value(t, "P-Asserted-Identity"); "P-Asserted-Identity: "+got != asserted {
					t.Errorf("the caller is %q now", got)
				}
				if c.says == "" {
					silent(t, by)
					return
				}
				by.said.wait(t, "goes on\n") // which may come later than the call
				if by.said.count(c.says) != 1 || by.said.count("goes on") != 1 {
					t.Errorf("kamailio does not say %q, once:\n%s", c.says, by.said)
				}
			})
		})
	}
}

// TestSwitchTakesNobodysWord: what another network says about its verification never passes for ours, least of all when there is
// no answer.
func TestSwitchTakesNobodysWord(t *testing.T) {
	b := newBed(t)
	element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
	by := b.border(t, here, []string{element.uri("tcp")}, far.address, nil)
	element.kill(t)
	fields := []string{"X-Trunk: sip-in", "X-Side: in", "Attestation-Info: A", "Origination-Id: 123e4567-e89b-12d3-a456-426655440000",
		"P-Asserted-Identity: <sip:+" + caller + ";verstat=TN-Validation-Passed@127.0.0.1>, <tel:+" + caller + ";VERSTAT=TN-Validation-Passed>"}
	p := here.phone(t)
	cmd := here.calls(t, p, by, "uac.xml", "sip:+"+called+"@"+by.address, fields, "-m", "1", "-s", "+"+caller+";verstat=TN-Validation-Passed")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sipp: %v\n%s", err, out)
	}
	invite := far.invite(t)
	if got := invite.value(t, "From"); !strings.HasPrefix(got, "<sip:+"+caller+"@") {
		t.Errorf("From is %q", got)
	}
	if regexp.MustCompile(`(?i)verstat|\nAttestation-Info|\nOrigination-Id`).MatchString(string(invite)) {
		t.Errorf("goes on:\n%s", invite)
	}
	if got, want := invite.value(t, "P-Asserted-Identity"), "<sip:+"+caller+"@127.0.0.1>, <tel:+"+caller+">"; got != want {
		t.Errorf("the caller is %q, want %q", got, want)
	}
}

// TestSwitchAsksNothingAboutCallsForHelp: no such call may wait for anybody, not even for an element that hangs.
func TestSwitchAsksNothingAboutCallsForHelp(t *testing.T) {
	b := newBed(t)
	element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
	by := b.border(t, here, []string{element.uri("tcp")}, far.address, nil)
	for i, uri := range []string{"sip:911@" + by.address, "urn:service:sos"} {
		p := here.phone(t)
		if out, err := here.calls(t, p, by, "uac.xml", uri, []string{asserted, "X-Trunk: sip-out"}, "-m", "1").CombinedOutput(); err != nil {
			t.Fatalf("sipp: %v\n%s", err, out)
		}
		if invites := far.got(t, "INVITE "); len(invites) != i+1 || !strings.HasPrefix(string(invites[i]), "INVITE "+uri+" ") {
			t.Errorf("%s has gone elsewhere", uri)
		}
	}
	if n := element.metric(t, "oob_sip_requests_total", `method="INVITE"`); n != 0 {
		t.Errorf("%v calls were asked about", n)
	}
}

func TestSwitchBlocks(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		b.edit(t, "switches/1234.yaml", "label: sip-in}\n", "label: sip-in}\n    block: failed\n")
		element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
		by := b.border(t, here, []string{element.uri(road)}, far.address, nil)
		good := b.lab.sign(t, "--header")
		refused := here.call(t, by, "uac.xml", 1, assertedForged, "X-Trunk: sip-in", "X-Side: in", "Identity: "+tampered(t, good))
		if got := refused.status(t); got != "603" {
			t.Errorf("tampered: answered %s, want 603", got)
		}
		if n := len(far.got(t, "INVITE ")); n != 0 {
			t.Errorf("%d blocked calls arrive", n)
		}
		here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: sip-in", "X-Side: in", "Identity: "+good)
		if got := far.invite(t).value(t, "P-Asserted-Identity"); !strings.Contains(got, "verstat="+passed) {
			t.Errorf("as it was signed, the call goes on from %q", got)
		}
	})
}

// TestRFC9410_S4_ReasonGoesBack: why a PASSporT was not believed is told to whoever has sent the call.
func TestRFC9410_S4_ReasonGoesBack(t *testing.T) {
	b := newBed(t)
	element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
	by := b.border(t, here, []string{element.uri("tcp")}, far.address, nil)
	phone := here.call(t, by, "uac.xml", 1, assertedForged, "X-Trunk: sip-in", "X-Side: in", "Identity: "+tampered(t, b.lab.sign(t, "--header")))
	if got := far.invite(t); !strings.Contains(got.value(t, "P-Asserted-Identity"), "verstat=TN-Validation-Failed") || got.values("Reason") != nil {
		t.Errorf("goes on:\n%s", got)
	}
	for _, m := range phone.got(t, "SIP/2.0 ") {
		status := strings.Fields(string(m))[1]
		wanted := status != "100" && strings.HasSuffix(m.value(t, "CSeq"), " INVITE")
		if told := strings.HasPrefix(m.value(t, "Reason"), "STIR ;cause=438") || strings.HasPrefix(m.value(t, "Reason"), "STIR;cause=438"); told != wanted {
			t.Errorf("%s to %s: Reason %q", status, m.value(t, "CSeq"), m.values("Reason"))
		}
	}
}

// TestSwitchProbes: an element that is about to end says so to OPTIONS, and costs no call any time.
func TestSwitchProbes(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		b.comesBack(t)
		b.edit(t, "switches/1234.yaml", "log:\n", "drain:\n  delay: 1m\nlog:\n")
		element := b.serve(t, here, "switches/1234.yaml")
		far := here.answers(t, "uas.xml")
		by := b.border(t, here, []string{element.uri(road)}, far.address, map[string]string{"VIADUCT_PROBE": "1"})
		await(t, "OPTIONS", func() bool { return element.metric(t, "oob_sip_requests_total", `method="OPTIONS"`) > 0 })
		check(t, element.cmd.Process.Signal(syscall.SIGTERM))
		by.said.wait(t, "kamailio: an element is down")
		here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: sip-out")
		if got := far.invite(t).values("Identity"); got != nil || element.metric(t, "oob_sip_requests_total", `method="INVITE"`) != 0 {
			t.Errorf("an element that is about to end was asked: %q\n%s", got, by.said)
		}
		by.said.wait(t, "no element is up")
		element.kill(t)
		b.edit(t, "switches/1234.yaml", "delay: 1m", "delay: 0s")
		element.start(t)
		by.said.wait(t, "kamailio: an element is up")
		here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: sip-out")
		if got := far.got(t, "INVITE "); len(got) != 2 || len(got[1].values("Identity")) != 1 {
			t.Error("not signed since it is up")
		}
	})
}

// comesBack has an element listen where it does again after a restart, and nobody else meanwhile.
func (b *bed) comesBack(t *testing.T) {
	t.Helper()
	b.edit(t, "switches/1234.yaml", `udp: ["127.0.0.1:0"]`, `udp: ["`+freeAddress(t, "udp")+`"]`, `tcp: ["127.0.0.1:0"]`, `tcp: ["`+freeAddress(t, "tcp")+`"]`)
}

// TestSwitchOutlivesItsElement kills the element while calls come, and starts it again: no call is lost.
func TestSwitchOutlivesItsElement(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		b.comesBack(t)
		element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
		by := b.border(t, here, []string{element.uri(road)}, far.address, ownPatience)
		callers := here.phone(t)
		calls := here.calls(t, callers, by, "uac.xml", "sip:+"+called+"@"+by.address, []string{asserted, "X-Trunk: sip-out"}, "-r", "20")
		untilTheEnd(t, calls)
		arrives := func(what string, signed bool, since int) {
			t.Helper()
			await(t, what, func() bool {
				return slices.ContainsFunc(far.got(t, "INVITE ")[since:], func(m message) bool { return (m.values("Identity") != nil) == signed })
			})
		}
		arrives("a signed call", true, 0)
		element.kill(t)
		arrives("a call that is not signed", false, 0)
		since := len(far.got(t, "INVITE "))
		element.start(t)
		arrives("a signed call after the restart", true, since)
		check(t, calls.Process.Signal(syscall.SIGUSR1)) // no new calls
		if err := calls.Wait(); err != nil {
			t.Errorf("a call was lost: sipp: %v", err)
		}
	})
}

// pair has the elements publish to two CPSs and ask both, the second one at another address, within a time.
func (b *bed) pair(t *testing.T, budget string) {
	t.Helper()
	second := freeAddress(t, "tcp")
	for _, file := range []string{"switches/1234.yaml", "switches/567B.yaml"} {
		b.edit(t, file, "cps: [lab]", "cps: [lab, twin]", "budget: 5s", "budget: "+budget, "      audience: localhost\n", "      audience: localhost\n    - {name: twin, url: \"https://"+second+"\", audience: localhost}\n")
	}
	text, err := os.ReadFile(b.lab.path("viaduct.yaml"))
	check(t, err)
	check(t, os.WriteFile(b.lab.path("twin.yaml"), []byte(swap(t, string(text), b.cps, second)), 0o600))
}

// TestSwitchWithoutCPSs: one or both CPSs of a pair hang or are gone. The switch is answered within the budget all the same, and
// with one of them left nothing is lost.
func TestSwitchWithoutCPSs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ serve, hang, cause, budget string }{
		"one gone": {"twin.yaml", "", "", "5s"}, "one hung": {"twin.yaml", "viaduct.yaml", "", "5s"},
		"both gone": {"", "", "cps-failed", "5s"},
		"both hung": {"", "viaduct.yaml twin.yaml", "cps-timeout", "1s"}, // in which nothing need succeed; in a longer one both would be left alone
	} {
		t.Run(name, func(t *testing.T) {
			onEachRoad(t, func(t *testing.T, road string) {
				b := newBed(t)
				b.pair(t, c.budget)
				for _, config := range strings.Fields(c.serve) {
					b.serve(t, here, config)
				}
				for _, config := range strings.Fields(c.hang) {
					b.serve(t, here, config).hang(t)
				}
				from, to := b.serve(t, here, "switches/1234.yaml"), b.serve(t, here, "switches/567B.yaml")
				trunk, far := here.answers(t, "uas.xml"), here.answers(t, "uas.xml")
				near := b.border(t, here, []string{from.uri(road)}, trunk.address, nil)
				distant := b.border(t, here, []string{to.uri(road)}, far.address, nil)
				here.call(t, near, "uac.xml", 1, asserted, "X-Trunk: tdm-out")
				here.call(t, distant, "uac.xml", 1, asserted, "X-Trunk: from-1234", "X-Side: in")
				if len(trunk.invite(t).values("Identity")) != 1 {
					t.Error("not signed because it could not be published")
				}
				verstat := map[bool]string{false: "No-TN-Validation", true: passed}[c.cause == ""]
				if got := far.invite(t).value(t, "P-Asserted-Identity"); !strings.Contains(got, "verstat="+verstat+"@") {
					t.Errorf("the far telephone sees %q, want %s", got, verstat)
				}
				for _, element := range []*server{from, to} {
					record := element.records(t, 1)[0]
					if record.SIPCode != 302 || record.FailOpen != c.cause {
						t.Errorf("%s: answered %d, went on because of %q; want 302 and %q", record.Trunk, record.SIPCode, record.FailOpen, c.cause)
					}
					if n := element.metric(t, "oob_failopen_total", `cause="`+c.cause+`"`); (n == 1) != (c.cause != "") {
						t.Errorf("%s: %v calls counted that went on because of %q", record.Trunk, n, c.cause)
					}
				}
				silent(t, near)
				silent(t, distant)
			})
		})
	}
}

// TestSwitchGivesUp: the caller hangs up while the element waits for its CPS.
func TestSwitchGivesUp(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		b.serve(t, here, "viaduct.yaml").hang(t)
		element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
		by := b.border(t, here, []string{element.uri(road)}, far.address, nil)
		phone := here.call(t, by, "uac_cancel.xml", 1, asserted, "X-Trunk: tdm-out")
		if got := phone.status(t); got != "487" {
			t.Errorf("answered %s, want 487", got)
		}
		if n := len(far.got(t, "INVITE ")); n != 0 {
			t.Error("a call that was given up has gone on")
		}
		if record := element.records(t, 1)[0]; !record.Cancelled || record.SIPCode != 487 {
			t.Errorf("the record says %+v", record)
		}
		if n := element.metric(t, "oob_sip_events_total", `event="cancel"`); n != 1 {
			t.Errorf("%v CANCELs counted, want 1", n)
		}
	})
}

// TestSwitchTakesAnotherTrunk: the first trunk is full, and the switch asks again for the second one. The CPS is not told twice.
func TestSwitchTakesAnotherTrunk(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		cps := b.serve(t, here, "viaduct.yaml")
		element, full, free := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas_full.xml"), here.answers(t, "uas.xml")
		by := b.border(t, here, []string{element.uri(road)}, full.address, map[string]string{"SECOND_HOP": quoted("sip:" + free.address)})
		here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: tdm-out")
		first, second := full.invite(t).value(t, "Identity"), free.invite(t).value(t, "Identity")
		if first == "" || first != second {
			t.Errorf("Identity is %q on the first trunk, %q on the second", first, second)
		}
		if n := cps.metric(t, "oob_cps_request_seconds_count", `operation="publish"`); n != 1 {
			t.Errorf("published %v times, want once", n)
		}
		repeated := map[bool]int{}
		for _, record := range element.records(t, 2) {
			repeated[record.Repeated]++
		}
		if want := map[bool]int{false: 1, true: 1}; !maps.Equal(repeated, want) {
			t.Errorf("repeated dips: %v, want %v", repeated, want)
		}
		silent(t, by)
	})
}

// neighbour are the settings of a border that signs and checks with secsipid.
func (b *bed) neighbour() map[string]string {
	return map[string]string{
		"X5U": quoted(b.lab.repository + "/1234.pem"), "KEY_FILE": quoted(b.lab.key("1234")), "ROOT_OPTION": quoted("CertCAFile=" + b.lab.path("sti-root.pem")),
	}
}

func TestSwitchesOfOthersAreBelieved(t *testing.T) {
	onEachRoad(t, func(t *testing.T, road string) {
		b := newBed(t)
		element, far := b.serve(t, here, "switches/567B.yaml"), here.answers(t, "uas.xml")
		by := b.border(t, here, []string{element.uri(road)}, far.address, b.neighbour())
		here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: sip-in", "X-Side: in", "X-Secsipid: sign")
		invite := far.invite(t)
		if got := invite.value(t, "P-Asserted-Identity"); got != "<sip:+"+caller+";verstat="+passed+"@127.0.0.1>" || invite.value(t, "Attestation-Info") != "A" {
			t.Errorf("what Kamailio has signed is not believed:\n%s", invite)
		}
	})
}

func TestSwitchesOfOthersBelieve(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ spc, status string }{"ours": {"1234", "200"}, "nothing": {"", "438"}} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			element, far := b.serve(t, here, "switches/1234.yaml"), here.answers(t, "uas.xml")
			neighbour := b.border(t, here, nil, far.address, b.neighbour())
			by := b.border(t, here, []string{element.uri("tcp")}, neighbour.address, nil)
			if c.spc == "" {
				element.kill(t)
			}
			phone := here.call(t, by, "uac.xml", 1, asserted, "X-Trunk: sip-out", "X-Secsipid: check")
			if got := phone.status(t); got != c.status {
				t.Errorf("answered %s, want %s", got, c.status)
			}
		})
	}
}
