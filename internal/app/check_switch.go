package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// switchPlan is what a configuration says of the doors for switches, with its files read.
type switchPlan struct {
	sip, api      bool // which doors there are
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
	hepWords    = words[bool]{"tcp": true, "udp": true}
	modeWords   = words[trunk.Mode]{
		trunk.Off.String(): trunk.Off, trunk.Sign.String(): trunk.Sign, trunk.SignPublish.String(): trunk.SignPublish,
		trunk.Publish.String(): trunk.Publish, trunk.Retrieve.String(): trunk.Retrieve, trunk.Verify.String(): trunk.Verify,
	}
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
		p.resolveSIP(&file.SIP, note)
	}
	if p.api {
		p.resolveAPI(file, note)
	}
	p.resolveTrunks(file, note)
	p.resolvePeers(&file.Peers, note)
	p.resolveSigning(&file.Signing, note)
	p.resolveVerification(&file.Verification, note)
	p.resolveTrace(&file.Trace, note)
	return p
}

func (p *switchPlan) resolveSIP(c *SIPConfig, note func(string, error)) {
	if len(c.UDP)+len(c.TCP)+len(c.TLS) == 0 {
		note("$.sip", errors.New("needs an address to listen on: udp, tcp or tls"))
	}
	for key, list := range map[string][]string{"udp": c.UDP, "tcp": c.TCP, "tls": c.TLS} {
		for i, address := range list {
			note(fmt.Sprintf("$.sip.%s[%d]", key, i), checkAddress(address))
		}
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

func (p *switchPlan) resolveTrunks(file *configFile, note func(string, error)) {
	var rows []trunk.Row
	names := map[string]bool{}
	for _, peer := range file.Peers.CPS {
		names[peer.Name] = true
	}
	before := noted(&note)
	for i := range file.Trunks {
		c := &file.Trunks[i]
		at := fmt.Sprintf("$.trunks[%d]", i)
		row := c.row(at, note)
		if row.NextHop != "" {
			hop, err := resolveHop(row.NextHop)
			note(at+".next_hop", err)
			row.NextHop = hop
			if file.SIP.SentBy == "" {
				note("$.sip.sent_by", errors.New("is needed where a trunk has a next hop: what comes back is sent there"))
			}
		}
		for j, name := range c.CPS {
			if !names[name] {
				note(fmt.Sprintf("%s.cps[%d]", at, j), errors.New("is the name of no CPS in peers.cps"))
			}
		}
		p.signs = p.signs || row.Mode.Signs() || len(row.CPS) > 0
		p.verifies = p.verifies || row.Mode == trunk.Verify
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		note("$.trunks", errors.New("needs at least one trunk: nobody else is answered"))
	}
	if before() {
		return // the table would find fault with what is not meant
	}
	var err error
	if p.table, err = trunk.New(rows); err != nil {
		faults, _ := errors.AsType[trunk.Faults](err)
		for _, f := range faults {
			note(fmt.Sprintf("$.trunks[%d].%s", f.Row, f.Field), errors.New(f.Text))
		}
		if len(faults) == 0 {
			note("$.trunks", err)
		}
	}
}

// noted wraps note; the function that it gives tells whether anything has been noted since.
func noted(note *func(string, error)) func() bool {
	inner, any := *note, false
	*note = func(path string, err error) {
		any = any || err != nil
		inner(path, err)
	}
	return func() bool { return any }
}

// row is one row of the table.
func (c *TrunkConfig) row(at string, note func(string, error)) trunk.Row {
	ask, ok := trunk.AskNamed(c.Match.Asks)
	if !ok {
		note(at+".match.asks", errors.New("is one of signing, verification, publish, retrieve"))
	}
	row := trunk.Row{
		Name: c.Name, CPS: c.CPS, PeerSPC: string(c.PeerSPC), Budget: time.Duration(c.Budget), Nothing: c.Nothing, NextHop: c.NextHop,
		Mode:    modeWords.read(at+".mode", c.Mode, note),
		Signing: trunk.Signing{Customer: c.Customer, Gateway: c.Gateway, Attest: attestWords.read(at+".attest", c.Attest, note)},
		Match: trunk.Match{
			Client: c.Match.Client, Asks: ask, TGRP: c.Match.TGRP, TrunkContext: c.Match.TrunkContext, OTG: c.Match.OTG,
			Label: c.Match.Label, Header: c.Match.Header, HeaderValue: c.Match.HeaderValue,
		},
		Numbering: c.Numbering.numbering(at+".numbering", note),
		Answer: trunk.AnswerStyle{
			Identity: placeWords.read(at+".answer.identity", c.Answer.Identity, note), Verstat: verstatWords.read(at+".answer.verstat", c.Answer.Verstat, note),
			Reason:            reasonWords.read(at+".answer.reason", c.Answer.Reason, note),
			LegacyAttestation: c.Answer.LegacyAttestation, CallInfo: c.Answer.CallInfo, DisplayMark: c.Answer.DisplayMark,
		},
	}
	row.Numbering.Second = secondWords.read(at+".second_look", c.SecondLook, note)
	if c.Block != "" && c.Block != "failed" {
		note(at+".block", errors.New(`is failed, or left out: then no call is blocked`))
	}
	profile, ok := oob.ProfileNamed(cmp.Or(c.Profile, oob.Agreed.String()))
	if !ok {
		note(at+".profile", fmt.Errorf("is one of %s", profileNames()))
	}
	if len(c.CPS) > 0 {
		row.Profile = profile
	}
	row.Match.Sources = prefixes(at+".match.sources", c.Match.Sources, note)
	return row
}

// prefixes reads addresses and prefixes.
func prefixes(path string, list []string, note func(string, error)) []netip.Prefix {
	var all []netip.Prefix
	for i, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			var addr netip.Addr
			if addr, err = netip.ParseAddr(text); err == nil {
				prefix = netip.PrefixFrom(addr, addr.BitLen())
			}
		}
		if err != nil {
			note(fmt.Sprintf("%s[%d]", path, i), errors.New("is an address such as 192.0.2.7, or a prefix such as 192.0.2.0/24"))
		}
		all = append(all, prefix.Masked())
	}
	return all
}

