package httpapi

import (
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/proof"
)

// Limits of the public listener.
const (
	bodyTimeoutDefault = 5 * time.Second  // for a request's body to arrive
	headerTimeout      = 5 * time.Second  // for a request's header to arrive
	idleTimeout        = 60 * time.Second // between two requests on one connection
	answerTimeout      = 15 * time.Second // from a request's header to the last byte of its answer
	headerBytesMax     = 16 << 10
	streamsMax         = 250 // HTTP/2 streams at a time on one connection
)

// suites are those of TLS 1.2 (RFC 9325 §4.2): all have forward secrecy and authenticated encryption. Those of TLS 1.3 cannot
// be chosen, and need not be.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// NewServer makes the server of the public listener: HTTP/2 and HTTP/1.1 on one TLS port, TLS 1.2 and 1.3 as RFC 9325
// recommends them. crypto/tls knows no compression and, as a server, no renegotiation (RFC 9325 §3.3, §3.5); it encrypts
// session tickets with keys that it changes every day (RFC 9325 §3.4). A slow or silent peer loses its connection, not our
// memory. bodyTimeout is that of the handler's Config.
//
// Clients are asked for a certificate and need none. One that they show is only seen to be theirs: what it proves, and
// whether it is believed, is asked for every request that needs it, also on a session that was resumed. See package proof.
func NewServer(
	handler http.Handler, bodyTimeout time.Duration,
	certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error), logger *slog.Logger,
) *Server {
	if bodyTimeout == 0 {
		bodyTimeout = bodyTimeoutDefault
	}
	s := &Server{}
	s.Server = http.Server{
		ConnState: s.noteState,
		Handler:   handler,
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, CipherSuites: suites, GetCertificate: certificates, NextProtos: []string{"h2", "http/1.1"},
			ClientAuth: tls.RequestClientCert, VerifyConnection: proof.CheckPeer,
		},
		ConnContext:       proof.OnConnection,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout, // HTTP/2 counts it from the header; for HTTP/1.1 the door sets its own
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		// OPTIONS * is answered as every other request, by the door.
		DisableGeneralOptionsHandler: true,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: streamsMax},
		// What net/http has to say is about peers that break off or speak no TLS: nothing for the operator by default.
		ErrorLog: log.New(debugWriter{logger}, "", 0),
	}
	return s
}

// Server is an http.Server whose Shutdown ends. That of net/http tells the HTTP/2 connections that there are to go away; one
// that is made at this very moment is not told, counts as active though nothing is asked over it, and is waited for.
type Server struct {
	http.Server
	ending atomic.Bool
}

// goodbyeTime is for what has been answered to leave, and for HTTP/2 to say that it goes, which takes a second.
const goodbyeTime = 2 * time.Second

// Shutdown takes no more connections, and ends when all that has been asked is answered, or with ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.ending.Store(true)
	return s.Server.Shutdown(ctx)
}

func (s *Server) noteState(c net.Conn, state http.ConnState) {
	if state == http.StateIdle && s.ending.Load() {
		time.AfterFunc(goodbyeTime, func() { _ = c.Close() })
	}
}

type debugWriter struct{ logger *slog.Logger }

func (w debugWriter) Write(p []byte) (int, error) {
	w.logger.Debug("http server", "message", string(p))
	return len(p), nil
}
