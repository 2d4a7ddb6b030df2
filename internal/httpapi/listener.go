package httpapi

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/netutil"

	"github.com/viaduct-oob/viaduct/internal/httplimit"
)

// LimitConnections bounds the connections that a listener has open: most in all, each of one address (see httplimit.AddressOf). What
// exceeds the former waits in the kernel, what exceeds the latter is closed.
func LimitConnections(l net.Listener, most, each int) net.Listener {
	return &limitedListener{
		Listener: netutil.LimitListener(l, most),
		each:     httplimit.NewPlaces[netip.Prefix](most, each),
	}
}

type limitedListener struct {
	net.Listener
	each *httplimit.Places[netip.Prefix]
}

// Accept gives the next connection of an address that may have one more.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := httplimit.AddressOf(conn.RemoteAddr().String())
		if l.each.Take(from) {
			return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.each.Leave(from) })}, nil
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
