package natslog

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// engine is the NATS that holds the log of this site: in this process, or external.
type engine struct {
	cfg        *Config
	secret     string // of connections inside this process
	complaints *complaints
	failures   failures                      // of connections to it
	running    atomic.Pointer[server.Server] // nil: external
	release    func()                        // of the directory; nil: external, or not claimed yet
}

// global is the account that the log is in.
const global = "$G"

const (
	payloadMost    = 1 << 20 // bytes of one message, as NATS has it by default
	connectionsMax = 512     // nodes of other sites that read here, and our own few connections
	tlsSeconds     = 5       // for a handshake
	startPatience  = 10 * time.Second
	pingEvery      = time.Second
	pingsMissed    = 2
	reconnectWait  = 100 * time.Millisecond
	connectReports = 5 // the engine complains of every so many attempts, one a second, that failed to reach a node
)

func newEngine(cfg *Config) *engine {
	return &engine{cfg: cfg, secret: rand.Text(), complaints: &complaints{log: cfg.Log}}
}

// start starts the engine, unless it is external. It does not wait until nodes have found each other. The error is errStore
// when that is for what lies in the directory.
func (e *engine) start() error {
	if len(e.cfg.External) > 0 {
		return nil
	}
	release, err := claim(e.cfg.Dir, e.cfg.id(), !e.cfg.clustered())
	if err != nil {
		return err
	}
	e.release = release
	return e.startServer()
}

// close stops the engine for good, and gives back its directory.
func (e *engine) close() {
	e.stop()
	if e.release != nil {
		e.release()
		e.release = nil
	}
}

func (e *engine) startServer() error {
	opts, err := e.options()
	if err != nil {
		return err
	}
	entrance := &door{engine: e}
	opts.CustomRouterAuthentication = entrance
	s, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	entrance.server = s
	s.SetLoggerV2(e.complaints, false, false, false)
	e.complaints.fatal.Store(false)
	s.Start()
	if e.complaints.fatal.Load() || !s.JetStreamEnabled() {
		s.Shutdown()
		return fmt.Errorf("%w: %w", errStore, e.complaints.worst())
	}
	if cfg := e.cfg; cfg.clustered() && cfg.SitesListen == "" {
		// The server leaves its routes waiting for a listener of clients, which there is none of.
		open := make(chan struct{})
		close(open)
		s.StartRouting(open)
	}
	if !s.ReadyForConnections(startPatience) {
		err = fmt.Errorf("the engine does not start: %w", e.complaints.worst())
	} else {
		err = e.shareWithSites(s)
	}
	if err != nil {
		s.Shutdown()
		s.WaitForShutdown()
		return err
	}
	e.running.Store(s)
	return nil
}

// InProcessConn makes a connection to the server that is running now.
func (e *engine) InProcessConn() (net.Conn, error) {
	s := e.running.Load()
	if s == nil {
		return nil, errors.New("the engine is not running")
	}
	return s.InProcessConn()
}

// leads are the streams that this node leads.
func (e *engine) leads() (list []int) {
	s := e.running.Load()
	if s == nil || !e.cfg.clustered() {
		return nil
	}
	for i := range streams {
		if s.JetStreamIsStreamLeader(global, streamOf(e.cfg.Site, i)) {
			list = append(list, i)
		}
	}
	return list
}

// current tells whether the own copy of a stream has all that a majority has; true of an external engine.
func (e *engine) current(stream string) bool {
	s := e.running.Load()
	return len(e.cfg.External) > 0 || s != nil && s.JetStreamIsStreamCurrent(global, stream)
}

// bytes is what the log takes on this node.
func (e *engine) bytes() int64 {
	s := e.running.Load()
	if s == nil {
		return 0
	}
	info, err := s.Jsz(&server.JSzOptions{})
	if err != nil {
		return 0
	}
	return int64(info.Store + info.Memory)
}

