package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/trust"
)

// switchPlan is what a configuration says of the doors for switches, with its files read.
type switchPlan struct {
	own           *trust.Chain // the certificate that calls are signed with; nil when it is not at hand
	sip, api      bool         // which doors there are
	apiTLS        *tls.Certificate
	apiRoots      *x509.CertPool
	apiClients    []stiapi.Client
	table         *trunk.Table
	policy        stias.Policy
	secret        []byte
	accept        []passport.Type
	differ        stivs.Differ
	peerRoots     *x509.CertPool
	peerRootsHash []byte // tells whether they have changed
	laboratory    trust.Laboratory
	webhookRoots  *x509.CertPool
	certificate   *tls.Certificate // of the SIP door; nil without TLS
	clientRoots   *x509.CertPool   // nil when clients prove nothing over TLS
	traceKey      string           // with which records are shown in full; empty for nobody
	signs         bool             // something is signed, or CPSs are asked
	verifies      bool             // a trunk does
	believes      bool             // it is known whose certificates to believe
	actsFor       []actsFor
}

// words maps the words of a configuration key to values.
type words[V any] map[string]V

func (w words[V]) list() string {
	names := slices.Sorted(maps.Keys(w))
	return strings.Join(slices.DeleteFunc(names, func(name string) bool { return name == "" }), ", ")
}

func (w words[V]) read(path, word string, note func(string, error)) V {
	v, ok := w[word]
	if !ok {
		note(path, fmt.Errorf("is one of %s", w.list()))
	}
	return v
}

var (
	acceptWords = words[passport.Type]{"base": passport.Base, "rcd": passport.RCD}
	differWords = words[stivs.Differ]{
		"not_compared": stivs.NotCompared, "in_band": stivs.InBandDecides, "out_of_band": stivs.OutOfBandDecides,
		"lower": stivs.LowerDecides, "nobody": stivs.NobodyDecides,
	}
	attestWords = words[passport.Attestation]{
		"": "", "A": passport.AttestFull, "B": passport.AttestPartial, "C": passport.AttestGateway, "none": stias.Unsigned,
	}
	placeWords   = words[trunk.Place]{"": trunk.InHeader, "header": trunk.InHeader, "contact": trunk.InContact, "both": trunk.InBoth}
	verstatWords = words[oob.VerstatStyle]{"": oob.VerstatPlain, "plain": oob.VerstatPlain, "attested": oob.VerstatAttested, "attested_bc": oob.VerstatAttestedBC}
	reasonWords  = words[trunk.ReasonStyle]{"": trunk.ReasonSTIR, "stir": trunk.ReasonSTIR, "sip": trunk.ReasonSIP, "none": trunk.ReasonNone}
	bareWords    = words[trunk.BareForm]{"": trunk.BareDialled, "dialled": trunk.BareDialled, "international": trunk.BareInternational, "text": trunk.BareText}
	callerWords  = words[trunk.CallerOrder]{
		"":               trunk.AssertedFirst,
		"asserted_first": trunk.AssertedFirst, "from_first": trunk.FromFirst, "asserted_only": trunk.AssertedOnly, "from_only": trunk.FromOnly,
	}
	secondWords = words[trunk.SecondKey]{"": trunk.SecondNone, "off": trunk.SecondNone, "hint": trunk.SecondOriginal, "verify": trunk.SecondOriginal}
	dateWords   = words[trunk.DateStyle]{"": trunk.DateOfPassport, "iat": trunk.DateOfPassport, "none": trunk.DateNone}
	// transportWords are those of a subscription.
	transportWords = words[bool]{"": true, string(cpsclient.ServerSentEvents): true, string(cpsclient.WebSocket): true}
	hepWords       = words[bool]{"tcp": true, "udp": true}
)

// resolveSwitches reads what the doors for switches need; nil when there are none.
func resolveSwitches(file *configFile, note func(string, error)) *switchPlan {
	if !file.has("sip") && !file.has("api") && !file.has("trunks") {
		return nil
	}
	p := &switchPlan{sip: file.has("sip"), api: file.has("api")}
	if !p.sip && !p.api {
		note("$.trunks", errors.New("needs a door: sip or api"))
	}
	if p.sip {
		p.resolveSIP(&file.SIP, file.Management.Listen, note)
	}
	if p.api {
		p.resolveAPI(file, note)
	}
	p.resolveTrunks(file, note)
	p.checkNames(file, note)
	p.checkSubscriptions(file, note)
	p.resolveCredentials(file.Credentials, note)
	p.resolvePeers(&file.Peers, note)
	p.resolveSigning(&file.Signing, note)
	p.resolveVerification(&file.Verification, note)
	p.resolveTrace(&file.Trace, note)
	return p
}

