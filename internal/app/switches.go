package app

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
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
	sip       *siptx.Server // nil without
	api       *apiDoor      // nil without

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

// equipment is what the rows of the trunk table are served with.
type equipment struct {
	of      [sha256.Size]byte            // of all that the clients are made of
	clients map[string]*cpsclient.Client // by the names of their CPSs
}

// credentialLinger is how long the key of a credential stays open that is no longer signed with: clients of CPSs may
// have a request under way that still needs it.
const credentialLinger = 10 * time.Second

// credentialRhythm is how often it is looked whether the next credential may sign.
const credentialRhythm = time.Minute

func openSwitchRole(file *configFile, p *switchPlan, verifier *trust.Verifier, logger *slog.Logger) (r *switchRole, err error) {
	r = &switchRole{log: logger, verifier: verifier, warmth: time.Duration(file.Peers.Warm), local: localAddresses(), closing: make(chan struct{}), stop: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
			r = nil
		}
	}()
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
func (r *switchRole) servedBy(ctx context.Context, x5u string) (*stircert.Certificate, error) {
	certs, _, err := r.served.Fetch(ctx, x5u)
	if err != nil {
		return nil, err
	}
	return stircert.Of(certs[0]), nil
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

// equip makes everything that the rows of a trunk table are served with, and changes to that table. What clients are
// made of and has not changed stays, with its connections; those that go end what they have begun.
func (r *switchRole) equip(file *configFile, p *switchPlan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	made, err := r.makeClients(file, p)
	if err != nil {
		return err
	}
	trunks, err := r.makeTrunks(file, p, made)
	if err != nil {
		return err
	}
	r.dips.SetTrunks(trunks)
	if made.of != r.equipped.of {
		r.retire(r.equipped)
	}
	r.equipped, r.file, r.plan = made, file, p
	return nil
}

// retire closes clients when no call can need them any more.
func (r *switchRole) retire(e equipment) {
	for _, client := range e.clients {
		r.running.Go(func() {
			select {
			case <-time.After(trunk.BudgetMax):
			case <-r.closing:
			}
			client.Close()
		})
	}
}

// makeTrunks gives each row what it is served with.
func (r *switchRole) makeTrunks(file *configFile, p *switchPlan, made equipment) (*dip.Trunks, error) {
	services := map[string]*stivs.Service{}
	for _, row := range p.table.Rows() {
		var err error
		if services[setOf(row.CPS)], err = r.verification(file.Verification, p, made.clients[setOf(row.CPS)]); err != nil {
			return nil, err
		}
	}
	settings := map[string]TrunkConfig{}
	for _, c := range file.Trunks {
		settings[c.Name] = c
	}
	return dip.NewTrunks(p.table, func(row *trunk.Row) dip.Trunk {
		c := settings[row.Name]
		t := dip.Trunk{IgnoreDate: c.IgnoreDate, SecondVerifies: c.SecondLook == "verify", BlockFailed: c.Block == "failed", SlowKey: file.Signing.inToken()}
		if client := made.clients[setOf(row.CPS)]; client != nil {
			t.Publisher, t.Retriever = client, client
		}
		if p.believes {
			t.Verifies = services[setOf(row.CPS)]
		}
		return t
	}), nil
}

// setOf names the CPSs of a row together.
func setOf(names []string) string { return strings.Join(names, "\x00") }

// makeClients gives the clients of all CPSs that a row names together. The lock is held.
func (r *switchRole) makeClients(file *configFile, p *switchPlan) (equipment, error) {
	made := equipment{clients: map[string]*cpsclient.Client{}}
	sets := map[string][]string{}
	budget := time.Second
	for _, row := range p.table.Rows() {
		if len(row.CPS) > 0 {
			sets[setOf(row.CPS)] = row.CPS
		}
		budget = max(budget, row.Budget)
	}
	if len(sets) == 0 {
		return made, nil
	}
	public, err := x509.MarshalPKIXPublicKey(r.credential.Key.Public())
	if err != nil {
		return made, err
	}
	described, err := json.Marshal([]any{file.Peers, file.Signing.SPC, r.credential.X5U, public, r.generation, sets, budget, p.peerRootsHash})
	if err != nil {
		return made, err
	}
	if made.of = sha256.Sum256(described); made.of == r.equipped.of {
		return r.equipped, nil
	}
	c := file.Peers
	for names, set := range sets {
		config := cpsclient.Config{
			SPC: string(file.Signing.SPC), Key: r.credential.Key, X5U: r.credential.X5U, RootCAs: p.peerRoots, Budget: budget,
			Timeout: time.Duration(c.Timeout), Grace: time.Duration(c.Grace), Retry: time.Duration(c.Retry),
			Breaker: cpsclient.Breaker{
				Failures: c.Breaker.Failures, CoolDown: time.Duration(c.Breaker.CoolDown), CoolDownMax: time.Duration(c.Breaker.CoolDownMax),
			},
		}
		for _, name := range set {
			i := slices.IndexFunc(c.CPS, func(peer PeerConfig) bool { return peer.Name == name })
			config.CPSs = append(config.CPSs, cpsclient.CPS{URL: c.CPS[i].URL, Audience: c.CPS[i].Audience})
		}
		if made.clients[names], err = cpsclient.New(config); err != nil {
			return equipment{}, fmt.Errorf("peers: %w", err)
		}
	}
	return made, nil
}

func (r *switchRole) verification(c VerificationConfig, p *switchPlan, client *cpsclient.Client) (*stivs.Service, error) {
	config := stivs.Config{
		Verifier: r.verifier, Freshness: r.freshness, Transfer: r.transfer, Budget: trunk.BudgetMax,
		Accept: p.accept, PrioritySigners: texts(c.PrioritySigners), ThirdParties: c.ThirdParties, Differ: p.differ,
		FetchRich: c.FetchRich, Memory: r.memory, KeepOutnumbered: c.KeepOutnumbered, Withdrawn: r.recorder.Withdraw,
	}
	if client != nil {
		config.Retriever = dip.Watched(client)
	}
	return stivs.New(config)
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
