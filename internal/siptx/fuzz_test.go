package siptx_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// seeds are the torture messages and some of ours.
func seeds(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("testdata/rfc4475/*.dat")
	if err != nil || len(files) == 0 {
		f.Fatalf("no torture messages: %v", err)
	}
	texts := []string{
		invite("z9hG4bK1"), request("OPTIONS", "z9hG4bK1"), request("CANCEL", "z9hG4bK1"), request("ACK", "z9hG4bK1"),
		invite("z9hG4bK1", "v", "SIP/2.0/TCP a;rport, SIP/2.0/TLS [2001:db8::1]:5061;branch=x", "Route", "<sip:203.0.113.1:5060;lr>"),
		"\r\n\r\n" + invite("z9hG4bK1", "Content-Length", "3", "body", "abc") + request("OPTIONS", "z9hG4bK2"),
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return texts
}

var (
	viaLine  = regexp.MustCompile(`(?im)^(v|via)[ \t]*:`)
	viaComma = regexp.MustCompile(`(?im)^(v|via)[ \t]*:(.*\n[ \t])*.*,`)
)

// FuzzDatagram: at most one answer, to where the datagram came from; one message whatever came, with no more Vias than came.
// A request that was read to its end is answered with its own From, To, Call-ID and CSeq, and what we add to it breaks nothing:
// sipgo understands the answer if it understands the same fields as they came. Whether it does is its own affair, and of no answer.
func FuzzDatagram(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, siptx.Config{})
			r.send(text, theSwitch)
			out := r.wire.take()
			if len(out) == 0 {
				return
			}
			answer := out[0].text
			if len(out) > 1 || out[0].peer.Addr() != theSwitch.Addr() {
				t.Fatalf("%d answers, the first to %v", len(out), out[0].peer)
			}
			lines := strings.Split(answer, "\r\n")
			if !strings.HasPrefix(answer, "SIP/2.0 ") || !strings.HasSuffix(answer, "\r\nContent-Length: 0\r\n\r\n") ||
				slices.Index(lines, "") != len(lines)-2 || strings.ContainsAny(strings.Join(lines, ""), "\r\n") {
				t.Fatalf("got %q", answer)
			}
			if n := len(viaLine.FindAllString(answer, -1)); n == 0 || n > len(viaLine.FindAllString(text, -1)) {
				t.Fatalf("%d Vias in %q", n, answer)
			}
			if strings.HasPrefix(answer, "SIP/2.0 400") || strings.HasPrefix(answer, "SIP/2.0 505") {
				return // it was not read to its end
			}
			came := asItCame(text, lines[0])
			for _, line := range lines {
				name, value, _ := strings.Cut(line, ": ")
				switch name {
				case "From", "Call-ID", "CSeq":
					if !slices.Contains(came, line) {
						t.Fatalf("%q is not of %q", line, text)
					}
				case "To":
					if !slices.ContainsFunc(came, func(one string) bool { return line == one || tags.MatchString(strings.TrimPrefix(line, one)+"\r\n") }) {
						t.Fatalf("to %q is not of %q", value, text)
					}
				}
			}
			if _, err := sip.ParseMessage([]byte(strings.Join(came, "\r\n"))); err != nil || viaComma.MatchString(text) { // a comma is for sipgo a part of the host
				return
			}
			if _, err := sip.ParseMessage([]byte(answer)); err != nil {
				t.Fatalf("sipgo understands %q, and not the answer %q: %v", came, answer, err)
			}
		})
	})
}

var (
	fold     = regexp.MustCompile(`([ \t]*\r?\n[ \t]+)+`)
	headLine = regexp.MustCompile(`(?i)^(v|via|f|from|t|to|i|call-id|cseq)[ \t]*:[ \t]*(.*?)[ \t\r]*$`)
	echoName = map[string]string{"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "via": "Via", "from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}
)

// asItCame is the lines of an answer in which nobody has added anything to what came, but for where lines were folded.
func asItCame(text, status string) (lines []string) {
	lines = append(lines, status)
	text = strings.TrimLeft(text, "\r\n")
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	for line := range strings.SplitSeq(fold.ReplaceAllString(head, " "), "\n") {
		if m := headLine.FindStringSubmatch(line); m != nil {
			lines = append(lines, echoName[strings.ToLower(m[1])]+": "+m[2])
		}
	}
	return append(lines, "Content-Length: 0", "", "")
}

var tags = regexp.MustCompile(`;tag=[0-9a-f]{16}\r\n`)

// FuzzStreamCut: however a stream is cut, the same is answered, and the connection is closed or not alike.
func FuzzStreamCut(f *testing.F) {
	for i, text := range seeds(f) {
		f.Add(text, uint16(17*i), uint16(31*i))
	}
	f.Fuzz(func(t *testing.T, text string, first, second uint16) {
		if len(text) == 0 {
			return
		}
		cuts := []int{int(first) % len(text), int(second) % len(text)}
		slices.Sort(cuts)
		outcome := func(parts ...string) (answers []string, closed bool) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan bool) // Respond answers when all has come: else it is up to chance what it is too late for
				r := start(t, siptx.Config{MessageBytesMax: 2048, Respond: func(ctx context.Context, r *siptx.Request) siptx.Response {
					<-gate
					return found(ctx, r)
				}})
				l := r.connect(theSwitch, false)
				for _, p := range parts {
					if p != "" {
						l.send(p)
					}
				}
				close(gate)
				synctest.Wait()
				answers = strings.Split(tags.ReplaceAllString(l.take(), "\r\n"), "SIP/2.0 ")
				closed = l.closed()
			})
			slices.Sort(answers) // each Respond answers when it likes
			return answers, closed
		}
		whole, wholeClosed := outcome(text)
		cut, cutClosed := outcome(text[:cuts[0]], text[cuts[0]:cuts[1]], text[cuts[1]:])
		if !slices.Equal(whole, cut) || wholeClosed != cutClosed {
			t.Fatalf("whole: %q %t\ncut: %q %t", whole, wholeClosed, cut, cutClosed)
		}
	})
}

// FuzzForward: what is sent on is understood by sipgo if what came was, and a response to it comes back to the switch
// with everything as it was sent on but for our Via.
func FuzzForward(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, proxy(siptx.Config{}))
			r.send(text, theSwitch)
			out := r.wire.take()
			if len(out) == 0 || strings.HasPrefix(out[0].text, "SIP/2.0 ") {
				return
			}
			if len(out) != 1 || out[0].peer != theHop {
				t.Fatalf("%d messages, the first to %v", len(out), out[0].peer)
			}
			// What stands behind a comma in a Via is not ours to judge, and sipgo judges it only sometimes.
			if _, err := sip.ParseMessage([]byte(text)); err == nil && !viaComma.MatchString(text) {
				if _, err := sip.ParseMessage([]byte(out[0].text)); err != nil {
					t.Fatalf("sipgo understands %q, and not %q: %v", text, out[0].text, err)
				}
			}
			_, rest, _ := strings.Cut(out[0].text, "\r\n")
			r.send("SIP/2.0 200 OK\r\n"+rest, theHop)
			_, want, _ := strings.Cut(rest, "\r\n")
			back := r.wire.take()
			if len(back) != 1 || back[0].peer.Addr() != theSwitch.Addr() || back[0].text != "SIP/2.0 200 OK\r\n"+want {
				t.Fatalf("got %v, want %q", back, want)
			}
		})
	})
}
