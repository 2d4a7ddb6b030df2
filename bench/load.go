package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// target is a server under load.
type target struct {
	*process
	base        *url.URL
	connections []*http.Client // each with one connection in HTTP/2, in HTTP/1.1 with as many as workers use it at a time
}

// newTarget opens connections when they are first used. Where there are certificates, each shows one, in turn.
func newTarget(p *process, connections int, http1 bool, certificates []tls.Certificate) (*target, error) {
	base, err := url.Parse(p.URL)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.TLSRootPEM) {
		return nil, errors.New("a server without a TLS root")
	}
	t := &target{process: p, base: base}
	for i := range connections {
		config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
		if len(certificates) > 0 {
			config.Certificates = []tls.Certificate{certificates[i%len(certificates)]}
		}
		var protocols http.Protocols
		protocols.SetHTTP1(http1)
		protocols.SetHTTP2(!http1)
		t.connections = append(t.connections, &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
			TLSClientConfig: config, Protocols: &protocols, MaxIdleConnsPerHost: 1024, DisableCompression: true,
		}})
	}
	return t, nil
}

// send sends a request and reads its whole answer, which must have the right status. Each worker keeps to one of the
// connections, so that none is opened for want of an idle one.
func (t *target) send(ctx context.Context, worker int, r *request) (body []byte, err error) {
	where := *t.base
	where.Path = r.path
	message := (&http.Request{
		Method: r.method, URL: &where, Host: where.Host, ContentLength: int64(len(r.body)),
		Header: http.Header{"Content-Type": {r.media}},
	}).WithContext(ctx)
	if r.authorization != "" {
		message.Header["Authorization"] = []string{r.authorization}
	}
	if len(r.body) > 0 {
		message.Body = io.NopCloser(bytes.NewReader(r.body))
	}
	answer, err := t.connections[worker%len(t.connections)].Do(message)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		return nil, err
	}
	if answer.StatusCode != r.status {
		return nil, fmt.Errorf("%s answered %d: %s", r.method, answer.StatusCode, body)
	}
	return body, nil
}

// slice is what came of one slice of load.
type slice struct {
	answered  []request
	latencies []time.Duration // of those
	began     time.Time
	took      time.Duration
	cpu       time.Duration // of the server
}

func (s slice) perSecond() float64 { return float64(len(s.answered)) / s.took.Seconds() }

// cpuMicroseconds is the server's processor time per request.
func (s slice) cpuMicroseconds() float64 {
	return float64(s.cpu.Nanoseconds()) / 1e3 / float64(len(s.answered))
}

// percentile is the latency, in milliseconds, that p percent of the requests did not exceed.
func (s slice) percentile(p float64) float64 {
	return percentile(each(s.latencies, func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }), p)
}

// load sends requests, at most `workers` at a time, the i-th not before due(i) after the beginning, until the list or the
// time is up. A request's latency counts from when it was due or, where due is nil, from when it was sent. One that is not
// answered as it should ends the measurement.
func (t *target) load(ctx context.Context, list []request, workers int, length time.Duration, due func(i int) time.Duration) (slice, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	latencies := make([]time.Duration, len(list)) // 0 for those that were not sent
	var next atomic.Int64
	var all sync.WaitGroup
	cpu, began := t.cpu(), time.Now()
	for worker := range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				from := time.Now()
				if due != nil {
					from = began.Add(due(i))
				}
				if from.Sub(began) >= length {
					return
				}
				time.Sleep(time.Until(from))
				if _, err := t.send(ctx, worker, &list[i]); err != nil {
					cancel(err)
					return
				}
				latencies[i] = time.Since(from)
			}
		})
	}
	all.Wait()
	s := slice{began: began, took: time.Since(began), cpu: t.cpu() - cpu}
	if err := context.Cause(ctx); err != nil {
		return slice{}, err
	}
	for i, latency := range latencies {
		if latency > 0 {
			s.answered, s.latencies = append(s.answered, list[i]), append(s.latencies, latency)
		}
	}
	if len(s.answered) == 0 {
		return slice{}, errors.New("a slice without a request")
	}
	return s, nil
}
