package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/webhook"
	"github.com/viaduct-oob/viaduct/oob"
)

// TestAHookComesAgain: a receiver for whom there is no room for a moment is told once there is some, and left alone when the
// process ends.
func TestAHookComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local.Open(store.Config{FeedProfiles: []oob.Profile{oob.Company}})
		defer s.Close()
		hub := push.New(push.Config{Feed: s.Feed(), SubscribersMax: 1})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go hub.Run(ctx)
		other, err := hub.Subscribe("another", push.Interest{Profile: oob.Company, SPCs: []string{"1234"}}, "")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runHook(ctx, hub, pushHook{name: "a", interest: push.Interest{Profile: oob.Company, SPCs: []string{"567B"}}}, &webhook.Webhook{})
		}()
		synctest.Wait()
		if stats := hub.Stats(); stats.Refused != 1 || stats.Subscribers != 1 {
			t.Fatalf("%+v", stats)
		}
		other.Close()
		time.Sleep(10 * time.Second)
		if stats := hub.Stats(); stats.Subscribers != 1 {
			t.Errorf("there is room, and %d subscribers", stats.Subscribers)
		}
		cancel()
		<-ended
	})
}
