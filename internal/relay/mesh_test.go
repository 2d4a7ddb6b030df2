package relay_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/internal/relay"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// mesh is CPSs of several operators, each whole, over TLS on loopback.
type mesh struct {
	testing.TB
	pki        *oobtest.PKI
	repository *oobtest.Repository
	members    []*member
	provider   *oobtest.Identity // who publishes
}

// member is one CPS with its way to the others.
type member struct {
	*oobtest.CPS
	audience string
	relay    *relay.Relay
	laid     chan store.Event
}

// startMesh starts so many; further are URLs of CPSs that are none of ours, to which all relay too.
func startMesh(t testing.TB, count int, change func(i int, c *relay.Config), further ...string) *mesh {
	t.Helper()
	m := &mesh{TB: t}
	var err error
	if m.pki, err = oobtest.NewPKI(oobtest.PKIConfig{}); err != nil {
		t.Fatal(err)
	}
	if m.repository, err = m.pki.StartRepository(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.repository.Close() })
	m.provider = m.issue("1234")
	operators := make([]*oobtest.Identity, count)
	for i := range operators {
		operators[i] = m.issue(fmt.Sprintf("90%dC", i))
		m.members = append(m.members, m.startMember(operators, i))
	}
	for i, one := range m.members {
		c := relay.Config{Client: cpsclient.Config{SPC: operators[i].SPC, Key: operators[i].Key, X5U: operators[i].X5U, RootCAs: m.pki.TLSRoots(), Timeout: 5 * time.Second}}
		for j, other := range m.members {
			if j != i {
				c.Peers = append(c.Peers, cpsclient.CPS{URL: other.URL, Audience: other.audience})
			}
		}
		for _, url := range further {
			c.Peers = append(c.Peers, cpsclient.CPS{URL: url})
		}
		if change != nil {
			change(i, &c)
		}
		if one.relay, err = relay.New(c); err != nil {
			t.Fatal(err)
		}
		one.relay.Start()
		t.Cleanup(func() { _ = one.relay.Close(t.Context()) }) // the context has ended: at once
	}
	return m
}

func (m *mesh) startMember(operators []*oobtest.Identity, i int) *member {
	m.Helper()
	one := &member{audience: fmt.Sprintf("cps%d.example", i), laid: make(chan store.Event, 1000)}
	c := oobtest.CPSConfig{Service: cps.Config{Audience: []string{one.audience}, Relay: cps.RelayConfig{
		Sends: true, Own: operators[i].SPC, Accepts: func(spc string) bool { return strings.HasPrefix(spc, "90") && strings.HasSuffix(spc, "C") },
	}}}
	var err error
	c.Store.Laid = func(ev store.Event) {
		one.relay.Laid(ev)
		one.laid <- ev
	}
	if one.CPS, err = oobtest.StartCPS(m.pki, m.repository, c); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { one.CPS.Close() })
	return one
}

func (m *mesh) issue(spc string) *oobtest.Identity {
	m.Helper()
	id, err := m.pki.Issue(oobtest.IssueConfig{SPC: spc})
	if err != nil {
		m.Fatal(err)
	}
	return id
}

// client is that of the provider, for these members.
func (m *mesh) client(members ...*member) *cpsclient.Client {
	m.Helper()
	c := cpsclient.Config{SPC: m.provider.SPC, Key: m.provider.Key, X5U: m.provider.X5U, RootCAs: m.pki.TLSRoots(), Timeout: 5 * time.Second, Budget: 5 * time.Second}
	for _, one := range members {
		c.CPSs = append(c.CPSs, cpsclient.CPS{URL: one.URL, Audience: one.audience})
	}
	client, err := cpsclient.New(c)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(client.Close)
	return client
}

