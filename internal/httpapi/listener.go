package httpapi

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/netutil"
)

// LimitConnections bounds the connections that a listener has open: most in all, each of one address (see addressOf). What
// exceeds the former waits in the kernel, what exceeds the latter is closed.
func LimitConnections(l net.Listener, most, each int) net.Listener {
	return &limitedListener{
		Listener: netutil.LimitListener(l, most),
		each:     &places{most: most, share: each, byAddress: map[netip.Prefix]int{}},
	}
}

type limitedListener struct {
	net.Listener
	each *places
}

// Accept gives the next connection of an address that may have one more.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressOf(conn.RemoteAddr().String())
		if l.each.take(from) {
			return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.each.leave(from) })}, nil
		}
		_ = conn.Close()
	}
}

// countedConn gives its place back when it is closed.
type countedConn struct {
	net.Conn
	leave func()
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}
