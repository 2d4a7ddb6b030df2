package push_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// test is what a test and a property have in common.
type test interface {
	Fatal(...any)
	Error(...any)
}

// shelf is a store and the hub on it, in a synctest bubble.
type shelf struct {
	t     test
	store *store.Store
	hub   *push.Hub
	laid  atomic.Uint64
	end   func()
}

// open starts both. A FeedRecords of zero is the default.
func open(t test, cfg push.Config, feedRecords int) *shelf {
	const many = 1 << 20
	s := local.Open(store.Config{FeedProfiles: []oob.Profile{oob.RFC9888, oob.Company}, FeedRecords: feedRecords,
		KeyRecords: many, KeyPublisherRecords: many, PublisherRecords: many, PublisherBytes: 1 << 30})
	cfg.Feed = s.Feed()
	r := &shelf{t: t, store: s, hub: push.New(cfg)}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() {
		defer close(ran)
		r.hub.Run(ctx)
	}()
	r.end = func() {
		cancel()
		<-ran
		s.Close()
	}
	return r
}

// bubble runs a test with a shelf.
func bubble(t *testing.T, cfg push.Config, run func(t *testing.T, r *shelf)) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, cfg, 0)
		defer r.end()
		run(t, r)
	})
}

// lay publishes a record of text that lives for so long, and waits until the hub has seen it.
func (r *shelf) lay(k oob.Key, text string, life time.Duration) {
	r.publish(k, text, life)
	synctest.Wait()
}

func (r *shelf) publish(k oob.Key, text string, life time.Duration) {
	laid, now := r.laid.Add(1), time.Now()
	p := oob.Publication{Key: k, Passports: []string{text}, Publisher: "505J", Received: now, Expires: now.Add(life),
		Use: oob.TokenUse{Until: now.Add(life)}}
	binary.BigEndian.PutUint64(p.Use.ID[:], laid*0x9E3779B97F4A7C15)
	if _, err := r.store.Publish(context.Background(), p); err != nil {
		r.t.Error(err)
	}
}

func (r *shelf) subscribe(in push.Interest, cursor string) *push.Subscription {
	s, err := r.hub.Subscribe("us", in, cursor)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// next gives what there is without waiting: "" when there is nothing, "gap", or the text of a record.
func next(t test, s *push.Subscription) (text, cursor string) {
	synctest.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Microsecond)
	defer cancel()
	event, err := s.Next(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", s.Cursor()
	case err != nil:
		t.Fatal(err)
	case event.Gap:
		return "gap", event.Cursor
	}
	return event.Held.Passports[0], event.Cursor
}

// all gives all that there is without waiting, and the last cursor.
func all(t test, s *push.Subscription) (texts []string, cursor string) {
	texts = []string{}
	for {
		text, c := next(t, s)
		if cursor = c; text == "" {
			return texts, cursor
		}
		texts = append(texts, text)
	}
}

// directory is a Numbering.
type directory func(ctx context.Context, n tn.Number) ([]string, error)

func (d directory) SPCs(ctx context.Context, n tn.Number) ([]string, error) { return d(ctx, n) }

// plain knows that numbers which begin with 1555 are of 567A, those with 1215 of 111A, and that 15550000009 is of 890B too.
func plain(_ context.Context, n tn.Number) ([]string, error) {
	switch text := n.String(); {
	case text == "15550000009":
		return []string{"567A", "890B"}, nil
	case strings.HasPrefix(text, "1555"):
		return []string{"567A"}, nil
	case strings.HasPrefix(text, "1215"):
		return []string{"111A"}, nil
	}
	return nil, oob.Faultf(oob.NotFound, "")
}

func key(t test, p oob.Profile, spc, dest, orig string) oob.Key {
	return oob.Key{Profile: p, SPC: spc, Dest: identity(t, dest), Orig: identity(t, orig)}
}

// to is the key of a call under RFC 9888.
func to(t test, dest string) oob.Key { return key(t, oob.RFC9888, "", dest, "12025550100") }

func identity(t test, text string) tn.Identity {
	var id tn.Identity
	if err := id.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return id
}

func numbers(t test, texts ...string) (list []tn.Range) {
	for _, text := range texts {
		r, err := tn.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}