func (e *engine) options() (*server.Options, error) {
	cfg := e.cfg
	opts := &server.Options{
		ServerName:                 cfg.serverName(cfg.Node),
		DontListen:                 cfg.SitesListen == "",
		NoSigs:                     true,
		JetStream:                  true,
		DisableJetStreamBanner:     true,
		StoreDir:                   filepath.Clean(cfg.Dir),
		JetStreamMaxStore:          cfg.BytesMax,
		JetStreamMaxMemory:         cfg.BytesMax,
		SyncAlways:                 cfg.SyncAlways,
		SyncInterval:               cfg.Sync,
		MaxPayload:                 payloadMost,
		MaxConn:                    connectionsMax,
		MaxControlLine:             4096,
		AuthTimeout:                tlsSeconds,
		PingInterval:               pingEvery,
		MaxPingsOut:                pingsMissed,
		CustomClientAuthentication: e,
	}
	if cfg.SitesListen != "" {
		var err error
		if opts.Host, opts.Port, err = hostPort(cfg.SitesListen); err != nil {
			return nil, err
		}
		opts.TLS, opts.TLSVerify, opts.TLSTimeout = true, true, tlsSeconds
		opts.TLSConfig = e.tls(cfg.sitesHosts())
	}
	if !cfg.clustered() {
		return opts, nil
	}
	host, port, err := hostPort(cfg.Listen)
	if err != nil {
		return nil, err
	}
	opts.Cluster = server.ClusterOpts{
		Name: cfg.Site, Host: host, Port: port, Advertise: cfg.Advertise, NoAdvertise: true,
		TLSConfig: e.tls(cfg.nodesHosts()), TLSTimeout: tlsSeconds, AuthTimeout: tlsSeconds,
		PingInterval: pingEvery, MaxPingsOut: pingsMissed, ConnectRetries: 1 << 30, PoolSize: 1,
		Username: cfg.Node, // said to a node that another has told of
	}
	opts.ConnectErrorReports = connectReports
	for _, n := range cfg.Nodes {
		if n.Name != cfg.Node {
			opts.Routes = append(opts.Routes, cfg.route(n))
		}
	}
	return opts, nil
}

// tls is how this node proves itself, and wants one of those hosts to prove itself.
func (e *engine) tls(hosts []string) *tls.Config {
	cfg := e.cfg
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cfg.Certificate() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cfg.Certificate() },
		RootCAs:              cfg.Roots,
		ClientCAs:            cfg.Roots,
		ClientAuth:           tls.RequireAndVerifyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			return validForOne(state.PeerCertificates, hosts)
		},
	}
}

// validForOne wants a certificate to be valid for one of these hosts.
func validForOne(chain []*x509.Certificate, hosts []string) error {
	if len(chain) > 0 && slices.ContainsFunc(hosts, func(host string) bool { return chain[0].VerifyHostname(host) == nil }) {
		return nil
	}
	names := []string{}
	if len(chain) > 0 {
		names = append(names, chain[0].DNSNames...)
		for _, ip := range chain[0].IPAddresses {
			names = append(names, ip.String())
		}
	}
	return fmt.Errorf("a certificate for %q, and none of those is configured", names)
}

func (c *Config) nodesHosts() (hosts []string) {
	for _, n := range c.Nodes {
		host, _, _ := net.SplitHostPort(n.Address) // checked
		hosts = append(hosts, host)
	}
	return hosts
}

func (c *Config) sitesHosts() (hosts []string) {
	for _, s := range c.Sites {
		hosts = append(hosts, s.hosts()...)
	}
	return hosts
}

func (s *Site) hosts() (hosts []string) {
	for _, a := range s.Addresses {
		host, _, _ := net.SplitHostPort(a) // checked
		hosts = append(hosts, host)
	}
	return hosts
}

func hostPort(address string) (string, int, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("address %q: no port", address)
	}
	return host, port, nil
}

// connect makes a connection to the engine. It comes again for as long as the engine is gone.
func (e *engine) connect(purpose string) (*nats.Conn, error) {
	opts := append(e.always(purpose), nats.ReconnectErrHandler(e.failures.note))
	if len(e.cfg.External) == 0 {
		return nats.Connect("", append(opts, nats.InProcessServer(e), nats.UserInfo(insider, e.secret))...)
	}
	if e.cfg.Credentials != "" {
		opts = append(opts, nats.UserCredentials(e.cfg.Credentials))
	}
	if e.cfg.Roots != nil {
		opts = append(opts, nats.Secure(e.dialTLS()))
	}
	return nats.Connect(strings.Join(e.cfg.External, ","), opts...)
}

// always is how all connections are made: they come again whatever happens, and see soon that nobody is there.
func (e *engine) always(purpose string) []nats.Option {
	return []nats.Option{
		nats.Name(e.cfg.id() + " " + purpose),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(0, 0),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsMissed),
		nats.RetryOnFailedConnect(true), nats.IgnoreAuthErrorAbort(), nats.ReconnectBufSize(-1),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // what is lost is a gap, and gaps are seen
	}
}

func (e *engine) dialTLS() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: e.cfg.Roots}
	if e.cfg.Certificate != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return e.cfg.Certificate() }
	}
	return c
}

// stop ends the engine, and waits until it has.
func (e *engine) stop() {
	if s := e.running.Swap(nil); s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// once lets a complaint through once a period.
type once struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// complaintEvery is how often the engine may say the same.
const complaintEvery = 10 * time.Second

func (o *once) allow(what string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Sub(o.last[what]) < complaintEvery {
		return false
	}
	if o.last == nil || len(o.last) > 256 {
		o.last = map[string]time.Time{}
	}
	o.last[what] = now
	return true
}
