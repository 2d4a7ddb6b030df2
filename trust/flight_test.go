package trust_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

func TestVerify_HundredCallersOneFetch(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	asked, release := make(chan struct{}), make(chan struct{})
	l.answers(func(w http.ResponseWriter, r *http.Request) {
		close(asked) // a second request would panic
		<-release
		w.Write(id.ChainPEM)
	})
	var callers sync.WaitGroup
	for range 100 {
		callers.Go(func() {
			if err := l.verify(id); err != nil {
				t.Error(err)
			}
		})
	}
	<-asked
	close(release)
	callers.Wait()
	l.wantRequests(1)
	if s := l.verifier.Stats(); s.Fetches != 1 || s.ChainBuilds != 1 {
		t.Errorf("%+v", s)
	}
}

func TestVerify_CallerThatGivesUpLeavesTheFetchToTheOthers(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	asked, release := make(chan struct{}), make(chan struct{})
	l.answers(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		w.Write(id.ChainPEM)
	})
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := l.verifier.Verify(ctx, id.X5U, signedBy(id))
		gaveUp <- err
	}()
	<-asked
	cancel()
	wants(t, <-gaveUp, oob.CredentialUnreachable, context.Canceled)
	stays := make(chan error)
	go func() { stays <- l.verify(id) }()
	close(release)
	if err := <-stays; err != nil {
		t.Error(err)
	}
	l.wantRequests(1)
}

func TestVerify_HangingHostHoldsUpItsOwnAlone(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.FetchesMax, c.HostFetchesMax, c.WaitingMax = 4, 1, 4 })
	release := make(chan struct{})
	own := l.pki.Handler()
	l.answers(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "127.0.0.1") {
			<-release
		}
		own.ServeHTTP(w, r)
	})
	// One of the host's may run and one wait; the third is refused at once.
	results := make(chan error)
	for range 3 {
		id := l.issue(oobtest.IssueConfig{SPC: "1234"})
		go func() { results <- l.verify(id) }()
	}
	err := <-results
	wants(t, err, oob.Overloaded, trust.ErrBusy)
	if oob.FaultOf(err).RetryAfter != time.Second {
		t.Errorf("retry after %v", oob.FaultOf(err).RetryAfter)
	}
	elsewhere := l.issue(oobtest.IssueConfig{SPC: "1234"})
	elsewhere.X5U = strings.Replace(elsewhere.X5U, "127.0.0.1", "localhost", 1)
	l.mustVerify(elsewhere)
	close(release)
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if s := l.verifier.Stats(); s.Busy != 1 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestVerify_FailuresBackOff(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.answers(http.NotFound)
	requests := int64(0)
	for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		wait *= time.Second
		requests++
		wants(t, l.verify(id), oob.CredentialUnreachable, trust.ErrAnswer)
		l.wantRequests(requests)
		l.advance(wait - time.Millisecond)
		err := l.verify(id)
		wants(t, err, oob.CredentialUnreachable, trust.ErrAnswer)
		if got := oob.FaultOf(err).RetryAfter; got != time.Millisecond {
			t.Errorf("after %v: retry after %v", wait, got)
		}
		l.wantRequests(requests)
		l.advance(time.Millisecond)
	}
	l.advance(time.Hour) // long forgiven
	wants(t, l.verify(id), oob.CredentialUnreachable, trust.ErrAnswer)
	l.advance(trust.BackoffMin)
	l.answers(nil)
	l.mustVerify(id)
	if s := l.verifier.Stats(); s.Failures != 0 || s.FailedBefore != 11 {
		t.Errorf("%+v", s)
	}
}

func TestVerify_HostCannotFillTheFailures(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.FailuresMax, c.HostFailuresMax = 8, 4 })
	l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234"})) // strangers could not ask so often
	l.answers(http.NotFound)
	bad := func(host, path string) string {
		return strings.Replace(l.host.URL, "127.0.0.1", host, 1) + path
	}
	ask := func(x5u string) {
		_, err := l.verifier.Credential(t.Context(), x5u)
		wants(t, err, oob.CredentialUnreachable, trust.ErrAnswer)
	}
	ask(bad("localhost", "/victim"))
	for i := range 20 {
		ask(bad("127.0.0.1", "/"+strings.Repeat("a", i)))
	}
	if n := l.verifier.Stats().Failures; n != 5 {
		t.Errorf("%d failures are remembered", n)
	}
	requests := l.requests.Load()
	ask(bad("localhost", "/victim"))
	ask(bad("127.0.0.1", "/"+strings.Repeat("a", 19)))
	l.wantRequests(requests) // still remembered
	ask(bad("127.0.0.1", "/"))
	l.wantRequests(requests + 1) // forgotten for the host's newer ones
}

// What a host sends as its TLS certificate is in the error of those who asked, and not in memory.
func TestVerify_FailuresHoldNoCertificates(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.Repository.Laboratory.Roots = x509.NewCertPool() })
	for again, holds := range []bool{true, false} {
		_, err := l.verifier.Credential(t.Context(), l.host.URL+"/c.pem")
		wants(t, err, oob.CredentialUnreachable, nil)
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok != holds {
			t.Errorf("asked %d times before: %v", again, err)
		}
	}
	l.wantRequests(0)
}

func TestVerify_FailuresAreBoundedOverAllHosts(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.FailuresMax, c.HostFailuresMax = 3, 2 })
	l.answers(http.NotFound)
	for i := range 6 {
		for _, host := range []string{"127.0.0.1", "localhost"} {
			x5u := strings.Replace(l.host.URL, "127.0.0.1", host, 1) + "/" + strings.Repeat("b", i)
			if _, err := l.verifier.Credential(t.Context(), x5u); err == nil {
				t.Error("no error")
			}
		}
	}
	if n := l.verifier.Stats().Failures; n > 3 {
		t.Errorf("%d failures are remembered", n)
	}
}

func TestVerify_CacheIsBounded(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) { c.CertificatesMax = 3 })
	used := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(used)
	for range 5 {
		l.advance(time.Second)
		l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "567B"}))
		l.advance(time.Second)
		l.mustVerify(used)
	}
	l.wantRequests(6) // the one in use was never evicted
	if s := l.verifier.Stats(); s.Certificates != 3 || s.Evictions != 3 {
		t.Errorf("%+v", s)
	}
}

func TestClose_EndsFetchesAndKeepsTheCache(t *testing.T) {
	l := newLaboratory(t, nil)
	cached := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(cached)
	asked := make(chan struct{})
	l.answers(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	result := make(chan error)
	hanging := l.issue(oobtest.IssueConfig{SPC: "567B"})
	go func() { result <- l.verify(hanging) }()
	<-asked
	l.verifier.Close()
	wants(t, <-result, oob.CredentialUnreachable, context.Canceled)
	l.mustVerify(cached)
	wants(t, l.verify(hanging), oob.CredentialUnreachable, context.Canceled)
	l.verifier.Close() // again does no harm
}
