package trust

import (
	"context"
	"fmt"
	"time"
)

// TNAuthListBytesMax bounds a TNAuthList that is not in its certificate: room for stircert.TNAuthListEntriesMax ranges.
const TNAuthListBytesMax = 512 << 10

// turns say when a host may be asked.
type turns struct {
	allowance *allowance
	slots     *slots
}

// take waits until the host may be asked and gives what must be called after it. The error is ErrBusy.
func (t turns) take(ctx context.Context, s source, known bool, now time.Time) (leave func(), err error) {
	if !t.allowance.take(s.owner, known, now) {
		return nil, ErrBusy
	}
	if leave, err = t.slots.enter(ctx, s, known); err != nil {
		t.allowance.giveBack(s.owner) // nothing was asked
		return nil, err
	}
	return leave, nil
}

// content is request for what must not be longer than bytesMax.
func (r *Repository) content(ctx context.Context, s source, accept string, bytesMax int) ([]byte, error) {
	body, _, err := r.request(ctx, s, accept, int64(bytesMax)+1, ErrContent)
	if err == nil && len(body) > bytesMax {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrContent, bytesMax)
	}
	return body, err
}

// Content gets what is at a URL in a token that has verified, such as rich call data: at most bytesMax bytes, of whatever
// type. The rules for x5u's hold, but that the URL may have a query, and so do their limits for each host, which are
// counted apart: whoever has a credential can make us send 10 requests a second to a host that we do not know, and no
// more, and none of it takes anything from the fetching of certificates. Nothing is remembered.
//
// Errors wrap [ErrURL], [ErrAddress], [ErrContent], [ErrBusy], or come from the network.
func (v *Verifier) Content(ctx context.Context, url string, bytesMax int) ([]byte, error) {
	s, err := v.repository.parseURL(url)
	if err != nil {
		return nil, err
	}
	if !v.begin() {
		return nil, context.Canceled
	}
	defer v.running.Done()
	ctx, cancel := context.WithTimeout(ctx, v.repository.deadline)
	defer cancel()
	defer context.AfterFunc(v.open, cancel)()
	leave, err := v.contents.take(ctx, s, v.cache.knows(s.owner), v.now())
	if err != nil {
		v.counters.busy.Add(1)
		return nil, err
	}
	defer leave()
	v.counters.contents.Add(1)
	return v.repository.content(ctx, s, "*/*", bytesMax)
}
