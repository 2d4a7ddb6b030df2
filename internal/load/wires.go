package load

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	connectTimeout = 3 * time.Second
	headerBytesMax = 16 << 10
)

// wires are the connections to all targets, where certificates are shown those of each provider apart. Over HTTP/2 each
// transport has one connection, and they are used in turn; over HTTP/1.1 one transport has all.
type wires struct {
	transports [][]*http.Transport // of each target, or of each target and provider
	turn       atomic.Uint64
	providers  int
	dialled    atomic.Int64 // connections made so far
}

func newWires(c *Config, targets int) *wires {
	w := &wires{providers: 1}
	if c.Mutual {
		w.providers = len(c.Providers)
	}
	for i := range targets * w.providers {
		secured := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.RootCAs}
		if c.Mutual {
			secured.Certificates = []tls.Certificate{*c.Providers[i%w.providers].Certificate}
		}
		var list []*http.Transport
		if c.HTTP1 {
			list = append(list, w.transport(c, secured, c.Connections))
		}
		for len(list) < c.Connections && !c.HTTP1 {
			list = append(list, w.transport(c, secured, 1))
		}
		w.transports = append(w.transports, list)
	}
	return w
}

func (w *wires) transport(c *Config, secured *tls.Config, connections int) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(c.HTTP1)
	protocols.SetHTTP2(!c.HTTP1)
	return &http.Transport{
		Proxy: nil, // one from the environment would be measured too
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			w.dialled.Add(1)
			return c.dial(ctx, network, address)
		},
		TLSClientConfig:        secured.Clone(), // which the transport changes
		TLSHandshakeTimeout:    connectTimeout,
		Protocols:              &protocols,
		HTTP2:                  &http.HTTP2Config{StrictMaxConcurrentRequests: true},
		DisableCompression:     true,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		MaxResponseHeaderBytes: headerBytesMax,
	}
}

// to is a transport to a target for a provider.
func (w *wires) to(target, provider int) http.RoundTripper {
	list := w.transports[target*w.providers+provider%w.providers]
	return list[w.turn.Add(1)%uint64(len(list))]
}

func (w *wires) close() {
	if w == nil {
		return
	}
	for _, list := range w.transports {
		for _, t := range list {
			t.CloseIdleConnections()
		}
	}
}
