package app

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/trace"
)

// callPages lets operators look up what happened to a call, for a subscriber's complaint or a traceback. Whoever reaches
// the listener sees numbers masked; with the key of trace.full_key, everything.
type callPages struct {
	recorder *trace.Recorder
	full     [sha256.Size]byte // of the value of Authorization
	hasFull  bool
}

func newCallPages(recorder *trace.Recorder, key string) *callPages {
	return &callPages{recorder: recorder, full: sha256.Sum256([]byte("Bearer " + key)), hasFull: key != ""}
}

func (p *callPages) mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /calls", p.search)
	mux.HandleFunc("GET /calls/{id}/messages", p.export("text/plain; charset=utf-8", func(r *trace.Record, out *bytes.Buffer) error { return r.WriteText(out) }))
	mux.HandleFunc("GET /calls/{id}/pcap", p.export("application/vnd.tcpdump.pcap", func(r *trace.Record, out *bytes.Buffer) error { return r.WritePcap(out) }))
	mux.HandleFunc("GET /calls/undelivered", func(w http.ResponseWriter, r *http.Request) {
		if p.role(r) != trace.Full {
			p.refuse(w)
			return
		}
		writeJSON(w, map[string]any{"undelivered": p.recorder.DeadLetters()})
	})
}

// role is what the requester may see. Keys are compared by their digests, so that the time tells nothing of them.
func (p *callPages) role(r *http.Request) trace.Role {
	shown := sha256.Sum256([]byte(r.Header.Get("Authorization")))
	if p.hasFull && subtle.ConstantTimeCompare(shown[:], p.full[:]) == 1 {
		return trace.Full
	}
	return trace.Masked
}

func (p *callPages) refuse(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, "only with the key of trace.full_key", http.StatusUnauthorized)
}

func (p *callPages) search(w http.ResponseWriter, r *http.Request) {
	role := p.role(r)
	if role != trace.Full && r.Header.Get("Authorization") != "" { // who shows a key means to see more
		p.refuse(w)
		return
	}
	query, err := trace.ParseQuery(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !query.Number.IsZero() && role != trace.Full { // who may ask for numbers can find them out one by one
		p.refuse(w)
		return
	}
	writeJSON(w, map[string]any{"calls": p.recorder.Search(query, role)})
}

func (p *callPages) export(mediaType string, write func(*trace.Record, *bytes.Buffer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p.role(r) != trace.Full {
			p.refuse(w)
			return
		}
		found := p.recorder.Find(trace.Query{ID: r.PathValue("id"), Limit: 1})
		if len(found) == 0 || len(found[0].Messages) == 0 {
			http.Error(w, "no messages are kept of such a call; see trace.messages", http.StatusNotFound)
			return
		}
		var out bytes.Buffer
		if err := write(found[0], &out); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = out.WriteTo(w)
	}
}

func writeJSON(w http.ResponseWriter, value any) {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		http.Error(w, strings.ToLower(http.StatusText(http.StatusInternalServerError)), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n'))
}
