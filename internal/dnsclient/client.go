// Package dnsclient asks recursive name servers for NAPTR and SVCB records, and believes no more of an answer than it must.
//
// Knows: messages of the DNS over UDP and TCP, aliases, negative answers, the names of ENUM (RFC 6116) and the one kind of rule
// that it evaluates there. Never hears of: what the records are used for, caches, iteration from the root.
//
// # What an answer is worth
//
// A question goes out with a random identifier, from a port that the system chose at random, with letters in random case; of
// what comes back only an answer from the address asked, with all of these and the same question, counts, and too many that
// are almost right take the question to TCP. That keeps out who can send packets but not read ours. It does not keep out who
// sits between us and the server, or has its cache: [Answer.Authenticated] repeats the server's word that it has validated
// with DNSSEC, which is worth as much as the way to the server. Who needs that word asks a validating server on loopback.
//
// # Failures
//
// There being nothing is a [NotExist], which may be kept for its TTL. Everything else is a [Failure] and says nothing about the
// name: silence, SERVFAIL and REFUSED are never taken for "nothing". Beside an error the answer is zero. No error text holds
// the name that was asked for: it may be made of a number.
//
// # Limits
//
// The constants of this package and [Config]: bytes and records of an answer, aliases, the time for one try, tries. All of it together ends
// with the caller's context.
package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Limits of what one answer may cost.
const (
	UDPBytesMax    = 1232           // of an answer over UDP, as offered in EDNS: no path fragments it
	TCPBytesMax    = 16 << 10       // of an answer over TCP
	RecordsMax     = 64             // in each section of an answer
	AliasesMax     = 8              // from the name that was asked for to the one that has the records
	NegativeTTLMax = 3 * time.Hour  // for which a NotExist may be kept (RFC 2308 §5)
	TTLLargest     = 24 * time.Hour // of any answer, whatever Config says
	serversMax     = 3              // of the system's configuration, as in its own resolver
	nearMissesMax  = 16             // datagrams from the server that are not the answer, before TCP is asked
)

// Config says who is asked, and how patiently. Zero values are replaced by the defaults.
type Config struct {
	// Servers are asked in this order: IP addresses, with a port if it is not 53. Default: those of /etc/resolv.conf. They are
	// trusted to tell the truth, as far as the package comment says.
	Servers []string

	Timeout time.Duration // for one try, from the first packet to the last; default 1 s
	Tries   int           // of one question, over all servers in turn; default 3
	TTLMin  time.Duration // what an answer may be kept for at least; default 5 s
	TTLMax  time.Duration // and at most; default 1 h, never above TTLLargest
}

const systemServers = "/etc/resolv.conf"

// Client asks. It is safe for concurrent use, and keeps no connections and no answers.
type Client struct {
	servers        []netip.AddrPort
	timeout        time.Duration
	tries          int
	ttlMin, ttlMax time.Duration
	stats          counters
}

// New makes a client. The error says what is wrong with the configuration, or that the system has no name server.
func New(cfg Config) (*Client, error) {
	c := &Client{timeout: time.Second, tries: 3, ttlMin: 5 * time.Second, ttlMax: time.Hour}
	for _, text := range cfg.Servers {
		server, err := parseServer(text)
		if err != nil {
			return nil, err
		}
		c.servers = append(c.servers, server)
	}
	if len(cfg.Servers) == 0 {
		text, err := os.ReadFile(systemServers)
		if err != nil {
			return nil, fmt.Errorf("no name server is configured: %w", err)
		}
		c.servers = serversIn(string(text))
	}
	if len(c.servers) == 0 {
		return nil, errors.New("no name server is configured, and " + systemServers + " has none")
	}
	if cfg.Timeout > 0 {
		c.timeout = cfg.Timeout
	}
	if cfg.Tries > 0 {
		c.tries = cfg.Tries
	}
	if cfg.TTLMin > 0 {
		c.ttlMin = min(cfg.TTLMin, TTLLargest)
	}
	if cfg.TTLMax > 0 {
		c.ttlMax = min(cfg.TTLMax, TTLLargest)
	}
	c.ttlMax = max(c.ttlMax, c.ttlMin)
	return c, nil
}

func parseServer(text string) (netip.AddrPort, error) {
	if server, err := netip.ParseAddrPort(text); err == nil && server.Port() != 0 {
		return server, nil
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("name server %q: neither an IP address nor one with a port", text)
	}
	return netip.AddrPortFrom(address, 53), nil
}

// serversIn reads the nameserver lines of a resolv.conf.
func serversIn(text string) (servers []netip.AddrPort) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" || len(servers) == serversMax {
			continue
		}
		if address, err := netip.ParseAddr(fields[1]); err == nil {
			servers = append(servers, netip.AddrPortFrom(address, 53))
		}
	}
	return servers
}

// Answer is the records of one type that a name has.
type Answer[R any] struct {
	Owner         string // the name that has them, at the end of all aliases: lower case, without the last dot
	Records       []R    // at least one, as they came
	TTL           time.Duration
	Authenticated bool // the server says that it has validated them with DNSSEC
}

// NAPTR asks for the NAPTR records of a name (RFC 3403).
func (c *Client) NAPTR(ctx context.Context, name string) (Answer[NAPTR], error) {
	return ask(ctx, c, name, typeNAPTR, readNAPTR)
}

// SVCB asks for the SVCB records of a name (RFC 9460). AliasMode is not followed, CNAME is.
func (c *Client) SVCB(ctx context.Context, name string) (Answer[SVCB], error) {
	return ask(ctx, c, name, typeSVCB, readSVCB)
}

// ask asks each server in turn until one has answered. An answer that cannot be used is as good as none.
func ask[R any](ctx context.Context, c *Client, name string, typ recordType, read reader[R]) (Answer[R], error) {
	if err := CheckName(name); err != nil {
		return Answer[R]{}, err
	}
	c.stats.questions.Add(1)
	var failed error
	for try := range c.tries {
		server := c.servers[try%len(c.servers)]
		var answer Answer[R]
		message, err := c.exchange(ctx, server, name, typ)
		if err == nil {
			answer, err = readAnswer(message, lower(name), typ, read)
		}
		if nothing, ok := errors.AsType[*NotExist](err); ok {
			nothing.TTL = min(c.clamp(nothing.TTL), NegativeTTLMax)
			return Answer[R]{}, nothing
		}
		if err == nil {
			answer.TTL = c.clamp(answer.TTL)
			return answer, nil
		}
		failed = fmt.Errorf("name server %s: %w", server, err)
		if ctx.Err() != nil {
			break
		}
	}
	c.stats.failures.Add(1)
	return Answer[R]{}, failed
}

func (c *Client) clamp(ttl time.Duration) time.Duration { return min(max(ttl, c.ttlMin), c.ttlMax) }

type counters struct{ questions, failures, strays, tcp atomic.Int64 }

// Stats count since the client was made.
type Stats struct {
	Questions int64 // asked for, however many packets they took
	Failures  int64 // of these, those that were not answered
	Strays    int64 // datagrams that were not the answer to what was asked: late ones, or forged
	TCP       int64 // tries that went on over TCP
}

// Stats gives the counters.
func (c *Client) Stats() Stats {
	return Stats{
		Questions: c.stats.questions.Load(), Failures: c.stats.failures.Load(),
		Strays: c.stats.strays.Load(), TCP: c.stats.tcp.Load(),
	}
}
