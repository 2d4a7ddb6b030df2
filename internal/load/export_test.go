package load

import (
	"context"
	"net"
	"time"
)

// In gives a configuration whose connections and clock are those of a testing/synctest bubble. A request is sent so much after it
// is due.
func In(c Config, dial func(ctx context.Context, network, address string) (net.Conn, error), late func(due time.Time) time.Duration) Config {
	c.dial = dial
	c.sleep = func(ctx context.Context, until time.Time) { pause(ctx, time.Until(until)+late(until)) }
	return c
}

// Arrival is one of a schedule.
type Arrival struct {
	Due               time.Duration
	Step              int
	Op                Operation
	Publisher, Reader int
	Caller, Called    int64
}

// Schedule gives all arrivals.
func Schedule(l *Load) (list []Arrival, begin time.Duration) {
	s := l.schedule(l.config.Steps, l.config.Warmup)
	for a := range s.arrivals {
		list = append(list, Arrival{a.due, a.step, a.op, a.publisher, a.reader, a.caller, a.called})
	}
	return list, s.begin
}

// Dial is how a configuration connects.
func Dial(c Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	return c.dial
}

// Interrupted fills a stock with a context that has ended. It gives how many were signed or would be, as told when nothing more was
// to be put in and when everything had come to rest.
func Interrupted(l *Load) (told, inAll int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	st, err := l.prepare(ctx, l.schedule(l.config.Steps, l.config.Warmup))
	if err != nil {
		return 0, 0, err
	}
	st.wait(ctx)
	told = st.signed
	for range st.chunks { // it is closed at the end
	}
	return told, st.signed, nil
}
