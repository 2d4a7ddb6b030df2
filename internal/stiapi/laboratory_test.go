package stiapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// The keys of the two switches, and another.
const (
	atisKey  = "Fq7bXo2m1VtKcYw0Zr3s"
	msKey    = "Lp9uHn4d8JgSaEe6Ti5x"
	wrongKey = "Mm0zBv1c2CkNqWq7Yy8u"
)

// laboratory is two providers with a CPS between them, and a door that serves switches of both, over TLS. Everything in it
// is real. Its clock stands still.
type laboratory struct {
	testing.TB
	*oobtest.Pair
	config   stiapi.Config
	door     *stiapi.Door
	recorder *trace.Recorder
	url      string
	address  string
	log      *logBuffer

	now     func() time.Time        // of signers; nil for the clock
	clients map[string]*http.Client // by the name in their certificate; none for empty
	shut    func()                  // closes the door; afterwards everything is written down
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start makes a laboratory; edit, if not nil, has the last word on the configuration of its door.
func start(t testing.TB, edit func(*stiapi.Config)) *laboratory {
	t.Helper()
	l := &laboratory{TB: t, log: &logBuffer{}, clients: map[string]*http.Client{}}
	var err error
	l.Pair, err = oobtest.StartPair(oobtest.CPSConfig{})
	l.must(err)
	t.Cleanup(func() { l.Pair.Close() })
	l.recorder, err = trace.Open(trace.Config{})
	l.must(err)
	signer := l.signer()
	dips, err := dip.New(dip.Config{SPC: oobtest.UpstreamSPC, Signer: signer, Now: l.Clock.Now})
	l.must(err)
	l.config = stiapi.Config{
		Dips: dips, Signer: signer, Trace: l.recorder, Now: l.Clock.Now,
		Log: slog.New(slog.NewTextHandler(l.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Clients: []stiapi.Client{
			{Name: "atis", Keys: [][32]byte{sha256.Sum256([]byte(atisKey))}, CertificateNames: []string{"atis.switch.example"}, Dialect: sti.ATIS},
			{Name: "ms", Keys: [][32]byte{sha256.Sum256([]byte(msKey))}, CertificateNames: []string{"ms.switch.example"}, Dialect: sti.Ms},
			{Name: "both", CertificateNames: []string{"both.switch.example"}, BothAnswers: true, Verstat: oob.VerstatAttested},
		},
	}
	if edit != nil {
		edit(&l.config)
	}
	l.setTrunks(dips)
	l.door, err = stiapi.New(l.config)
	l.must(err)
	l.serve()
	return l
}

func (l *laboratory) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *laboratory) signer() *stias.Service {
	l.Helper()
	certs, err := stircert.ParseChainPEM(l.Upstream.ChainPEM)
	l.must(err)
	own, err := tn.NewRange(number("12155550100"), 100)
	l.must(err)
	now := l.now
	if now == nil {
		now = l.Clock.Now
	}
	s, err := stias.New(stias.Config{
		SPC: oobtest.UpstreamSPC, Now: now,
		Credential: stias.Credential{Key: l.Upstream.Key, X5U: l.Upstream.X5U, Chain: trust.NewChain(certs)},
		Policy: stias.Policy{
			Own:        []tn.Range{own},
			Rows:       []stias.Row{{Name: "silent", Trunks: []string{"silent", "silent of ms"}, Attest: stias.Unsigned}},
			Priorities: []stias.PriorityRow{{Customers: []string{"ministry"}, Values: []string{"ets.0", "esnet.1"}, Callback: true}},
		},
	})
	l.must(err)
	return s
}

func number(text string) tn.Number {
	n, err := tn.ParseNumber(text)
	if err != nil {
		panic(err) // a mistake in a test
	}
	return n
}

// setTrunks makes the trunks, each named by tgrp, for each client: a request over HTTP fits only rows that name its client.
// Those of the first have the plain names.
func (l *laboratory) setTrunks(dips *dip.Service) {
	l.Helper()
	stuck, err := l.PKI.StartHost(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	l.must(err)
	l.Cleanup(func() { stuck.Close() })
	gone, err := l.PKI.StartHost(http.NotFoundHandler())
	l.must(err)
	l.must(gone.Close())
	row := func(name string, mode trunk.Mode, cps ...string) trunk.Row {
		r := trunk.Row{
			Name: name, Match: trunk.Match{TGRP: name, Sources: []netip.Prefix{loopback}}, Mode: mode, Numbering: trunk.Numbering{Plan: tn.NANP}, CPS: cps,
			Budget: trunk.BudgetMax,
		}
		if len(cps) > 0 {
			r.Profile = oob.Mesh
		}
		if len(cps) > 0 && cps[0] != "cps" {
			r.Budget = 500 * time.Millisecond
		}
		return r
	}
	priority := row("ministry", trunk.Sign)
	priority.Signing.Customer = "ministry"
	var rows []trunk.Row
	for i, client := range l.config.Clients {
		for _, r := range []trunk.Row{
			row("sip-out", trunk.Sign), row("tdm-out", trunk.SignPublish, "cps"), row("silent", trunk.Sign), priority,
			row("tdm-out-stuck", trunk.SignPublish, "stuck"), row("tdm-out-gone", trunk.SignPublish, "gone"),
			row("transit-out", trunk.Publish, "cps"), row("transit-out-gone", trunk.Publish, "gone"),
			row("transit-in", trunk.Retrieve, "cps"), row("transit-in-gone", trunk.Retrieve, "gone"),
			row("tdm-in", trunk.Verify, "cps"), row("tdm-in-stuck", trunk.Verify, "stuck"), row("tdm-in-gone", trunk.Verify, "gone"),
			row("sip-in", trunk.Verify), row("off", trunk.Off),
		} {
			if r.Match.Client = client.Name; i > 0 {
				r.Name += " of " + client.Name
			}
			rows = append(rows, r)
		}
	}
	table, err := trunk.New(rows)
	l.must(err)
	urls := map[string]string{"cps": l.CPS.URL, "stuck": stuck.URL, "gone": gone.URL}
	memory := stivs.NewMemory(oob.Freshness{}, 0)
	dips.SetTrunks(dip.NewTrunks(table, func(r *trunk.Row) dip.Trunk {
		var t dip.Trunk
		var retriever oob.Retriever
		for _, name := range r.CPS {
			t.Publisher = l.client(l.Upstream, urls[name], r.Budget)
			retriever = dip.Watched(l.client(l.Downstream, urls[name], r.Budget))
			t.Retriever = retriever
		}
		if r.Mode == trunk.Verify {
			var err error
			t.Verifies, err = stivs.New(stivs.Config{
				Verifier: l.CPS.Verifier, Retriever: retriever, Now: l.Clock.Now, Budget: 5 * time.Second, Memory: memory,
			})
			l.must(err)
		}
		return t
	}))
}

func (l *laboratory) client(as *oobtest.Identity, url string, budget time.Duration) *cpsclient.Client {
	l.Helper()
	c, err := cpsclient.New(cpsclient.Config{
		CPSs: []cpsclient.CPS{{URL: url, Audience: oobtest.CPSAudience}}, SPC: as.SPC, Key: as.Key, X5U: as.X5U,
		RootCAs: l.PKI.TLSRoots(), Now: l.Clock.Now, Timeout: budget, Budget: budget, NotFoundFinal: true,
	})
	l.must(err)
	l.Cleanup(c.Close)
	return c
}

// serve opens the door as the product does.
func (l *laboratory) serve() {
	l.Helper()
	files, err := l.PKI.IssueTLS("127.0.0.1")
	l.must(err)
	certificate, err := files.Certificate()
	l.must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	server := httpapi.NewServer(l.door, l.config.BodyTimeout,
		func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }, slog.New(slog.DiscardHandler))
	server.TLSConfig.ClientAuth, server.TLSConfig.ClientCAs = tls.VerifyClientCertIfGiven, l.PKI.TLSRoots()
	go server.ServeTLS(listener, "", "") // returns when it is closed
	l.shut = sync.OnceFunc(func() {
		for _, client := range l.clients {
			client.CloseIdleConnections()
		}
		if err := server.Shutdown(context.Background()); err != nil {
			l.Error(err)
		}
		if err := l.recorder.Close(context.Background()); err != nil {
			l.Error(err)
		}
	})
	l.Cleanup(l.shut)
	l.address = listener.Addr().String()
	l.url = "https://" + l.address
}

// as is a client with a TLS certificate of this name.
func (l *laboratory) as(name string) *http.Client {
	l.Helper()
	if l.clients[name] != nil {
		return l.clients[name]
	}
	client := l.PKI.Client()
	if name != "" {
		files, err := l.PKI.IssueTLS(name)
		l.must(err)
		certificate, err := files.Certificate()
		l.must(err)
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{certificate}
	}
	l.Cleanup(client.CloseIdleConnections)
	l.clients[name] = client
	return client
}

// answer is what a switch gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// member finds a value in a JSON answer.
func (a answer) member(way ...string) any {
	var node any
	if err := json.Unmarshal([]byte(a.body), &node); err != nil {
		return err
	}
	for _, name := range way {
		m, _ := node.(map[string]any)
		node = m[name]
	}
	return node
}

// send asks as the switch atis, unless edit says otherwise.
func (l *laboratory) send(path, body string, edit func(*http.Request)) answer {
	l.Helper()
	return l.sendBy(l.as("atis.switch.example"), path, body, edit)
}

func (l *laboratory) sendBy(client *http.Client, path, body string, edit func(*http.Request)) answer {
	l.Helper()
	request, err := http.NewRequestWithContext(l.Context(), http.MethodPost, l.url+path, strings.NewReader(body))
	l.must(err)
	request.Header.Set("Content-Type", "application/json")
	if edit != nil {
		edit(request)
	}
	response, err := client.Do(request)
	l.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	l.must(err)
	return answer{response.StatusCode, response.Header, string(text)}
}

// wants compares status and body.
func (l *laboratory) wants(got answer, status int, body string) {
	l.Helper()
	if got.status != status || got.body != body {
		l.Errorf("%d %s\nwant %d %s", got.status, got.body, status, body)
	}
}

// bodies of good requests.

const origID = "123e4567-e89b-12d3-a456-426655440000"

// object writes JSON.
type object = map[string]any

func (l *laboratory) json(v any) string {
	l.Helper()
	text, err := json.Marshal(v)
	l.must(err)
	return string(text)
}

func (l *laboratory) signing(edit object) string {
	return l.json(object{"signingRequest": merged(object{
		"attest": "A", "dest": object{"tn": []string{oobtest.CalledNumber}}, "iat": l.Clock.Now().Unix(),
		"orig": object{"tn": oobtest.CallingNumber}, "origid": origID,
	}, edit)})
}

func (l *laboratory) verification(edit object) string {
	return l.json(object{"verificationRequest": merged(object{
		"from": object{"tn": oobtest.CallingNumber}, "to": object{"tn": []string{oobtest.CalledNumber}}, "time": l.Clock.Now().Unix(),
	}, edit)})
}

func (l *laboratory) carrying(request string, edit object) string {
	return l.json(object{request: merged(object{
		"orig": object{"tn": oobtest.CallingNumber}, "dest": object{"tn": oobtest.CalledNumber},
	}, edit)})
}

// merged takes away what is nil in edit.
func merged(base, edit object) object {
	for name, value := range edit {
		if base[name] = value; value == nil {
			delete(base, name)
		}
	}
	return base
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")
