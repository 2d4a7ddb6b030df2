package sipgw_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
)

// hung is a CPS that does not answer for as long as anybody waits.
type hung struct{ began chan struct{} }

func (h hung) Publish(ctx context.Context, _ oob.Publication) error {
	h.began <- struct{}{}
	<-ctx.Done()
	return oob.Faultf(oob.PeerTimeout, "no answer")
}

// A switch that gives up while a CPS hangs has its 487 at once (RFC 3261 §9.2), and the dip ends with it.
func TestCancelledWhileACPSHangs(t *testing.T) {
	b := open(t, row(trunk.SignPublish, nil))
	b.publisher = hung{began: make(chan struct{}, 1)}
	b.setRows(row(trunk.SignPublish, func(r *trunk.Row) { r.Budget = trunk.BudgetMax }))
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(b.udp))
	b.must(err)
	defer conn.Close()
	send := func(text string) {
		_, err := conn.Write([]byte(text))
		b.must(err)
	}
	send(invite())
	<-b.publisher.began
	cancelled := time.Now()
	send(strings.NewReplacer("INVITE sip:", "CANCEL sip:", "1 INVITE", "1 CANCEL").Replace(invite()))
	b.must(conn.SetReadDeadline(cancelled.Add(20 * time.Second)))
	buffer := make([]byte, 64<<10)
	for !bytes.HasPrefix(buffer, []byte("SIP/2.0 487 ")) {
		n, err := conn.Read(buffer)
		b.must(err)
		if got := parsed(t, buffer[:n]); got.StatusCode == 302 {
			t.Fatal(got.text)
		}
	}
	b.must(b.server.Shutdown(t.Context())) // Respond has returned
	if got := b.gateway.Stats(); got.Cancelled != 1 || time.Since(cancelled) >= trunk.BudgetMax {
		t.Errorf("%+v after %v", got, time.Since(cancelled))
	}
	b.must(b.recorder.Close(t.Context()))
	if records := b.recorder.Find(trace.Query{CallID: "c1@192.0.2.10"}); len(records) != 1 || !records[0].Cancelled {
		t.Errorf("%+v", records)
	}
}

// A hung CPS costs a call the budget of its trunk, and no more.
func TestAHungCPSCostsTheBudget(t *testing.T) {
	b := open(t, row(trunk.SignPublish, nil))
	b.publisher = hung{began: make(chan struct{}, 1)}
	b.setRows(row(trunk.SignPublish, func(r *trunk.Row) { r.Budget = time.Second })) // in which it is signed on any machine
	a := b.ask(invite())
	a.status(302)
	b.believed(a.values("Identity")[0])
}
