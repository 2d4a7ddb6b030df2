package latent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/latent"
)

// TestLatentIsAContext: it behaves as context.WithTimeout does, whether or not anybody waits for it.
func TestLatentIsAContext(t *testing.T) {
	for _, c := range []struct {
		name   string
		parent time.Duration // its timeout; 0 for none
		act    func(cancelParent, cancel context.CancelFunc)
		want   error
		at     time.Duration
	}{
		{"times out", 0, func(_, _ context.CancelFunc) {}, context.DeadlineExceeded, 2 * time.Second},
		{"is cancelled", 0, func(_, cancel context.CancelFunc) { cancel() }, context.Canceled, 0},
		{"its parent is cancelled", 0, func(parent, _ context.CancelFunc) { parent() }, context.Canceled, 0},
		{"its parent times out earlier", time.Second, func(_, _ context.CancelFunc) {}, context.DeadlineExceeded, time.Second},
		{"its parent times out later", time.Hour, func(_, _ context.CancelFunc) {}, context.DeadlineExceeded, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancelParent := context.WithCancel(t.Context())
				if c.parent > 0 {
					parent, cancelParent = context.WithTimeout(t.Context(), c.parent)
				}
				defer cancelParent()
				began := time.Now()
				waited, cancelWaited := latent.WithTimeout(parent, 2*time.Second)
				defer cancelWaited()
				asked, cancelAsked := latent.WithTimeout(parent, 2*time.Second)
				defer cancelAsked()
				same, cancelSame := context.WithTimeout(parent, 2*time.Second)
				defer cancelSame()
				done := waited.Done() // the first call starts the timer
				if waited.Err() != nil || asked.Err() != nil {
					t.Fatal("over before its time")
				}
				if a, ok := asked.Deadline(); !ok {
					t.Error("no deadline")
				} else if b, _ := same.Deadline(); !a.Equal(b) {
					t.Errorf("deadline %v, want %v", a, b)
				}
				go func() {
					c.act(cancelParent, func() { cancelWaited(); cancelAsked(); cancelSame() })
				}()
				<-done
				<-same.Done()
				if took := time.Since(began); took != c.at {
					t.Errorf("took %v, want %v", took, c.at)
				}
				for _, ctx := range []context.Context{waited, asked, same} {
					if err := ctx.Err(); !errors.Is(err, c.want) {
						t.Errorf("%T: %v, want %v", ctx, err, c.want)
					}
				}
				<-asked.Done() // also when nobody had asked before the end
			})
		})
	}
}
