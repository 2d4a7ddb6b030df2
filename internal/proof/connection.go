package proof

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync/atomic"

	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// ChainBytesMax bounds the certificates that a client may show in the TLS handshake.
const ChainBytesMax = 32 << 10

// peer is who is at the other end of a connection, and what was found out about it.
type peer struct {
	address string // for sharing what strangers may use
	shown   atomic.Pointer[shown]
}

// shown is what follows from the certificates of one handshake alone. Whether they are believed is asked for every request.
type shown struct {
	state      *tls.ConnectionState
	chain      *trust.Chain
	credential *trust.Credential // nil unless it was believed once
	principal  oob.Principal     // zero unless it was believed once
}

type peerKey struct{}

// OnConnection is for the ConnContext of an http.Server: it gives the requests of a connection a place to remember who is
// at its other end. Without it OfConnection finds that out for each request.
func OnConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, &peer{address: httplimit.AddressOf(c.RemoteAddr().String()).String()})
}

// shower is in whose name strangers' chains are counted; empty when that is not known.
func shower(ctx context.Context) string {
	if p, ok := ctx.Value(peerKey{}).(*peer); ok {
		return p.address
	}
	return ""
}

// CheckPeer is for the VerifyConnection of a tls.Config with tls.RequestClientCert, which verifies no chain: it ends
// handshakes in which a client shows more than anybody reads. All other certificates pass, whoever issued them, so that
// those who show one that means nothing here can still ask for what needs none.
func CheckPeer(state tls.ConnectionState) error { return checkSize(state.PeerCertificates) }

func checkSize(certs []*x509.Certificate) error {
	size := 0
	for _, cert := range certs {
		size += len(cert.Raw)
	}
	if len(certs) > stircert.ChainCertificatesMax || size > ChainBytesMax {
		return oob.Faultf(oob.Unproven, "the client shows more than %d certificates or %d bytes", stircert.ChainCertificatesMax, ChainBytesMax)
	}
	return nil
}

// OfConnection finds out who is at the other end of a connection by the certificate that was shown in its handshake
// (RFC 9888 §5), which must be trusted now: what has expired or was revoked meanwhile proves nothing, however old the
// connection, or the session that it resumes. TLS has seen that the client has the key. state is that of the request, ctx its
// context. With several SPCs, or numbers alone, nobody says in whose name it asks, and SPC is empty.
func OfConnection(ctx context.Context, state *tls.ConnectionState, verifier *trust.Verifier) (oob.Principal, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return oob.Principal{}, oob.Faultf(oob.Unproven, "neither an access token nor a client certificate was shown")
	}
	p, _ := ctx.Value(peerKey{}).(*peer)
	if p == nil {
		p = new(peer)
	}
	s := p.shown.Load()
	if s == nil || s.state != state {
		if err := checkSize(state.PeerCertificates); err != nil {
			return oob.Principal{}, err
		}
		s = &shown{state: state, chain: trust.NewChain(state.PeerCertificates)}
		p.shown.Store(s)
	}
	if s.credential != nil {
		if err := verifier.Believed(s.credential); err != nil {
			return oob.Principal{}, unproven(err, clientCertificate)
		}
		return s.principal, nil
	}
	credential, err := verifier.Show(ctx, p.address, s.chain)
	if err != nil {
		return oob.Principal{}, unproven(err, clientCertificate)
	}
	s = &shown{state: state, chain: s.chain, credential: credential, principal: Holder(verifier, credential)}
	p.shown.Store(s)
	return s.principal, nil
}

const clientCertificate = "the client certificate"
