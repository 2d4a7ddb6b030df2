package siptx

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// udpSocket is a socket that is served.
type udpSocket struct {
	conn  net.PacketConn
	fast  *net.UDPConn // conn, if it is one: it reads and writes without allocating
	local netip.AddrPort
}

// ServeUDP takes datagrams until Close, and closes conn. It returns nil after Close, else what the socket ended of.
// Several sockets may be served.
func (s *Server) ServeUDP(conn net.PacketConn) error {
	if !s.begin() {
		return errors.Join(net.ErrClosed, conn.Close())
	}
	defer s.work.Done()
	u := &udpSocket{conn: conn, local: addrPort(conn.LocalAddr())}
	u.fast, _ = conn.(*net.UDPConn)
	if u.fast != nil {
		if err := u.fast.SetReadBuffer(s.config.UDPReadBuffer); err != nil {
			s.config.Log.Warn("the read buffer of a UDP socket stays as it is", "error", err)
		}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return conn.Close()
	}
	s.sockets = append(s.sockets, u)
	s.mu.Unlock()
	buffer := make([]byte, s.config.MessageBytesMax+1)
	for {
		n, source, err := u.read(buffer)
		switch {
		case err == nil:
			s.takeDatagram(buffer[:n], source, u)
		case errors.Is(err, syscall.ECONNREFUSED): // an answer of ours was refused: it says nothing about others
		default:
			select {
			case <-s.stopped:
				return nil
			default:
				return errors.Join(err, conn.Close())
			}
		}
	}
}

func (s *Server) takeDatagram(b []byte, source netip.AddrPort, u *udpSocket) {
	switch {
	case len(b) > s.config.MessageBytesMax:
		s.counts.malform(tooLarge)
		s.counts.drop(unanswerable)
		return
	case !source.IsValid():
		s.counts.drop(unanswerable)
		return
	}
	if len(b) == 0 || b[0] == '\r' || b[0] == 0 {
		b = bytes.TrimLeft(b, "\r\n\x00")
	}
	if len(b) == 0 {
		s.counts.keepAlives.Add(1)
		return
	}
	s.take(string(b), source, origin{transport: udpTransport, udp: u}, nil)
}

func (u *udpSocket) read(b []byte) (int, netip.AddrPort, error) {
	if u.fast != nil {
		n, from, err := u.fast.ReadFromUDPAddrPort(b)
		return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
	}
	n, from, err := u.conn.ReadFrom(b)
	return n, addrPort(from), err
}

// reaches tells whether addresses like to can be sent to from here. What listens everywhere over IPv6 speaks IPv4, too.
func (u *udpSocket) reaches(to netip.Addr) bool {
	own := u.local.Addr()
	return own.Is4() == to.Unmap().Is4() || own == netip.IPv6Unspecified()
}

// write sends a datagram; it may be used by several.
func (u *udpSocket) write(b []byte, to netip.AddrPort) bool {
	var err error
	if u.fast != nil {
		_, err = u.fast.WriteToUDPAddrPort(b, to)
	} else {
		_, err = u.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err == nil
}

// addrPort is the address of a peer as a value; invalid if it is none of IP.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	case nil:
	default:
		ap, _ = netip.ParseAddrPort(a.String()) // what is none stays invalid
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
