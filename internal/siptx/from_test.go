package siptx_test

import (
	"context"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestFromIsReplaced as long as its tag stays: in the INVITE, what repeats it, its CANCEL and its ACK, while the switch sees what it
// wrote. What would end the dialog, or write another line, is refused.
func TestFromIsReplaced(t *testing.T) {
	const came = `"A" <sip:+12155550112;verstat=TN-Validation-Passed@192.0.2.10>;tag=f1`
	for _, c := range []struct {
		name, from string
		replaced   bool
	}{
		{"RFC 3261 §9.1 the same tag", `"A" <sip:+12155550112@192.0.2.10>;tag=f1`, true},
		{"another tag", `"A" <sip:+12155550112@192.0.2.10>;tag=f2`, false},
		{"no tag", `"A" <sip:+12155550112@192.0.2.10>`, false},
		{"two tags", `"A" <sip:+12155550112@192.0.2.10>;tag=f1;tag=f1`, false},
		{"no address", `;tag=f1`, false},
		{"two lines", "<sip:a@b>;tag=f1\r\nX: y", false},
		{"two lines, folded", "<sip:a@b>\r\n ;tag=f1", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			respond := func(context.Context, *siptx.Request) siptx.Response {
				return siptx.Response{Forward: &siptx.Forward{Transport: siptx.UDP, To: theHop, Remove: []string{"From", "f"}, Replace: []siptx.Field{{Name: "f", Value: c.from}}}}
			}
			bubble(t, proxy(siptx.Config{Respond: respond}), func(r *rig) {
				want, refused := came, uint64(2) // in the INVITE and in its retransmission
				if c.replaced {
					want, refused = c.from, 0
				}
				edit := []string{"From", came, "X-Behind", "1"}
				r.send(invite("z9hG4bK1", edit...), theSwitch)
				out := r.want("INVITE", theHop)
				r.send(invite("z9hG4bK1", edit...), theSwitch)
				if again := r.want("INVITE", theHop); again != out {
					t.Errorf("a retransmission goes on as\n%s\nwant\n%s", again, out)
				}
				r.send(request("CANCEL", "z9hG4bK1", edit...), theSwitch)
				cancel := r.want("CANCEL", theHop)
				r.send(response("487 Request Terminated", out), theHop)
				terminated := r.want("SIP/2.0 487", theSwitch)
				if header(terminated, "From") != came || strings.Count(terminated, "From:") != 1 {
					t.Errorf("the switch sees\n%s", terminated)
				}
				r.send(ack("z9hG4bK1", terminated, edit...), theSwitch)
				for _, text := range []string{out, cancel, r.want("ACK", theHop)} {
					if header(text, "From") != want || strings.Count(text, "From: ") != 1 || strings.Contains(text, "X: y") {
						t.Errorf("From %q, want %q in\n%s", header(text, "From"), want, text)
					}
				}
				if st := r.server.Stats(); st.FieldsRefused != refused {
					t.Errorf("%d fields refused, want %d", st.FieldsRefused, refused)
				}
			})
		})
	}
}
