package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// How CPSs stand in the DNS, which RFC 9888 §4 only names as a way: a number has NAPTR records at its ENUM name, of this
// Enumservice; a provider has SVCB records at this label and its code in lower case.
const (
	dnsService = "x-cps:https"
	dnsLabel   = "_cps"
)

// DNSAliasesMax bounds how many SVCB records in AliasMode are followed, one question each.
const DNSAliasesMax = 4

// DNSConfig says where in the DNS CPSs are, and how far its answers are believed. At least one of Numbers and Providers is
// set, and Within or TrustAuthenticated.
//
// What stands in the DNS decides to whom the PASSporTs of calls are sent, and nobody has signed it with a STIR certificate. So a
// URL counts only if its host is one of those that the operator has named, or below it; who lies can then choose among
// these. With TrustAuthenticated any public host counts, if the name server says that it has validated the answer: then
// whoever holds a key of the zone, or sits between us and that name server, chooses freely.
type DNSConfig struct {
	Client *dnsclient.Client

	Numbers   string // the suffix of ENUM names (RFC 6116 §3.4); empty: no number is looked up
	Providers string // the suffix of providers; empty: no provider is looked up
	Path      string // of the URL of a provider, whose records name a host and a port alone; empty or beginning with a slash

	Within             []string // hosts and domains in which a CPS may be
	TrustAuthenticated bool
}

// DNS is the Source that asks name servers. A number is looked up before its provider, and asked for alone when it has records.
// Two codes that differ in case alone have one name. It is safe for concurrent use, and remembers nothing.
type DNS struct{ config DNSConfig }

// NewDNS checks the configuration.
func NewDNS(cfg DNSConfig) (*DNS, error) {
	switch {
	case cfg.Client == nil:
		return nil, errors.New("CPSs in the DNS: no client")
	case cfg.Numbers == "" && cfg.Providers == "":
		return nil, errors.New("CPSs in the DNS: a suffix for numbers or for providers is needed")
	case len(cfg.Within) == 0 && !cfg.TrustAuthenticated:
		return nil, errors.New("CPSs in the DNS: without the domains that they may be in, none would be believed")
	}
	for _, suffix := range []string{cfg.Numbers, cfg.Providers} {
		if err := dnsclient.CheckName(suffix); suffix != "" && err != nil {
			return nil, fmt.Errorf("CPSs in the DNS: suffix %q: %w", suffix, err)
		}
	}
	if _, err := BaseURL("https://host.example" + cfg.Path); err != nil || cfg.Path != "" && cfg.Path[0] != '/' {
		return nil, fmt.Errorf("CPSs in the DNS: %q is no path", cfg.Path)
	}
	cfg.Within = slices.Clone(cfg.Within)
	for i, domain := range cfg.Within {
		cfg.Within[i] = strings.ToLower(strings.Trim(domain, "."))
		if !isHost(cfg.Within[i]) {
			return nil, fmt.Errorf("CPSs in the DNS: %q is no domain", domain)
		}
	}
	return &DNS{cfg}, nil
}

// Name implements [Source].
func (d *DNS) Name() string { return "dns" }

const (
	notInDNS     = "the DNS has no records for it"
	noneBelieved = "what the DNS names is no CPS, or not where a CPS may be"
)

// Find implements [Source]. That there is nothing has the time for which that may be remembered as RetryAfter.
func (d *DNS) Find(ctx context.Context, q Question) (Finding, error) {
	var nothing error = Nothing(notInDNS)
	if d.config.Numbers != "" && !q.Number.IsZero() {
		var found Finding
		if found, nothing = d.number(ctx, q.Number); !errors.Is(nothing, oob.NotFound) {
			return found, nothing
		}
	}
	if d.config.Providers != "" && q.SPC != "" {
		return d.provider(ctx, q.SPC)
	}
	return Finding{}, nothing
}

// number reads the NAPTR records of a number.
func (d *DNS) number(ctx context.Context, n tn.Number) (Finding, error) {
	name, err := dnsclient.ENUMName(n, d.config.Numbers)
	if err != nil {
		return Finding{}, Nothing("the number has no name in the DNS")
	}
	numbers, err := tn.NewRange(n, 1)
	if err != nil {
		return Finding{}, err
	}
	answer, err := d.config.Client.NAPTR(ctx, name)
	if err != nil {
		return Finding{}, dnsFault(ctx, err)
	}
	uris, err := dnsclient.URIs(answer.Records, dnsService)
	switch {
	case err != nil:
		return Finding{}, Nothing(noneBelieved).After(answer.TTL)
	case uris == nil: // its records are for other services
		return Finding{}, Nothing(notInDNS).After(answer.TTL)
	}
	return d.finding(uris, named{stircert.ResourceOf(numbers), "NAPTR of " + name, answer.TTL, answer.Authenticated})
}

