package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

// lie is one way in which a certificate repository behaves as none should. The handler may hand out chain, which is good.
type lie struct {
	name  string
	serve func(w http.ResponseWriter, r *http.Request, chain []byte)
}

var lies = []lie{
	{"not found", func(w http.ResponseWriter, r *http.Request, _ []byte) { http.NotFound(w, r) }},
	{"server error with the chain", func(w http.ResponseWriter, _ *http.Request, chain []byte) {
		w.WriteHeader(500)
		w.Write(chain)
	}},
	{"created", func(w http.ResponseWriter, _ *http.Request, chain []byte) {
		w.WriteHeader(201)
		w.Write(chain)
	}},
	{"redirect", func(w http.ResponseWriter, r *http.Request, chain []byte) {
		if strings.HasPrefix(r.URL.Path, "/good/") {
			w.Write(chain)
			return
		}
		http.Redirect(w, r, "/good"+r.URL.Path, http.StatusFound)
	}},
	{"redirect into our own network", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		http.Redirect(w, r, "https://169.254.169.254/latest/meta-data", http.StatusMovedPermanently)
	}},
	{"nothing", func(http.ResponseWriter, *http.Request, []byte) {}},
	{"a page", func(w http.ResponseWriter, _ *http.Request, _ []byte) { fmt.Fprint(w, "<html>parking</html>") }},
	{"a private key", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		fmt.Fprint(w, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	}},
	{"half of it", func(w http.ResponseWriter, _ *http.Request, chain []byte) { w.Write(chain[:len(chain)/3]) }},
	{"less than it declares", func(w http.ResponseWriter, _ *http.Request, chain []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(chain)))
		w.Write(chain[:len(chain)/3])
	}},
	{"silence", func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }},
	{"a trickle", func(w http.ResponseWriter, r *http.Request, chain []byte) {
		w.Write(chain[:1])
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}},
	{"10 GB", func(w http.ResponseWriter, _ *http.Request, chain []byte) {
		w.Write(chain)
		megabyte := []byte(strings.Repeat("\n", 1<<20))
		for range 10 << 10 {
			if _, err := w.Write(megabyte); err != nil {
				return
			}
		}
	}},
	{"a header without end", func(w http.ResponseWriter, _ *http.Request, chain []byte) {
		w.Header().Set("X-Filler", strings.Repeat("a", 1<<20))
		w.Write(chain)
	}},
}

// deadline is when we give up: longer than what is honest takes on a machine that has much to do, and not longer than that where it
// is the host that does not end.
func (l lie) deadline() time.Duration {
	if l.name == "silence" || l.name == "a trickle" {
		return 2 * soon
	}
	return time.Minute
}

// TestRepositoryThatLies has each lie told about the access token's certificate, which refuses the request, and about
// that of a PASSporT, which does not.
func TestRepositoryThatLies(t *testing.T) {
	for _, l := range lies {
		t.Run(l.name, func(t *testing.T) {
			p := startPair(t, oobtest.CPSConfig{Trust: trust.Config{Repository: trust.RepositoryConfig{
				Deadline: l.deadline(), Laboratory: trust.Laboratory{Hosts: []string{"127.0.0.1"}},
			}}})
			host, asked := p.liar(l)
			liar := *p.Upstream
			liar.X5U = host + "/token.pem"

			before := p.CPS.Store.Stats()
			a := p.Publish(oob.Agreed, p.Passport("x"))
			a.Signer = &liar
			p.wantFault(p.send(a), oob.Unproven, "the certificate at the access token's x5u cannot be fetched")
			lines, text := p.log.take(t)
			if len(lines) != 1 || len(text) > 1000 {
				t.Errorf("log: %s", text)
			}
			p.silent("log", text, a.Access.ID)
			// The next is refused without asking again.
			was := asked.Load()
			a = p.Retrieve(oob.Mesh)
			liar = *p.Downstream
			liar.X5U = host + "/token.pem"
			a.Signer = &liar
			p.wantFault(p.send(a), oob.Unproven, "the certificate at the access token's x5u cannot be fetched")
			if got := asked.Load(); got != was || was > 1 {
				t.Errorf("asked %d times, then %d", was, got)
			}
			if after := p.CPS.Store.Stats(); after != before {
				t.Errorf("the shelf has changed to %+v", after)
			}

			p.published(oob.Agreed, p.sign(p.Upstream.Key, host+"/passport.pem", p.Claims("x")))
			if got := p.CPS.Service.Inspections(); got["unreachable"] != 1 || got["verified"] != 0 {
				t.Errorf("inspections %v", got)
			}
			// Nobody else is the worse for it.
			p.published(oob.Mesh, p.Passport("good"))
		})
	}
}

