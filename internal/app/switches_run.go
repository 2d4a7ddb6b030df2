package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/trace"
)

// keep looks whether the next credential may sign, and has connections to CPSs ready before a call needs them.
func (r *switchRole) keep(ctx context.Context) {
	r.warm(ctx)
	credential, warm := time.NewTicker(credentialRhythm), time.NewTicker(r.warmth)
	defer credential.Stop()
	defer warm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-warm.C:
			r.warm(ctx)
		case <-credential.C:
			r.advance(ctx)
		}
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

// take changes to another trunk table, policy and credential. Calls that have begun end as they began.
func (r *switchRole) take(file *configFile, p *switchPlan) error {
	if p.signs != (r.signer != nil) {
		return errors.New("signing has come or gone: that needs a restart")
	}
	if p.signs {
		if err := r.takeCredential(file.Signing); err != nil {
			return err
		}
		if err := r.signer.SetPolicy(p.policy); err != nil {
			return fmt.Errorf("signing.rows: %w", err)
		}
	}
	if p.sip != (r.sip != nil) || p.api != (r.api != nil) {
		return errors.New("a door has come or gone: that needs a restart")
	}
	if err := r.equip(file, p); err != nil {
		return err
	}
	if r.api != nil {
		if err := r.takeAPI(r.api, file.API, p); err != nil {
			return err
		}
	}
	r.note(r.recorder.Reopen())
	return nil
}

func (r *switchRole) takeCredential(c SigningConfig) error {
	next, err := c.credential()
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.signer.SetCredential(ctx, next); err != nil {
		if next.Close != nil {
			next.Close()
		}
		return fmt.Errorf("signing: %w", err)
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
	r.credential, r.waiting = *r.waiting, nil
	return true
}

// advance looks whether the credential that signs is still believed, and whether the next one may sign.
func (r *switchRole) advance(ctx context.Context) {
	if r.signer == nil {
		return
	}
	if err := r.signer.Reload(ctx); err != nil {
		r.log.Error("signing credential", "error", err.Error())
	}
	r.mu.Lock()
	adopted, file, plan := r.adopt(), r.file, r.plan
	r.mu.Unlock()
	if adopted {
		if err := r.equip(file, plan); err != nil {
			r.log.Error("signing credential", "error", err.Error())
		}
	}
}

// note logs what nobody can be told.
func (r *switchRole) note(err error) {
	if err != nil {
		r.log.Error("trace", "error", err.Error())
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
	for _, client := range r.equipped.clients {
		r.running.Go(client.Close)
	}
	r.mu.Unlock()
	r.running.Wait()
	if r.recorder != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		errs = append(errs, r.recorder.Close(ctx))
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

// clients gives the clients of all CPSs, always in the same order.
func (r *switchRole) clients() []*cpsclient.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*cpsclient.Client
	for _, names := range slices.Sorted(maps.Keys(r.equipped.clients)) {
		all = append(all, r.equipped.clients[names])
	}
	return all
}
