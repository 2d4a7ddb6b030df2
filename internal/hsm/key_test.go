//go:build cgo

package hsm_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/hsm"
)

// patience is a deadline that no working machine reaches.
const patience = time.Minute

func TestSign_WaitsNoLongerThanItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		hang := make(chan struct{})
		_, err := hsm.Within(time.Second, func() ([]byte, error) { <-hang; return []byte("late"), nil })
		if !errors.Is(err, hsm.ErrTime) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		close(hang)
	})
}

func TestSign_TokenThatHangsHoldsItsSessionsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := hsm.SignWithAllSessionsBusy(time.Second); !errors.Is(err, hsm.ErrTime) || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
