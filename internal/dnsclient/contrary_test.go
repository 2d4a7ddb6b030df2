package dnsclient_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/internal/dnstest"
)

const (
	asked  = "1.2.example"
	record = asked + `. 300 IN NAPTR 10 10 "u" "E2U+x-spc" "!^.*$!spc:1234!" .`
	lie    = asked + `. 300 IN NAPTR 10 10 "u" "E2U+x-spc" "!^.*$!spc:6666!" .`
	soa    = `example. 900 IN SOA ns.example. h.example. 1 3600 600 86400 60`
)

// reply makes an answer of records.
func reply(t *testing.T, r *dns.Msg, records ...string) *dns.Msg {
	m := new(dns.Msg).SetReply(r)
	m.Answer = dnstest.Records(t, records...)
	return m
}

// write sends an answer; what a test does wrong is for its client to notice.
func write(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(m) }

func overTCP(w dns.ResponseWriter) bool { return w.RemoteAddr().Network() == "tcp" }

// believed is what the right record says.
func believed(t *testing.T, answer dnsclient.Answer[dnsclient.NAPTR], err error) {
	t.Helper()
	if err != nil || len(answer.Records) != 1 || answer.Records[0].Regexp != "!^.*$!spc:1234!" {
		t.Errorf("%+v, %v", answer, err)
	}
}

// Before the answer come others, which must not be believed.
func TestForgeriesAreWaitedOut(t *testing.T) {
	for name, forge := range map[string]func(t *testing.T, w dns.ResponseWriter, r *dns.Msg){
		"identifier": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Id ^= 1
			write(w, m)
		},
		"no answer": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Response = false
			write(w, m)
		},
		"no query": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Opcode = dns.OpcodeUpdate
			write(w, m)
		},
		"other name": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Question[0].Name = "1.3.example."
			write(w, m)
		},
		"other type": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Question[0].Qtype = dns.TypeTXT
			write(w, m)
		},
		"other class": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Question[0].Qclass = dns.ClassCHAOS
			write(w, m)
		},
		"no question": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Question = nil
			write(w, m)
		},
		"two questions": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Question = append(m.Question, m.Question[0])
			write(w, m)
		},
		"rubbish": func(_ *testing.T, w dns.ResponseWriter, _ *dns.Msg) { w.Write([]byte("rubbish")) },
		"empty":   func(_ *testing.T, w dns.ResponseWriter, _ *dns.Msg) { w.Write(nil) },
		"other address": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			wire, err := reply(t, r, lie).Pack()
			if err != nil {
				t.Error(err)
			}
			socket, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			defer socket.Close()
			socket.WriteTo(wire, w.RemoteAddr())
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
				forge(t, w, r)
				write(w, reply(t, r, record))
			})
			client := newClient(t, dnsclient.Config{Servers: []string{server}, Timeout: patient, Tries: 1})
			answer, err := client.NAPTR(t.Context(), asked)
			believed(t, answer, err)
			want := int64(1)
			if name == "other address" { // the system does not even show it
				want = 0
			}
			if s := client.Stats(); s.Strays != want || s.TCP != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Who guesses identifiers, or does not know the case of the letters, only makes us ask over TCP.
func TestGuessingLeadsToTCP(t *testing.T) {
	for name, lies := range map[string]func(t *testing.T, w dns.ResponseWriter, r *dns.Msg){
		"identifiers": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			for range 100 {
				m.Id++
				write(w, m)
			}
		},
		"case": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Question[0].Name = swapCase(m.Question[0].Name)
			write(w, m)
		},
		"truncated": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			m.Truncated = true
			write(w, m)
		},
		"more than was offered": func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, lie)
			for len(m.Answer) < 40 {
				m.Answer = append(m.Answer, m.Answer[0])
			}
			write(w, m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
				if !overTCP(w) {
					lies(t, w, r)
					return
				}
				m := reply(t, r, record)
				m.Question[0].Name = strings.ToLower(m.Question[0].Name) // over TCP the case proves nothing
				write(w, m)
			})
			client := newClient(t, dnsclient.Config{Servers: []string{server}, Timeout: patient, Tries: 1})
			answer, err := client.NAPTR(t.Context(), asked)
			believed(t, answer, err)
			if s := client.Stats(); s.TCP != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func swapCase(name string) string {
	swapped := []byte(name)
	for i, c := range swapped {
		if c |= 0x20; c >= 'a' && c <= 'z' {
			swapped[i] ^= 0x20
		}
	}
	return string(swapped)
}

