package fault

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// The numbers of the providers of a bed.
const (
	firstCaller = 12155000000
	firstCalled = 12156000000
	numberBlock = 1_000_000
)

// keyRecords are published under one key, so that few requests read back many; fewer than a publisher may have there.
const keyRecords = 16

// numbers gives out keys, of the forms in turn.
type numbers struct {
	forms []oob.Profile

	mu   sync.Mutex
	made int // records; guarded by mu
}

func (n *numbers) next() oob.Key {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.made / keyRecords
	n.made++
	return keyAt(n.forms[at%len(n.forms)], at)
}

// alone is a key of a profile for one record.
func (n *numbers) alone(profile oob.Profile) oob.Key {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made += keyRecords
	return keyAt(profile, n.made/keyRecords)
}

// keyAt is the at-th key, in a form.
func keyAt(profile oob.Profile, at int) oob.Key {
	key := oob.Key{Profile: profile, Dest: number(firstCalled + at), Orig: number(firstCaller + at)}
	switch row := profile.Row(); {
	case row.KeyedBySPC:
		key.SPC = publishing
	case row.ForSPC:
		key.SPC = reading
	}
	return key
}

func number(n int) tn.Identity {
	parsed, err := tn.ParseNumber(fmt.Sprint(n))
	if err != nil {
		panic(err)
	}
	return tn.Of(parsed)
}

// publication is one record, signed, and the request that publishes it: the same to whichever node it is sent.
type publication struct {
	key           oob.Key
	id            string // of its PASSporT
	compact       string
	authorization string // empty where the certificate of the connection proves who publishes, or nobody has to
	ends          time.Time
}

func (b *bed) publication(key oob.Key) (publication, error) {
	now := time.Now()
	who := b.publisher
	compact, err := passport.Sign(who.Key, passport.Shaken, who.X5U, passport.Claims{
		IAT: now, Orig: key.Orig, Dest: []tn.Identity{key.Dest}, Attest: "A", OrigID: uuid.New(),
	})
	if err != nil {
		return publication{}, err
	}
	p := publication{key: key, id: oob.PassportID(compact), compact: compact, ends: now.Truncate(time.Second).Add(kept)}
	if byToken(key) {
		access := who.Access(oob.ActionPublish, key, []string{compact}, uuid.New(), now)
		access.Audience = []string{audience}
		if key.Profile.Row().PublisherSets {
			access.Deadline = p.ends
		}
		p.authorization, err = who.Authorization(access)
	}
	return p, err
}

// byToken tells whether an access token says who publishes and reads, and not the certificate of the connection.
func byToken(key oob.Key) bool { return key.Profile == oob.Agreed || key.Profile == oob.Mesh }

// request is what publishes it at a node.
func (p publication) request(at *node) (*http.Request, error) {
	path, media, body := atis.Path(p.key), "application/json", []byte(nil)
	switch p.key.Profile {
	case oob.Agreed, oob.Mesh:
		body = atis.WritePublish([]string{p.compact})
	case oob.RFC9888:
		dest, _ := p.key.Dest.Number()
		path, media, body = rfc9888.CollectionPath(dest), wire.PassportMedia, wire.WriteLines([]string{p.compact})
	case oob.Company:
		path, media, body = atis.CompanyPath(p.key.SPC), wire.PassportMedia, wire.WriteLines([]string{p.compact})
	}
	r, err := http.NewRequest(http.MethodPost, "https://"+at.public+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", media)
	if p.authorization != "" {
		r.Header.Set("Authorization", p.authorization)
	}
	return r, nil
}

// retrieval is the request that reads a key back at a node.
func (b *bed) retrieval(key oob.Key, at *node) (*http.Request, error) {
	path := atis.Path(key)
	if key.Profile == oob.RFC9888 {
		dest, _ := key.Dest.Number()
		path = rfc9888.NarrowedPath(dest, key.Orig)
	}
	r, err := http.NewRequest(http.MethodGet, "https://"+at.public+path, nil)
	if err != nil {
		return nil, err
	}
	if !byToken(key) {
		r.Header.Set("Prefer", "return=representation")
		return r, nil
	}
	access := b.reader.Access(oob.ActionRetrieve, key, nil, uuid.New(), time.Now())
	access.Audience = []string{audience}
	authorization, err := b.reader.Authorization(access)
	r.Header.Set("Authorization", authorization)
	return r, err
}
