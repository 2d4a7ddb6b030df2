package sipgw_test

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// hop is a next hop over UDP that answers every INVITE with 480.
func hop(t *testing.T) (at netip.AddrPort, got <-chan string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests := make(chan string, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer, before := make([]byte, 64<<10), ""
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			m, err := sip.ParseMessage(append([]byte(nil), buffer[:n]...))
			request, ok := m.(*sip.Request)
			if err != nil || !ok || !request.IsInvite() {
				continue
			}
			if text := string(buffer[:n]); text != before { // or it comes again because the answer takes half a second
				requests <- text
				before = text
			}
			_, _ = conn.WriteTo([]byte(sip.NewResponseFromRequest(request, 480, "Not There", nil).String()), from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), requests
}

// lines gives all values of a header field of a request.
func lines(request, name string) string {
	var values []string
	for line := range strings.SplitSeq(request, "\r\n") {
		if value, found := strings.CutPrefix(line, name+": "); found {
			values = append(values, value)
		}
	}
	return strings.Join(values, " | ")
}

func TestSentOnWithWhatWasAdded(t *testing.T) {
	at, got := hop(t)
	onward := func(mode trunk.Mode) trunk.Row {
		return row(mode, func(r *trunk.Row) { r.NextHop = "sip:" + at.String() })
	}
	b := open(t, onward(trunk.Sign))
	b.ask(invite("Subject", "kept")).status(480)
	request := <-got
	values := lines(request, "Identity")
	b.believed(values)
	if !strings.HasPrefix(request, "INVITE sip:+12155550131@oob.example;user=phone SIP/2.0\r\n") || lines(request, "Date") == "" || lines(request, "Subject") != "kept" {
		t.Errorf("sent on:\n%s", request)
	}

	b.setRows(onward(trunk.Verify))
	good := b.fresh(1)
	b.ask(invite(append(again(1), "Identity", good, "Attestation-Info", "C", "P-Attestation-Indicator", "A", "Origination-Id", "mine",
		"P-Asserted-Identity", "<tel:+12155550121;verstat=No-TN-Validation>", "P-Asserted-Identity+", "<sip:+12155550121@192.0.2.10>")...)).status(480)
	request = <-got
	for name, want := range map[string]string{
		"Identity": good, "Attestation-Info": "A", "P-Attestation-Indicator": "", "Origination-Id": "123e4567-e89b-12d3-a456-000000000001",
		"P-Asserted-Identity": "<tel:+12155550121;" + passed + ">, <sip:+12155550121;" + passed + "@192.0.2.10>",
		"From":                `"A. Caller" <sip:+12155550121@192.0.2.10;user=phone>;tag=f1`,
	} {
		if value := lines(request, name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}

	b.setRows(onward(trunk.Off))
	b.ask(invite(again(2)...)).status(480)
	if request = <-got; lines(request, "Identity")+lines(request, "Date")+lines(request, "P-Asserted-Identity") != "" {
		t.Errorf("sent on:\n%s", request)
	}

	b.ask(invite(append(again(3), "To", "<sip:+12155550131@oob.example>;tag=there")...)).status(480) // within a dialog
	if request = <-got; lines(request, "Identity") != "" {
		t.Errorf("sent on:\n%s", request)
	}
	if stats := b.gateway.Stats(); stats.Forwarded != 4 {
		t.Errorf("%+v", stats)
	}
}

// On its way, a forged verstat is taken out of From, and that of a caller whom nobody has asserted is put there; the answer shows From
// as the switch wrote it.
func TestATIS74_S5_3_VerstatInFromIsSentOn(t *testing.T) {
	at, got := hop(t)
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.NextHop = "sip:" + at.String() }))
	for i, c := range []struct {
		name, came string
		edit       []string
		want       string
	}{
		{"forged", `"A" <sip:+12155550121;verstat=TN-Validation-Passed@192.0.2.10>;tag=f1`, nil, `"A" <sip:+12155550121@192.0.2.10>;tag=f1`},
		{"forged behind", `<sip:+12155550121@192.0.2.10>;verstat=TN-Validation-Passed;tag=f1`, nil, `<sip:+12155550121@192.0.2.10>;tag=f1`},
		{"restricted", `<sip:+12155550121@192.0.2.10>;tag=f1`, []string{"Privacy", "id"}, `<sip:+12155550121;` + none + `@192.0.2.10>;tag=f1`},
		{"anonymous", `"Anonymous" <sip:anonymous@anonymous.invalid>;tag=f1`, []string{"Privacy", "id", "P-Asserted-Identity", "<tel:+12155550121>"},
			`"Anonymous" <sip:anonymous@anonymous.invalid>;tag=f1`},
		{"without a tag", `<sip:+12155550121;verstat=TN-Validation-Passed@192.0.2.10>`, nil, `<sip:+12155550121@192.0.2.10>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.ask(invite(append(again(i), append(c.edit, "From", c.came)...)...))
			a.t = t
			a.status(480)
			request := <-got
			if !strings.Contains(request, "\r\nFrom: "+c.want+"\r\n") || strings.Count(request, "From:") != 1 {
				t.Errorf("sent on, want From %s:\n%s", c.want, request)
			}
			if !strings.Contains(a.text, "\r\nFrom: "+c.came+"\r\n") {
				t.Errorf("the switch wrote From %s:\n%s", c.came, a.text)
			}
		})
	}
	if st := b.server.Stats(); st.FieldsRefused != 0 {
		t.Errorf("%d fields were refused", st.FieldsRefused)
	}
}

// What a request that is sent on may not say any more about its caller is taken out of From, too, and what nobody has asserted is
// said there alone.
func TestVerstatInFromOfARequestThatIsSentOn(t *testing.T) {
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.NextHop = "sip:192.0.2.99" }))
	for name, c := range map[string]struct {
		edit      []string
		from, pai string
	}{
		"taken out": {[]string{"From", `"A" <sip:+12155550121;verstat=TN-Validation-Passed@192.0.2.10>;tag=f1`},
			`"A" <sip:+12155550121@192.0.2.10>;tag=f1`, `"A" <sip:+12155550121;` + none + "@192.0.2.10>"},
		"nobody has asserted it": {[]string{"From", `<sip:+12155550121@192.0.2.10>;tag=f1`, "Privacy", "id"},
			"<sip:+12155550121;" + none + "@192.0.2.10>;tag=f1", ""},
		"it stays": {nil, "", `"A. Caller" <sip:+12155550121;` + none + "@192.0.2.10;user=phone>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := b.gateway.Respond(t.Context(), read(t, invite(c.edit...)))
			if r.Forward == nil || r.Forward.To != netip.MustParseAddrPort("192.0.2.99:5060") || r.Forward.Transport != siptx.UDP {
				t.Fatal(r)
			}
			var from, pai string
			for _, f := range r.Forward.Replace {
				switch f.Name {
				case "From":
					from = f.Value
				case "P-Asserted-Identity":
					pai = f.Value
				}
			}
			if from != c.from || pai != c.pai {
				t.Errorf("From %q, P-Asserted-Identity %q", from, pai)
			}
		})
	}
}

func TestNextHopsThatAreNone(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	for hop, want := range map[string]int{"sip:proxy.example": 503, "sip:" + b.udp.String(): 482, "sip:127.0.0.1;transport=ws": 503} {
		b.setRows(row(trunk.Sign, func(r *trunk.Row) { r.NextHop = hop }))
		if r := b.gateway.Respond(t.Context(), read(t, invite())); r.Forward != nil || r.Status != want {
			t.Errorf("%s: %v, want %d", hop, r, want)
		}
	}
	b.setRows(row(trunk.Sign, nil))
	if r := b.gateway.Respond(t.Context(), read(t, invite())); r.Forward != nil || r.Status != 302 {
		t.Error(r)
	}
}

// What a caller writes about his own verification is taken out of every request that a trunk that verifies sends on, also
// where nothing is verified: a call for help, a request within a dialog (ATIS-1000074 §5.3).
func TestATIS74_S5_3_NothingOfTheCallersOwnIsSentOn(t *testing.T) {
	at, got := hop(t)
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.NextHop = "sip:" + at.String() }))
	forged := []string{
		"P-Asserted-Identity", "<sip:+12155550121;verstat=TN-Validation-Passed@192.0.2.10;user=phone>",
		"Attestation-Info", "A", "Origination-Id", "6f2c9c1e-0a2b-4d66-9a51-6a1a2f9d7c10",
	}
	for name, request := range map[string]string{
		"marked as emergency": invite(append(forged, "Priority", "psap-callback", "Resource-Priority", "esnet.0")...),
		"within a dialog":     invite(append(forged, "To", "<sip:+12155550131@oob.example;user=phone>;tag=there")...),
		"to 911":              strings.Replace(invite(forged...), "sip:+12155550131@", "sip:911@", 1),
	} {
		t.Run(name, func(t *testing.T) {
			another := strings.NewReplacer("z9hG4bK-1", "z9hG4bK-"+strconv.Itoa(len(name)), "c1@", "c-"+strconv.Itoa(len(name))+"@")
			b.ask(another.Replace(request)).status(480)
			sent := <-got
			for _, lie := range []string{"TN-Validation-Passed", "Attestation-Info", "Origination-Id"} {
				if strings.Contains(sent, lie) {
					t.Errorf("%s is sent on:\n%s", lie, sent)
				}
			}
		})
	}
}
