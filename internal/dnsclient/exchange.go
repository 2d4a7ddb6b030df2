package dnsclient

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// query is one question as it goes out.
type query struct {
	id       uint16
	question dnsmessage.Question // with letters in random case
	message  []byte
}

// newQuery asks for recursion, and for the server's word on DNSSEC but not its signatures (RFC 6840 §5.7).
func newQuery(name string, typ recordType) (query, error) {
	var random [2 + (nameLengthMax+7)/8]byte
	rand.Read(random[:]) // never fails
	mixed := []byte(strings.TrimSuffix(name, ".") + ".")
	for i, c := range mixed {
		if c |= 0x20; c >= 'a' && c <= 'z' && i/8+2 < len(random) {
			mixed[i] = c ^ 0x20*(random[2+i/8]>>(i%8)&1)
		}
	}
	text, err := dnsmessage.NewName(string(mixed))
	if err != nil {
		return query{}, BadName
	}
	q := query{
		id:       binary.BigEndian.Uint16(random[:]),
		question: dnsmessage.Question{Name: text, Type: typ, Class: dnsmessage.ClassINET},
	}
	var edns dnsmessage.ResourceHeader
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: q.id, RecursionDesired: true, AuthenticData: true},
		Questions: []dnsmessage.Question{q.question},
	}
	if err := edns.SetEDNS0(UDPBytesMax, dnsmessage.RCodeSuccess, false); err != nil {
		return query{}, fmt.Errorf("%w: %w", BadName, err)
	}
	message.Additionals = []dnsmessage.Resource{{Header: edns, Body: &dnsmessage.OPTResource{}}}
	if q.message, err = message.Pack(); err != nil {
		return query{}, BadName
	}
	return q, nil
}

// match is how well a message answers a query.
type match uint8

const (
	stray     match = iota // it is something else
	recased                // the question came back in another case: an old server, or a forgery
	truncated              // there is more of it over TCP
	whole
)

func (q query) match(message []byte) match {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil || header.ID != q.id || !header.Response || header.OpCode != 0 {
		return stray
	}
	questions, err := p.Question()
	if err != nil || questions.Type != q.question.Type || questions.Class != q.question.Class {
		return stray
	}
	if _, err := p.Question(); err != dnsmessage.ErrSectionDone {
		return stray
	}
	switch got, want := questions.Name.String(), q.question.Name.String(); {
	case lower(got) != lower(want):
		return stray
	case header.Truncated:
		return truncated
	case got != want:
		return recased
	}
	return whole
}

// exchange is one try with one server: over UDP, and where that is not enough over TCP.
func (c *Client) exchange(ctx context.Context, server netip.AddrPort, name string, typ recordType) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	q, err := newQuery(name, typ)
	if err != nil {
		return nil, err
	}
	message, err := c.overUDP(ctx, server, q)
	if errors.Is(err, errNeedsTCP) {
		c.stats.tcp.Add(1)
		return c.overTCP(ctx, server, q)
	}
	return message, err
}

var errNeedsTCP = errors.New("to be asked over TCP")

// dial connects, and so leaves the choice of our port, and the refusal of what others send to it, to the system. When ctx
// ends, nothing more comes from the connection; stop closes it.
func dial(ctx context.Context, network string, server netip.AddrPort) (conn net.Conn, stop func(), err error) {
	conn, err = (&net.Dialer{}).DialContext(ctx, network, server.String())
	if err != nil {
		return nil, nil, noAnswer(err)
	}
	unwatch := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { unwatch(); conn.Close() }, nil
}

func noAnswer(err error) error { return fmt.Errorf("%w: %w", NoAnswer, err) }

func (c *Client) overUDP(ctx context.Context, server netip.AddrPort, q query) ([]byte, error) {
	conn, stop, err := dial(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer stop()
	if _, err := conn.Write(q.message); err != nil {
		return nil, noAnswer(err)
	}
	buffer := make([]byte, UDPBytesMax+1) // the last byte tells of more than was offered
	for range nearMissesMax {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, noAnswer(err)
		}
		switch q.match(buffer[:n]) {
		case stray:
			c.stats.strays.Add(1)
		case recased:
			c.stats.strays.Add(1)
			return nil, errNeedsTCP
		case truncated:
			return nil, errNeedsTCP
		case whole:
			if n > UDPBytesMax {
				return nil, errNeedsTCP
			}
			return buffer[:n], nil
		}
	}
	return nil, errNeedsTCP // somebody is guessing
}

func (c *Client) overTCP(ctx context.Context, server netip.AddrPort, q query) ([]byte, error) {
	conn, stop, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer stop()
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(q.message)))
	if _, err := conn.Write(append(framed, q.message...)); err != nil {
		return nil, noAnswer(err)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, noAnswer(err)
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > TCPBytesMax {
		return nil, fmt.Errorf("%w: more than %d bytes", TooMuch, TCPBytesMax)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(conn, message); err != nil {
		return nil, noAnswer(err)
	}
	switch q.match(message) {
	case whole, recased: // the connection itself says who answers
		return message, nil
	}
	return nil, fmt.Errorf("%w: not what was asked for, or truncated over TCP", Malformed)
}
