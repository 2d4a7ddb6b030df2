package dnsclient_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/internal/dnstest"
)

// numbersZone has one number, a block by wildcard, aliases of both kinds and one that leads out of it.
const numbersZone = `$TTL 300
@	IN SOA ns.example. hostmaster.example. 1 3600 600 86400 120
	IN NS ns.example.
0.0.1.0.5.5.5.5.1.2.1	IN NAPTR 10 20 "u" "E2U+x-spc" "!^.*$!spc:567A!" .
			IN NAPTR 10 10 "U" "e2u+X-SPC" "!^.*$!spc:1234!" .
			IN NAPTR 20 10 "u" "E2U+x-spc" "!^.*$!spc:9999!" .
			IN NAPTR 10 5 "u" "E2U+x-cps:https" "!^.*$!https://cps.example.net/oob!" .
*.2.0.5.5.5.5.1.2.1	IN NAPTR 100 10 "u" "E2U+x-spc" "!^.*$!spc:5432!" .
alias	60	IN CNAME	0.0.1.0.5.5.5.5.1.2.1
out	IN CNAME	elsewhere.invalid.
moved	IN DNAME	5.5.5.5.1.2.1.numbers.oob.example.
text	IN TXT	"no NAPTR"
`

const providersZone = `$TTL 300
@	IN SOA ns.example. hostmaster.example. 1 3600 600 86400 120
	IN NS ns.example.
_cps.567a	IN SVCB 2 second.example.net. port=8443 alpn=h2
	IN SVCB 1 first.example.net. alpn=h2,http/1.1 no-default-alpn mandatory=alpn,no-default-alpn
	IN SVCB 3 third.example.net. mandatory=key65001 key65001=x
_cps.1234	IN SVCB 0 cps.example.net.
_cps.none	IN SVCB 0 .
`

var zones = map[string]string{"numbers.oob.example": numbersZone, "providers.oob.example": providersZone}

