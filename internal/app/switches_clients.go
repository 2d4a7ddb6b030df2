package app

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/trust"
)

// equipment is what the rows of the trunk table are served with.
type equipment struct {
	of       [sha256.Size]byte   // of all that it is made of
	partners map[string]*partner // as whom CPSs are asked: ourselves under the empty name, and those on whose behalf calls are handled
	clients  map[string]*cpsclient.Client
	pools    map[string]*cpsclient.Pool
	inboxes  map[string]*cpsclient.Inbox

	subscribed []subscribed
	stop       context.CancelFunc // of subscriptions
}

// asking says how a row asks CPSs. Rows that ask alike share a client.
type asking struct {
	cps         []string // names in peers
	discover    string   // instead of names: whose CPS is looked for
	behalf      string
	certificate bool // who asks proves it with the certificate in TLS alone
	once        bool // what is not there is not asked for again
	own         bool // calls are signed here: our certificate may say where they are published
}

func (a asking) name() string {
	return fmt.Sprintf("%s\x00%s\x00%s\x00%t\x00%t\x00%t", strings.Join(a.cps, "\x00"), a.discover, a.behalf, a.certificate, a.once, a.own)
}

// discoverWords say whose CPS is looked for: that of the called party's provider (RFC 9888 §3), or of the caller's.
var discoverWords = words[[]discovery.Side]{
	"": nil, "dest": {discovery.Dest}, "orig": {discovery.Orig}, "both": {discovery.Dest, discovery.Orig},
}

// discoverPhrases are the same, for people.
var discoverPhrases = map[string]string{
	"dest": "the CPS of the called number", "orig": "the CPS of the calling number", "both": "the CPSs of both numbers",
}

// discoveredName stands in the trunk table where there are no names.
const discoveredName = "discovery"

// trunk is the entry of a row.
func (c *Config) trunk(name string) TrunkConfig {
	i := slices.IndexFunc(c.Trunks, func(t TrunkConfig) bool { return t.Name == name })
	return c.Trunks[i]
}

// asking is how a row asks. A certificate in TLS is enough where the form takes it and it is at hand.
func (r *switchRole) asking(c TrunkConfig, row *trunk.Row, partners map[string]*partner) asking {
	a := asking{cps: c.CPS, discover: c.Discover, behalf: c.Behalf, own: c.Discover != "" && row.Mode.Signs()}
	a.certificate = row.Profile.Row().CallerInside && partners[c.Behalf].credential.Chain != nil
	return a
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
	isNew := made.of != r.equipped.of
	trunks, err := r.makeTrunks(file, p, made)
	if err == nil && isNew {
		err = r.subscribe(file.Peers.Subscriptions, &made)
	}
	if err != nil {
		if isNew {
			made.close()
		}
		return err
	}
	if isNew {
		r.retire(r.equipped)
	}
	r.dips.SetTrunks(trunks)
	r.equipped, r.file, r.plan = made, file, p
	return nil
}

// retire closes clients when no call can need them any more.
func (r *switchRole) retire(e equipment) {
	r.running.Go(func() {
		select {
		case <-time.After(trunk.BudgetMax):
		case <-r.closing:
		}
		e.close()
	})
}

func (e *equipment) close() {
	if e.stop != nil {
		e.stop()
	}
	for _, client := range e.clients {
		client.Close()
	}
	for _, pool := range e.pools {
		pool.Close()
	}
	for name, p := range e.partners {
		if name != "" {
			discard(p.credential)
		}
	}
}

// makeTrunks gives each row what it is served with.
func (r *switchRole) makeTrunks(file *configFile, p *switchPlan, made equipment) (*dip.Trunks, error) {
	trunks := map[string]dip.Trunk{}
	for _, row := range p.table.Rows() {
		c := file.trunk(row.Name)
		t := dip.Trunk{IgnoreDate: c.IgnoreDate, SecondVerifies: c.SecondLook == "verify", BlockFailed: c.Block == "failed", SlowKey: file.Signing.inToken()}
		if c.Behalf != "" {
			t.Signer, t.SPC = made.partners[c.Behalf].signer, made.partners[c.Behalf].spc
		}
		r.giveClients(&t, c, &row, made)
		if p.believes {
			var err error
			if t.Verifies, err = r.verification(file.Verification, p, t.Retriever); err != nil {
				return nil, err
			}
		}
		trunks[row.Name] = t
	}
	return dip.NewTrunks(p.table, func(row *trunk.Row) dip.Trunk { return trunks[row.Name] }), nil
}

