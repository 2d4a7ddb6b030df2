package siptx_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestIndependentPeer: sipgo's client places calls over each transport, cancels one, and probes.
func TestIndependentPeer(t *testing.T) {
	certificate, pool := certify(t)
	var peers atomic.Int64
	server, err := siptx.New(siptx.Config{Respond: func(ctx context.Context, r *siptx.Request) siptx.Response {
		if r.Value("X-Wait") != "" {
			<-ctx.Done()
		}
		if r.Transport == siptx.TLS {
			peers.Store(int64(len(r.Peer)))
		}
		return signed(ctx, r)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.ServeUDP(datagrams)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.ServeStream(plain, siptx.TCP)
	secure, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	go server.ServeStream(secure, siptx.TLS)

	ua, err := sipgo.NewUA(sipgo.WithUserAgenTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ua.Close() })
	client, err := sipgo.NewClient(ua, sipgo.WithClientHostname("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	for transport, to := range map[string]net.Addr{siptx.UDP: datagrams.LocalAddr(), siptx.TCP: plain.Addr(), siptx.TLS: secure.Addr()} {
		t.Run(transport, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			ask := func(method sip.RequestMethod, fields ...sip.Header) *sip.Request {
				var uri sip.Uri
				if err := sip.ParseUri("sip:+12155550121@"+to.String()+";transport="+transport, &uri); err != nil {
					t.Fatal(err)
				}
				r := sip.NewRequest(method, uri)
				for _, f := range fields {
					r.AppendHeader(f)
				}
				return r
			}
			answer, err := client.Do(ctx, ask(sip.OPTIONS))
			if err != nil || answer.StatusCode != 200 {
				t.Fatalf("got %v, %v", answer, err)
			}
			for range 3 {
				answer, err := client.Do(ctx, ask(sip.INVITE))
				if err != nil || answer.StatusCode != 302 || answer.GetHeader("Identity").Value() != identity {
					t.Fatalf("got %v, %v", answer, err)
				}
			}
			r := ask(sip.INVITE, sip.NewHeader("X-Wait", "yes"))
			tx, err := client.TransactionRequest(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Terminate()
			for {
				answer := <-tx.Responses()
				if answer == nil {
					t.Fatalf("the transaction ended: %v", tx.Err())
				}
				if answer.StatusCode == 100 {
					if cancelled, err := client.Do(ctx, cancelOf(r), func(*sipgo.Client, *sip.Request) error { return nil }); err != nil || cancelled.StatusCode != 200 {
						t.Fatalf("got %v, %v", cancelled, err)
					}
					continue
				}
				if answer.StatusCode != 487 {
					t.Fatalf("got %v", answer)
				}
				break
			}
		})
	}
	if n := peers.Load(); n != 1 {
		t.Errorf("%d certificates of the peer, want 1", n)
	}
	if st := server.Stats(); len(st.Malformed) > 0 || st.Dropped["unanswerable"] > 0 {
		t.Errorf("got %+v", st)
	}
}

// cancelOf is the CANCEL of an INVITE that was sent (RFC 3261 §9.1).
func cancelOf(invite *sip.Request) *sip.Request {
	r := sip.NewRequest(sip.CANCEL, invite.Recipient)
	r.AppendHeader(invite.Via().Clone())
	for _, name := range []string{"From", "To", "Call-ID", "Max-Forwards"} {
		r.AppendHeader(invite.GetHeader(name))
	}
	r.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	r.SetBody(nil) // writes Content-Length
	r.SetTransport(invite.Transport())
	r.SetDestination(invite.Destination())
	return r
}

// certify makes a certificate for 127.0.0.1, and the pool that trusts it.
func certify(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "switch"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}, pool
}
