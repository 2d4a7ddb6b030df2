package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/dnsclient"
	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/tn"
)

// numbers tells whose a number is now: the file answers at once, then the server is asked, then name servers.
type numbers struct {
	chain numbering.Chain
	file  *numbering.File // nil without; so are the others
	http  *numbering.HTTP
	dns   *numbering.DNS
}

// given tells whether anybody knows.
func (c NumbersConfig) given() bool { return c.File != "" || c.HTTP.URL != "" || c.DNS.Suffix != "" }

// openNumbers opens all that a configuration names; nil for nothing. Beside an error stands the key that is wrong.
func openNumbers(c NumbersConfig) (n *numbers, key string, err error) {
	if !c.given() {
		return nil, "", nil
	}
	n = &numbers{}
	defer func() {
		if err != nil {
			n.close()
			n = nil
		}
	}()
	if c.File != "" {
		if n.file, err = numbering.OpenFile(numbering.FileConfig{Name: c.File, Poll: time.Duration(c.Poll)}); err != nil {
			return n, "file", err
		}
		n.chain = append(n.chain, n.file)
	}
	if c.HTTP.URL != "" {
		roots, err := loadPool(c.HTTP.TLSRoots)
		if err != nil {
			return n, "http.tls_roots", err
		}
		if c.HTTP.TokenFile != "" {
			if _, err := readSecret(c.HTTP.TokenFile); err != nil {
				return n, "http.token_file", err
			}
		}
		if n.http, err = numbering.NewHTTP(numbering.HTTPConfig{URL: c.HTTP.URL, TokenFile: c.HTTP.TokenFile, Roots: roots}); err != nil {
			return n, "http.url", err
		}
		n.chain = append(n.chain, n.http)
	}
	if c.DNS.Suffix != "" {
		client, err := dnsclient.New(dnsclient.Config{Servers: c.DNS.Servers})
		if err != nil {
			return n, "dns.servers", err
		}
		if n.dns, err = numbering.NewDNS(numbering.DNSConfig{Client: client, Suffix: c.DNS.Suffix, Unauthenticated: c.DNS.Unauthenticated}); err != nil {
			return n, "dns.suffix", err
		}
		n.chain = append(n.chain, n.dns)
	}
	return n, "", nil
}

// SPCs implements oob.Numbering.
func (n *numbers) SPCs(ctx context.Context, of tn.Number) ([]string, error) {
	return n.chain.SPCs(ctx, of)
}

// holders are the numbers in use, which a reload replaces. It is oob.Numbering.
type holders struct{ now atomic.Pointer[numbers] }

// SPCs implements oob.Numbering.
func (h *holders) SPCs(ctx context.Context, of tn.Number) ([]string, error) {
	return h.now.Load().SPCs(ctx, of)
}

func (n *numbers) close() {
	if n == nil {
		return
	}
	if n.file != nil {
		n.file.Close()
	}
	if n.http != nil {
		n.http.Close()
	}
	if n.dns != nil {
		n.dns.Close()
	}
}

// resolveNumbers opens what knows; nil when nobody does.
func resolveNumbers(c NumbersConfig, note func(string, error)) *numbers {
	if c.Poll < 0 {
		note("$.numbers.poll", errors.New("cannot be negative"))
	} else if c.Poll > 0 && c.Poll < refreshMin {
		note("$.numbers.poll", fmt.Errorf("is at least %s, or 0s for SIGHUP alone", refreshMin))
	}
	if c.HTTP.URL == "" && (c.HTTP.TokenFile != "" || len(c.HTTP.TLSRoots) > 0) {
		note("$.numbers.http.url", errors.New("is needed: who is asked for the providers of numbers?"))
	}
	if (len(c.DNS.Servers) > 0 || c.DNS.Unauthenticated) && c.DNS.Suffix == "" {
		note("$.numbers.dns.suffix", errors.New("is needed: where in the DNS are the providers of numbers?"))
	}
	n, key, err := openNumbers(c)
	note("$.numbers."+key, plain(err))
	return n
}