// giveClients gives a row whom it asks.
func (r *switchRole) giveClients(t *dip.Trunk, c TrunkConfig, row *trunk.Row, made equipment) {
	if len(row.CPS) == 0 {
		return
	}
	ask := r.asking(c, row, made.partners)
	source, publisher := made.source(ask)
	t.Publisher = publisher
	if row.Profile.Row().ForSPC {
		t.Publisher = addressed{publisher, r.holders}
	}
	if row.Mode.Retrieves() {
		if inbox := made.inboxes[inboxName(row.Profile, ask)]; inbox != nil {
			source = inbox
		}
		t.Retriever = source
	}
	if row.Profile.Row().Consumed && row.Mode == trunk.Verify {
		t.Consumer = source
	}
	if row.UnlessHeld {
		ask.once = true
		t.Held, _ = made.source(ask)
	}
}

// source is whom a row asks: the CPSs that it names, or a pool of those that are found.
func (e *equipment) source(a asking) (cpsclient.Source, oob.Publisher) {
	if a.discover == "" {
		client := e.clients[a.name()]
		return client, client
	}
	pool := e.pools[a.name()]
	return pool, pool
}

// makeClients gives the clients of all CPSs that a row names together. The lock is held.
func (r *switchRole) makeClients(file *configFile, p *switchPlan) (made equipment, err error) {
	if !p.signs {
		return made, nil
	}
	if r.resolver == nil && slices.ContainsFunc(file.Trunks, func(t TrunkConfig) bool { return t.Discover != "" }) {
		return made, errors.New("discovery has come: that needs a restart")
	}
	partners, err := r.makePartners(file, p)
	if err != nil {
		return made, err
	}
	made = equipment{partners: partners, clients: map[string]*cpsclient.Client{}, pools: map[string]*cpsclient.Pool{}, inboxes: map[string]*cpsclient.Inbox{}}
	asked := map[string]asking{}
	budget := time.Second
	for _, row := range p.table.Rows() {
		budget = max(budget, row.Budget)
		if len(row.CPS) == 0 {
			continue
		}
		a := r.asking(file.trunk(row.Name), &row, partners)
		asked[a.name()] = a
		if a.once = row.UnlessHeld; a.once {
			asked[a.name()] = a
		}
	}
	described, err := describeEquipment(file, p, partners, slices.Sorted(maps.Keys(asked)), budget, r.generation)
	if err != nil {
		made.close()
		return equipment{}, err
	}
	if made.of = sha256.Sum256(described); made.of == r.equipped.of {
		made.close() // what there is stays
		return r.equipped, nil
	}
	for name, a := range asked {
		if err := r.makeClient(&made, name, a, file.Peers, p, budget); err != nil {
			made.close()
			return equipment{}, fmt.Errorf("peers: %w", err)
		}
	}
	for _, c := range file.Peers.Subscriptions {
		r.makeInbox(&made, c, budget)
	}
	return made, nil
}

// describeEquipment is a text that differs where something has to be made anew.
func describeEquipment(file *configFile, p *switchPlan, partners map[string]*partner, asked []string, budget time.Duration, generation int) ([]byte, error) {
	keys := map[string]any{}
	for name, who := range partners {
		public, err := x509.MarshalPKIXPublicKey(who.credential.Key.Public())
		if err != nil {
			return nil, err
		}
		var chain [][]byte
		if who.credential.Chain != nil {
			chain = who.credential.Chain.DER()
		}
		keys[name] = []any{who.spc, who.credential.X5U, public, chain}
	}
	var policy any
	if len(partners) > 1 { // those on whose behalf calls are signed have a policy for good
		policy = file.Signing
	}
	return json.Marshal([]any{file.Peers, file.Credentials, policy, keys, generation, asked, budget, p.peerRootsHash})
}

