package sipgw_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/passport"
)

const asked = "3b9fa0c5-1b7a-4a52-9d4e-0c8a3e8f2b11"

func TestWhatASwitchAsksFor(t *testing.T) {
	for _, c := range []struct {
		name           string
		edit           []string
		attest, origID string // empty: as the policy gives
		unread         uint64
	}{
		{"nothing", nil, "A", "", 0},
		{"TS 24.229", []string{"Attestation-Info", "B", "Origination-Id", asked}, "B", asked, 0},
		{"before it", []string{"P-Attestation-Info", "C", "P-Origination-ID", asked}, "C", asked, 0},
		{"another", []string{"Attestation", "b"}, "B", "", 0},
		{"an indicator", []string{"P-Attestation-Indicator", "C"}, "C", "", 0},
		{"of two the less", []string{"Attestation-Info", "A", "P-Attestation-Info", "C"}, "C", "", 0},
		{"no level", []string{"Attestation-Info", "D"}, "A", "", 1},
		{"no UUID", []string{"Origination-Id", `x"; y`}, "A", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, row(trunk.Sign, func(r *trunk.Row) { r.Signing.TakeOrigID = true }))
			a := b.ask(invite(c.edit...))
			a.status(302)
			verdict := b.believed(a.values("Identity")[0])
			if verdict.Attest != c.attest || c.origID != "" && verdict.OrigID != c.origID || b.gateway.Stats().Unread != c.unread {
				t.Errorf("%s %s %+v", verdict.Attest, verdict.OrigID, b.gateway.Stats())
			}
		})
	}
}

// An origid is a name of whom a call comes from (RFC 8588 §5): a customer whose header fields the switch passes on could have
// its calls signed with another's.
func TestAnOrigIDIsTakenOnlyFromATrustedTrunk(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	a := b.ask(invite("Origination-Id", asked, "P-Origination-ID", asked))
	a.status(302)
	if verdict := b.believed(a.values("Identity")[0]); verdict.OrigID == "" || verdict.OrigID == asked || b.gateway.Stats().Unread != 0 {
		t.Errorf("signed with %q: %+v", verdict.OrigID, b.gateway.Stats())
	}
}

func TestDateOfTheRequest(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	now := b.Clock.Now().UTC()
	layout := "Mon, 02 Jan 2006 15:04:05 GMT"
	for i, c := range []struct {
		name   string
		edit   []string
		status int
		date   bool // is in the answer
	}{
		{"now", []string{"Date", now.Format(layout)}, 302, false},
		{"stale: RFC 8224 §6.1", []string{"Date", now.Add(-time.Hour).Format(layout)}, 404, false},
		{"none", nil, 302, true},
		{"no date", []string{"Date", "yesterday"}, 302, true},
		{"two dates", []string{"Date", now.Format(layout), "Date+", now.Add(-time.Hour).Format(layout)}, 302, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.ask(invite(append(again(i), c.edit...)...))
			a.t = t
			a.status(c.status)
			if strings.Contains(a.text, "\r\nDate: ") != c.date {
				t.Error(a.text)
			}
		})
	}
}

// Fingerprints go into the PASSporT of a call that goes on over SIP (RFC 8225 §5.2.2), and are held against it.
func TestRFC8225_S5_2_2_FingerprintsOfTheMedia(t *testing.T) {
	const one = "a=fingerprint:SHA-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:3C:4B:65:2E:7D:46:3F:54:42:CD:54:F1\r\n"
	sdp := func(lines ...string) []string {
		return []string{"Content-Type", "application/sdp", "body", "v=0\r\n" + strings.Join(lines, "")}
	}
	b := open(t, row(trunk.Sign, nil))
	for i, c := range []struct {
		name string
		edit []string
		want int
	}{
		{"one", sdp(one), 1},
		{"the same for each medium", sdp(one, one), 1},
		{"none", sdp("a=sendrecv\r\n"), 0},
		{"no hexadecimal", sdp("a=fingerprint:sha-256 zz\r\n"), 0},
		{"no digest", sdp("a=fingerprint:sha-256\r\n"), 0},
		{"too many", sdp(many(17)...), 0},
		{"no SDP", []string{"Content-Type", "text/plain", "body", one}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.ask(invite(append(again(i), c.edit...)...))
			a.t = t
			a.status(302)
			token, err := passport.Parse(strings.SplitN(a.values("Identity")[0], ";", 2)[0])
			if err != nil || len(token.Claims.MKY) != c.want {
				t.Errorf("%v %v", err, token.Claims.MKY)
			}
			if c.want > 0 && token.Claims.MKY[0].Alg != "sha-256" {
				t.Error(token.Claims.MKY)
			}
		})
	}
	a := b.ask(invite(append(again(20), sdp(one)...)...))
	b.setRows(row(trunk.Verify, nil))
	a = b.ask(invite(append(append(again(21), sdp(strings.Replace(one, "4A:", "4B:", 1))...), "Identity", a.values("Identity")[0])...))
	if strings.Contains(a.text, passed) || !strings.Contains(a.text, "Reason: STIR ;cause=438 ") {
		t.Error(a.text)
	}
}

func many(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("a=fingerprint:sha-256 %02x\r\n", i))
	}
	return lines
}

