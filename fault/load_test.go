package fault

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// pace is how a load comes: so many publications a second of each publisher, so many of them at once.
type pace struct {
	perSecond int
	together  int           // default 1
	attempt   time.Duration // bounds one attempt; default 5 s
}

// perSecond is the load of a whole bed.
func perSecond() int {
	if all {
		return 300
	}
	return 200 // under the race detector, beside other tests
}

// load publishes at nodes, each publisher at its own pace, whether or not it is answered in time.
type load struct {
	ledger  *ledger
	pace    pace
	signed  chan publication // ahead of their time, so that signing delays none
	stop    context.CancelFunc
	running sync.WaitGroup
}

const (
	underWayMax = 512 // publications of one publisher that wait for an answer; one more waits for a place, and that counts
	signedAhead = 256
)

// publisher is beside its own node, publishes there, and retries once at another. Beside other tests, where all nodes may have been
// kept from working at that moment, it goes on in turn, a second between two attempts, for as long as comesAgain.
type publisher struct {
	bed    *bed
	own    *node
	others []*node // in turn
	client *http.Client
}

// publishes makes a publisher. It goes over to the other nodes in turn.
func (b *bed) publishes(t *testing.T, own *node, others ...*node) *publisher {
	t.Helper()
	shown := b.publisher.TLS()
	return &publisher{bed: b, own: own, others: others, client: own.client(t, &shown)}
}

// beside makes a publisher for each of the nodes, which goes over to the others.
func (b *bed) beside(t *testing.T, nodes ...*node) (publishers []*publisher) {
	t.Helper()
	for i, n := range nodes {
		others := append(append([]*node{}, nodes[i+1:]...), nodes[:i]...)
		publishers = append(publishers, b.publishes(t, n, others...))
	}
	return publishers
}

// publish begins a load, until it is ended.
func (b *bed) publish(t *testing.T, l *ledger, how pace, publishers ...*publisher) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	how.together = max(how.together, 1)
	if how.attempt == 0 {
		how.attempt = 5 * time.Second
	}
	work := &load{ledger: l, pace: how, signed: make(chan publication, signedAhead), stop: stop}
	work.running.Go(func() { work.sign(ctx, b) })
	for i, p := range publishers {
		// Apart from each other, so that the load is even.
		work.running.Go(func() { work.run(ctx, p, time.Duration(i)*time.Millisecond) })
	}
	t.Cleanup(work.end)
	return work
}

// end lets nothing new begin, and waits for what is under way.
func (l *load) end() {
	l.stop()
	l.running.Wait()
}

// sign makes records ahead of their time.
func (l *load) sign(ctx context.Context, b *bed) {
	for ctx.Err() == nil {
		record, err := b.publication(b.numbers.next())
		if err != nil {
			l.ledger.failed(err.Error())
			return
		}
		select {
		case l.signed <- record:
		case <-ctx.Done():
		}
	}
}

func (l *load) run(ctx context.Context, p *publisher, begin time.Duration) {
	places := make(chan struct{}, underWayMax)
	due := time.Now().Add(begin)
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		at := due
		for range l.pace.together {
			var record publication
			select {
			case record = <-l.signed:
			case <-ctx.Done():
				return
			}
			places <- struct{}{}
			l.running.Go(func() {
				l.one(p, record, i, at)
				<-places
			})
		}
		due = due.Add(time.Second * time.Duration(l.pace.together) / time.Duration(l.pace.perSecond))
	}
}

const comesAgain = 15 * time.Second

// one publishes one record: at the own node, then at others, with the same proof.
func (l *load) one(p *publisher, record publication, i int, due time.Time) {
	at, why, first := p.own, "", time.Now()
	for attempt := 0; ; attempt++ {
		begun := time.Now()
		err := p.send(record, at, l.pace.attempt)
		if err == nil {
			now := time.Now()
			l.ledger.acknowledged(entry{record, at, begun, now}, now.Sub(due))
			return
		}
		if len(p.others) == 0 || attempt > 0 && (all || time.Since(first) > comesAgain) {
			l.ledger.failed(why + at.name + ": " + err.Error())
			return
		}
		if attempt == 0 {
			l.ledger.stumbled()
		} else {
			pass(time.Second)
		}
		why = at.name + ": " + err.Error() + ", then "
		at = p.others[(i+attempt)%len(p.others)]
	}
}

// send publishes at a node; nil means acknowledged.
func (p *publisher) send(record publication, at *node, limit time.Duration) error {
	request, err := record.request(at)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	status, body, err := do(ctx, p.client, request)
	switch {
	case err != nil:
		return err
	case status != http.StatusCreated:
		return fmt.Errorf("%d %s", status, reason(body))
	}
	return nil
}

var reasons = regexp.MustCompile(`"(?:detail|message)":"([^"]*)"`)

// reason is why a node says that it did not do something.
func reason(body []byte) string {
	if found := reasons.FindSubmatch(body); found != nil {
		return string(found[1])
	}
	return ""
}

// deliver publishes at the own node until that has acknowledged, and notes it.
func (p *publisher) deliver(t *testing.T, l *ledger, record publication) {
	t.Helper()
	await(t, p.own.name+" to acknowledge", func() bool {
		begun := time.Now()
		if err := p.send(record, p.own, patience); err != nil {
			return false
		}
		l.acknowledged(entry{record, p.own, begun, time.Now()}, time.Since(begun))
		return true
	})
}

// do asks, and reads the answer. An error says nothing of addresses, so that the same are counted together.
func do(ctx context.Context, client *http.Client, request *http.Request) (status int, body []byte, err error) {
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return 0, nil, unaddressed(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(response.Body, oob.RetrievedBytesMax)); err != nil {
		return 0, nil, unaddressed(err)
	}
	return response.StatusCode, body, nil
}