func (r *switchRole) makeClient(made *equipment, name string, a asking, c PeersConfig, p *switchPlan, budget time.Duration) (err error) {
	config := made.partners[a.behalf].client(a.certificate)
	config.RootCAs, config.Budget, config.NotFoundFinal = p.peerRoots, budget, a.once
	config.Timeout, config.Grace, config.Retry = time.Duration(c.Timeout), time.Duration(c.Grace), time.Duration(c.Retry)
	config.Breaker = cpsclient.Breaker{
		Failures: c.Breaker.Failures, CoolDown: time.Duration(c.Breaker.CoolDown), CoolDownMax: time.Duration(c.Breaker.CoolDownMax),
	}
	if a.discover != "" {
		if !c.PrivateAddresses {
			config.Control = trust.RefusePrivate
		}
		var certificate *stircert.Certificate
		if chain := made.partners[a.behalf].credential.Chain; a.own && chain != nil {
			certificate = chain.Leaf
		}
		made.pools[name], err = cpsclient.NewPool(cpsclient.PoolConfig{Find: r.finder(discoverWords[a.discover], certificate), Client: config})
		return err
	}
	for _, of := range a.cps {
		i := slices.IndexFunc(c.CPS, func(peer PeerConfig) bool { return peer.Name == of })
		config.CPSs = append(config.CPSs, cpsclient.CPS{URL: c.CPS[i].URL, Audience: c.CPS[i].Audience})
	}
	made.clients[name], err = cpsclient.New(config)
	return err
}

// finder tells which CPSs a key is published to, or asked for. certificate is ours, where we sign: it may name the CPS of the
// calling side.
func (r *switchRole) finder(sides []discovery.Side, certificate *stircert.Certificate) func(context.Context, oob.Key) ([]cpsclient.CPS, error) {
	return func(ctx context.Context, k oob.Key) ([]cpsclient.CPS, error) {
		var all []cpsclient.CPS
		for _, side := range sides {
			question := discovery.Question{Side: side}
			party := k.Dest
			if side == discovery.Orig {
				party, question.Certificate = k.Orig, certificate
			} else if k.Profile.Row().ForSPC {
				question.SPC = k.SPC
			}
			question.Number, _ = party.Number()
			for _, url := range r.resolver.Resolve(ctx, question).CPSs {
				if !slices.ContainsFunc(all, func(known cpsclient.CPS) bool { return known.URL == url }) {
					all = append(all, cpsclient.CPS{URL: url})
				}
			}
		}
		if len(all) == 0 {
			return nil, oob.Faultf(oob.NotFound, "no CPS is known for the call")
		}
		return all, nil
	}
}

// addressed fills in whose call it is, where the form has the provider of the called party in the key and the trunk did not say
// who that is.
type addressed struct {
	oob.Publisher
	holders oob.Numbering
}

// Publish implements oob.Publisher.
func (a addressed) Publish(ctx context.Context, p oob.Publication) error {
	if n, ok := p.Key.Dest.Number(); ok && p.Key.Profile.Row().ForSPC && p.Key.SPC == "" {
		if a.holders == nil {
			return oob.Faultf(oob.NotFound, "nobody knows whose number is called")
		}
		spcs, err := a.holders.SPCs(ctx, n)
		if err != nil {
			return err
		}
		p.Key.SPC = spcs[0]
	}
	return a.Publisher.Publish(ctx, p)
}

func (r *switchRole) verification(c VerificationConfig, p *switchPlan, retriever oob.Retriever) (*stivs.Service, error) {
	config := stivs.Config{
		Verifier: r.verifier, Freshness: r.freshness, Transfer: r.transfer, Budget: trunk.BudgetMax,
		Accept: p.accept, PrioritySigners: texts(c.PrioritySigners), ThirdParties: c.ThirdParties, Differ: p.differ,
		FetchRich: c.FetchRich, Memory: r.memory, KeepOutnumbered: c.KeepOutnumbered, Withdrawn: r.recorder.Withdraw,
	}
	if retriever != nil {
		config.Retriever = dip.Watched(retriever)
	}
	return stivs.New(config)
}
