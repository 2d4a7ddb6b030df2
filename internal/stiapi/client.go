package stiapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/oob"
)

// Client is a switch, or several that are told what to do alike, and what it proves itself with: one of its certificates, or
// one of its keys; from one of its addresses, where it has any. One that has neither certificate nor key proves itself by
// its address alone, which is enough only where nobody else can send from there.
type Client struct {
	Name             string         // in the trunk table, in metrics and logs
	Addresses        []netip.Prefix // where it asks from; nil for anywhere
	CertificateNames []string       // DNS names in its TLS certificate, whose chain the listener has verified
	Keys             [][32]byte     // SHA-256 of its keys

	Dialect           sti.Dialect      // of requests that do not tell, and of refusals
	BothAnswers       bool             // a signature is given under the names of both dialects
	Verstat           oob.VerstatStyle // how verstat is spelled
	ReasonDescription bool             // see sti.AnswerStyle
}

// clients are all who may ask.
type clients struct {
	all           []*Client
	byCertificate map[string]*Client // by DNS name in lower case
}

func newClients(all []Client) (clients, error) {
	c := clients{byCertificate: map[string]*Client{}}
	if len(all) == 0 {
		return clients{}, errors.New("a door for switches needs clients")
	}
	names, keys, addresses := map[string]bool{}, map[[32]byte]bool{}, map[netip.Prefix]bool{}
	for i := range all {
		client := &all[i]
		if client.Name == "" || names[client.Name] {
			return clients{}, fmt.Errorf("client %d: a name of its own is needed", i+1)
		}
		names[client.Name] = true
		if err := c.add(client, keys, addresses); err != nil {
			return clients{}, fmt.Errorf("client %s: %w", client.Name, err)
		}
	}
	return c, nil
}

// add refuses what two clients could prove themselves with, and what everybody could.
func (c *clients) add(client *Client, keys map[[32]byte]bool, addresses map[netip.Prefix]bool) error {
	byAddress := len(client.CertificateNames) == 0 && len(client.Keys) == 0
	if byAddress && len(client.Addresses) == 0 {
		return errors.New("nothing to prove itself with")
	}
	for _, prefix := range client.Addresses {
		switch {
		case !prefix.IsValid() || prefix != prefix.Masked() || prefix.Addr().Is4In6():
			return errors.New("an address is none, or has bits behind its prefix")
		case byAddress && prefix.Bits() == 0:
			return errors.New("everybody's address proves nobody")
		case byAddress && addresses[prefix]:
			return errors.New("an address is another client's")
		}
		if byAddress {
			addresses[prefix] = true
		}
	}
	for _, key := range client.Keys {
		if keys[key] || key == [32]byte{} || key == sha256.Sum256(nil) {
			return errors.New("a key is empty, or not one client's alone")
		}
		keys[key] = true
	}
	for _, name := range client.CertificateNames {
		name = strings.ToLower(name)
		if name == "" || c.byCertificate[name] != nil {
			return errors.New("the name of a certificate is empty, or another client's")
		}
		c.byCertificate[name] = client
	}
	c.all = append(c.all, client)
	return nil
}

// prove finds out who asks, or why that is not known. A certificate comes first, then a key, and the address alone last; a
// key that is wrong is not made good by an address.
func (d *Door) prove(x *exchange) (*Client, sti.Kind) {
	source := addressOf(x.r.RemoteAddr).Addr()
	if client := d.clients.certified(x.r, source); client != nil {
		return client, 0
	}
	id, key, given := d.keyOf(x.r)
	if !given {
		if client := d.clients.at(source); client != nil {
			return client, 0
		}
		d.tally.unproven.Add(1)
		return nil, d.challenge(x)
	}
	if wait := d.tries.wait(x.r.RemoteAddr); wait > 0 {
		x.w.Header().Set("Retry-After", seconds(wait))
		d.tally.tooManyTries.Add(1)
		return nil, sti.Tries
	}
	if client := d.clients.holding(id, key, source); client != nil {
		return client, 0
	}
	d.tries.failed(x.r.RemoteAddr)
	d.tally.unproven.Add(1)
	return nil, d.challenge(x)
}

// challenge says how one can prove oneself (RFC 9110 §15.5.2).
func (d *Door) challenge(x *exchange) sti.Kind {
	x.w.Header()["Www-Authenticate"] = []string{`Bearer realm="stir"`, `Basic realm="stir"`}
	return sti.Unproven
}

// keyOf is the key that a request gives, and as whom. More than one, or one that cannot be read, is a wrong one.
func (d *Door) keyOf(r *http.Request) (id, key string, given bool) {
	authorizations := r.Header.Values("Authorization")
	if len(authorizations) > 1 { // RFC 9110 §5.3
		return "", "", true
	}
	if len(authorizations) == 1 {
		if id, key, ok := r.BasicAuth(); ok {
			return id, key, true
		}
		scheme, key, _ := strings.Cut(authorizations[0], " ")
		if !strings.EqualFold(scheme, "Bearer") {
			key = ""
		}
		return "", strings.Trim(key, " "), true
	}
	if !d.config.KeyInQuery {
		return "", "", false
	}
	query := r.URL.Query()
	return query.Get("id"), query.Get("key"), query.Has("key")
}

// holding finds the client with a key. Whether it finds one, and which, takes the same time.
func (c *clients) holding(id, key string, source netip.Addr) *Client {
	sum := sha256.Sum256([]byte(key))
	var found *Client
	for _, client := range c.all {
		for i := range client.Keys {
			if subtle.ConstantTimeCompare(sum[:], client.Keys[i][:]) == 1 {
				found = client
			}
		}
	}
	if found == nil || id != "" && id != found.Name || !found.mayAskFrom(source) {
		return nil
	}
	return found
}

// certified finds the client with the TLS certificate of the connection. Only one whose chain has been verified counts.
func (c *clients) certified(r *http.Request, source netip.Addr) *Client {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return nil
	}
	for _, name := range namesOf(r.TLS.VerifiedChains[0][0]) {
		if client := c.byCertificate[strings.ToLower(name)]; client != nil && client.mayAskFrom(source) {
			return client
		}
	}
	return nil
}

// namesOf are the DNS names of a certificate; the common name where it has none, as many made for switches.
func namesOf(cert *x509.Certificate) []string {
	if len(cert.DNSNames) == 0 && cert.Subject.CommonName != "" {
		return []string{cert.Subject.CommonName}
	}
	return cert.DNSNames
}

// at finds the client that an address proves: that with the longest prefix.
func (c *clients) at(source netip.Addr) *Client {
	var found *Client
	longest := -1
	for _, client := range c.all {
		if len(client.Keys) > 0 || len(client.CertificateNames) > 0 {
			continue
		}
		for _, prefix := range client.Addresses {
			if prefix.Contains(source) && prefix.Bits() > longest {
				found, longest = client, prefix.Bits()
			}
		}
	}
	return found
}

func (c *Client) mayAskFrom(source netip.Addr) bool {
	for _, prefix := range c.Addresses {
		if prefix.Contains(source) {
			return true
		}
	}
	return len(c.Addresses) == 0
}
