package app

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
)

// apiDoor is the door for switches that ask over HTTP.
type apiDoor struct {
	door        atomic.Pointer[stiapi.Door]
	certificate atomic.Pointer[tls.Certificate] // nil where it is plain
	server      *httpapi.Server
	listener    net.Listener
}

func (r *switchRole) openAPI(c APIConfig, p *switchPlan) error {
	a := &apiDoor{}
	door, err := r.newDoor(c, p)
	if err != nil {
		return err
	}
	a.door.Store(door)
	a.certificate.Store(p.apiTLS)
	a.server = httpapi.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { a.door.Load().ServeHTTP(w, request) }),
		time.Duration(c.Limits.BodyTimeout), func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.certificate.Load(), nil }, r.log)
	a.server.TLSConfig.ClientAuth = tls.NoClientCert
	if p.apiRoots != nil { // who shows none may still have a key
		a.server.TLSConfig.ClientCAs, a.server.TLSConfig.ClientAuth = p.apiRoots, tls.VerifyClientCertIfGiven
	}
	listener, err := listen("api.listen", c.Listen)
	if err != nil {
		return err
	}
	a.listener = httpapi.LimitConnections(listener, c.Limits.Connections, c.Limits.AddressConnections)
	r.api = a
	return nil
}

func (r *switchRole) newDoor(c APIConfig, p *switchPlan) (*stiapi.Door, error) {
	return stiapi.New(stiapi.Config{
		Dips: r.dips, Signer: r.signer, Trace: r.recorder, Log: r.log, Clients: p.apiClients, Base: c.Base, KeyInQuery: c.KeyInQuery,
		InFlightMax: c.Limits.InFlight, BodyTimeout: time.Duration(c.Limits.BodyTimeout),
	})
}

func (a *apiDoor) run(failed chan<- error) {
	go func() {
		if a.certificate.Load() == nil {
			failed <- a.server.Serve(a.listener)
			return
		}
		failed <- a.server.ServeTLS(a.listener, "", "")
	}()
}

func (a *apiDoor) shutdown(ctx context.Context) error { return a.server.Shutdown(ctx) }

func (a *apiDoor) close() error {
	return errors.Join(a.server.Close(), ignoreClosed(a.listener.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

var (
	descAPIRequests = describe("api_requests_total", "Requests of switches over HTTP.", "client", "resource", "code")
	descAPIUnproven = describe("api_unproven_total", "Requests of nobody that is known.", "looked_at")
)

func (a *apiDoor) collect(counter func(*prometheus.Desc, int64, ...string)) {
	s := a.door.Load().Stats()
	for c, n := range s.Requests {
		counter(descAPIRequests, n, c.Client, c.Resource, strconv.Itoa(c.Status))
	}
	counter(descAPIUnproven, s.Unproven, "yes")
	counter(descAPIUnproven, s.TooManyTries, "no")
}
