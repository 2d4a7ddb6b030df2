package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

// sipServer is a server that answers the dip "sign this call": an INVITE gets a 302 with the Identity of its caller's
// provider, attestation A, and the number that was dialled as Contact.
type sipServer struct {
	name, role string
	ours       bool         // it has to keep the bounds
	here       func() error // why it cannot run on this machine; nil where it always can
}

// sipServers are compared with the first.
var sipServers = []sipServer{
	{name: "Kamailio", role: roleKamailio, here: kamailioIsHere},
	{name: "sipgo", role: roleSipgo},
	{name: "Viaduct", role: roleViaduct, ours: true},
}

// signer is what every server signs with.
type signer struct {
	SPC       string
	X5U       string
	KeyFile   string // PEM
	ChainFile string // PEM
}

// certificateURL has the length of those in the field: an Identity field value of shaken gets some 620 bytes.
const (
	repositoryURL   = "https://certificates.sti.provider.example"
	certificatePath = "/certificates/5f0e7c1c2f3b4a6d9c8b7a6f5e4d3c2b1a0f9e8d7c6b5a4.pem"
)

// ownNumbers are those of the provider, so that all calls get attestation A.
const ownNumbers = "12000000000-12999999999"

// newSigner issues what servers sign with and lays it into a directory.
func newSigner(dir string) (signer, *oobtest.Identity, error) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{BaseURL: repositoryURL})
	if err != nil {
		return signer{}, nil, err
	}
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234", Path: certificatePath})
	if err != nil {
		return signer{}, nil, err
	}
	key, err := id.KeyPEM()
	if err != nil {
		return signer{}, nil, err
	}
	s := signer{SPC: id.SPC, X5U: id.X5U, KeyFile: filepath.Join(dir, "key.pem"), ChainFile: filepath.Join(dir, "chain.pem")}
	return s, id, errors.Join(os.WriteFile(s.KeyFile, key, 0o600), os.WriteFile(s.ChainFile, id.ChainPEM, 0o600))
}

// environment hands the signer to a server process.
func (s signer) environment() (string, error) {
	text, err := json.Marshal(s)
	return signerVariable + "=" + string(text), err
}

// givenSigner is the signer that a server process was handed.
func givenSigner() (s signer, err error) {
	err = json.Unmarshal([]byte(os.Getenv(signerVariable)), &s)
	return s, err
}

// start starts the server in a process of its own, on its core.
func (s sipServer) start(ctx context.Context, with signer) (*process, error) {
	environment, err := with.environment()
	if err != nil {
		return nil, err
	}
	return startProcess(ctx, s.role, environment)
}

// authentication is package stias as a server here uses it.
func authentication() (*stias.Service, error) {
	s, err := givenSigner()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(s.KeyFile)
	if err != nil {
		return nil, err
	}
	id, err := provider{SPC: s.SPC, X5U: s.X5U, KeyPEM: text}.identity()
	if err != nil {
		return nil, err
	}
	own, err := tn.ParseRange(ownNumbers)
	if err != nil {
		return nil, err
	}
	return stias.New(stias.Config{
		SPC: s.SPC, Credential: stias.Credential{Key: id.Key, X5U: s.X5U}, Policy: stias.Policy{Own: []tn.Range{own}},
	})
}

// signCall makes the Identity field value of a call.
func signCall(as *stias.Service, from, to string) (string, error) {
	orig, err := tn.ParseNumber(from)
	if err != nil {
		return "", err
	}
	dest, err := tn.ParseNumber(to)
	if err != nil {
		return "", err
	}
	signed, err := as.Sign(stias.Call{Orig: tn.Of(orig), Dest: []tn.Identity{tn.Of(dest)}})
	return signed.Identity.String(), err
}

// socketBuffer is the receive buffer of every UDP socket here, in bytes; the system may give less (net.core.rmem_max).
const socketBuffer = 4 << 20

// bothTransports opens one port over UDP and TCP.
func bothTransports() (*net.UDPConn, net.Listener, error) {
	var faults []error
	for range 20 { // a port that is free over UDP need not be so over TCP
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, nil, err
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			err = udp.SetReadBuffer(socketBuffer)
		}
		if err == nil {
			return udp, tcp, nil
		}
		faults = append(faults, err, udp.Close())
	}
	return nil, nil, errors.Join(faults...)
}

// startSipgo starts a server on the whole of sipgo, its transactions included.
func startSipgo() (hello, io.Closer, error) {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	sip.UDPMTUSize = 1 << 16 // above it sipgo does not send at all
	as, err := authentication()
	if err != nil {
		return hello{}, nil, err
	}
	agent, err := sipgo.NewUA()
	if err != nil {
		return hello{}, nil, err
	}
	server, err := sipgo.NewServer(agent)
	if err != nil {
		return hello{}, nil, err
	}
	server.OnInvite(func(request *sip.Request, transaction sip.ServerTransaction) {
		_ = transaction.Respond(redirect(as, request)) // an answer that is not sent is missed by the load generator
	})
	server.OnOptions(func(request *sip.Request, transaction sip.ServerTransaction) {
		_ = transaction.Respond(sip.NewResponseFromRequest(request, sip.StatusOK, "OK", nil)) // as above
	})
	server.OnAck(func(*sip.Request, sip.ServerTransaction) {}) // without it, an ACK that finds no transaction gets an answer
	udp, tcp, err := bothTransports()
	if err != nil {
		return hello{}, nil, err
	}
	go server.ServeUDP(udp) // return when Close is called
	go server.ServeTCP(tcp)
	return hello{SIP: udp.LocalAddr().String()}, server, nil
}

func redirect(as *stias.Service, request *sip.Request) *sip.Response {
	value, err := signCall(as, request.From().Address.User, request.Recipient.User)
	if err != nil {
		return sip.NewResponseFromRequest(request, sip.StatusInternalServerError, "Not Signed", nil)
	}
	response := sip.NewResponseFromRequest(request, sip.StatusMovedTemporarily, "Moved Temporarily", nil)
	response.AppendHeader(sip.NewHeader("Contact", fmt.Sprintf("<sip:%s@127.0.0.1>", request.Recipient.User)))
	response.AppendHeader(sip.NewHeader("Identity", value))
	return response
}
