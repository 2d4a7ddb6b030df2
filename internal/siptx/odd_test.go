package siptx_test

import (
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestOddMessages: what the torture messages leave out. Outcomes are those of TestRFC4475_TortureMessages.
func TestOddMessages(t *testing.T) {
	via := func(sentBy string) string {
		return invite("z9hG4bK1", "Via", "SIP/2.0/UDP "+sentBy+";branch=z9hG4bK1")
	}
	start := func(uri string) string { return invite("z9hG4bK1", "start", "INVITE "+uri+" SIP/2.0") }
	for _, c := range []struct{ name, text, udp, tcp string }{
		{"RFC 5118 §4.1 an IPv6 reference", start("sip:[2001:db8::10]"), "respond", "respond"},
		{"RFC 5118 §4.4 an IPv6 reference with port", start("sip:[2001:db8::10]:5070"), "respond", "respond"},
		{"RFC 5118 §4.1 an IPv6 reference in Via", via("[2001:db8::9:1]:6050"), "respond", "respond"},
		{"RFC 5118 §4.5 received in brackets", via("[2001:db8::9:1];received=[2001:db8::9:255]"), "respond", "respond"},
		{"RFC 5118 §4.5 received without", via("[2001:db8::9:1];received=2001:db8::9:255"), "respond", "respond"},
		{"RFC 5118 §4.9 IPv4-mapped", via("[::ffff:192.0.2.10]:19823"), "respond", "respond"},
		{"RFC 5118 §4.2 no brackets in Via", via("2001:db8::9:1"), "dropped", "dropped"},
		{"no end of brackets in Via", via("[2001:db8::9:1"), "dropped", "dropped"},
		{"nothing in brackets in Via", via("[]"), "dropped", "dropped"},

		{"two Call-IDs", invite("z9hG4bK1", "i", "x"), "400", "400"},
		{"two From", invite("z9hG4bK1", "f", "<sip:a@b>;tag=1"), "400", "400"},
		{"two To", invite("z9hG4bK1", "t", "<sip:a@b>"), "400", "400"},
		{"two CSeq", invite("z9hG4bK1", "cseq", "1 INVITE"), "400", "400"},
		{"two Content-Lengths that agree", invite("z9hG4bK1", "l", "0"), "400", "close 400"},
		{"two Content-Lengths that do not", invite("z9hG4bK1", "l", "5"), "400", "close 400"},
		{"Content-Length with a sign", invite("z9hG4bK1", "Content-Length", "+0"), "400", "close 400"},
		{"Content-Length of 2^32", invite("z9hG4bK1", "Content-Length", "4294967296"), "400", "close 400"},
		{"4,000 fields", invite("z9hG4bK1", "Subject", strings.Repeat("x\r\nSubject: ", 4_000)), "400", "400"},
		{"400 Vias", invite("z9hG4bK1", "Subject", strings.Repeat("x\r\nVia: SIP/2.0/UDP a\r\nSubject: ", 200)), "respond", "respond"},
		{"1500 Vias in one", via("a" + strings.Repeat(", SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx", 1500)), "respond", "respond"},
		{"a line of 60,000", invite("z9hG4bK1", "Subject", strings.Repeat("x", 60_000)), "respond", "respond"},
		{"20,000 folds", invite("z9hG4bK1", "Subject", strings.Repeat("\r\n ", 20_000)), "respond", "respond"},
		{"NUL in Call-ID", invite("z9hG4bK1", "Call-ID", "a\x00b"), "respond", "respond"},
		{"NUL in Via", via("a\x00b"), "400", "400"},
		{"overlong UTF-8 in a tag", invite("z9hG4bK1", "From", "<sip:a@b>;tag=\xc0\xaf"), "400", "400"},
		{"overlong UTF-8 in a name", invite("z9hG4bK1", "From", "\"\xc0\xaf\" <sip:a@b>;tag=1"), "respond", "respond"},
	} {
		for transport, want := range map[string]string{siptx.UDP: c.udp, siptx.TCP: c.tcp} {
			t.Run(c.name+"/"+transport, func(t *testing.T) {
				if got := suffer(t, transport, c.text); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
}
