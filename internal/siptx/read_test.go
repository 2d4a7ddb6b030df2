package siptx_test

import (
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

func TestRead(t *testing.T) {
	good := "INVITE sip:a@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:b@h>\r\n ;tag=1\r\nt: <sip:a@h>\r\ni: 1\r\nCSeq: 1 INVITE\r\nl: 9\r\n\r\n"
	for _, c := range []struct {
		name, text, want string // want: in the error; empty for none
	}{
		{"good, and its body is not there", good, ""},
		{"a body that is longer", good + "0123456789abcdef", ""},
		{"no header end", strings.TrimSuffix(good, "\r\n"), "header without end"},
		{"line feeds alone", strings.ReplaceAll(good, "\r\n", "\n"), "line without cr lf"},
		{"no Via", strings.Replace(good, "v:", "X:", 1), "no usable via"},
		{"Content-Length of no number", strings.Replace(good, "l: 9", "l: x", 1), "bad content-length"},
		{"a response", "SIP/2.0 200 OK\r\n\r\n", "not sip"},
		{"SIP/3.0", strings.Replace(good, "SIP/2.0\r\nv", "SIP/3.0\r\nv", 1), "version not supported"},
		{"nothing", "", "not sip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := siptx.Read(c.text)
			if c.want == "" {
				if err != nil || r.FromTag() != "1" || r.Value("From") != "<sip:b@h> ;tag=1" {
					t.Errorf("%+v, %v", r, err)
				}
			} else if r != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v; want %q", r, err, c.want)
			}
		})
	}
}
