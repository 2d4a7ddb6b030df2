package advert

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AdvertiserConfig says what is advertised.
type AdvertiserConfig struct {
	Signer   Signer
	Entries  []Entry       // one to EntriesMax
	Lifetime time.Duration // of an advertisement; default 24 h. It is signed anew when half of that is over
	Now      func() time.Time
}

// Advertiser keeps our own advertisement: signed, and signed anew before it expires, with a seq that grows also across
// restarts, since it is the time. It is safe for concurrent use.
type Advertiser struct {
	cfg AdvertiserConfig

	mu      sync.Mutex
	entries []Entry
	signer  Signer
	seq     uint64
	renew   time.Time // when it is signed anew
	body    []byte
	etag    string
}

// NewAdvertiser makes an Advertiser, and signs for the first time.
func NewAdvertiser(cfg AdvertiserConfig) (*Advertiser, error) {
	if cfg.Lifetime <= 0 {
		cfg.Lifetime = 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Advertiser{cfg: cfg, entries: slices.Clone(cfg.Entries), signer: cfg.Signer}
	if err := a.sign(cfg.Now()); err != nil {
		return nil, err
	}
	return a, nil
}

// Change advertises other entries from now on, or signs with another certificate. With an error, all stays as it was.
func (a *Advertiser) Change(s Signer, entries []Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	signer, before := a.signer, a.entries
	a.signer, a.entries = s, slices.Clone(entries)
	err := a.sign(a.cfg.Now())
	if err != nil {
		a.signer, a.entries = signer, before
	}
	return err
}

// sign is called with mu held, but by NewAdvertiser.
func (a *Advertiser) sign(now time.Time) error {
	seq := max(a.seq+1, uint64(now.UnixMilli()))
	compact, err := Sign(a.signer, Advertisement{Issued: now, Expires: now.Add(a.cfg.Lifetime), Seq: seq, Entries: a.entries})
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(compact))
	a.seq, a.renew = seq, now.Add(a.cfg.Lifetime/2)
	a.body, a.etag = []byte(compact+"\n"), `"`+hex.EncodeToString(hash[:16])+`"`
	return nil
}

// Document gives what is to be served now, its ETag, and for how long others may keep it. While the key fails, that is
// the one before, for as long as it holds; then it is an error.
func (a *Advertiser) Document() (body []byte, etag string, maxAge time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	if !now.Before(a.renew) {
		if err := a.sign(now); err != nil && !now.Before(a.renew.Add(a.cfg.Lifetime/2)) {
			return nil, "", 0, err
		}
	}
	return a.body, a.etag, max(0, a.renew.Sub(now)), nil
}

// ServeHTTP serves the document, at whatever path it is asked for.
func (a *Advertiser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, etag, maxAge, err := a.Document()
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("Cache-Control", "max-age="+strconv.Itoa(int(min(maxAge, time.Hour)/time.Second)))
	if slices.ContainsFunc(strings.Split(r.Header.Get("If-None-Match"), ","), func(tag string) bool {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		return tag == etag || tag == "*"
	}) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", MediaType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		w.Write(body) // whoever hangs up asks again
	}
}
