package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/stias"
)

// keep looks whether the next credential may sign, and has connections to CPSs ready before a call needs them.
func (r *switchRole) keep(ctx context.Context) {
	r.warm(ctx)
	credential, warm, tell := time.NewTicker(credentialRhythm), time.NewTicker(r.warmth), time.NewTicker(tellRhythm)
	defer credential.Stop()
	defer warm.Stop()
	defer tell.Stop()
	told := standing{}
	for {
		r.tell(told)
		select {
		case <-ctx.Done():
			return
		case <-tell.C:
		case <-warm.C:
			r.warm(ctx)
		case <-credential.C:
			r.advance(ctx)
		}
	}
}

// tellRhythm is how often it is looked whether there is something to tell the operator.
const tellRhythm = 2 * time.Second

// standing is what the operator has been told last: of each CPS by its URL whether it is left alone, of each
// stream of a subscription why it is down, of the credential under the empty name why nothing is signed.
type standing map[string]string

// tell logs what has changed since: calls go on whatever happens, so that nobody would notice otherwise.
func (r *switchRole) tell(told standing) {
	note := func(name, is string, level slog.Level, message string, more ...any) {
		if told[name] != is {
			told[name] = is
			r.log.Log(context.Background(), level, message, more...)
		}
	}
	for _, s := range r.peerStates() {
		switch {
		case s.Breaker == cpsclient.BreakerOpen:
			note(s.URL, "alone", slog.LevelWarn, "a CPS has failed and is left alone for a while; calls go on without it", "cps", s.URL, "failures", s.Failures)
		case s.Breaker == cpsclient.BreakerClosed && told[s.URL] != "":
			note(s.URL, "", slog.LevelInfo, "a CPS answers again", "cps", s.URL)
		}
	}
	r.tellStreams(told, note)
	if r.signer == nil {
		return
	}
	if err := r.signer.Status().Current.Err; err != nil {
		note("", err.Error(), slog.LevelError, "nothing is signed; calls go on without", "error", err.Error())
	} else {
		note("", "", slog.LevelInfo, "calls are signed again")
	}
}

// warm opens a connection to every CPS. One that does not answer shows in the metrics.
func (r *switchRole) warm(ctx context.Context) {
	var all sync.WaitGroup
	for _, client := range r.clients() {
		all.Go(func() { _ = client.Warm(ctx) })
	}
	all.Wait()
}

// switchChange is another state of a switchRole, made ready so that nothing of it is refused any more.
type switchChange struct {
	file       *configFile
	plan       *switchPlan
	credential *stias.Credential // nil where nothing is signed
	door       *stiapi.Door      // nil without
}

func (c *switchChange) discard() {
	if c != nil && c.credential != nil {
		discard(*c.credential)
	}
}

// prepare refuses what cannot be changed to, and changes nothing.
func (r *switchRole) prepare(file *configFile, p *switchPlan) (c *switchChange, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case p.sip != (r.sip != nil) || p.api != (r.api != nil):
		return nil, errors.New("a door has come or gone: that needs a restart")
	case p.signs != (r.signer != nil):
		return nil, errors.New("signing has come or gone: that needs a restart")
	case file.Signing.SPC != r.file.Signing.SPC:
		return nil, errors.New("signing.spc is another one: that needs a restart")
	}
	c = &switchChange{file: file, plan: p}
	defer func() {
		if err != nil {
			c.discard()
		}
	}()
	if p.signs {
		next, err := file.Signing.credential()
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		c.credential = &next
		if err := r.signer.Check(next); err != nil {
			return nil, err
		}
		if err := p.policy.Check(r.plan.secret); err != nil { // the secret is that of the start
			return nil, fmt.Errorf("signing.rows: %w", err)
		}
	}
	made, err := r.makeClients(file, p)
	if err != nil {
		return nil, err
	}
	if made.of != r.equipped.of { // they are made again when it is known what signs
		made.close()
	}
	if p.api {
		if c.door, err = r.newDoor(file.API, p); err != nil {
			return nil, err
		}
	}
	p.secret = r.plan.secret
	return c, nil
}

// commit changes to another trunk table, policy, clients and credential. Calls that have begun end as they began.
func (r *switchRole) commit(c *switchChange) {
	if c.credential != nil {
		r.note("signing credential; the one before goes on", r.takeCredential(*c.credential))
		r.note("signing policy", r.signer.SetPolicy(c.plan.policy))
	}
	r.note("trunks", r.equip(c.file, c.plan))
	if c.door != nil {
		r.api.door.Store(c.door)
		r.api.certificate.Store(c.plan.apiTLS)
	}
	if r.reopening.CompareAndSwap(false, true) { // a file that hangs holds up nothing else
		go func() {
			defer r.reopening.Store(false)
			r.note("trace", r.recorder.Reopen())
		}()
	}
}

func (r *switchRole) takeCredential(next stias.Credential) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.signer.SetCredential(ctx, next); err != nil {
		discard(next)
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = &next
	r.adopt()
	return nil
}

