package oobtest

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// CPSConfig says how a laboratory CPS differs from one that `viaduct serve` starts with an almost empty configuration.
type CPSConfig struct {
	Service   cps.Config     // Store, Inspector and Audience are filled in where they are zero
	Inspector *cps.Inspector // Verifier is filled in; default cps.InspectVerify
	Store     store.Config
	Push      push.Config      // Feed is filled in, and Numbering where it is zero
	Door      httpapi.Config   // Service and Verifier are filled in; Log also gets what the server has to say, at level debug; a Turnstile of its own refuses nobody
	Trust     trust.Config     // Anchors are filled in, and the repository among the laboratory's hosts
	Now       func() time.Time // the clock of everything; default time.Now
}

// CPSAudience is the name by which a laboratory CPS is addressed in aud.
const CPSAudience = "cps.laboratory.example"

// CPS is a whole CPS in this process, on an https port of the loopback interface: the same parts, put together in the
// same way, as in `viaduct serve`.
type CPS struct {
	URL      string
	Host     string // of URL, with its port
	Service  *cps.Service
	Verifier *trust.Verifier
	Store    *store.Store
	Hub      *push.Hub

	server *httpapi.Server
	stop   context.CancelFunc // of the hub
}

// StartCPS starts a CPS that believes pki and nobody else. The caller closes it.
func StartCPS(pki *PKI, repository *Repository, c CPSConfig) (*CPS, error) {
	verifier, err := pki.Verifier(repository, c.Trust, c.Now)
	if err != nil {
		return nil, err
	}
	s := &CPS{Verifier: verifier}
	if c.Store.Now == nil {
		c.Store.Now = c.Now
	}
	if c.Store.FeedProfiles == nil {
		c.Store.FeedProfiles = []oob.Profile{oob.RFC9888, oob.Company}
	}
	s.Store = local.Open(c.Store)
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	if c.Service.Hub == nil {
		c.Push.Feed, c.Push.Now = s.Store.Feed(), c.Now
		if c.Push.Numbering == nil {
			c.Push.Numbering = c.Service.Numbering
		}
		c.Service.Hub = push.New(c.Push)
		go c.Service.Hub.Run(ctx)
	}
	s.Hub = c.Service.Hub
	if c.Inspector == nil {
		c.Inspector = &cps.Inspector{}
	}
	c.Inspector.Verifier = verifier
	if c.Service.Store == nil {
		c.Service.Store = s.Store
	}
	if c.Service.Inspector == nil {
		c.Service.Inspector = c.Inspector
	}
	if c.Service.Now == nil {
		c.Service.Now = c.Now
	}
	if c.Service.Audience == nil {
		c.Service.Audience = []string{CPSAudience}
	}
	if err := s.open(pki, c); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *CPS) open(pki *PKI, c CPSConfig) (err error) {
	if s.Service, err = cps.New(c.Service); err != nil {
		return err
	}
	if c.Door.Log == nil {
		c.Door.Log = slog.New(slog.DiscardHandler)
	}
	if c.Door.Turnstile == nil { // that the machine is slow is no reason to refuse anything
		c.Door.Turnstile = turnstile.New(turnstile.Config{Target: time.Hour, Burst: time.Hour})
	}
	c.Door.Service, c.Door.Verifier = s.Service, s.Verifier
	door, err := httpapi.New(c.Door)
	if err != nil {
		return err
	}
	return s.serve(pki, door, c.Door)
}

func (s *CPS) serve(pki *PKI, door http.Handler, c httpapi.Config) error {
	files, err := pki.IssueTLS("127.0.0.1", "localhost", CPSAudience)
	if err != nil {
		return err
	}
	certificate, err := files.Certificate()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Host = listener.Addr().String()
	s.URL = "https://" + s.Host
	s.server = httpapi.NewServer(door, c.BodyTimeout,
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }, c.Log)
	go s.server.ServeTLS(listener, "", "") // returns when Close is called
	return nil
}

// Close stops the CPS at once.
func (s *CPS) Close() error {
	var err error
	if s.server != nil {
		err = s.server.Close()
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.stop()
	s.Verifier.Close()
	return errors.Join(err, s.Store.Close())
}

// Verifier makes a verifier that believes pki and may fetch from its repository; c and now may be zero.
func (p *PKI) Verifier(repository *Repository, c trust.Config, now func() time.Time) (*trust.Verifier, error) {
	anchors, err := trust.NewAnchors(p.Root.Certificate)
	if err != nil {
		return nil, err
	}
	c.Anchors = anchors
	laboratory := &c.Repository.Laboratory
	laboratory.Hosts = append(slices.Clone(laboratory.Hosts), repository.Host)
	laboratory.Roots = p.TLSRoots()
	if c.Now == nil {
		c.Now = now
	}
	return trust.New(c)
}

// Access are the claims of a good access token of id's provider for a key at a laboratory CPS. A test changes what it
// wants to be wrong, then calls Authorization.
func (id *Identity) Access(action oob.Action, key oob.Key, passports []string, tokenID string, now time.Time) oob.Access {
	a := oob.Access{
		Action: action, Issuer: id.SPC, Audience: []string{CPSAudience}, IssuedAt: now, ID: tokenID,
		Dest: key.Dest, Orig: key.Orig,
	}
	if key.Profile.Row().KeyedBySPC {
		a.SPC = key.SPC
	} else {
		a.Subject = id.SPC
	}
	if action == oob.ActionPublish {
		a.Digest = atis.Digest(passports)
	}
	return a
}

// Authorization signs an access token and gives the value of the header field.
func (id *Identity) Authorization(a oob.Access) (string, error) {
	return proof.Sign(id.Key, id.X5U, atis.WriteAccess(a))
}

// TokenID makes a version 4 UUID of a seed: the same for the same seed, so that a test can repeat a jti.
func TokenID(seed string) string {
	h := sha256.Sum256([]byte(seed))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for i, b := range h[:16] {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out = append(out, '-')
		}
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}

// Client is an HTTP client that believes the laboratory's TLS root, over HTTP/2 where the server speaks it.
func (p *PKI) Client() *http.Client {
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: p.TLSRoots(), MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
		},
	}
}