// many are records of the name, each another.
func many(t *testing.T, r *dns.Msg, n int) *dns.Msg {
	m := reply(t, r)
	for i := range n {
		m.Answer = append(m.Answer, &dns.NAPTR{
			Hdr:   dns.RR_Header{Name: asked + ".", Rrtype: dns.TypeNAPTR, Class: dns.ClassINET, Ttl: 60},
			Order: uint16(i), Flags: "u", Service: "E2U+x-spc", Regexp: "!^.*$!spc:1234!", Replacement: ".",
		})
	}
	m.Truncated = false
	return m
}

func chain(n int) (records []string) {
	name := asked
	for i := range n {
		next := strings.Repeat("a", i+1) + ".example"
		records = append(records, name+". 300 IN CNAME "+next+".")
		name = next
	}
	return append(records, strings.Replace(record, asked, name, 1))
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(t *testing.T, w dns.ResponseWriter, r *dns.Msg)
		want   error
	}{
		{"SERVFAIL", code(dns.RcodeServerFailure), dnsclient.Unwilling},
		{"REFUSED", code(dns.RcodeRefused), dnsclient.Unwilling},
		{"FORMERR", code(dns.RcodeFormatError), dnsclient.Unwilling},
		{"NOTIMP", code(dns.RcodeNotImplemented), dnsclient.Unwilling},
		{"BADVERS, of which half is in the OPT record", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r)
			m.Rcode = dns.RcodeBadVers
			m.SetEdns0(1232, false)
			write(w, m)
		}, dnsclient.Unwilling},
		{"referral", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r)
			m.Ns = dnstest.Records(t, "2.example. 300 IN NS ns.evil.example.")
			write(w, m)
		}, dnsclient.Unwilling},
		{"truncated over TCP too", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, record)
			m.Truncated = true
			write(w, m)
		}, dnsclient.Malformed},
		{"other question over TCP", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, record)
			if m.Truncated = !overTCP(w); overTCP(w) {
				m.Question[0].Name = "1.3.example."
			}
			write(w, m)
		}, dnsclient.Malformed},
		{"records of a name that does not exist", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := reply(t, r, record)
			m.Rcode = dns.RcodeNameError
			write(w, m)
		}, dnsclient.Malformed},
		{"broken record", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			broken(t, w, r, func(wire []byte) []byte { return wire[:len(wire)-3] })
		}, dnsclient.Malformed},
		{"more records announced than there are", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			broken(t, w, r, func(wire []byte) []byte { binary.BigEndian.PutUint16(wire[6:], 65535); return wire })
		}, dnsclient.Malformed},
		{"a name that points at itself", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			broken(t, w, r, func(wire []byte) []byte {
				at := 12 + len(asked) + 2 + 4 // the owner of the record
				wire[at], wire[at+1] = 0xC0, byte(at)
				return wire
			})
		}, dnsclient.Malformed},
		{"65 records", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := many(t, r, dnsclient.RecordsMax+1)
			m.Truncated = !overTCP(w)
			write(w, m)
		}, dnsclient.TooMuch},
		{"65 records of the authority", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := many(t, r, dnsclient.RecordsMax+1)
			m.Ns, m.Answer, m.Truncated = m.Answer, nil, !overTCP(w)
			write(w, m)
		}, dnsclient.TooMuch},
		{"thousands", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := many(t, r, 1000)
			if m.Truncated = !overTCP(w); m.Truncated {
				m.Answer = nil
			}
			write(w, m)
		}, dnsclient.TooMuch},
		{"a circle", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			write(w, reply(t, r, asked+". 1 IN CNAME a.example.", "a.example. 1 IN CNAME "+asked+"."))
		}, dnsclient.Astray},
		{"itself", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			write(w, reply(t, r, asked+". 1 IN CNAME "+asked+"."))
		}, dnsclient.Astray},
		{"nine aliases", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			write(w, reply(t, r, chain(dnsclient.AliasesMax+1)...))
		}, dnsclient.Astray},
		{"two aliases of one name", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			write(w, reply(t, r, asked+". 1 IN CNAME a.example.", asked+". 1 IN CNAME b.example."))
		}, dnsclient.Astray},
		{"out of the answer", func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			write(w, reply(t, r, asked+". 1 IN CNAME evil.test."))
		}, dnsclient.Astray},
		{"hangs up", func(_ *testing.T, w dns.ResponseWriter, r *dns.Msg) {
			m := new(dns.Msg).SetReply(r)
			m.Truncated = true
			if overTCP(w) {
				w.Close()
				return
			}
			write(w, m)
		}, dnsclient.NoAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) { c.answer(t, w, r) })
			client := newClient(t, dnsclient.Config{Servers: []string{server}, Timeout: patient, Tries: 2})
			answer, err := client.NAPTR(t.Context(), asked)
			if !errors.Is(err, c.want) || !reflect.ValueOf(answer).IsZero() {
				t.Errorf("%+v, %v; want %v", answer, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), asked) {
				t.Errorf("the error has the name: %v", err)
			}
			if s := client.Stats(); s.Failures != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func code(rcode int) func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
	return func(t *testing.T, w dns.ResponseWriter, r *dns.Msg) {
		m := reply(t, r)
		m.Rcode = rcode
		write(w, m)
	}
}

