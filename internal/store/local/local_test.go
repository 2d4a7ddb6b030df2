package local_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/store/storetest"
	"github.com/viaduct-oob/viaduct/oob"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T, cfg store.Config) storetest.Shelf {
		s := local.Open(cfg)
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}

func TestAppendAfterTheCallerHasGoneChangesNothing(t *testing.T) {
	s := local.Open(store.Config{})
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	use := oob.TokenUse{ID: [16]byte{1}, Until: time.Now().Add(time.Minute)}
	if err := s.Spend(ctx, use); !errors.Is(err, context.Canceled) {
		t.Errorf("Spend: %v", err)
	}
	if used, _ := s.Used(use); used {
		t.Error("the token is used")
	}
	if n := s.Stats().Tokens; n != 0 {
		t.Errorf("%d tokens", n)
	}
}
