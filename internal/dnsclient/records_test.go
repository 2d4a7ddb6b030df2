package dnsclient_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/internal/dnstest"
	"github.com/viaduct-oob/viaduct/tn"
)

func rule(order, preference uint16, flags, service, regexp string) dnsclient.NAPTR {
	return dnsclient.NAPTR{Order: order, Preference: preference, Flags: flags, Service: service, Regexp: regexp}
}

const spcService = "E2U+x-spc"

func TestRFC6116_S343_Rules(t *testing.T) {
	good := rule(10, 10, "u", spcService, "!^.*$!spc:1234!")
	for _, c := range []struct {
		name    string
		records []dnsclient.NAPTR
		want    string // joined by spaces; "bad" where a rule is offered that is not evaluated
	}{
		{"one", []dnsclient.NAPTR{good}, "spc:1234"},
		{"none", nil, ""},
		{"no case", []dnsclient.NAPTR{rule(1, 1, "U", "e2u+X-SPC", "!^.*$!spc:1234!i")}, "spc:1234"},
		{"several services", []dnsclient.NAPTR{rule(1, 1, "u", "E2U+sip+x-spc+x", "!^.*$!spc:1234!")}, "spc:1234"},
		{"by preference", []dnsclient.NAPTR{rule(5, 9, "u", spcService, "!^.*$!spc:2!"), rule(5, 8, "u", spcService, "!^.*$!spc:1!")}, "spc:1 spc:2"},
		{"as they came", []dnsclient.NAPTR{rule(5, 9, "u", spcService, "!^.*$!spc:2!"), rule(5, 9, "u", spcService, "!^.*$!spc:1!")}, "spc:2 spc:1"},
		{"twice", []dnsclient.NAPTR{good, good}, "spc:1234"},
		{"RFC 3403 §4.1: the lowest order alone", []dnsclient.NAPTR{rule(11, 1, "u", spcService, "!^.*$!spc:2!"), good}, "spc:1234"},
		{"the lowest that can be evaluated", []dnsclient.NAPTR{rule(9, 1, "u", spcService, `!^(.*)$!spc:\1!`), good}, "spc:1234"},
		{"other service", []dnsclient.NAPTR{rule(1, 1, "u", "E2U+x-spc:a", "!^.*$!spc:2!"), rule(1, 1, "u", "x-spc", "!^.*$!spc:2!"), rule(1, 1, "u", "", "")}, ""},
		{"service of another resolution", []dnsclient.NAPTR{rule(1, 1, "u", "SIP+x-spc", "!^.*$!spc:2!")}, ""},

		{"copy of the number", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^(.*)$!spc:\1!`)}, "bad"},
		{"copy without a group", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^.*$!spc:\1!`)}, "bad"},
		{"escaped delimiter", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^.*$!spc:\!1!`)}, "bad"},
		{"part of the number", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^\+1215(.*)$!spc:1234!`)}, "bad"},
		{"an expression that takes ages", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^(((.*)*)*)*x$!spc:1234!`)}, "bad"},
		{"other delimiter", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `/^.*$/spc:1234/`)}, "bad"},
		{"no end", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^.*$!spc:1234`)}, "bad"},
		{"more than an end", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^.*$!spc:1234!!`)}, "bad"},
		{"unknown option", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^.*$!spc:1234!g`)}, "bad"},
		{"empty URI", []dnsclient.NAPTR{rule(1, 1, "u", spcService, `!^.*$!!`)}, "bad"},
		{"empty", []dnsclient.NAPTR{rule(1, 1, "u", spcService, "")}, "bad"},
		{"space", []dnsclient.NAPTR{rule(1, 1, "u", spcService, "!^.*$!spc: 1234!")}, "bad"},
		{"control", []dnsclient.NAPTR{rule(1, 1, "u", spcService, "!^.*$!spc:\n1234!")}, "bad"},
		{"beyond ASCII", []dnsclient.NAPTR{rule(1, 1, "u", spcService, "!^.*$!spc:\xff\xfe!")}, "bad"},
		{"not terminal", []dnsclient.NAPTR{rule(1, 1, "", spcService, "!^.*$!spc:1234!")}, "bad"},
		{"other flag", []dnsclient.NAPTR{rule(1, 1, "s", spcService, "!^.*$!spc:1234!")}, "bad"},
		{"replacement beside the rule", []dnsclient.NAPTR{{Flags: "u", Service: spcService, Regexp: "!^.*$!spc:1234!", Replacement: "evil.test"}}, "bad"},
	} {
		t.Run(c.name, func(t *testing.T) {
			uris, err := dnsclient.URIs(c.records, "x-spc")
			got := strings.Join(uris, " ")
			if errors.Is(err, dnsclient.Malformed) && uris == nil {
				got = "bad"
			}
			if got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestRFC9460_S2_Parameters(t *testing.T) {
	const head = "_cps.example. 300 IN SVCB 1 host.example."
	for _, c := range []struct {
		name, record string
		speaks, ok   bool
		beyond       bool
	}{
		{"none", head, true, true, false},
		{"alpn beside the default", head + " alpn=h3", true, true, false},
		{"alpn without the default", head + " alpn=h3 no-default-alpn", false, true, false},
		{"alpn with one of ours", head + " alpn=h3,h2 no-default-alpn", true, true, false},
		{"hints", head + " ipv4hint=192.0.2.1", true, true, false},
		{"mandatory port", head + " mandatory=port port=8443", true, true, false},
		{"mandatory and not known", head + " mandatory=ipv4hint ipv4hint=192.0.2.1", true, true, true},
		{"RFC 9460 §8: mandatory and not there", head + ` key0=\000\003`, false, false, false},
		{"mandatory itself", head + ` key0=\000\000`, false, false, false},
		{"mandatory twice", head + ` key0=\000\003\000\003 port=1`, false, false, false},
		{"mandatory of half a key", head + ` key0=\000 port=1`, false, false, false},
		{"mandatory of nothing", head + ` key0="" port=1`, false, false, false},
		{"alpn of nothing", head + ` key1=""`, false, false, false},
		{"alpn that is cut", head + ` key1=\003h2`, false, false, false},
		{"alpn with an empty one", head + ` key1=\002h2\000`, false, false, false},
		{"RFC 9460 §7.1.1: no default and no alpn", head + " no-default-alpn", false, false, false},
		{"no default with a value", head + ` alpn=h2 key2=x`, false, false, false},
		{"port of three bytes", head + ` key3=abc`, false, false, false},
		{"port 0", head + ` port=0`, true, true, true},
		{"parameters of an alias", "_cps.example. 300 IN SVCB 0 host.example. key3=abc", true, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &dns.Msg{Answer: rawSVCB(t, c.record)}
			m.SetQuestion("_cps.example.", dns.TypeSVCB)
			m.Response = true
			wire, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			answer, err := dnsclient.ReadSVCBAnswer(wire, "_cps.example")
			if !c.ok {
				if !errors.Is(err, dnsclient.Malformed) || !reflect.ValueOf(answer).IsZero() {
					t.Errorf("%+v, %v", answer, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := answer.Records[0]
			if r.Target != "host.example" || r.Beyond != c.beyond || r.Speaks("http/1.1", "h2", "http/1.1") != c.speaks {
				t.Errorf("%+v", r)
			}
		})
	}
}

// rawSVCB writes a record whose parameters are whatever they are: keyN=value stands for key N, which the library of the server
// would else check.
func rawSVCB(t *testing.T, line string) []dns.RR {
	t.Helper()
	const spare = "key650" // keyN becomes key6500N, and that N on the wire
	line = strings.NewReplacer("key0=", spare+"00=", "key1=", spare+"01=", "key2=", spare+"02=", "key3=", spare+"03=").Replace(line)
	record := dnstest.Records(t, line)[0].(*dns.SVCB)
	for i, value := range record.Value {
		if local, ok := value.(*dns.SVCBLocal); ok && local.KeyCode >= 65000 {
			record.Value[i] = &dns.SVCBLocal{KeyCode: local.KeyCode - 65000, Data: local.Data}
		}
	}
	return []dns.RR{record}
}

// packed is the wire form of an answer to a question for the test's name.
func packed(t testing.TB, typ uint16, authority []dns.RR, records ...dns.RR) []byte {
	t.Helper()
	m := &dns.Msg{Answer: records, Ns: authority}
	m.SetQuestion(asked+".", typ)
	m.Response = true
	wire, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// Whatever a server sends: an error leaves nothing behind, and what is believed is within all bounds.
func FuzzAnswer(f *testing.F) {
	f.Add(packed(f, dns.TypeNAPTR, nil, dnstest.Records(f, record)...))
	f.Add(packed(f, dns.TypeNAPTR, nil, dnstest.Records(f, chain(3)...)...))
	f.Add(packed(f, dns.TypeNAPTR, dnstest.Records(f, soa)))
	f.Add(packed(f, dns.TypeSVCB, nil, dnstest.Records(f, asked+". 1 IN SVCB 1 a.example. alpn=h2 port=8443 mandatory=port", asked+". 1 IN SVCB 0 .")...))
	f.Fuzz(func(t *testing.T, message []byte) {
		naptr, err := dnsclient.ReadNAPTRAnswer(message, asked)
		bounded(t, naptr, err)
		svcb, err := dnsclient.ReadSVCBAnswer(message, asked)
		bounded(t, svcb, err)
	})
}

func bounded[R any](t *testing.T, answer dnsclient.Answer[R], err error) {
	t.Helper()
	if err != nil {
		if !reflect.ValueOf(answer).IsZero() {
			t.Errorf("%+v beside %v", answer, err)
		}
		if nothing, ok := errors.AsType[*dnsclient.NotExist](err); ok && (nothing.TTL < 0 || nothing.TTL > dnsclient.TTLLargest) {
			t.Errorf("nothing for %v", nothing.TTL)
		}
		return
	}
	if n := len(answer.Records); n == 0 || n > dnsclient.RecordsMax || answer.TTL < 0 || answer.TTL > dnsclient.TTLLargest {
		t.Errorf("%d records for %v", n, answer.TTL)
	}
}

// The record of another implementation reads as it was written, and nothing else reads as one.
func FuzzNAPTR(f *testing.F) {
	f.Add(uint16(1), uint16(2), "u", spcService, "!^.*$!spc:1234!", "")
	f.Add(uint16(1), uint16(2), "", "E2U+x-cps:https", `!^(.*)$!https://\1.evil.test/!`, "a.example")
	f.Add(uint16(0), uint16(65535), "s", "x", "!^.*$!a\xffb!", ".")
	f.Fuzz(func(t *testing.T, order, preference uint16, flags, service, regexp, replacement string) {
		var data []byte
		data = append(data, byte(order>>8), byte(order), byte(preference>>8), byte(preference))
		for _, text := range []string{flags, service, regexp} {
			if len(text) > 255 {
				return
			}
			data = append(append(data, byte(len(text))), text...)
		}
		wire := make([]byte, 300)
		end, err := dns.PackDomainName(dns.Fqdn(replacement), wire, 0, nil, false)
		if err != nil {
			return
		}
		n, err := dnsclient.ParseNAPTR(append(data, wire[:end]...))
		if err != nil {
			if !reflect.ValueOf(n).IsZero() {
				t.Errorf("%+v beside %v", n, err)
			}
			return
		}
		if n.Order != order || n.Preference != preference || n.Flags != flags || n.Service != service || n.Regexp != regexp {
			t.Errorf("%+v", n)
		}
		uris, err := dnsclient.URIs([]dnsclient.NAPTR{n}, "x-spc")
		if err != nil && uris != nil {
			t.Errorf("%q beside %v", uris, err)
		}
		for _, uri := range uris {
			if got := strings.TrimSuffix(regexp, "i"); got != "!^.*$!"+uri+"!" || strings.ContainsAny(uri, "!\\ \n") || n.Replacement != "" {
				t.Errorf("%q of %q", uri, regexp)
			}
		}
	})
}

// Every number has one name, from which it can be read back, and nothing that is no number has one.
func FuzzENUMName(f *testing.F) {
	f.Add("12155550100", "numbers.example")
	f.Add("*67", "numbers.example")
	f.Add("1", strings.Repeat("a.", 125)+"a")
	f.Add("442079460148", "e164.arpa.")
	f.Fuzz(func(t *testing.T, digits, suffix string) {
		n, err := tn.ParseNumber(digits)
		if err != nil {
			return
		}
		name, err := dnsclient.ENUMName(n, suffix)
		if err != nil {
			if name != "" {
				t.Errorf("%q beside %v", name, err)
			}
			return
		}
		reversed, ok := strings.CutSuffix(name, suffix)
		var back string
		for label := range strings.SplitSeq(strings.TrimSuffix(reversed, "."), ".") {
			back = label + back
		}
		if !ok || back != digits || dnsclient.CheckName(name) != nil {
			t.Errorf("%q of %q", name, digits)
		}
	})
}