// broken sends the right answer, spoilt.
func broken(t *testing.T, w dns.ResponseWriter, r *dns.Msg, spoil func([]byte) []byte) {
	wire, err := reply(t, r, record).Pack()
	if err != nil {
		t.Error(err)
		return
	}
	w.Write(spoil(wire))
}

func TestAnswersThatAreOdd(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(t *testing.T, r *dns.Msg) *dns.Msg
		want   time.Duration // TTL; negative where there is nothing
	}{
		{"eight aliases", func(t *testing.T, r *dns.Msg) *dns.Msg { return reply(t, r, chain(dnsclient.AliasesMax)...) }, 300 * time.Second},
		{"records of other names beside it", func(t *testing.T, r *dns.Msg) *dns.Msg {
			return reply(t, r, strings.Replace(lie, asked, "1.3.example", 1), record)
		}, 300 * time.Second},
		{"records of other names alone", func(t *testing.T, r *dns.Msg) *dns.Msg {
			return reply(t, r, strings.Replace(lie, asked, "1.3.example", 1))
		}, -10 * time.Second},
		{"another class", func(t *testing.T, r *dns.Msg) *dns.Msg {
			return reply(t, r, strings.Replace(lie, "IN", "CH", 1), record)
		}, 300 * time.Second},
		{"no TTL", func(t *testing.T, r *dns.Msg) *dns.Msg { return reply(t, r, strings.Replace(record, "300", "0", 1)) }, 10 * time.Second},
		{"a TTL of years", func(t *testing.T, r *dns.Msg) *dns.Msg {
			return reply(t, r, strings.Replace(record, "300", "2147483647", 1))
		}, 600 * time.Second},
		{"a negative TTL (RFC 2181 §8)", func(t *testing.T, r *dns.Msg) *dns.Msg {
			return reply(t, r, strings.Replace(record, "300", "2147483648", 1))
		}, 10 * time.Second},
		{"no such name", negative(dns.RcodeNameError, soa), -60 * time.Second},
		{"no such type", negative(dns.RcodeSuccess, soa), -60 * time.Second},
		{"nothing, of a zone that has nothing to do with it", negative(dns.RcodeNameError, "evil.test. 900 IN SOA a. b. 1 1 1 1 500"), -10 * time.Second},
		{"nothing, of nobody", negative(dns.RcodeNameError), -10 * time.Second},
		{"nothing, for years", negative(dns.RcodeNameError, "example. 99999999 IN SOA a. b. 1 1 1 1 99999999"), -600 * time.Second},
		{"nothing, of the root", negative(dns.RcodeNameError, ". 900 IN SOA a. b. 1 1 1 1 500"), -500 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) { write(w, c.answer(t, r)) })
			client := newClient(t, dnsclient.Config{
				Servers: []string{server}, Timeout: patient, Tries: 1, TTLMin: 10 * time.Second, TTLMax: 10 * time.Minute,
			})
			answer, err := client.NAPTR(t.Context(), asked)
			if c.want > 0 {
				believed(t, answer, err)
				if answer.TTL != c.want {
					t.Errorf("for %v, want %v", answer.TTL, c.want)
				}
				return
			}
			if nothing, ok := errors.AsType[*dnsclient.NotExist](err); !ok || nothing.TTL != -c.want || !reflect.ValueOf(answer).IsZero() {
				t.Errorf("%+v, %+v", answer, err)
			}
		})
	}
}

