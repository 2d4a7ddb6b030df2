package natslog_test

import (
	"testing"

	"github.com/viaduct-oob/viaduct/internal/store"
)

func TestOneNodeForgetsNothingWhenItIsRestarted(t *testing.T) {
	n := open(t, alone(t))
	ready(t, n)
	var events []store.Event
	for range 20 {
		events = append(events, event())
		n.append(events[len(events)-1])
	}
	n.close()
	n.open()
	ready(t, n)
	n.gets(events...)
	if outcome, err := n.log.Append(t.Context(), events[3]); err != nil || outcome != store.Repeated {
		t.Errorf("what was appended before gave %v, %v", outcome, err)
	}
}
