package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/sipgw"
	"github.com/viaduct-oob/viaduct/internal/siptx"
)

func (r *switchRole) openSIP(c SIPConfig, p *switchPlan) error {
	gateway, err := sipgw.New(sipgw.Config{Dips: r.dips, Recorder: r.recorder, Own: r.owns})
	if err != nil {
		return err
	}
	if r.sip, err = siptx.New(siptx.Config{
		Allow:   func(source netip.Addr, transport string) bool { return r.dips.Knows(source, transport == siptx.TLS) },
		Respond: gateway.Respond, SentBy: c.SentBy, Log: r.log,
		MessageBytesMax: c.Limits.MessageBytes, TransactionsMax: c.Limits.Transactions, InFlightMax: c.Limits.InFlight,
		ConnectionsMax: c.Limits.Connections, ConnectionsPerSource: c.Limits.SourceConnections, IdleTimeout: time.Duration(c.Limits.IdleTimeout),
	}); err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	for _, address := range c.UDP {
		socket, err := net.ListenPacket("udp", address)
		if err != nil {
			return fmt.Errorf("sip.udp: %w", err)
		}
		r.sockets = append(r.sockets, socket)
	}
	for _, address := range c.TCP {
		l, err := listen("sip.tcp", address)
		if err != nil {
			return err
		}
		r.doors = append(r.doors, door{l, siptx.TCP})
	}
	for _, address := range c.TLS {
		l, err := listen("sip.tls", address)
		if err != nil {
			return err
		}
		config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*p.certificate}}
		if p.clientRoots != nil {
			config.ClientCAs, config.ClientAuth = p.clientRoots, tls.RequireAndVerifyClientCert
		}
		r.doors = append(r.doors, door{tls.NewListener(l, config), siptx.TLS})
	}
	for _, s := range r.sockets {
		err = errors.Join(err, r.listensAt(s.LocalAddr()))
	}
	for _, d := range r.doors {
		err = errors.Join(err, r.listensAt(d.Addr()))
	}
	return err
}

// owns reports whether one of our SIP sockets is at an address. One that listens everywhere is at all addresses of this
// machine.
func (r *switchRole) owns(addr netip.AddrPort) bool {
	return slices.ContainsFunc(r.places, func(own netip.AddrPort) bool {
		switch {
		case own.Port() != addr.Port():
			return false
		case own.Addr().IsUnspecified():
			return addr.Addr().IsLoopback() || slices.Contains(r.local, addr.Addr().Unmap())
		}
		return own.Addr() == addr.Addr().Unmap()
	})
}

// listensAt notes where a SIP socket listens; an error would mean that it is none of IP.
func (r *switchRole) listensAt(listener net.Addr) error {
	place, err := netip.ParseAddrPort(listener.String())
	r.places = append(r.places, netip.AddrPortFrom(place.Addr().Unmap(), place.Port()))
	return err
}

// localAddresses are those of this machine's interfaces.
func localAddresses() []netip.Addr {
	interfaces, _ := net.InterfaceAddrs() // without them, loops are stopped by Max-Forwards
	var all []netip.Addr
	for _, a := range interfaces {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all
}