func (p *switchPlan) resolveSIP(c *SIPConfig, management string, note func(string, error)) {
	if len(c.UDP)+len(c.TCP)+len(c.TLS) == 0 {
		note("$.sip", errors.New("needs an address to listen on: udp, tcp or tls"))
	}
	taken := map[string]bool{}
	for key, list := range map[string][]string{"udp": c.UDP, "tcp": c.TCP, "tls": c.TLS} {
		network := "tcp"
		if key == "udp" {
			network = key
		}
		for i, address := range list {
			at := fmt.Sprintf("$.sip.%s[%d]", key, i)
			note(at, checkAddress(address))
			if taken[network+address] && !strings.HasSuffix(address, ":0") {
				note(at, errors.New("is listed twice"))
			}
			taken[network+address] = true
		}
	}
	if taken["tcp"+management] && !strings.HasSuffix(management, ":0") {
		note("$.management.listen", errors.New("is an address of sip; the two are apart"))
	}
	if len(c.TLS) > 0 {
		if c.Certificate == "" || c.Key == "" {
			note("$.sip.tls", errors.New("needs the files certificate and key"))
		} else {
			pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
			note("$.sip.certificate", plain(err))
			p.certificate = &pair
		}
	}
	var err error
	p.clientRoots, err = loadPool(c.ClientRoots)
	note("$.sip.client_roots", plain(err))
	for key, n := range map[string]int64{
		"message_bytes": int64(c.Limits.MessageBytes), "transactions": int64(c.Limits.Transactions), "in_flight": int64(c.Limits.InFlight),
		"connections": int64(c.Limits.Connections), "source_connections": int64(c.Limits.SourceConnections), "idle_timeout": int64(c.Limits.IdleTimeout),
	} {
		if n <= 0 {
			note("$.sip.limits."+key, errors.New("must be above zero"))
		}
	}
}

// inToken tells whether the key is in a token, whose signatures may take longer than a call can wait.
func (c SigningConfig) inToken() bool { return hsm.IsURI(c.Key) }

// describe says what would be served.
func (p *switchPlan) describe(out io.Writer, file *configFile, now time.Time) (good bool) {
	good = true
	if c := file.SIP; p.sip {
		fmt.Fprintf(out, "SIP for switches on udp %s, tcp %s, tls %s\n", orNone(c.UDP), orNone(c.TCP), orNone(c.TLS))
	}
	if p.api {
		fmt.Fprintf(out, "HTTP for switches on %s, %d client(s)\n", file.API.Listen, len(p.apiClients))
	}
	if p.signs {
		fmt.Fprintf(out, "  signs as %s, certificate at %s", file.Signing.SPC, file.Signing.X5U)
		if p.own != nil {
			leaf := p.own.Leaf
			fmt.Fprintf(out, ", until %s", leaf.NotAfter.UTC().Format(time.RFC3339))
			if err := leaf.CheckTime(now); err != nil {
				fmt.Fprintf(out, "\n    ALARM: nothing is signed: %v", err)
				good = false
			}
		}
		fmt.Fprintln(out)
	}
	for _, row := range p.table.Rows() {
		fmt.Fprintf(out, "  trunk %s: %s, within %s", row.Name, row.Mode, row.Budget)
		c := file.trunk(row.Name)
		switch {
		case c.Discover != "":
			fmt.Fprintf(out, ", %s form at %s", row.Profile, discoverPhrases[c.Discover])
		case len(row.CPS) > 0:
			fmt.Fprintf(out, ", %s form at %s", row.Profile, strings.Join(row.CPS, " and "))
		}
		if row.UnlessHeld {
			fmt.Fprint(out, ", unless there is one already")
		}
		fmt.Fprint(out, onBehalf(c.Behalf))
		if row.PeerSPC != "" {
			fmt.Fprintf(out, ", from %s", row.PeerSPC)
		}
		fmt.Fprintln(out)
	}
	return p.describeProviders(out, file, now) && good
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
