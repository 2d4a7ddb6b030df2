package fault

import (
	"net/http"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// usedTokens: what has been read with a token cannot be read with it again at any node, a moment later.
func usedTokens(t *testing.T, b *bed) {
	b.whole(t)
	const (
		tokens  = 10                     // for each pair of nodes
		spreads = 250 * time.Millisecond // how long nodes have to tell each other
	)
	l := newLedger()
	var clients []*http.Client
	for _, n := range b.nodes {
		shown := b.reader.TLS()
		clients = append(clients, n.client(t, &shown))
	}
	ask := func(at int, authorization string, key oob.Key) int {
		request, err := b.retrieval(key, b.nodes[at])
		check(t, err)
		request.Header.Set("Authorization", authorization)
		status, _, err := do(t.Context(), clients[at], request)
		check(t, err)
		return status
	}
	publisher := b.publishes(t, b.nodes[0])
	type use struct {
		key           oob.Key
		authorization string
	}
	for first := range b.nodes {
		for second := range b.nodes {
			var uses []use
			for range tokens {
				key := b.numbers.alone(oob.Agreed)
				record, err := b.publication(key)
				check(t, err)
				publisher.deliver(t, l, record)
				request, err := b.retrieval(key, b.nodes[first])
				check(t, err)
				uses = append(uses, use{key, request.Header.Get("Authorization")})
			}
			b.settle(t, l, b.nodes[first], b.nodes[second])
			for _, u := range uses {
				if status := ask(first, u.authorization, u.key); status != http.StatusOK {
					t.Fatalf("%s answers %d to a token that is new", b.nodes[first].name, status)
				}
			}
			pass(spreads)
			for _, u := range uses {
				if status := ask(second, u.authorization, u.key); status != http.StatusUnauthorized {
					t.Fatalf("%s answers %d to a token that %s has answered", b.nodes[second].name, status, b.nodes[first].name)
				}
			}
		}
	}
	l.conclude(t, demand{})
}