func (c *NumberingConfig) numbering(at string, note func(string, error)) trunk.Numbering {
	plan := tn.Plan{
		CountryCode: string(c.CountryCode), InternationalPrefix: string(c.InternationalPrefix), NationalPrefix: string(c.NationalPrefix),
		PrefixOptional: c.PrefixOptional, NationalMin: c.NationalMin, NationalMax: c.NationalMax,
	}
	switch {
	case plan == tn.Plan{}:
		plan = tn.NANP
	case plan.CountryCode == "":
		note(at+".country_code", errors.New("is needed beside the rest of the plan; without any of it, North America's is used"))
	}
	return trunk.Numbering{
		Plan:    plan,
		HomeNPA: string(c.HomeNPA), Bare: bareWords.read(at+".bare", c.Bare, note), Caller: callerWords.read(at+".caller", c.Caller, note),
		Bypass: digits(c.Bypass), StripPrefixes: digits(c.StripPrefixes), TollFree: digits(c.TollFree), ShortCallerIsMissing: c.ShortCallerIsMissing,
	}
}

// inToken tells whether the key is in a token, whose signatures may take longer than a call can wait.
func (c SigningConfig) inToken() bool { return hsm.IsURI(c.Key) }

// describe says what would be served.
func (p *switchPlan) describe(out io.Writer, file *configFile) {
	if c := file.SIP; p.sip {
		fmt.Fprintf(out, "SIP for switches on udp %s, tcp %s, tls %s\n", orNone(c.UDP), orNone(c.TCP), orNone(c.TLS))
	}
	if p.api {
		fmt.Fprintf(out, "HTTP for switches on %s, %d client(s)\n", file.API.Listen, len(p.apiClients))
	}
	if p.signs {
		fmt.Fprintf(out, "  signs as %s, certificate at %s\n", file.Signing.SPC, file.Signing.X5U)
	}
	for _, row := range p.table.Rows() {
		fmt.Fprintf(out, "  trunk %s: %s, within %s", row.Name, row.Mode, row.Budget)
		if len(row.CPS) > 0 {
			fmt.Fprintf(out, ", %s form at %s", row.Profile, strings.Join(row.CPS, " and "))
		}
		if row.PeerSPC != "" {
			fmt.Fprintf(out, ", from %s", row.PeerSPC)
		}
		fmt.Fprintln(out)
	}
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// hopTime is how long the look-up of a next hop's name may take.
const hopTime = 2 * time.Second

// resolveHop puts the address of the host into a SIP URI: names are looked up when the table is read, so that no call
// waits for a name server.
func resolveHop(text string) (string, error) {
	wrong := errors.New("is a SIP URI such as sip:sbc.example.net:5060;transport=tcp")
	scheme, rest, found := strings.Cut(text, ":")
	hostport, parameters, _ := strings.Cut(rest, ";")
	if !found || scheme != "sip" && scheme != "sips" || hostport == "" || strings.ContainsAny(hostport, "@?/ ") {
		return text, wrong
	}
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = strings.Trim(hostport, "[]"), ""
	}
	if net.ParseIP(host) != nil {
		return text, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), hopTime)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addresses) == 0 {
		return text, fmt.Errorf("%s cannot be found: %w", host, errors.Join(err))
	}
	address := addresses[0].Unmap().String()
	switch {
	case port != "":
		address = net.JoinHostPort(address, port)
	case strings.Contains(address, ":"):
		address = "[" + address + "]"
	}
	if parameters != "" {
		address += ";" + parameters
	}
	return scheme + ":" + address, nil
}
