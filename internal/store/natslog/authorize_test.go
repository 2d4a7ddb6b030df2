package natslog_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// dial connects to where the nodes of other sites read, with the credentials of a configuration.
func dial(cfg natslog.Config, to, user string, opts ...nats.Option) (*nats.Conn, error) {
	certificate, err := cfg.Certificate()
	if err != nil {
		return nil, err
	}
	return nats.Connect("tls://"+to, append(opts, nats.UserInfo(user, ""), nats.NoReconnect(), nats.Timeout(patience),
		nats.Secure(&tls.Config{RootCAs: cfg.Roots, Certificates: []tls.Certificate{*certificate}}))...)
}

func TestWhoComesFromOutside(t *testing.T) {
	t.Parallel()
	all, _ := sites(t, "east", "west")
	east := open(t, all[0])
	ready(t, east)
	ca, strange := newAuthority(t), all[1]
	strange = ca.credentials(t, strange, "127.0.0.1")
	strange.Roots = all[1].Roots
	for _, c := range []struct {
		name string
		cfg  natslog.Config
		user string
		ok   bool
	}{
		{"a node of another site", all[1], "west/n1", true},
		{"any node of another site", all[1], "west/n9", true},
		{"a certificate of another authority", strange, "west/n1", false},
		{"a site that is not configured", all[1], "south/n1", false},
		{"this site", all[1], "east/n1", false},
		{"no name", all[1], "", false},
		{"a name with a wildcard", all[1], "west/*", false},
		{"a name with a dot", all[1], "west/a.b", false},
		{"the process itself, without its secret", all[1], "insider", false},
	} {
		nc, err := dial(c.cfg, all[0].SitesListen, c.user)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if nc != nil {
			nc.Close()
		}
	}
}

func TestWhatANodeOfAnotherSiteMayNotDo(t *testing.T) {
	t.Parallel()
	all, _ := sites(t, "east", "west")
	east := open(t, all[0])
	ready(t, east)
	refusals := make(chan error, 16)
	nc, err := dial(all[1], all[0].SitesListen, "west/n1", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		refusals <- err
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	refused := func(what string) {
		t.Helper()
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-refusals:
			if !errors.Is(err, nats.ErrPermissionViolation) && !strings.Contains(strings.ToLower(err.Error()), "permissions violation") {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(patience):
			t.Errorf("%s: not refused", what)
		}
	}
	for _, subject := range []string{
		"log.east.0", "v.log.east.0", "g.east.n1.hello", "g.west.n1.hello", "a.west.n2", "i.east.n1.x",
		"$JS.API.STREAM.DELETE.LOG_east_0", "$JS.API.STREAM.PURGE.LOG_east_0", "$JS.API.STREAM.CREATE.X", "$JS.API.DIRECT.GET.OTHER",
		"$SYS.REQ.SERVER.PING",
	} {
		if err := nc.Publish(subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		refused("publish " + subject)
	}
	for _, subject := range []string{">", "log.>", "i.>", "i.west.n2.>", "$SYS.>", "$JS.>", "a.>"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		refused("subscribe " + subject)
	}
	if before := east.log.Stats(); before.Applied != 0 || before.Unreadable != 0 {
		t.Errorf("%+v", before)
	}
}

func TestANodeWithAnotherCertificateStaysOutside(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	all := site(t, ca, "east", 3)
	for name, cfg := range map[string]natslog.Config{
		"of another host":      ca.credentials(t, all[2], "127.0.0.9"),
		"of another authority": newAuthority(t).credentials(t, all[2], "127.0.0.1"),
	} {
		cfg.Roots = all[0].Roots
		t.Run(name, func(t *testing.T) {
			one, intruder := all[0], cfg
			one.Dir, intruder.Dir = t.TempDir(), t.TempDir()
			nodes := openAll(t, []natslog.Config{one, intruder})
			// Both try four times a second. What must not happen cannot be waited for: they have a few seconds.
			<-time.After(2 * time.Second)
			for _, n := range nodes {
				if peers := n.log.Peers(); len(peers) != 0 || n.log.Ready() == nil {
					t.Errorf("%s has met %v", n.log.Node(), peers)
				}
			}
		})
	}
}
