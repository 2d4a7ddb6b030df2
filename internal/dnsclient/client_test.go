package dnsclient_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/internal/dnstest"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestConfigurationsThatAreRefused(t *testing.T) {
	for _, server := range []string{"", "ns.example", "ns.example:53", "127.0.0.1:dns", "127.0.0.1:99999", "127.0.0.1:0", "[::1]:"} {
		if _, err := dnsclient.New(dnsclient.Config{Servers: []string{"127.0.0.1", server}}); err == nil {
			t.Errorf("%q is taken", server)
		}
	}
	for _, server := range []string{"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53", "fe80::1%eth0"} {
		if _, err := dnsclient.New(dnsclient.Config{Servers: []string{server}}); err != nil {
			t.Errorf("%q: %v", server, err)
		}
	}
}

func TestSystemConfiguration(t *testing.T) {
	const text = "# nameserver 192.0.2.9\nsearch example\n nameserver 192.0.2.1 # first\nnameserver\nnameserver ns.example\n" +
		"nameserver 2001:db8::1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
	if got := fmt.Sprint(dnsclient.ServersIn(text)); got != "[192.0.2.1:53 [2001:db8::1]:53 192.0.2.2:53]" {
		t.Error(got)
	}
}

func TestRFC6116_S34_NumbersHaveNames(t *testing.T) {
	for _, c := range []struct{ number, suffix, want string }{
		{"12155550100", "numbers.example", "0.0.1.0.5.5.5.5.1.2.1.numbers.example"},
		{"442079460148", "e164.arpa.", "8.4.1.0.6.4.9.7.0.2.4.4.e164.arpa."},
		{"1", "x", "1.x"},
		{"", "numbers.example", ""},
		{"*67", "numbers.example", ""},
		{"1#", "numbers.example", ""},
		{"12155550100", "", ""},
		{"12155550100", "..", ""},
		{"12155550100", strings.Repeat("a.", 120) + "a", ""},
	} {
		n, err := tn.ParseNumber(c.number)
		if err != nil && c.number != "" {
			t.Fatal(err)
		}
		got, err := dnsclient.ENUMName(n, c.suffix)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q under %q: %q, %v", c.number, c.suffix, got, err)
		}
	}
}

func TestNamesThatAreNotAskedFor(t *testing.T) {
	client := newClient(t, dnsclient.Config{Servers: []string{"127.0.0.1"}})
	for _, name := range []string{
		"", ".", "a..b", ".a", "a b", "a\x00b", "a\\.b", "ä.example", "*.example", "a/b",
		strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a",
	} {
		if _, err := client.NAPTR(t.Context(), name); !errors.Is(err, dnsclient.BadName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if s := client.Stats(); s.Questions != 0 {
		t.Errorf("%+v", s)
	}
}

// What goes out cannot be guessed: identifiers, ports and the case of letters change with every question.
func TestQuestionsCannotBeGuessed(t *testing.T) {
	var mu sync.Mutex
	ids, ports, names := map[uint16]bool{}, map[string]bool{}, map[string]bool{}
	answer := dnstest.Answer(t, record)
	server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
		mu.Lock()
		ids[r.Id], ports[w.RemoteAddr().String()], names[r.Question[0].Name] = true, true, true
		mu.Unlock()
		if opt := r.IsEdns0(); opt == nil || opt.UDPSize() != dnsclient.UDPBytesMax || opt.Do() || !r.RecursionDesired || !r.AuthenticatedData {
			t.Errorf("%v", r)
		}
		answer(w, r)
	})
	client := newClient(t, dnsclient.Config{Servers: []string{server}, Timeout: patient})
	const questions = 50
	for range questions {
		a, err := client.NAPTR(t.Context(), asked)
		believed(t, a, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ids) < questions-2 || len(ports) < questions/2 || len(names) < questions/4 {
		t.Errorf("%d identifiers, %d ports, %d spellings", len(ids), len(ports), len(names))
	}
}
