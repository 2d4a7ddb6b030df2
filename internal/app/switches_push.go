package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// subscribed is a subscription, with what the configuration says of it.
type subscribed struct {
	SubscriptionConfig
	*cpsclient.Subscription
}

func inboxName(profile oob.Profile, a asking) string { return profile.String() + "\x00" + a.name() }

// asking is how the client of a subscription asks, which is that of the trunks that use it.
func (c SubscriptionConfig) asking(made *equipment) asking {
	return asking{cps: c.CPS, behalf: c.Behalf, certificate: made.partners[c.Behalf].credential.Chain != nil}
}

// makeInbox keeps what CPSs tell of calls before they come.
func (r *switchRole) makeInbox(made *equipment, c SubscriptionConfig, budget time.Duration) {
	profile, _ := oob.ProfileNamed(c.Profile)
	a := c.asking(made)
	if client := made.clients[a.name()]; client != nil {
		made.inboxes[inboxName(profile, a)] = cpsclient.NewInbox(cpsclient.InboxConfig{Next: client, Budget: budget})
	}
}

// subscribe has CPSs tell of calls, until the equipment is retired. It is done when nothing can be refused any more.
func (r *switchRole) subscribe(subscriptions []SubscriptionConfig, made *equipment) error {
	var ctx context.Context
	ctx, made.stop = context.WithCancel(context.Background())
	for _, c := range subscriptions {
		profile, _ := oob.ProfileNamed(c.Profile)
		a := c.asking(made)
		inbox := made.inboxes[inboxName(profile, a)]
		if inbox == nil {
			continue
		}
		config := cpsclient.SubscribeConfig{Profile: profile, Transport: cpsclient.Transport(c.Transport), Receive: inbox.Receive, Alive: inbox.Alive}
		for _, text := range c.Resources {
			resource, err := stircert.ParseResource(text)
			if err != nil {
				return err
			}
			config.Resources = append(config.Resources, resource)
		}
		subscription, err := made.clients[a.name()].Subscribe(ctx, config)
		if err != nil {
			return fmt.Errorf("peers.subscriptions: %w", err)
		}
		made.subscribed = append(made.subscribed, subscribed{c, subscription})
	}
	return nil
}

// boxes gives the inboxes, always in the same order.
func (r *switchRole) boxes() []*cpsclient.Inbox {
	r.mu.Lock()
	defer r.mu.Unlock()
	return inOrder(r.equipped.inboxes)
}

// subscriptions gives those in use.
func (r *switchRole) subscriptions() []subscribed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.equipped.subscribed)
}

// tellStreams notes of each stream of a subscription when it is down, why, and when it is back.
func (r *switchRole) tellStreams(was standing, note func(name, is string, level slog.Level, message string, more ...any)) {
	for i, s := range r.subscriptions() {
		for _, stream := range s.Stats().Streams {
			name := fmt.Sprintf("subscription %d %s %s %s", i, stream.URL, s.Profile, s.Behalf)
			more := []any{"cps", stream.URL, "profile", s.Profile}
			if s.Behalf != "" {
				more = append(more, "behalf", s.Behalf)
			}
			switch fault := stream.Fault; {
			case stream.Up && was[name] != "":
				note(name, "", slog.LevelInfo, "a CPS tells of calls again", more...)
			case stream.Up || fault == nil:
			default:
				is, message := "down", "a subscription is down; what is not told is asked for"
				if row := fault.Kind.Row(); row.HTTP >= http.StatusBadRequest && row.HTTP < http.StatusInternalServerError {
					is, message = "refused", "a CPS has refused a subscription; what is not told is asked for"
				}
				more = append(more, "fault", fault.Kind.String(), "detail", fault.Detail)
				if fault.Err != nil {
					more = append(more, "cause", fault.Err.Error())
				}
				note(name, is, slog.LevelWarn, message, more...)
			}
		}
	}
}