func negative(rcode int, authority ...string) func(t *testing.T, r *dns.Msg) *dns.Msg {
	return func(t *testing.T, r *dns.Msg) *dns.Msg {
		m := reply(t, r)
		m.Rcode = rcode
		m.Ns = dnstest.Records(t, authority...)
		return m
	}
}

// The next server is asked when one does not answer; when none does, it ends with the tries or with the caller's patience.
func TestServersThatDoNotAnswer(t *testing.T) {
	silent := dnstest.Serve(t, func(dns.ResponseWriter, *dns.Msg) {})
	good := dnstest.Serve(t, dnstest.Answer(t, record))
	t.Run("then one that does", func(t *testing.T) {
		failing := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) { code(dns.RcodeServerFailure)(t, w, r) })
		client := newClient(t, dnsclient.Config{Servers: []string{failing, good}, Timeout: patient})
		answer, err := client.NAPTR(t.Context(), asked)
		believed(t, answer, err)
	})
	t.Run("none", func(t *testing.T) {
		client := newClient(t, dnsclient.Config{Servers: []string{silent}, Timeout: time.Millisecond, Tries: 3})
		if _, err := client.NAPTR(t.Context(), asked); !errors.Is(err, dnsclient.NoAnswer) {
			t.Errorf("%v", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		socket.Close()
		client := newClient(t, dnsclient.Config{Servers: []string{socket.LocalAddr().String()}, Timeout: patient, Tries: 2})
		if _, err := client.NAPTR(t.Context(), asked); !errors.Is(err, dnsclient.NoAnswer) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the caller goes", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		waiting := dnstest.Serve(t, func(dns.ResponseWriter, *dns.Msg) { cancel() })
		client := newClient(t, dnsclient.Config{Servers: []string{waiting}, Timeout: time.Hour})
		if _, err := client.NAPTR(ctx, asked); !errors.Is(err, dnsclient.NoAnswer) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the caller goes while TCP hangs", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		waiting := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
			if overTCP(w) {
				cancel()
				return
			}
			m := reply(t, r)
			m.Truncated = true
			write(w, m)
		})
		client := newClient(t, dnsclient.Config{Servers: []string{waiting}, Timeout: time.Hour})
		if _, err := client.NAPTR(ctx, asked); !errors.Is(err, dnsclient.NoAnswer) {
			t.Errorf("%v", err)
		}
	})
	t.Run("the answer to the question before", func(t *testing.T) {
		type unanswered struct {
			to     dns.ResponseWriter
			answer *dns.Msg
		}
		first := make(chan unanswered, 1)
		gone, giveUp := context.WithCancel(t.Context())
		server := dnstest.Serve(t, func(w dns.ResponseWriter, r *dns.Msg) {
			select {
			case first <- unanswered{w, reply(t, r, lie)}:
				giveUp()
			default:
				late := <-first
				write(late.to, late.answer)
				late.answer.Id = r.Id // to the new port, as if it had been guessed
				late.answer.Question[0].Name = "1.4.example."
				write(w, late.answer)
				write(w, reply(t, r, record))
			}
		})
		client := newClient(t, dnsclient.Config{Servers: []string{server}, Timeout: patient})
		if _, err := client.NAPTR(gone, asked); !errors.Is(err, dnsclient.NoAnswer) {
			t.Fatalf("%v", err)
		}
		answer, err := client.NAPTR(t.Context(), asked)
		believed(t, answer, err)
	})
}
