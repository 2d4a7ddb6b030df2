package app

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
)

var dialectWords = words[sti.Dialect]{"": sti.ATIS, "atis": sti.ATIS, "ms": sti.Ms}

// resolveAPI reads what the HTTP door needs.
func (p *switchPlan) resolveAPI(file *configFile, note func(string, error)) {
	c := &file.API
	note("$.api.listen", checkAddress(c.Listen))
	switch host, _, _ := net.SplitHostPort(c.Listen); {
	case c.Plain && (c.TLS.Certificate != "" || c.TLS.Key != "" || len(c.ClientRoots) > 0):
		note("$.api.plain", errors.New("goes with neither tls nor client_roots"))
	case c.Plain && !isLoopback(host):
		note("$.api.plain", errors.New("is for loopback alone: what is said here is who calls whom"))
	case c.Plain:
	case c.TLS.Certificate == "" || c.TLS.Key == "":
		note("$.api.tls", errors.New("needs the files certificate and key"))
	default:
		pair, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key)
		note("$.api.tls", plain(err))
		p.apiTLS = &pair
	}
	var err error
	p.apiRoots, err = loadPool(c.ClientRoots)
	note("$.api.client_roots", plain(err))
	for i := range c.Clients {
		p.apiClients = append(p.apiClients, c.Clients[i].client(fmt.Sprintf("$.api.clients[%d]", i), note))
		if len(c.Clients[i].CertificateNames) > 0 && len(c.ClientRoots) == 0 {
			note("$.api.client_roots", errors.New("is needed: whose certificates prove a client"))
		}
	}
	for key, n := range map[string]int64{
		"connections": int64(c.Limits.Connections), "address_connections": int64(c.Limits.AddressConnections),
		"in_flight": int64(c.Limits.InFlight), "body_timeout": int64(c.Limits.BodyTimeout),
	} {
		if n <= 0 {
			note("$.api.limits."+key, errors.New("must be above zero"))
		}
	}
	// What the door itself refuses, in its own words.
	if dips, err := dip.New(dip.Config{SPC: "0000"}); err == nil {
		_, err := stiapi.New(stiapi.Config{Dips: dips, Clients: p.apiClients, Base: c.Base})
		note("$.api", err)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *APIClientConfig) client(at string, note func(string, error)) stiapi.Client {
	client := stiapi.Client{
		Name: c.Name, Addresses: prefixes(at+".addresses", c.Addresses, note), CertificateNames: c.CertificateNames,
		Dialect: dialectWords.read(at+".dialect", c.Dialect, note), BothAnswers: c.BothAnswers,
		Verstat: verstatWords.read(at+".verstat", c.Verstat, note), ReasonDescription: c.ReasonDescription,
	}
	for i, name := range c.KeyFiles {
		path := fmt.Sprintf("%s.key_files[%d]", at, i)
		text, err := readSecret(name)
		note(path, err)
		for key := range strings.Lines(string(text)) { // one a line, so that a new one can stand beside the one before
			if key = strings.TrimSpace(key); key == "" {
				continue
			}
			if len(key) < traceKeyMin {
				note(path, fmt.Errorf("a key in the file has less than %d characters", traceKeyMin))
			}
			client.Keys = append(client.Keys, sha256.Sum256([]byte(key)))
		}
	}
	return client
}
