package main

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// The operations.
const (
	publish  = string(oob.ActionPublish)
	retrieve = string(oob.ActionRetrieve)
)

// request is one request, signed and ready to be sent.
type request struct {
	method        string
	path          string
	media         string // of the body
	authorization string // empty where the certificate of the connection proves who asks
	body          []byte
	status        int // of the answer that it must get
	key           oob.Key
}

const jsonMedia = "application/json"

// desk makes requests with the keys of laboratory providers, of the agreed form (ATIS-1000105) or of RFC 9888.
type desk struct {
	mutual              bool // RFC 9888 over mutual TLS; see submission
	publishers, readers []*oobtest.Identity
	calls               int // made so far; each has a called number of its own
}

func newDesk(list []provider, mutual bool) (*desk, error) {
	d := &desk{mutual: mutual}
	for i, p := range list {
		id, err := p.identity()
		if err != nil {
			return nil, err
		}
		if i < providers {
			d.publishers = append(d.publishers, id)
		} else {
			d.readers = append(d.readers, id)
		}
	}
	return d, nil
}

// publications makes n requests that publish one shaken PASSporT each, under n different keys.
func (d *desk) publications(n int) ([]request, error) {
	list := make([]request, 0, n)
	now := time.Now()
	publication := d.publication
	if d.mutual {
		publication = d.submission
	}
	for range n {
		r, err := publication(now)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func (d *desk) publication(now time.Time) (request, error) {
	d.calls++
	up := d.publishers[d.calls%len(d.publishers)]
	dest, err := number(1_500_000_0000 + d.calls)
	if err != nil {
		return request{}, err
	}
	orig, err := number(1_202_555_0000 + d.calls%9973)
	if err != nil {
		return request{}, err
	}
	k := oob.Key{Profile: oob.Agreed, SPC: up.SPC, Dest: dest, Orig: orig}
	token, err := passport.Sign(up.Key, passport.Shaken, up.X5U, passport.Claims{
		IAT: now, Orig: orig, Dest: []tn.Identity{dest}, Attest: "A", OrigID: uuid.New(),
	})
	if err != nil {
		return request{}, err
	}
	access := up.Access(oob.ActionPublish, k, []string{token}, uuid.New(), now)
	access.Deadline = now.Add(time.Minute)
	authorization, err := up.Authorization(access)
	return request{
		method: http.MethodPost, path: atis.Path(k), media: jsonMedia, authorization: authorization,
		body: atis.WritePublish([]string{token}), status: http.StatusCreated, key: k,
	}, err
}

// retrievals makes n requests for records that have been published, chosen at random.
func (d *desk) retrievals(n int, published []request) ([]request, error) {
	list := make([]request, 0, n)
	now := time.Now()
	for i := range n {
		pick, err := rand.Int(rand.Reader, big.NewInt(int64(len(published))))
		if err != nil {
			return nil, err
		}
		k := published[pick.Int64()].key
		down := d.readers[i%len(d.readers)]
		authorization, err := down.Authorization(down.Access(oob.ActionRetrieve, k, nil, uuid.New(), now))
		if err != nil {
			return nil, err
		}
		list = append(list, request{
			method: http.MethodGet, path: atis.Path(k), media: jsonMedia, authorization: authorization, status: http.StatusOK, key: k,
		})
	}
	return list, nil
}

func number(n int) (tn.Identity, error) {
	parsed, err := tn.ParseNumber(fmt.Sprint(n))
	return tn.Of(parsed), err
}
