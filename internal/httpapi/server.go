package httpapi

import (
	"crypto/tls"
	"log"
	"log/slog"
	"net/http"
	"time"
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

// NewServer makes the server of the public listener: HTTP/2 and HTTP/1.1 on one TLS port, TLS 1.2 and 1.3. A slow or
// silent peer loses its connection, not our memory. bodyTimeout is that of the handler's Config.
func NewServer(
	handler http.Handler, bodyTimeout time.Duration,
	certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error), logger *slog.Logger,
) *http.Server {
	if bodyTimeout == 0 {
		bodyTimeout = bodyTimeoutDefault
	}
	return &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificates, NextProtos: []string{"h2", "http/1.1"}},
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
}

type debugWriter struct{ logger *slog.Logger }

func (w debugWriter) Write(p []byte) (int, error) {
	w.logger.Debug("http server", "message", string(p))
	return len(p), nil
}
