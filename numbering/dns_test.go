package numbering_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/internal/dnstest"
	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

const dnsZone = "numbers.oob.example"

// inDNS makes the source, with a client that asks server and time for what is answered at once on a machine that has much
// else to do.
func inDNS(t *testing.T, server string, unauthenticated bool) *numbering.DNS {
	t.Helper()
	const patient = 30 * time.Second
	client, err := dnsclient.New(dnsclient.Config{Servers: []string{server}, Timeout: patient, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	source, err := numbering.NewDNS(numbering.DNSConfig{
		Client: client, Suffix: dnsZone, Unauthenticated: unauthenticated, Cache: numbering.CacheConfig{Timeout: patient, Failures: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return source
}

func dnsNumber(t *testing.T, digits string) tn.Number {
	t.Helper()
	n, err := tn.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const dnsRecords = `$TTL 300
@	IN SOA ns.example. hostmaster.example. 1 3600 600 86400 120
	IN NS ns.example.
*.5.5.5.5.1.2.1		IN NAPTR 10 10 "u" "E2U+x-spc" "!^.*$!spc:567A!" .
0.0.1.0.5.5.5.5.1.2.1	IN NAPTR 10 20 "u" "E2U+x-spc" "!^.*$!spc:1234!" .
			IN NAPTR 10 10 "u" "E2U+x-spc" "!^.*$!spc:583j!" .
			IN NAPTR 10 5 "u" "E2U+x-cps:https" "!^.*$!https://cps.example.net/!" .
1.0.1.0.5.5.5.5.1.2.1	IN NAPTR 10 5 "u" "E2U+x-cps:https" "!^.*$!https://cps.example.net/!" .
2.0.1.0.5.5.5.5.1.2.1	IN NAPTR 10 5 "u" "E2U+x-spc" "!^(.*)$!spc:\\1!" .
3.0.1.0.5.5.5.5.1.2.1	IN NAPTR 10 5 "u" "E2U+x-spc" "!^.*$!https://cps.example.net/!" .
4.0.1.0.5.5.5.5.1.2.1	IN NAPTR 10 5 "u" "E2U+x-spc" "!^.*$!spc:!" .
`

// TestDNSOfUnbound reads what name servers that others have written make of a signed zone, and of one that is not.
func TestDNSOfUnbound(t *testing.T) {
	signed, anchor := dnstest.Sign(t, dnsZone, dnsRecords)
	for _, c := range []struct {
		name            string
		anchors         []string
		unauthenticated bool
		believed        bool
	}{
		{"signed", []string{anchor}, false, true},
		{"not validated", nil, false, false},
		{"not validated, and believed", nil, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := dnstest.Unbound(t, dnstest.Resolver{
				Server: dnstest.NSD(t, map[string]string{dnsZone: signed}), Zones: []string{dnsZone}, Anchors: c.anchors,
			})
			source := inDNS(t, server, c.unauthenticated)
			for _, n := range []struct {
				number string
				spcs   []string
				err    error
			}{
				{"12155550100", []string{"583j", "1234"}, nil}, // letter for letter, by preference
				{"12155550199", nil, oob.NotFound},             // below a name that has records, no wildcard holds (RFC 4592 §2.2.1)
				{"12155559999", []string{"567A"}, nil},
				{"13125550100", nil, oob.NotFound},
				{"12155550101", nil, oob.NotFound}, // its records are for other services
				{"12155550102", nil, oob.PeerFailed},
				{"12155550103", nil, oob.PeerFailed},
				{"12155550104", nil, oob.PeerFailed},
			} {
				if !c.believed {
					n.spcs, n.err = nil, oob.PeerFailed
				}
				spcs, err := source.SPCs(t.Context(), dnsNumber(t, n.number))
				if !reflect.DeepEqual(spcs, n.spcs) || !errors.Is(err, n.err) {
					t.Errorf("%s: %v, %v; want %v, %v", n.number, spcs, err, n.spcs, n.err)
				}
			}
			if _, err := source.SPCs(t.Context(), dnsNumber(t, "*67")); !errors.Is(err, oob.NotFound) {
				t.Errorf("a number without a name: %v", err)
			}
		})
	}
}

// Silence and refusals are no answers: a chain must not go on to a source that knows the number's former provider.
func TestDNSThatDoesNotAnswer(t *testing.T) {
	for name, handler := range map[string]dns.HandlerFunc{
		"SERVFAIL": func(w dns.ResponseWriter, r *dns.Msg) { w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeServerFailure)) },
		"REFUSED":  func(w dns.ResponseWriter, r *dns.Msg) { w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeRefused)) },
		"nothing, not validated": func(w dns.ResponseWriter, r *dns.Msg) {
			w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeNameError))
		},
		"17 providers": func(w dns.ResponseWriter, r *dns.Msg) {
			m := new(dns.Msg).SetReply(r)
			m.AuthenticatedData, m.Truncated = true, w.RemoteAddr().Network() == "udp"
			for i := range numbering.SPCsMax + 1 {
				m.Answer = append(m.Answer, &dns.NAPTR{
					Hdr:   dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeNAPTR, Class: dns.ClassINET, Ttl: 60},
					Flags: "u", Service: "E2U+x-spc", Regexp: "!^.*$!spc:" + strings.Repeat("A", i+1) + "!", Replacement: ".",
				})
			}
			w.WriteMsg(m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			source := inDNS(t, dnstest.Serve(t, handler), false)
			spcs, err := numbering.Chain{source, source}.SPCs(t.Context(), dnsNumber(t, "12155550100"))
			if !errors.Is(err, oob.PeerFailed) || spcs != nil || strings.Contains(err.Error(), "0.0.1.0") {
				t.Errorf("%v, %v", spcs, err)
			}
			if s := source.Stats(); s.Asked != 1 || s.Failures != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("hangs", func(t *testing.T) {
		client, err := dnsclient.New(dnsclient.Config{Servers: []string{dnstest.Serve(t, func(dns.ResponseWriter, *dns.Msg) {})}, Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		source, err := numbering.NewDNS(numbering.DNSConfig{Client: client, Suffix: dnsZone, Cache: numbering.CacheConfig{Timeout: time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		if _, err := source.SPCs(t.Context(), dnsNumber(t, "12155550100")); !errors.Is(err, oob.PeerTimeout) {
			t.Errorf("%v", err)
		}
	})
}

// What a name server has said is not asked for again while it holds.
func TestDNSIsRemembered(t *testing.T) {
	server := dnstest.Serve(t, dnstest.Answer(t, `0.0.1.0.5.5.5.5.1.2.1.`+dnsZone+`. 60 IN NAPTR 1 1 "u" "E2U+x-spc" "!^.*$!spc:1234!" .`))
	source := inDNS(t, server, true)
	for range 3 {
		if spcs, err := source.SPCs(t.Context(), dnsNumber(t, "12155550100")); err != nil || len(spcs) != 1 || spcs[0] != "1234" {
			t.Fatalf("%v, %v", spcs, err)
		}
	}
	if s := source.Stats(); s.Asked != 1 || s.Hits != 2 {
		t.Errorf("%+v", s)
	}
}

func TestDNSConfigurationsThatAreRefused(t *testing.T) {
	client, err := dnsclient.New(dnsclient.Config{Servers: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]numbering.DNSConfig{
		"no client":             {Suffix: dnsZone},
		"no suffix":             {Client: client},
		"a suffix that is none": {Client: client, Suffix: "a..b"},
	} {
		if source, err := numbering.NewDNS(cfg); err == nil || source != nil {
			t.Errorf("%s is taken", name)
		}
	}
}