// adopt has clients of CPSs sign with what the signer signs with, once it does: before that, a CPS would not find its
// certificate. It reports whether that is a change. The lock is held.
func (r *switchRole) adopt() bool {
	if r.waiting == nil || r.signer.Status().Next != nil {
		return false
	}
	if r.waiting.Close != nil {
		r.generation++
	}
	r.credential, r.waiting = *r.waiting, nil
	return true
}

// advance looks whether the credential that signs is still believed, and whether the next one may sign.
func (r *switchRole) advance(ctx context.Context) {
	if r.signer == nil {
		return
	}
	r.note("signing credential", r.signer.Reload(ctx))
	for name, who := range r.others() {
		if err := who.signer.Reload(ctx); err != nil {
			r.log.Error("nothing is signed on behalf of others; calls go on without", "credential", name, "error", err.Error())
		}
	}
	r.mu.Lock()
	adopted, file, plan := r.adopt(), r.file, r.plan
	r.mu.Unlock()
	if adopted {
		r.note("signing credential", r.equip(file, plan))
	}
}

// others are those on whose behalf calls are signed, by their names.
func (r *switchRole) others() map[string]*partner {
	r.mu.Lock()
	defer r.mu.Unlock()
	others := maps.Clone(r.equipped.partners)
	delete(others, "")
	return others
}

// note logs what nobody can be told.
func (r *switchRole) note(what string, err error) {
	if err != nil {
		r.log.Error(what, "error", err.Error())
	}
}

func (r *switchRole) drain() {
	if r.sip != nil {
		r.sip.Drain()
	}
}

// shutdown ends the doors when what they have begun is answered, or ctx ends.
func (r *switchRole) shutdown(ctx context.Context) error {
	var doors []func(context.Context) error
	if r.sip != nil {
		doors = append(doors, r.sip.Shutdown)
	}
	if r.api != nil {
		doors = append(doors, r.api.shutdown)
	}
	return together(ctx, doors)
}

// health is nil when calls can be served as they should be. What CPSs do is no fault of ours: calls go on without.
func (r *switchRole) health() error {
	if r.signer == nil {
		return nil
	}
	if status := r.signer.Status(); status.Current.Err != nil {
		return fmt.Errorf("nothing is signed: %w", status.Current.Err)
	}
	return nil
}

// closeTime is how long what has been recorded may take to get out when the process ends.
const closeTime = 5 * time.Second

// close frees what has been opened; each part may be missing.
func (r *switchRole) close() error {
	var errs []error
	r.stop()
	close(r.closing)
	if r.sip != nil {
		errs = append(errs, r.sip.Close())
	}
	if r.api != nil {
		errs = append(errs, r.api.close())
	}
	for _, s := range r.sockets { // closed already when they were served
		_ = s.Close()
	}
	for _, d := range r.doors {
		_ = d.Close()
	}
	r.mu.Lock()
	r.running.Go(r.equipped.close)
	r.mu.Unlock()
	r.running.Wait()
	if r.recorder != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		r.note("records of calls that could not be handed on any more", r.recorder.Close(ctx))
	}
	return errors.Join(errs...)
}

// traceConfig is that of the recorder.
func (p *switchPlan) traceConfig(c TraceConfig) trace.Config {
	role := map[bool]trace.Role{false: trace.Masked, true: trace.Full}
	config := trace.Config{Bytes: int(c.Memory), Age: time.Duration(c.Age), Messages: c.Messages}
	if c.File.Name != "" {
		config.Lines = &trace.LinesConfig{Path: c.File.Name, Role: role[c.File.Full]}
	}
	if c.Webhook.URL != "" {
		config.Webhook = &trace.WebhookConfig{URL: c.Webhook.URL, KeyFile: c.Webhook.Key, RootCAs: p.webhookRoots, Role: role[c.Webhook.Full]}
	}
	if c.HEP.Address != "" {
		config.HEP = &trace.HEPConfig{Addr: c.HEP.Address, UDP: c.HEP.Transport == "udp", Agent: c.HEP.Agent, Role: role[c.HEP.Full]}
	}
	return config
}

// peerStates tells how each CPS stands, once: as it does with the client that fares worst with it. Trunks that ask it in another
// form, or for somebody else, have another client.
func (r *switchRole) peerStates() (all []cpsclient.State) {
	at := map[string]int{} // by URL
	for _, client := range r.clients() {
		for _, s := range client.States() {
			i, known := at[s.URL]
			switch {
			case !known:
				at[s.URL] = len(all)
				all = append(all, s)
			case circuitLevels[s.Breaker] > circuitLevels[all[i].Breaker]:
				all[i] = s
			}
		}
	}
	return all
}

// clients gives the clients of all CPSs, always in the same order.
func (r *switchRole) clients() []*cpsclient.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	return inOrder(r.equipped.clients)
}

// inOrder gives what a map holds, in the order of the keys.
func inOrder[V any](m map[string]V) []V {
	all := make([]V, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[name])
	}
	return all
}
