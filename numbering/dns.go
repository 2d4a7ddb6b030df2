package numbering

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// How providers of numbers stand in the DNS: as NAPTR records at the ENUM name of a number, of this Enumservice, with a URI of
// this scheme and the provider code. No document defines such; the tree is private to those who share it.
const (
	dnsService = "x-spc"
	dnsScheme  = "spc:"
)

// DNSConfig says where in the DNS the providers of numbers are.
type DNSConfig struct {
	Client *dnsclient.Client
	Suffix string // of the ENUM names (RFC 6116 §3.4)

	// Unauthenticated accepts answers that the name server has not validated with DNSSEC. What they say decides who may read the
	// calls of a number: whoever can forge them reads whose calls it likes. It is for name servers of our own, in a network
	// of our own.
	Unauthenticated bool

	Cache CacheConfig
}

// DNS asks name servers. It is oob.Numbering, and safe for concurrent use.
type DNS struct {
	config DNSConfig
	cache  *cache
}

// NewDNS checks the configuration. The source is to be closed.
func NewDNS(cfg DNSConfig) (*DNS, error) {
	if cfg.Client == nil {
		return nil, errors.New("numbers in the DNS: no client")
	}
	if err := dnsclient.CheckName(cfg.Suffix); err != nil {
		return nil, fmt.Errorf("numbers in the DNS: suffix %q: %w", cfg.Suffix, err)
	}
	d := &DNS{config: cfg}
	d.cache = newCache(cfg.Cache, d.ask)
	return d, nil
}

// Close ends all questions. What is remembered is still given.
func (d *DNS) Close() { d.cache.close() }

// SPCs implements oob.Numbering. The slice is shared and not to be changed.
func (d *DNS) SPCs(ctx context.Context, n tn.Number) ([]string, error) { return d.cache.SPCs(ctx, n) }

// Stats tells what the cache has done.
func (d *DNS) Stats() CacheStats { return d.cache.Stats() }

var errNotValidated = oob.Faultf(oob.PeerFailed, "the name server has not validated what it says of a number")

// ask asks for one number. That there is nothing must be as certain as what there is: it sends the question on to a source
// that may know the provider before.
func (d *DNS) ask(ctx context.Context, n tn.Number) (answer, error) {
	name, err := dnsclient.ENUMName(n, d.config.Suffix)
	if err != nil {
		return answer{lifetime: d.config.Cache.Lifetime}, nil // nor will it have one later
	}
	records, err := d.config.Client.NAPTR(ctx, name)
	if nothing, ok := errors.AsType[*dnsclient.NotExist](err); ok {
		records.TTL, records.Authenticated = nothing.TTL, nothing.Authenticated
	} else if err != nil {
		return answer{}, err
	}
	if !records.Authenticated && !d.config.Unauthenticated {
		return answer{}, errNotValidated
	}
	uris, err := dnsclient.URIs(records.Records, dnsService)
	if err != nil {
		return answer{}, nonsensical("what the DNS says of a number cannot be used; expected a URI such as spc:567B")
	}
	got := answer{lifetime: records.TTL}
	for _, uri := range uris {
		spc, ok := strings.CutPrefix(uri, dnsScheme)
		if !ok {
			return answer{}, nonsensical("the DNS names something else than a provider code; expected a URI such as spc:567B")
		}
		got.spcs = append(got.spcs, spc)
	}
	return got, nil
}
