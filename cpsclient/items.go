package cpsclient

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
)

// itemsMax is how many items of a list are fetched, at the same time: the newest.
const itemsMax = 16

// fetchItems gets what a list leads to (RFC 8816 §9), within what is left of the attempt. An item that is gone is none; of
// the others, those that come are as good as all, and only where none does is it a failure.
func (c *Client) fetchItems(ctx context.Context, cps *peer, k oob.Key, items []string) ([]string, *failure) {
	items = items[:min(len(items), itemsMax)]
	found := make([][]string, len(items))
	failures := make([]*failure, len(items))
	var fetched sync.WaitGroup
	for i, item := range items {
		fetched.Go(func() { found[i], failures[i] = c.fetchItem(ctx, cps, k, item) })
	}
	fetched.Wait()
	if all := union(nonEmpty(found)); len(all) > 0 {
		return all, nil
	}
	for _, failed := range failures {
		if failed != nil && failed.fault.Kind != oob.NotFound {
			return nil, failed
		}
	}
	return nil, nothingThere()
}

func (c *Client) fetchItem(ctx context.Context, cps *peer, k oob.Key, item string) ([]string, *failure) {
	q := request{
		method: http.MethodGet, path: strings.TrimPrefix(item, cps.base), accept: wire.PassportMedia, bytesMax: oob.BodyBytesMax,
	}
	answer, failed := c.ask(ctx, cps, oob.ActionRetrieve, k, q)
	if failed != nil {
		return nil, failed
	}
	return answer.passports(wire.ReadLines)
}

func nonEmpty(lists [][]string) (all [][]string) {
	for _, list := range lists {
		if len(list) > 0 {
			all = append(all, list)
		}
	}
	return all
}
