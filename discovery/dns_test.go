package discovery_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/internal/dnstest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

const (
	dnsNumbers   = "numbers.oob.example"
	dnsProviders = "providers.oob.example"
)

// inDNS makes the source, with a client that asks server.
func inDNS(t *testing.T, server string, cfg discovery.DNSConfig) *discovery.DNS {
	t.Helper()
	client, err := dnsclient.New(dnsclient.Config{Servers: []string{server}, Timeout: 30 * time.Second, Tries: 1, TTLMin: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Client, cfg.Numbers, cfg.Providers = client, dnsNumbers, dnsProviders
	source, err := discovery.NewDNS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// asks is the question for a number, a provider, or both.
func asks(t *testing.T, number, spc string) discovery.Question {
	t.Helper()
	q := discovery.Question{SPC: spc}
	if number != "" {
		n, err := tn.ParseNumber(number)
		if err != nil {
			t.Fatal(err)
		}
		q.Number = n
	}
	return q
}

// TestDNSOfNSD reads from a name server that others have written.
func TestDNSOfNSD(t *testing.T) {
	const head = "$TTL 300\n@ IN SOA ns.example. h.example. 1 3600 600 86400 120\n IN NS ns.example.\n"
	server := dnstest.NSD(t, map[string]string{
		dnsNumbers: head + `
0.0.1.0.5.5.5.5.1.2.1	IN NAPTR 10 20 "u" "E2U+x-cps:https" "!^.*$!https://second.example.net/oob!" .
	IN NAPTR 10 10 "u" "E2U+x-cps:https" "!^.*$!https://CPS.example.net:443/oob/!" .
	IN NAPTR 10 10 "u" "E2U+x-spc" "!^.*$!spc:567A!" .
*.1.0.5.5.5.5.1.2.1	IN NAPTR 10 10 "u" "E2U+x-spc" "!^.*$!spc:567A!" .
`,
		dnsProviders: head + `
_cps.567a	IN SVCB 2 second.example.net. port=8443 alpn=h2
	IN SVCB 1 first.example.net. alpn=h2 mandatory=alpn
	IN SVCB 3 third.example.net. mandatory=key65001 key65001=x
	IN SVCB 4 fourth.example.net. alpn=h3 no-default-alpn
	IN SVCB 5 cps.evil.example.
_cps.1234	IN SVCB 0 shared
_cps.2345	IN SVCB 0 a1
a1	IN SVCB 0 a2
a2	IN SVCB 0 a3
a3	IN SVCB 0 a4
a4	IN SVCB 1 far.example.net.
_cps.3456	IN SVCB 0 _cps.2345
_cps.4567	IN SVCB 0 _cps.4567
_cps.5678	IN SVCB 0 .
_cps.6789	IN SVCB 1 .
_cps.7890	IN CNAME _cps.567a
shared	IN SVCB 1 . port=8443
_cps.8901	IN SVCB 0 plain
plain	IN TXT "a host without SVCB"
`})
	source := inDNS(t, server, discovery.DNSConfig{Path: "/oob", Within: []string{"Example.net.", dnsProviders}})
	for _, c := range []struct {
		name, number, spc string
		urls              string
		resource          string
		err               error
	}{
		{"number", "12155550100", "", "https://cps.example.net/oob https://second.example.net/oob", "2-12155550100", nil},
		{"number before provider", "12155550100", "567A", "https://cps.example.net/oob https://second.example.net/oob", "2-12155550100", nil},
		{"number with records for something else", "12155550101", "", "", "", oob.NotFound},
		{"then its provider", "12155550101", "567A", "https://first.example.net/oob https://second.example.net:8443/oob", "0-567A", nil},
		{"number without records", "12155559999", "", "", "", oob.NotFound},
		{"number without a name", "*67", "", "", "", oob.NotFound},
		{"provider", "", "567A", "https://first.example.net/oob https://second.example.net:8443/oob", "0-567A", nil},
		{"provider by CNAME", "", "7890", "https://first.example.net/oob https://second.example.net:8443/oob", "0-7890", nil},
		{"alias", "", "1234", "https://shared.providers.oob.example:8443/oob", "0-1234", nil},
		{"four aliases", "", "2345", "https://far.example.net/oob", "0-2345", nil},
		{"five aliases", "", "3456", "", "", oob.PeerFailed},
		{"alias of itself", "", "4567", "", "", oob.PeerFailed},
		{"RFC 9460 §2.5.1: an alias that says no", "", "5678", "", "", oob.NotFound},
		{"an owner that is no host", "", "6789", "", "", oob.NotFound},
		{"RFC 9460 §3: an alias to a host alone", "", "8901", "https://plain.providers.oob.example/oob", "0-8901", nil},
		{"no such provider", "", "9999", "", "", oob.NotFound},
		{"a provider that would be a name", "", "a.b", "", "", oob.NotFound},
		{"a provider that is none", "", "5/7", "", "", oob.NotFound},
		{"nobody", "", "", "", "", oob.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := time.Now()
			found, err := source.Find(t.Context(), asks(t, c.number, c.spc))
			if c.err != nil {
				if !errors.Is(err, c.err) || !reflect.ValueOf(found).IsZero() {
					t.Errorf("%+v, %v", found, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(found.URLs, " "); got != c.urls || found.Resource.String() != c.resource {
				t.Errorf("%s for %s; want %s for %s", got, found.Resource, c.urls, c.resource)
			}
			// An alias that ends in nothing holds as long as that may be remembered.
			if ttl := found.Fresh.Sub(before); ttl < 119*time.Second || ttl > 301*time.Second {
				t.Errorf("for %v", ttl)
			}
		})
	}
	t.Run("how long there is nothing", func(t *testing.T) {
		_, err := source.Find(t.Context(), asks(t, "12155559999", ""))
		if fault := oob.FaultOf(err); fault.RetryAfter != 2*time.Minute {
			t.Errorf("%+v", fault)
		}
	})
}

// A name server that lies decides nothing: what it names is a CPS only where the operator has said that one may be.
func TestDNSThatLies(t *testing.T) {
	for _, c := range []struct {
		name, url string
		trusted   bool // with TrustAuthenticated and a validated answer
		within    bool // without, with Within example.net
	}{
		{"one of ours", "https://cps.example.net/", true, true},
		{"the domain itself", "https://example.net/", true, true},
		{"somebody's", "https://cps.evil.example/", true, false},
		{"what ends alike", "https://evilexample.net/", true, false},
		{"what begins alike", "https://example.net.evil.example/", true, false},
		{"with a dot at its end", "https://cps.example.net./", false, false},
		{"http", "http://cps.example.net/", false, false},
		{"another scheme", "ftp://cps.example.net/", false, false},
		{"a file", "file:///etc/passwd", false, false},
		{"no scheme", "//cps.example.net/", false, false},
		{"user information", "https://cps.example.net@evil.example/", false, false},
		{"user information of ours", "https://u:p@cps.example.net/", false, false},
		{"a backslash", `https://evil.example\@cps.example.net/`, false, false},
		{"percent-encoding", "https://cps%2eexample.net/", false, false},
		{"query", "https://cps.example.net/?x", false, false},
		{"fragment", "https://cps.example.net/#x", false, false},
		{"a path that steps back", "https://cps.example.net/a/../b", false, false},
		{"IPv4", "https://192.0.2.1/", false, false},
		{"IPv4 as one number", "https://3221225985/", false, false},
		{"IPv4 in hexadecimal", "https://0xc0000201/", false, false},
		{"IPv4 with a hexadecimal end", "https://192.0.2.0x1/", false, false},
		{"IPv6", "https://[2001:db8::1]/", false, false},
		{"this machine", "https://localhost/", false, false},
		{"a name of this machine", "https://cps.localhost/", false, false},
		{"a name of this house", "https://printer.local/", false, false},
		{"a name of this network", "https://cps.internal/", false, false},
		{"one label", "https://cps/", false, false},
		{"an underscore", "https://_cps.example.net/", false, false},
		{"letters beyond ASCII", "https://cps.exämple.net/", false, false},
		{"long", "https://cps.example.net/" + strings.Repeat("a", 200), true, true},
	} {
		for _, authenticated := range []bool{true, false} {
			server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
				m := new(dns.Msg).SetReply(r)
				m.AuthenticatedData = authenticated
				m.Answer = []dns.RR{&dns.NAPTR{
					Hdr:   dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeNAPTR, Class: dns.ClassINET, Ttl: 60},
					Flags: "u", Service: "E2U+x-cps:https", Regexp: "!^.*$!" + strings.ReplaceAll(c.url, `\`, `\\`) + "!", Replacement: ".",
				}}
				w.WriteMsg(m)
			})
			for _, trust := range []bool{true, false} {
				cfg := discovery.DNSConfig{TrustAuthenticated: trust}
				want := trust && authenticated && c.trusted
				if !trust {
					cfg.Within, want = []string{"example.net"}, c.within
				}
				found, err := inDNS(t, server, cfg).Find(t.Context(), asks(t, "12155550100", ""))
				if (err == nil) != want || err != nil && (!errors.Is(err, oob.NotFound) || !reflect.ValueOf(found).IsZero()) {
					t.Errorf("%s, authenticated %v, trusted %v: %+v, %v", c.name, authenticated, trust, found, err)
				}
			}
		}
	}
}

// What a private network calls its own may be named.
func TestDNSWithinAPrivateNetwork(t *testing.T) {
	record := `0.0.1.0.5.5.5.5.1.2.1.numbers.oob.example. 60 IN NAPTR 1 1 "u" "E2U+x-cps:https" "!^.*$!https://cps.internal:8443!" .`
	source := inDNS(t, dnstest.Serve(t, dnstest.Answer(t, record)), discovery.DNSConfig{Within: []string{"internal"}})
	found, err := source.Find(t.Context(), asks(t, "12155550100", ""))
	if err != nil || len(found.URLs) != 1 || found.URLs[0] != "https://cps.internal:8443" {
		t.Errorf("%+v, %v", found, err)
	}
}

// Together, aliases are as good as the worst of them.
func TestDNSAliasesAreAllAuthenticated(t *testing.T) {
	for _, bad := range []string{"", "_cps.567a." + dnsProviders + ".", "host.example."} {
		server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
			m := new(dns.Msg).SetReply(r)
			m.AuthenticatedData = !strings.EqualFold(r.Question[0].Name, bad)
			if strings.HasPrefix(strings.ToLower(r.Question[0].Name), "_cps") {
				m.Answer = dnstest.Records(t, r.Question[0].Name+" 60 IN SVCB 0 host.example.")
			}
			w.WriteMsg(m)
		})
		found, err := inDNS(t, server, discovery.DNSConfig{TrustAuthenticated: true}).Find(t.Context(), asks(t, "", "567A"))
		if (err == nil) != (bad == "") {
			t.Errorf("%q is not authenticated: %+v, %v", bad, found, err)
		}
	}
}

func TestDNSWithoutAnswer(t *testing.T) {
	failing := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetRcode(r, dns.RcodeServerFailure)
		w.WriteMsg(m)
	})
	source := inDNS(t, failing, discovery.DNSConfig{Within: []string{"example.net"}})
	for _, q := range []discovery.Question{asks(t, "12155550100", "567A"), asks(t, "", "567A")} {
		if _, err := source.Find(t.Context(), q); !errors.Is(err, oob.PeerFailed) || strings.Contains(err.Error(), "0.0.1.0") {
			t.Errorf("%v", err)
		}
	}
}

func TestDNSConfigurationsThatAreRefused(t *testing.T) {
	client, err := dnsclient.New(dnsclient.Config{Servers: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	good := discovery.DNSConfig{Client: client, Numbers: dnsNumbers, Within: []string{"example.net"}}
	if _, err := discovery.NewDNS(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*discovery.DNSConfig){
		"no client":             func(c *discovery.DNSConfig) { c.Client = nil },
		"no suffix":             func(c *discovery.DNSConfig) { c.Numbers = "" },
		"a suffix that is none": func(c *discovery.DNSConfig) { c.Providers = "a..b" },
		"nobody believed":       func(c *discovery.DNSConfig) { c.Within = nil },
		"everybody":             func(c *discovery.DNSConfig) { c.Within = []string{""} },
		"a pattern":             func(c *discovery.DNSConfig) { c.Within = []string{"*.example.net"} },
		"an address":            func(c *discovery.DNSConfig) { c.Within = []string{"192.0.2.1"} },
		"a path without slash":  func(c *discovery.DNSConfig) { c.Path = ".evil.example" },
		"a path with a query":   func(c *discovery.DNSConfig) { c.Path = "/?x" },
	} {
		cfg := good
		spoil(&cfg)
		if source, err := discovery.NewDNS(cfg); err == nil || source != nil {
			t.Errorf("%s is taken", name)
		}
	}
}
