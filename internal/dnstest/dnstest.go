// Package dnstest serves the DNS to tests: name servers that others have written, as processes of their own, and one that
// answers whatever a test wants, however wrong.
//
// Knows: package testing, NSD, Unbound, ldns-signzone. Never hears of: what asks, and what the records are for.
package dnstest

import (
	"net"
	"testing"

	"github.com/miekg/dns"
)

// Serve answers with handler, over UDP and TCP at the address that it gives, until the test ends.
func Serve(t testing.TB, handler dns.HandlerFunc) (address string) {
	t.Helper()
	packets, listener := listen(t)
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: listener, Handler: handler}} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			server.ActivateAndServe() // ends when its socket is closed
		}()
		t.Cleanup(func() {
			packets.Close()
			listener.Close()
			<-ended
		})
	}
	return packets.LocalAddr().String()
}

// Answer is a handler that gives the same records to every question of their type, and to every other that there are none.
func Answer(t testing.TB, records ...string) dns.HandlerFunc {
	t.Helper()
	parsed := Records(t, records...)
	return func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		for _, record := range parsed {
			switch record.Header().Rrtype {
			case r.Question[0].Qtype, dns.TypeCNAME, dns.TypeDNAME:
				m.Answer = append(m.Answer, record)
			case dns.TypeSOA:
				m.Ns = append(m.Ns, record)
			}
		}
		w.WriteMsg(m)
	}
}

// Records parses lines of a zone file.
func Records(t testing.TB, lines ...string) []dns.RR {
	t.Helper()
	records := make([]dns.RR, len(lines))
	for i, line := range lines {
		record, err := dns.NewRR(line)
		if err != nil || record == nil {
			t.Fatalf("record %d: %v", i+1, err)
		}
		records[i] = record
	}
	return records
}

// listen opens the same port for UDP and TCP.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, listener
		}
		packets.Close() // somebody else has the port for TCP
	}
}