// call is the n-th call of the provider.
func (m *mesh) call(n int) oob.Publication {
	m.Helper()
	dest, err := tn.ParseIdentity(fmt.Sprintf("1215555%04d", n))
	if err != nil {
		m.Fatal(err)
	}
	orig, _ := tn.ParseIdentity("12025550121")
	token, err := passport.Sign(m.provider.Key, passport.Shaken, m.provider.X5U, passport.Claims{
		IAT: time.Now(), Orig: orig, Dest: []tn.Identity{dest}, Attest: passport.AttestFull, OrigID: oobtest.TokenID("x"),
	})
	if err != nil {
		m.Fatal(err)
	}
	return oob.Publication{Key: oob.Key{Profile: oob.Mesh, Dest: dest, Orig: orig}, Passports: []string{token}}
}

// TestATIS1000096_S7_EveryRecordIsOnEveryCPS of a mesh of three, as it was published, by whomever it was published to.
func TestATIS1000096_S7_EveryRecordIsOnEveryCPS(t *testing.T) {
	m := startMesh(t, 3, nil)
	const calls = 30
	for n := range calls {
		if err := m.client(m.members[n%3]).Publish(t.Context(), m.call(n)); err != nil {
			t.Fatal(err)
		}
	}
	for i, one := range m.members {
		seen := map[oob.Key]bool{}
		for range calls {
			ev := <-one.laid
			if seen[ev.Publication.Key] || ev.Publication.Publisher != m.provider.SPC || len(ev.Publication.Passports) != 1 {
				t.Errorf("CPS %d: %+v", i, ev.Publication)
			}
			seen[ev.Publication.Key] = true
		}
		reader := m.client(one)
		for key := range seen {
			if list, err := reader.Retrieve(t.Context(), key); err != nil || len(list) != 1 {
				t.Errorf("CPS %d: %v, %v", i, list, err)
			}
		}
	}
	t.Run("and nothing is relayed on", func(t *testing.T) {
		for i, one := range m.members {
			_ = one.relay.Close(t.Context()) // waits until nothing waits
			for _, peer := range one.relay.Stats().Peers {
				if peer.Passed != calls/3 || peer.Refused+peer.Late+peer.Dropped != 0 || peer.Waiting != 0 {
					t.Errorf("CPS %d: %+v", i, peer)
				}
			}
		}
	})
}

// TestATIS1000096_S7_BothSpellingsAreTaken of the action of a relay.
func TestATIS1000096_S7_BothSpellingsAreTaken(t *testing.T) {
	m := startMesh(t, 2, func(i int, c *relay.Config) { c.Client.Republish = oob.Action(atis.RelayActions()[i]) })
	for n, one := range m.members {
		if err := m.client(one).Publish(t.Context(), m.call(n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range m.members {
		<-one.laid
		<-one.laid
	}
}

// TestATIS1000096_S7_PublisherIsAnsweredWhateverOtherCPSsDo: one that never answers, one that is not there, one that refuses all.
func TestATIS1000096_S7_PublisherIsAnsweredWhateverOtherCPSsDo(t *testing.T) {
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hanging.Close() })
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			conn, err := hanging.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range conns {
			conn.Close()
		}
	})
	closed, err := porttest.Address("tcp")
	if err != nil {
		t.Fatal(err)
	}
	m := startMesh(t, 2, nil, "https://"+hanging.Addr().String(), "https://"+closed)
	client := m.client(m.members[0])
	for n := range 20 {
		if err := client.Publish(t.Context(), m.call(n)); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		<-m.members[1].laid
	}
	stats := m.members[0].relay.Stats()
	if i := slices.IndexFunc(stats.Peers, func(s relay.PeerStats) bool { return s.URL == "https://"+hanging.Addr().String() }); stats.Peers[i].Waiting != 20 {
		t.Errorf("%+v", stats.Peers[i])
	}
}

func TestATIS1000096_S7_RefusalsAreCounted(t *testing.T) {
	m := startMesh(t, 2, func(i int, c *relay.Config) {
		c.Peers[0].Audience = "cps.elsewhere.example" // so that the other takes our token for somebody else's
	})
	if err := m.client(m.members[0]).Publish(t.Context(), m.call(1)); err != nil {
		t.Fatal(err)
	}
	_ = m.members[0].relay.Close(t.Context())
	if s := m.members[0].relay.Stats().Peers[0]; s.Refused != 1 || s.Attempts["unproven"] != 1 {
		t.Errorf("%+v", s)
	}
}
