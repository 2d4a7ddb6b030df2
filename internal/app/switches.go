package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/trust"
)

// switchRole is what a server does for switches: the SIP door, and the services behind it.
type switchRole struct {
	log      *slog.Logger
	verifier *trust.Verifier
	served   *trust.Repository
	recorder *trace.Recorder
	pages    *callPages
	signer   *stias.Service // nil when nothing is signed
	memory   *stivs.Memory
	// With which the memory has been made.
	freshness oob.Freshness
	transfer  time.Duration
	dips      *dip.Service
	holders   oob.Numbering       // nil when nobody knows whose numbers are whose
	resolver  *discovery.Resolver // nil when CPSs are looked for nowhere
	sip       *siptx.Server       // nil without
	api       *apiDoor            // nil without

	warmth time.Duration // how often connections to CPSs are made ready

	local   []netip.Addr // of this machine
	sockets []net.PacketConn
	doors   []door
	places  []netip.AddrPort // where sockets and doors listen

	mu         sync.Mutex
	file       *configFile       // that is in use; guarded by mu
	plan       *switchPlan       // guarded by mu
	credential stias.Credential  // that clients of CPSs sign with; guarded by mu
	waiting    *stias.Credential // that the signer keeps in readiness, else nil; guarded by mu
	generation int               // of keys in tokens: one opened anew is another, although it signs alike; guarded by mu
	equipped   equipment         // guarded by mu

	closing   chan struct{} // closed by close
	reopening atomic.Bool

	running sync.WaitGroup
	stop    context.CancelFunc
}

// door is a listener of streams.
type door struct {
	net.Listener
	transport string
}

// credentialLinger is how long the key of a credential stays open that is no longer signed with: clients of CPSs may
// have a request under way that still needs it.
const credentialLinger = 10 * time.Second

// credentialRhythm is how often it is looked whether the next credential may sign.
const credentialRhythm = time.Minute

func openSwitchRole(
	file *configFile, p *switchPlan, holders oob.Numbering, found *discovered, verifier *trust.Verifier, logger *slog.Logger,
) (r *switchRole, err error) {
	r = &switchRole{holders: holders, log: logger, verifier: verifier, warmth: time.Duration(file.Peers.Warm), local: localAddresses(), closing: make(chan struct{}), stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
			r = nil
		}
	}()
	if found != nil {
		r.resolver = found.resolver
	}
	r.served = trust.NewRepository(trust.RepositoryConfig{
		Deadline: time.Duration(file.Trust.FetchTimeout), Laboratory: p.laboratory,
	})
	if r.recorder, err = trace.Open(p.traceConfig(file.Trace)); err != nil {
		return r, fmt.Errorf("trace: %w", err)
	}
	r.pages = newCallPages(r.recorder, p.traceKey)
	if p.signs {
		if r.credential, err = file.Signing.credential(); err != nil {
			return r, fmt.Errorf("signing: %w", err)
		}
		if r.signer, err = stias.New(r.signing(file.Signing, p)); err != nil {
			return r, err
		}
	}
	r.freshness, r.transfer = file.Verification.Freshness.window(), time.Duration(file.Verification.Transfer)
	r.memory = stivs.NewMemory(r.freshness, r.transfer)
	if r.dips, err = dip.New(dip.Config{SPC: string(file.Signing.SPC), Signer: r.signer}); err != nil {
		return r, err
	}
	if err = r.equip(file, p); err != nil {
		return r, err
	}
	if p.sip {
		err = r.openSIP(file.SIP, p)
	}
	if err == nil && p.api {
		err = r.openAPI(file.API, p)
	}
	return r, err
}

func (r *switchRole) signing(c SigningConfig, p *switchPlan) stias.Config {
	return stias.Config{
		SPC: string(c.SPC), Credential: r.credential, Policy: p.policy, Margin: time.Duration(c.Margin), OrigIDSecret: p.secret,
		FreshDiversions: c.FreshDiversions, Judge: r.judge(p), Served: r.servedBy,
	}
}

// judge is whether our own certificate is believed; nil where it is not known whom to believe.
func (r *switchRole) judge(p *switchPlan) func(*trust.Chain) error {
	if !p.believes {
		return nil
	}
	return r.verifier.Judge
}

// servedBy is what others find at our x5u.
func (r *switchRole) servedBy(ctx context.Context, x5u string) (*trust.Chain, error) {
	certs, _, err := r.served.Fetch(ctx, x5u)
	if err != nil {
		return nil, err
	}
	return trust.NewChain(certs), nil
}

func (c SigningConfig) credential() (stias.Credential, error) {
	key, err := openKey(c.Key)
	if err != nil {
		return stias.Credential{}, err
	}
	credential := stias.Credential{Key: key, X5U: c.X5U}
	if held, ok := key.(interface{ Close() }); ok {
		credential.Close = func() { time.AfterFunc(credentialLinger, held.Close) }
	}
	if c.Certificate != "" {
		if credential.Chain, err = readChain(c.Certificate); err != nil {
			discard(credential)
			return stias.Credential{}, err
		}
	}
	return credential, nil
}

// discard closes the key of a credential that nobody has signed with.
func discard(c stias.Credential) {
	if c.Close != nil {
		c.Close()
	}
}

// addresses is for the log line of the start.
func (r *switchRole) addresses() []any {
	var told []any
	for _, s := range r.sockets {
		told = append(told, "sip_udp", s.LocalAddr().String())
	}
	for _, d := range r.doors {
		told = append(told, "sip_"+d.transport, d.Addr().String())
	}
	if r.api != nil {
		told = append(told, "api", r.api.listener.Addr().String())
	}
	return told
}

func (r *switchRole) run(ctx context.Context, failed chan<- error) {
	ctx, r.stop = context.WithCancel(ctx)
	for _, s := range r.sockets {
		go func() { failed <- r.sip.ServeUDP(s) }()
	}
	for _, d := range r.doors {
		go func() { failed <- r.sip.ServeStream(d.Listener, d.transport) }()
	}
	if r.api != nil {
		r.api.run(failed)
	}
	r.running.Go(func() { r.keep(ctx) })
}
