package relay

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// goneAfter is how long a node is not heard before its records are taken over.
const goneAfter = 2 * time.Second

// nodesMax bounds the nodes of a site that are known.
const nodesMax = 64

// watch is what other nodes of the site pass on, until they have.
type watch struct {
	mu                   sync.Mutex
	recordsMax, bytesMax int
	records              map[[16]byte]*watched // guarded by mu, as all that follows
	order                []*watched            // as they came, and so about as they expire
	bytes                int
	heard                map[string]time.Time // nodes that relay, and when they were heard last
	unwatched, taken     uint64
}

type watched struct {
	*record
	node string
	done []mark // CPSs that have it
}

func (w *watch) init(recordsMax, bytesMax int) {
	w.recordsMax, w.bytesMax = recordsMax, bytesMax
	w.records, w.heard = map[[16]byte]*watched{}, map[string]time.Time{}
}

func (w *watch) stats() (watched int, unwatched, taken uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.records), w.unwatched, w.taken
}

// hears notes that a node is there.
func (w *watch) hears(node string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.heard[node]; known || len(w.heard) < nodesMax {
		w.heard[node] = now
	}
}

// add keeps a record in mind that a node passes on.
func (w *watch) add(one *record, node string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.heard[node]; !known && len(w.heard) < nodesMax {
		w.heard[node] = now // it may be that this node is the new one
	}
	if _, known := w.records[one.id]; known {
		return
	}
	if len(w.order) >= w.recordsMax || w.bytes+one.size > w.bytesMax {
		w.unwatched++
		return
	}
	kept := &watched{record: one, node: node}
	w.records[one.id] = kept
	w.order = append(w.order, kept)
	w.bytes += one.size
}

// done notes that a CPS has a record, if it is one of those that there are.
func (w *watch) done(id [16]byte, by mark, all map[mark]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.records[id]
	if one == nil || !all[by] || slices.Contains(one.done, by) {
		return
	}
	// Some of those that have it may have gone since.
	one.done = append(slices.DeleteFunc(one.done, func(m mark) bool { return !all[m] }), by)
	if len(one.done) == len(all) {
		delete(w.records, id)
	}
}

// expire forgets what is done with, or has expired.
func (w *watch) expire(now time.Time) {
	over := 0
	for _, one := range w.order {
		if w.records[one.id] == one && now.Before(one.expires) {
			break
		}
		if w.records[one.id] == one {
			delete(w.records, one.id)
		}
		w.bytes -= one.size
		over++
	}
	clear(w.order[:over])
	w.order = w.order[over:]
}

// orphans gives the records of nodes that have not been heard for long enough, to the first of those who are left alone.
func (w *watch) orphans(now time.Time, own string) []*watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.expire(now)
	for node, at := range w.heard {
		if node < own && now.Sub(at) < goneAfter {
			return nil // it is up to that one
		}
	}
	var orphans []*watched
	for id, one := range w.records {
		if now.Sub(w.heard[one.node]) >= goneAfter {
			orphans = append(orphans, one)
			delete(w.records, id)
		}
	}
	w.taken += uint64(len(orphans))
	return orphans
}

// takeOver passes on what nodes that are gone have not, if it is up to this one.
func (r *Relay) takeOver() {
	for _, one := range r.watch.orphans(r.cfg.Now(), r.cfg.Node) {
		r.pass(one.record, one.done)
	}
}

// sameSite compares what stands before the slash in the names of nodes.
func sameSite(a, b string) bool {
	siteA, _, _ := strings.Cut(a, "/")
	siteB, _, _ := strings.Cut(b, "/")
	return siteA == siteB
}