func newClient(t *testing.T, cfg dnsclient.Config) *dnsclient.Client {
	t.Helper()
	client, err := dnsclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// patient is the time for what is answered at once, on a machine that has much else to do.
const patient = 30 * time.Second

const number = "0.0.1.0.5.5.5.5.1.2.1.numbers.oob.example"

func TestNSDIsRead(t *testing.T) {
	client := newClient(t, dnsclient.Config{Servers: []string{dnstest.NSD(t, zones)}, Timeout: patient})
	for _, c := range []struct {
		name  string
		owner string
		ttl   time.Duration
		spcs  []string // nil where there is nothing
	}{
		{number, number, 300 * time.Second, []string{"spc:1234", "spc:567A"}},
		{strings.ToUpper(number) + ".", number, 300 * time.Second, []string{"spc:1234", "spc:567A"}},
		{"9.2.0.5.5.5.5.1.2.1.numbers.oob.example", "9.2.0.5.5.5.5.1.2.1.numbers.oob.example", 300 * time.Second, []string{"spc:5432"}},
		{"alias.numbers.oob.example", number, 60 * time.Second, []string{"spc:1234", "spc:567A"}},
		{"0.0.1.0.moved.numbers.oob.example", number, 300 * time.Second, []string{"spc:1234", "spc:567A"}}, // RFC 6672 §3.1
		{"1.2.1.numbers.oob.example", "", 120 * time.Second, nil},                                          // RFC 2308 §5: the SOA's minimum is less than its TTL
		{"text.numbers.oob.example", "", 120 * time.Second, nil},
		{"none.numbers.oob.example", "", 120 * time.Second, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, err := client.NAPTR(t.Context(), c.name)
			if c.spcs == nil {
				nothing, ok := errors.AsType[*dnsclient.NotExist](err)
				if !ok || nothing.TTL != c.ttl || !reflect.ValueOf(answer).IsZero() {
					t.Fatalf("%+v, %v; want nothing for %v", answer, err, c.ttl)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			uris, err := dnsclient.URIs(answer.Records, "x-spc")
			if err != nil || !reflect.DeepEqual(uris, c.spcs) {
				t.Errorf("%v, %v; want %v", uris, err, c.spcs)
			}
			if answer.Owner != c.owner || answer.TTL != c.ttl || answer.Authenticated {
				t.Errorf("%s for %v, authenticated %v; want %s for %v", answer.Owner, answer.TTL, answer.Authenticated, c.owner, c.ttl)
			}
		})
	}
	t.Run("out of its zones", func(t *testing.T) {
		if _, err := client.NAPTR(t.Context(), "out.numbers.oob.example"); !errors.Is(err, dnsclient.Astray) {
			t.Errorf("%v", err)
		}
	})
	t.Run("no zone of its", func(t *testing.T) {
		if _, err := client.NAPTR(t.Context(), "1.other.example"); !errors.Is(err, dnsclient.Unwilling) {
			t.Errorf("%v", err)
		}
	})
	t.Run("SVCB", func(t *testing.T) {
		answer, err := client.SVCB(t.Context(), "_cps.567a.providers.oob.example")
		if err != nil || len(answer.Records) != 3 {
			t.Fatalf("%+v, %v", answer, err)
		}
		want := map[uint16]dnsclient.SVCB{
			1: {Priority: 1, Target: "first.example.net", ALPN: []string{"h2", "http/1.1"}, NoDefaultALPN: true},
			2: {Priority: 2, Target: "second.example.net", ALPN: []string{"h2"}, Port: 8443},
			3: {Priority: 3, Target: "third.example.net", Beyond: true},
		}
		for _, r := range answer.Records {
			if !reflect.DeepEqual(r, want[r.Priority]) {
				t.Errorf("%+v, want %+v", r, want[r.Priority])
			}
		}
	})
	t.Run("SVCB alias", func(t *testing.T) {
		answer, err := client.SVCB(t.Context(), "_cps.1234.providers.oob.example")
		if err != nil || len(answer.Records) != 1 || !answer.Records[0].Alias() || answer.Records[0].Target != "cps.example.net" {
			t.Errorf("%+v, %v", answer, err)
		}
	})
	t.Run("SVCB of nothing", func(t *testing.T) {
		answer, err := client.SVCB(t.Context(), "_cps.none.providers.oob.example")
		if err != nil || len(answer.Records) != 1 || answer.Records[0].Target != "" {
			t.Errorf("%+v, %v", answer, err)
		}
	})
	if s := client.Stats(); s.Strays != 0 || s.TCP != 0 {
		t.Errorf("%+v: NSD keeps the case of a question, and all answers are small", s)
	}
}

// An answer that does not fit into a datagram is read over TCP.
func TestNSDTruncates(t *testing.T) {
	zone := numbersZone
	for i := range 40 {
		zone += fmt.Sprintf("many	IN NAPTR 10 10 \"u\" \"E2U+x-spc\" \"!^.*$!spc:%04d!\" .\n", i)
	}
	client := newClient(t, dnsclient.Config{Servers: []string{dnstest.NSD(t, map[string]string{"numbers.oob.example": zone})}, Timeout: patient})
	answer, err := client.NAPTR(t.Context(), "many.numbers.oob.example")
	if err != nil || len(answer.Records) != 40 {
		t.Errorf("%d records, %v", len(answer.Records), err)
	}
	if s := client.Stats(); s.TCP != 1 {
		t.Errorf("%+v: it did not come over TCP", s)
	}
}

// A validating server says what it has validated, and gives nothing of what has been changed.
func TestUnboundValidates(t *testing.T) {
	signed, anchor := dnstest.Sign(t, "signed.example", strings.ReplaceAll(numbersZone, "numbers.oob.example.", "signed.example."))
	other, otherAnchor := dnstest.Sign(t, "changed.example", numbersZone)
	forged := strings.ReplaceAll(other, "spc:567A", "spc:666A")
	if forged == other {
		t.Fatal("nothing to change in the signed zone")
	}
	all := map[string]string{"signed.example": signed, "changed.example": forged, "plain.example": numbersZone}
	server := dnstest.Unbound(t, dnstest.Resolver{
		Server: dnstest.NSD(t, all), Zones: []string{"signed.example", "changed.example", "plain.example"},
		Anchors: []string{anchor, otherAnchor},
	})
	client := newClient(t, dnsclient.Config{Servers: []string{server}, Timeout: patient})
	const n = "0.0.1.0.5.5.5.5.1.2.1."

	answer, err := client.NAPTR(t.Context(), n+"signed.example")
	if err != nil || !answer.Authenticated || len(answer.Records) != 4 {
		t.Errorf("signed: %+v, %v", answer, err)
	}
	answer, err = client.NAPTR(t.Context(), "9.2.0.5.5.5.5.1.2.1.signed.example")
	if err != nil || !answer.Authenticated {
		t.Errorf("signed wildcard: %+v, %v", answer, err)
	}
	_, err = client.NAPTR(t.Context(), "7.signed.example")
	if nothing, ok := errors.AsType[*dnsclient.NotExist](err); !ok || !nothing.Authenticated {
		t.Errorf("signed nothing: %v", err)
	}
	answer, err = client.NAPTR(t.Context(), n+"plain.example")
	if err != nil || answer.Authenticated {
		t.Errorf("not signed: %+v, %v", answer, err)
	}
	_, err = client.NAPTR(t.Context(), "7.plain.example")
	if nothing, ok := errors.AsType[*dnsclient.NotExist](err); !ok || nothing.Authenticated {
		t.Errorf("nothing, not signed: %v", err)
	}
	if _, err = client.NAPTR(t.Context(), n+"changed.example"); !errors.Is(err, dnsclient.Unwilling) {
		t.Errorf("changed: %v", err)
	}
}
