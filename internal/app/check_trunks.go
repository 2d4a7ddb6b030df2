package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

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
		c.checkUse(at, row.Mode, note)
		c.checkWhom(at, file, row, note)
		p.signs = p.signs || row.Mode.Signs() || len(row.CPS) > 0 // CPSs are asked with the same credential
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

// checkUse refuses settings that the mode does not use: whoever writes them means something.
func (c *TrunkConfig) checkUse(at string, mode trunk.Mode, note func(string, error)) {
	unused := func(key string, given bool, used bool) {
		if given && !used && mode != trunk.Off {
			note(at+"."+key, fmt.Errorf("is not used by mode %s", mode))
		}
	}
	unused("block", c.Block != "", mode == trunk.Verify)
	unused("second_look", c.SecondLook != "" && c.SecondLook != "off", mode.Retrieves() && (len(c.CPS) > 0 || c.Discover != ""))
	unused("ignore_date", c.IgnoreDate, mode.Signs() || mode == trunk.Verify)
}

// checkWhom refuses CPSs that are named and looked for at once, and credentials that do not fit.
func (c *TrunkConfig) checkWhom(at string, file *configFile, row trunk.Row, note func(string, error)) {
	if c.Discover != "" {
		if len(c.CPS) > 0 {
			note(at+".discover", errors.New("is for trunks that name no cps"))
		}
		if !file.Discovery.given() {
			note(at+".discover", errors.New("needs discovery: where are CPSs looked for?"))
		}
	}
	if c.Profile != "" && len(row.CPS) == 0 && row.Mode != trunk.Off {
		note(at+".profile", errors.New("is the form of the CPSs that are asked, and this trunk asks none"))
	}
	if row.Profile.Row().ForSPC && row.Mode.Publishes() && c.PeerSPC == "" && !file.Numbers.given() {
		note(at+".peer_spc", fmt.Errorf("or numbers is needed to publish in the %s form: who is the provider of the called party?", row.Profile))
	}
	if c.Behalf == "" {
		return
	}
	i := slices.IndexFunc(file.Credentials, func(of CredentialConfig) bool { return of.Name == c.Behalf })
	switch form := row.Profile.Row(); {
	case i < 0:
		note(at+".behalf", errors.New("is the name of nobody in credentials"))
	case !row.Mode.Signs() && len(row.CPS) == 0:
		note(at+".behalf", fmt.Errorf("is not used by mode %s", row.Mode))
	case file.Credentials[i].SPC == "" && len(row.CPS) > 0 && !form.ByScope && !(form.Open && row.Mode.Publishes()):
		note(at+".behalf", fmt.Errorf("has no spc, and the form %s needs one", row.Profile))
	}
}

// checkNames refuses names that nobody has.
func (p *switchPlan) checkNames(file *configFile, note func(string, error)) {
	trunks, clients, customers := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range file.API.Clients {
		clients[c.Name] = true
	}
	for _, name := range file.Signing.Customers {
		customers[name] = true
	}
	for _, r := range file.Signing.Rows {
		for _, name := range r.Customers {
			customers[name] = true
		}
	}
	for _, r := range file.Signing.Priorities {
		for _, name := range r.Customers {
			customers[name] = true
		}
	}
	for i, c := range file.Trunks {
		at := fmt.Sprintf("$.trunks[%d]", i)
		trunks[c.Name] = true
		if c.Match.Client != "" && !clients[c.Match.Client] && len(file.SIP.ClientRoots) == 0 {
			note(at+".match.client", errors.New("is the name of nobody in api.clients, and sip.client_roots, which would prove others, is empty"))
		}
		if c.Match.Client == "" && !p.sip {
			note(at+".match.client", errors.New("is needed where there is no sip: nobody else is served over HTTP"))
		}
		if c.Match.Asks != "" && !p.api {
			note(at+".match.asks", errors.New("is for the HTTP API, which is not configured: api"))
		}
		if c.Customer != "" && !customers[c.Customer] {
			note(at+".customer", errors.New("is the name of no customer in signing: it would change nothing"))
		}
		if c.PeerSPC != "" && c.PeerSPC == file.Signing.SPC {
			note(at+".peer_spc", errors.New("is our own: it is the provider at the other end of the trunk"))
		}
	}
	unknown := func(at string, list []string) {
		for i, name := range list {
			if !trunks[name] {
				note(fmt.Sprintf("%s.trunks[%d]", at, i), errors.New("is the name of no trunk"))
			}
		}
	}
	for i, r := range file.Signing.Rows {
		unknown(fmt.Sprintf("$.signing.rows[%d]", i), r.Trunks)
	}
	for i, r := range file.Signing.Priorities {
		unknown(fmt.Sprintf("$.signing.priorities[%d]", i), r.Trunks)
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
	mode, ok := trunk.ModeNamed(c.Mode)
	if !ok {
		note(at+".mode", errors.New("is one of off, publish, retrieve, sign, sign_publish, verify"))
	}
	ask, ok := trunk.AskNamed(c.Match.Asks)
	if !ok {
		note(at+".match.asks", errors.New("is one of signing, verification, publish, retrieve"))
	}
	row := trunk.Row{
		Name: c.Name, CPS: c.CPS, PeerSPC: string(c.PeerSPC), Budget: time.Duration(c.Budget), Nothing: c.Nothing, NextHop: c.NextHop,
		Mode:    mode,
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
			Date: dateWords.read(at+".answer.date", c.Answer.Date, note),
		},
		UnlessHeld: c.UnlessHeld,
	}
	row.Signing.TakeOrigID = c.TakeOrigID
	row.Numbering.Second = secondWords.read(at+".second_look", c.SecondLook, note)
	if c.Block != "" && c.Block != "failed" {
		note(at+".block", errors.New(`is failed, or left out: then no call is blocked`))
	}
	profile, ok := oob.ProfileNamed(cmp.Or(c.Profile, oob.Agreed.String()))
	if !ok {
		note(at+".profile", fmt.Errorf("is one of %s", profileNames()))
	}
	discoverWords.read(at+".discover", c.Discover, note)
	if c.Discover != "" {
		row.CPS = []string{discoveredName}
	}
	if len(row.CPS) > 0 {
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
		switch {
		case err != nil:
			note(fmt.Sprintf("%s[%d]", path, i), errors.New("is an address such as 192.0.2.7, or a prefix such as 192.0.2.0/24"))
		case prefix != prefix.Masked():
			note(fmt.Sprintf("%s[%d]", path, i), fmt.Errorf("is an address and a prefix at once: write %s or %s", prefix.Addr(), prefix.Masked()))
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