// A request that comes again is the same call; one with another From tag or from another call is another, and finds the PASSporT used
// (see stivs.Call.ID).
func TestWhatIsTheSameCall(t *testing.T) {
	b := open(t, row(trunk.Verify, nil))
	identity := b.fresh(1)
	long := strings.Repeat("x", 3000)
	for i, c := range []struct {
		name, callID, tag, want string
	}{
		{"the first", "a", "t", passed},
		{"again", "a", "t", passed},
		{"another tag", "a", "u", "verstat=No-TN-Validation"},
		{"another Call-ID", "b", "t", "verstat=No-TN-Validation"},
		{"a Call-ID that is too long", long, "t", "verstat=No-TN-Validation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.ask(invite("Call-ID", c.callID, "Via", fmt.Sprint("SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-", i), "Identity", identity,
				"From", "<sip:+12155550121@192.0.2.10>;tag="+c.tag))
			a.t = t
			a.has("P-Asserted-Identity", "<sip:+12155550121;"+c.want+"@192.0.2.10>")
		})
	}
}

func TestCallIsTraced(t *testing.T) {
	b := open(t, row(trunk.Sign, nil))
	a := b.ask(invite())
	b.must(b.server.Shutdown(t.Context()))
	b.must(b.recorder.Close(t.Context())) // all records have settled
	records := b.recorder.Find(trace.Query{CallID: "c1@192.0.2.10"})
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	if r.Door != "udp" || r.Trunk != "sign" || r.Mode != "sign" || r.Orig != calltest.Caller || r.Dest != calltest.Called || r.SIPCode != 302 ||
		len(r.Messages) != 2 || !r.Messages[0].In || r.Messages[1].In || string(r.Messages[1].Bytes) != a.text || len(r.Passports) != 1 ||
		r.Local != b.udp || r.Messages[0].To != b.udp || r.Messages[1].From != b.udp || r.Messages[1].To != r.Peer {
		t.Errorf("%+v", r)
	}
}

// What a Resource-Priority asks for that no PASSporT supports is left as it came, and counted: our policy (RFC 8443 §4.2).
func TestRFC8443_S4_2_UnsupportedPriorityIsCountedAndLeft(t *testing.T) {
	b := open(t, row(trunk.Verify, nil))
	a := b.ask(invite("Identity", b.fresh(1), "Resource-Priority", "ets.0, wps.2"))
	a.status(302)
	a.has("P-Asserted-Identity", `"A. Caller" <sip:+12155550121;`+passed+`@192.0.2.10;user=phone>`)
	a.has("Resource-Priority", "")
	if got := b.gateway.Stats().UnsupportedPriority; got != 1 {
		t.Errorf("%d, want 1", got)
	}
	b.ask(invite(append(again(1), "Identity", b.fresh(2))...)).status(302)
	if got := b.gateway.Stats().UnsupportedPriority; got != 1 {
		t.Errorf("%d, want 1", got)
	}
	b.setRows(row(trunk.Verify, func(r *trunk.Row) { r.NextHop = "sip:192.0.2.99" }))
	for _, name := range b.gateway.Respond(t.Context(), read(t, invite("Resource-Priority", "ets.0"))).Forward.Remove {
		if strings.EqualFold(name, "Resource-Priority") {
			t.Error("it is taken out")
		}
	}
}

func TestRichCallDataInCallInfo(t *testing.T) {
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.Answer.CallInfo = true }))
	rich := func(r passport.RichCallData) string {
		r.HasRCD = true
		return calltest.Field(b.Sign(b.Signer, passport.RCD, passport.Claims{Rich: &r}))
	}
	for i, c := range []struct {
		name         string
		rich         passport.RichCallData
		privacy      string
		info, called string
	}{
		{"a name", passport.RichCallData{Nam: `The "Bank" \ Co`}, "", "", `"The \"Bank\" \\ Co" <tel:+12155550121;` + passed + ">"},
		{"why", passport.RichCallData{Nam: "Bank", CRN: `your "order"`}, "", `<data:>;purpose=jcard;call-reason="your \"order\""`, `"Bank" <tel:+12155550121;` + passed + ">"},
		{"a card", passport.RichCallData{Nam: "Bank", JCD: `["vcard",[["version",{},"text","4.0"],["fn",{},"text","Bank"]]]`}, "",
			"<data:application/json;base64,WyJ2Y2FyZCIsW1sidmVyc2lvbiIse30sInRleHQiLCI0LjAiXSxbImZuIix7fSwidGV4dCIsIkJhbmsiXV1d>;purpose=jcard",
			`"Bank" <tel:+12155550121;` + passed + ">"},
		{"a caller who is not to be shown", passport.RichCallData{Nam: "Bank", CRN: "order"}, "id", "", `"As it came" <tel:+12155550121;` + passed + ">"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.ask(invite(append(again(i), "Identity", b.fresh(i), "Identity+", rich(c.rich), "Privacy", c.privacy,
				"P-Asserted-Identity", `"As it came" <tel:+12155550121>`)...))
			a.t = t
			a.has("Call-Info", c.info)
			a.has("P-Asserted-Identity", c.called)
		})
	}
}