// provider follows the SVCB records of a provider to those that name its hosts.
func (d *DNS) provider(ctx context.Context, spc string) (Finding, error) {
	name := dnsLabel + "." + strings.ToLower(spc) + "." + d.config.Providers
	resource, err := stircert.ResourceOfSPC(spc)
	if err != nil || strings.Contains(spc, ".") || dnsclient.CheckName(name) != nil {
		return Finding{}, Nothing("the provider has no name in the DNS")
	}
	by := named{resource, "SVCB of " + name, dnsclient.TTLLargest, true}
	for aliases := 0; aliases <= DNSAliasesMax; aliases++ {
		answer, err := d.config.Client.SVCB(ctx, name)
		if nothing, ok := errors.AsType[*dnsclient.NotExist](err); ok && aliases > 0 {
			// RFC 9460 §3: an alias to a host without SVCB records stands for the host itself.
			by.add(nothing.TTL, nothing.Authenticated)
			return d.finding([]string{"https://" + name + d.config.Path}, by)
		}
		if err != nil {
			return Finding{}, dnsFault(ctx, err)
		}
		by.add(answer.TTL, answer.Authenticated)
		alias := slices.IndexFunc(answer.Records, dnsclient.SVCB.Alias)
		if alias < 0 {
			return d.finding(d.urlsOf(answer), by)
		}
		// RFC 9460 §2.4.1: beside an alias, nothing else counts.
		if name = answer.Records[alias].Target; name == "" { // RFC 9460 §2.5.1: there is no such service
			return Finding{}, Nothing(notInDNS).After(by.ttl)
		}
	}
	return Finding{}, oob.Faultf(oob.PeerFailed, "more than %d SVCB aliases", DNSAliasesMax)
}

// urlsOf writes the URLs that records in ServiceMode stand for, in the order of their priorities.
// Otherwise than for https (RFC 9460 §9), the target is the host of the URL, for which the CPS shows its certificate, because
// the name that was asked for is no host.
func (d *DNS) urlsOf(answer dnsclient.Answer[dnsclient.SVCB]) (urls []string) {
	records := slices.Clone(answer.Records)
	slices.SortStableFunc(records, func(a, b dnsclient.SVCB) int { return int(a.Priority) - int(b.Priority) })
	for _, r := range records {
		if r.Beyond || !r.Speaks("http/1.1", "h2", "http/1.1") {
			continue
		}
		host := r.Target
		if host == "" { // RFC 9460 §2.5.2: the owner itself
			host = answer.Owner
		}
		if r.Port != 0 {
			host += ":" + strconv.Itoa(int(r.Port))
		}
		urls = append(urls, "https://"+host+d.config.Path)
	}
	return urls
}

// named is where a finding comes from, and how long and how far it holds.
type named struct {
	resource      stircert.Resource
	detail        string
	ttl           time.Duration
	authenticated bool
}

// add takes one more answer: together they hold no longer and no further than each does.
func (n *named) add(ttl time.Duration, authenticated bool) {
	n.ttl, n.authenticated = min(n.ttl, ttl), n.authenticated && authenticated
}

// finding keeps of the URLs those that may be believed.
func (d *DNS) finding(urls []string, by named) (Finding, error) {
	found := Finding{Resource: by.resource, Fresh: time.Now().Add(by.ttl), Detail: by.detail + ", not authenticated"}
	if by.authenticated {
		found.Detail = by.detail + ", authenticated"
	}
	for _, text := range urls {
		base, err := BaseURL(text)
		if err == nil && len(found.URLs) < URLsMax && d.believes(base, by.authenticated) && !slices.Contains(found.URLs, base) {
			found.URLs = append(found.URLs, base)
		}
	}
	if len(found.URLs) == 0 {
		return Finding{}, Nothing(noneBelieved).After(by.ttl)
	}
	return found, nil
}

// believes judges the host of a URL, which is never an IP address.
func (d *DNS) believes(base string, authenticated bool) bool {
	u, err := url.Parse(base)
	if err != nil || !isHost(u.Hostname()) {
		return false
	}
	in := func(domain string) bool {
		return u.Hostname() == domain || strings.HasSuffix(u.Hostname(), "."+domain)
	}
	return slices.ContainsFunc(d.config.Within, in) ||
		d.config.TrustAuthenticated && authenticated && strings.Contains(u.Hostname(), ".") && !slices.ContainsFunc(nobodys, in)
}

// nobodys are domains in which a host is another one everywhere (RFC 6761 §6.3, RFC 6762 §3, RFC 8375 §4), or by custom.
var nobodys = []string{"localhost", "local", "home.arpa", "internal"}

// isHost reports whether a text in lower case is the name of a host, and cannot be taken for an address.
func isHost(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	last := labels[len(labels)-1]
	return dnsclient.CheckName(name) == nil && last != "" && !strings.Contains(name, "_") && last[0] >= 'a' && last[0] <= 'z'
}

// dnsFault says what an error of the client is to who asks for a CPS.
func dnsFault(ctx context.Context, err error) error {
	if nothing, ok := errors.AsType[*dnsclient.NotExist](err); ok {
		return Nothing(notInDNS).After(nothing.TTL)
	}
	if ctx.Err() != nil {
		return oob.Faultf(oob.PeerTimeout, "the name server has not answered in time").Because(err)
	}
	return oob.Faultf(oob.PeerFailed, "the name server has given no answer").Because(err)
}
