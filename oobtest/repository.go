package oobtest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Repository is a certificate repository on an https port of the loopback interface.
type Repository struct {
	Host string // "127.0.0.1:port": what trust.Laboratory must exempt for its x5u's to be fetched
	URL  string // "https://" + Host

	server *http.Server
}

// StartRepository starts a repository of all that p issues, before and from now on. Only what is issued from now on
// has x5u's that lead to it, so start it first. The caller closes it.
func (p *PKI) StartRepository() (*Repository, error) {
	r, err := p.StartHost(p.Handler())
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.baseURL = r.URL
	p.mu.Unlock()
	return r, nil
}

// StartHost starts an https server of the laboratory on a free port of 127.0.0.1 that answers as it likes, for
// example as no repository should. The caller closes it.
func (p *PKI) StartHost(handler http.Handler) (*Repository, error) {
	files, err := p.IssueTLS("127.0.0.1", "localhost")
	if err != nil {
		return nil, err
	}
	cert, err := files.Certificate()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	host := listener.Addr().String()
	r := &Repository{Host: host, URL: "https://" + host, server: &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}},
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // handshakes that clients break off are part of the tests
	}}
	go r.server.ServeTLS(listener, "", "") // returns when Close is called
	return r, nil
}

// Close stops the server at once, with all its connections.
func (r *Repository) Close() error {
	if err := r.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// TLSRoots is a pool with the anchor of laboratory TLS hosts alone.
func (p *PKI) TLSRoots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.TLSRoot.Certificate)
	return pool
}
