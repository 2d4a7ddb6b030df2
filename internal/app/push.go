package app

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/webhook"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// pushHook is a receiver that is told over signed webhooks, such as a call centre. Who that is and of which numbers it is told
// the operator says: nobody can subscribe a URL from outside.
type pushHook struct {
	name     string
	interest push.Interest
	config   webhook.Config
}

// Bounds of what an operator may set: proxies cut streams that say nothing for a minute, and what waits for one subscriber is
// memory.
const (
	heartbeatMin = Duration(time.Second)
	heartbeatMax = Duration(40 * time.Second) // a client that is told that it is 15 s takes 45 s of silence for the end
	queueMax     = 1 << 16
)

// resolvePush reads what of the configuration is about telling others.
func (p *cpsPlan) resolvePush(c *PushConfig, note func(string, error)) {
	for path, n := range map[string]int64{
		"heartbeat": int64(c.Heartbeat), "subscribers": int64(c.Subscribers), "account_subscribers": int64(c.AccountSubscribers),
		"queue": int64(c.Queue), "waits": int64(c.Waits),
	} {
		if n <= 0 {
			note("$.cps.push."+path, errors.New("must be above zero"))
		}
	}
	if c.Heartbeat > 0 && (c.Heartbeat < heartbeatMin || c.Heartbeat > heartbeatMax) {
		note("$.cps.push.heartbeat", fmt.Errorf("is between %s and %s", heartbeatMin, heartbeatMax))
	}
	if c.Queue > queueMax {
		note("$.cps.push.queue", fmt.Errorf("is at most %d", queueMax))
	}
	if c.AccountSubscribers > c.Subscribers && c.Subscribers > 0 {
		note("$.cps.push.account_subscribers", errors.New("is at most push.subscribers"))
	}
	names := map[string]bool{}
	for i, h := range c.Webhooks {
		at := fmt.Sprintf("$.cps.push.webhooks[%d]", i)
		if !isName(h.Name) || names[h.Name] {
			note(at+".name", fmt.Errorf("is a name of its own, for logs and metrics: visible characters, at most %d", nameCharsMax))
		}
		names[h.Name] = true
		hook := h.resolve(at, note)
		if len(p.profiles) > 0 && !slices.Contains(p.profiles, hook.interest.Profile) {
			note(at+".profile", fmt.Errorf("%s is no form that this CPS serves", hook.interest.Profile))
		}
		p.hooks = append(p.hooks, hook)
	}
}

func (c PushHookConfig) resolve(at string, note func(string, error)) pushHook {
	profile := oob.RFC9888
	if c.Profile != "" {
		var ok bool
		if profile, ok = oob.ProfileNamed(c.Profile); !ok || !profile.Row().Pushed {
			note(at+".profile", errors.New("is rfc9888 or company"))
			profile = oob.RFC9888 // one fault is enough
		}
	}
	h := pushHook{name: c.Name, interest: push.Interest{Profile: profile}}
	if len(c.Resources) == 0 {
		note(at+".resources", errors.New("needs at least one, such as 2-12155550131, 1-12155550100-50 or 0-567A"))
	}
	for i, text := range c.Resources {
		resource, err := stircert.ParseResource(text)
		if err != nil {
			note(fmt.Sprintf("%s.resources[%d]", at, i), errors.New("is a number as 2-12155550131, a range as 1-12155550100-50 (first and count), or a provider as 0-567A"))
		}
		h.add(resource)
	}
	var roots *x509.CertPool
	roots, err := loadPool(c.TLSRoots)
	note(at+".tls_roots", plain(err))
	key, err := readSecret(c.Key)
	if err == nil && len(bytes.TrimSpace(key)) < webhook.KeyBytesMin {
		err = fmt.Errorf("the file has less than %d bytes", webhook.KeyBytesMin)
	}
	note(at+".key", err)
	h.config = webhook.Config{URL: c.URL, KeyFile: c.Key, RootCAs: roots}
	if err == nil {
		_, err = webhook.New(h.config) // what it refuses itself
		note(at, err)
	}
	return h
}

func (h *pushHook) add(r stircert.Resource) {
	switch {
	case r.IsZero():
	case r.SPC() != "":
		h.interest.SPCs = append(h.interest.SPCs, r.SPC())
	default:
		h.interest.Numbers = append(h.interest.Numbers, r.Numbers())
	}
}

// runHook offers a receiver all that it is to be told of, until ctx ends. One that falls behind is told from where it stopped.
func runHook(ctx context.Context, hub *push.Hub, h pushHook, to *webhook.Webhook) {
	cursor := ""
	for ctx.Err() == nil {
		subscription, err := hub.Subscribe("webhook "+h.name, h.interest, cursor)
		if errors.Is(err, oob.Draining) {
			return // the hub has ended
		}
		if err != nil { // there is no room for the moment
			select {
			case <-time.After(max(time.Second, oob.FaultOf(err).RetryAfter)):
			case <-ctx.Done():
			}
			continue
		}
		for err == nil {
			var event push.Event
			if event, err = subscription.Next(ctx); err == nil && !event.Gap {
				cursor = event.Cursor
				to.Offer(rfc9888.Event{Type: rfc9888.EventPassports, Cursor: event.Cursor, Held: event.Held}.WriteFrame())
			}
		}
		subscription.Close()
		if errors.Is(err, push.ErrClosed) {
			return
		}
	}
}
