package app

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// fetchTimeoutMax is the longest that an operator may let certificates be waited for: a caller hears silence.
const fetchTimeoutMax = Duration(time.Minute)

// trustTablesMax is more than half of all providers; their tables take 240 MB.
const trustTablesMax = 10_000

// noteTrustBounds refuses values of trust that would mean something else than what is written, or nothing.
func noteTrustBounds(c *TrustConfig, note func(string, error)) {
	if c.Certificates <= 0 {
		note("$.trust.certificates", errors.New("must be above zero"))
	}
	if c.Tables < 0 || c.Tables > trustTablesMax {
		note("$.trust.tables", fmt.Errorf("is 0 to %d", trustTablesMax))
	} else if c.Tables > 0 && fips140.Enabled() {
		note("$.trust.tables", errors.New("must be 0 in the FIPS 140 mode of Go: its module verifies signatures alone"))
	}
	if c.FetchTimeout <= 0 || c.FetchTimeout > fetchTimeoutMax {
		note("$.trust.fetch_timeout", fmt.Errorf("is above 0s and at most %s", fetchTimeoutMax))
	}
	for i, host := range c.List.X5UHosts {
		if !isHost(host) {
			note(fmt.Sprintf("$.trust.list.x5u_hosts[%d]", i), fmt.Errorf("%q is neither host nor host:port", host))
		}
	}
	for i, text := range c.Revocation.DistributionURLs {
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			note(fmt.Sprintf("$.trust.revocation.distribution_urls[%d]", i), fmt.Errorf("%q is no URL as certificates have it, such as https://crl.example/list.crl", text))
		}
	}
}

// isHost accepts host and host:port, which is all that a URL would have between its slashes.
func isHost(text string) bool {
	u, err := url.Parse("https://" + text)
	return err == nil && text != "" && u.Host == text && u.Hostname() != "" && !strings.ContainsAny(text, " \t") && checkPort(u) == nil
}

// checkPort lets a port be left out.
func checkPort(u *url.URL) error {
	if u.Port() == "" && !strings.HasSuffix(u.Host, ":") {
		return nil
	}
	return checkAddress(net.JoinHostPort(u.Hostname(), u.Port()))
}