// liar starts a host that lies, and counts what it is asked, redirects included.
func (p *pair) liar(l lie) (url string, asked *atomic.Int64) {
	p.Helper()
	asked = new(atomic.Int64)
	host, err := p.PKI.StartHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		l.serve(w, r, p.Upstream.ChainPEM)
	}))
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { host.Close() })
	return host.URL, asked
}

// TestRepositoryOutOfReach: x5u's that are never asked for, or that nobody answers.
func TestRepositoryOutOfReach(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Trust: trust.Config{Repository: trust.RepositoryConfig{Deadline: soon}}})
	gone, err := p.PKI.StartHost(http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	_, port, _ := strings.Cut(p.Repository.Host, ":")
	for _, x5u := range []string{
		"http://" + p.Repository.Host + "/a.pem", // not https
		"https://localhost:" + port + "/a.pem",   // of this machine, and not the laboratory's host
		"https://127.0.0.1:" + port[:1] + "/a.pem",
		"https://127.0.0.1/a.pem", "https://10.0.0.1/a.pem", "https://[::1]/a.pem", "https://169.254.169.254/a.pem",
		"https://[::ffff:10.0.0.1]:8443/a.pem", "https://0/a.pem",
		p.Repository.URL + "/a.pem?x=1", p.Repository.URL + "/a.pem#x", "https://user@" + p.Repository.Host + "/a.pem",
		gone.URL + "/a.pem", "file:///etc/passwd", "/a.pem", "https://", "x",
	} {
		liar := *p.Upstream
		liar.X5U = x5u
		a := p.Publish(oob.Mesh, p.Passport(x5u))
		a.Signer = &liar
		p.wantFault(p.send(a), oob.Unproven, "the certificate at the access token's x5u cannot be fetched")
	}
	if got := p.CPS.Store.Stats(); got.Records != 0 || got.Tokens != 0 {
		t.Errorf("stored: %+v", got)
	}
}

// TestRepositoryThatDiesFailsNothingCached: what has been fetched serves on.
func TestRepositoryThatDiesFailsNothingCached(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	p.published(oob.Agreed, p.Passport("before"))
	p.Repository.Close()
	p.Clock.Advance(48 * time.Hour)
	p.published(oob.Agreed, p.Passport("after"))
}

func TestUnreachableCertificatesCanBeRefused(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Inspector: &cps.Inspector{RefuseUnreachable: true}})
	a := p.Publish(oob.Mesh, p.sign(p.Upstream.Key, p.Repository.URL+"/nothing.pem", p.Claims("x")))
	p.wantFault(p.send(a), oob.CredentialUnreachable, "PASSporT 1: its certificate cannot be fetched")
	if got := p.CPS.Store.Stats(); got.Records != 0 || got.Tokens != 0 {
		t.Errorf("stored: %+v", got)
	}
}

// TestSixteenDeadHostsCostOneWait: certificates that never come share one wait, and the publication is stored.
func TestSixteenDeadHostsCostOneWait(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{
		Inspector: &cps.Inspector{FetchWait: soon / 20},
		Trust: trust.Config{HostFetchesMax: 16, Repository: trust.RepositoryConfig{
			Deadline: time.Minute, Laboratory: trust.Laboratory{Hosts: []string{"127.0.0.1"}},
		}},
	})
	host, _ := p.liar(lie{"silence", func(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }})
	p.published(oob.Agreed, p.Passport("x")) // both providers are known from now on
	var passports []string
	for i := range oob.PassportsMax {
		passports = append(passports, p.sign(p.Upstream.Key, fmt.Sprintf("%s/%d.pem", host, i), p.Claims("x")))
	}
	p.published(oob.Mesh, passports...)
	if got := p.CPS.Service.Inspections(); got["unreachable"] != oob.PassportsMax {
		t.Errorf("inspections %v", got)
	}
}

// TestTooManyFetchesAre503: that we are busy does not make the requester's certificate a bad one.
func TestTooManyFetchesAre503(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Trust: trust.Config{FetchesMax: 1, HostFetchesMax: 1, WaitingMax: 1, Repository: trust.RepositoryConfig{
		Deadline: time.Minute, Laboratory: trust.Laboratory{Hosts: []string{"127.0.0.1"}},
	}}})
	started := make(chan struct{}, 1)
	host, _ := p.liar(lie{"silence", func(_ http.ResponseWriter, r *http.Request, _ []byte) {
		started <- struct{}{}
		<-r.Context().Done()
	}})
	slow := *p.Upstream
	slow.X5U = host + "/a.pem"
	first := p.Retrieve(oob.Mesh)
	first.Signer = &slow
	go p.Send(p.Context(), first) // is cut off when the test ends
	<-started
	p.wantFault(p.send(p.Retrieve(oob.Mesh)), oob.Overloaded, "too many certificates are being fetched")
}
