package fault

import (
	"net"
	"testing"
	"time"
)

// TestPlaces tries the networks themselves: what is cut hears nothing, and what is far takes its time. A cut that does not cut
// would let every other test here pass.
func TestPlaces(t *testing.T) {
	needApart(t)
	b := &bed{ground: newGround(t, 2), sites: 2}
	for site := range 2 {
		for number := range 2 {
			n := &node{bed: b, site: site, number: number}
			n.name = siteNames[site]
			n.place = b.place(t, site, number)
			n.public = n.place.host + ":8443"
			listener, err := n.place.listen(n.public)
			check(t, err)
			t.Cleanup(func() { listener.Close() })
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					conn.Close()
				}
			}()
			b.nodes = append(b.nodes, n)
		}
	}
	reaches := func(from, to *node) bool {
		var conn net.Conn
		conn, err := from.place.dial(t.Context(), "tcp", to.public)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	first, second, far := b.nodes[0], b.nodes[1], b.nodes[2]
	everybody := func(when string) {
		t.Helper()
		for _, from := range b.nodes {
			for _, to := range b.nodes {
				// A bridge may take a moment to let an interface speak.
				if !within(patience, func() bool { return reaches(from, to) }) {
					t.Fatalf("%s: %s does not reach %s", when, from.public, to.public)
				}
			}
		}
	}
	everybody("at first")

	b.plug(t, second, false)
	if reaches(first, second) || reaches(second, first) || reaches(second, far) {
		t.Error("a pulled cable carries")
	}
	if !within(patience, func() bool { return reaches(second, second) }) {
		t.Error("a node without a cable does not reach itself")
	}
	b.plug(t, second, true)
	everybody("with the cable in")

	b.isolate(t, true, first, second)
	if reaches(first, second) || reaches(second, first) {
		t.Error("who should not hear each other do")
	}
	for _, from := range []*node{first, second} {
		if !within(patience, func() bool { return reaches(from, far) }) {
			t.Error("who should not hear each other hear nobody")
		}
	}
	b.isolate(t, false, first, second)
	everybody("together again")

	b.narrow(t, second, "2mbit")
	b.narrow(t, second, "")

	b.far()
	begun := time.Now()
	everybody("far apart")
	if took := time.Since(begun); took < 8*2*between {
		t.Errorf("8 connections between sites took %s", took)
	}
	b.wide.cut(0, true)
	if reaches(first, far) || reaches(far, first) {
		t.Error("a site that is cut off is reached")
	}
	if !within(patience, func() bool { return reaches(first, second) }) {
		t.Error("a site that is cut off does not reach itself")
	}
	b.wide.cut(0, false)
	everybody("with the sites joined")
}
