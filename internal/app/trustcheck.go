package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// fetchTimeoutMax is the longest that an operator may let certificates be waited for: a caller hears silence.
const fetchTimeoutMax = Duration(time.Minute)

// noteTrustBounds refuses values of trust that would mean something else than what is written, or nothing.
func noteTrustBounds(c *TrustConfig, note func(string, error)) {
	if c.Certificates <= 0 {
		note("$.trust.certificates", errors.New("must be above zero"))
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
