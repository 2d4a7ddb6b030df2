package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// compareMutual measures publishing in the form of RFC 9888 over kept connections with mutual TLS: one PASSporT is verified for each request, and the client certificate of the connection says who asks.
func compareMutual(ctx context.Context, p plan) ([]figure, error) {
	p.Mutual, p.Operations, p.PacedPairs, p.Connections = true, []string{publish}, 0, providers
	return compareVersions(ctx, p)
}

// certificates are what connections show: those of the publishers, in mutual TLS alone.
func (d *desk) certificates() (list []tls.Certificate) {
	if d.mutual {
		for _, id := range d.publishers {
			list = append(list, id.TLS())
		}
	}
	return list
}

// submission is a publication in the form of RFC 9888, without an access token.
func (d *desk) submission(now time.Time) (request, error) {
	d.calls++
	return d.submissionTo(1_500_000_0000+d.calls, now)
}

// submissionTo is a submission to a called number.
func (d *desk) submissionTo(called int, now time.Time) (request, error) {
	up := d.publishers[d.calls%len(d.publishers)]
	dest, err := number(called)
	if err != nil {
		return request{}, err
	}
	orig, err := number(1_202_555_0000 + d.calls%9973)
	if err != nil {
		return request{}, err
	}
	token, err := passport.Sign(up.Key, passport.Shaken, up.X5U, passport.Claims{
		IAT: now, Orig: orig, Dest: []tn.Identity{dest}, Attest: passport.AttestFull, OrigID: uuid.New(),
	})
	if err != nil {
		return request{}, err
	}
	to, _ := dest.Number()
	return request{
		method: http.MethodPost, path: rfc9888.CollectionPath(to), media: wire.PassportMedia, body: []byte(token),
		status: http.StatusCreated, key: oob.Key{Profile: oob.RFC9888, Dest: dest},
	}, nil
}

// perCPUSecond is how many requests one second of the server's processor time answers.
func (s slice) perCPUSecond() float64 { return 1e6 / s.cpuMicroseconds() }
