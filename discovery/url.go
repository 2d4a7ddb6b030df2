package discovery

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// URLBytesMax bounds the URL of a CPS; URLsMax, how many one resource may have.
const (
	URLBytesMax = 512
	URLsMax     = 8
)

// ErrURL is wrapped by every refusal of a text that should have been the URL of a CPS. The refusal does not repeat it.
var ErrURL = errors.New("not the URL of a CPS")

// BaseURL reads the URL of a CPS, the base of its interface, and writes it in one form: host in lower case, no default port,
// no slash at its end. It is https (RFC 9888 §4), and has neither user information nor query nor fragment: a path is
// appended to it. The error wraps [ErrURL].
//
// Where it leads is not judged: a CPS may have a private address (RFC 9888 §4). Whoever connects to one that a stranger has
// named must judge it.
func BaseURL(text string) (string, error) {
	if text == "" || len(text) > URLBytesMax {
		return "", badURL("not 1 to " + strconv.Itoa(URLBytesMax) + " bytes")
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' || text[i] == '\\' {
			return "", badURL("byte " + strconv.Itoa(i+1) + " does not belong into a URL")
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", badURL("not a URL") // err would repeat it
	}
	if problem := problemOf(text, u); problem != "" {
		return "", badURL(problem)
	}
	u.Scheme, u.Host = "https", strings.ToLower(strings.TrimSuffix(u.Host, ":443"))
	return strings.TrimRight(u.String(), "/"), nil
}

func badURL(problem string) error { return fmt.Errorf("%w: %s", ErrURL, problem) }

func problemOf(text string, u *url.URL) string {
	_, rest, _ := strings.Cut(text, "//")
	authority, _, _ := strings.Cut(rest, "/")
	port := u.Port()
	switch {
	case u.Scheme != "https":
		return "not https"
	case u.Hostname() == "" || u.Opaque != "":
		return "no host"
	case strings.Contains(authority, "%"): // net/url decodes it, so that two readers could see two hosts
		return "a host with percent-encoding"
	case u.User != nil:
		return "user information"
	case strings.ContainsAny(text, "?#"):
		return "a query or a fragment"
	case strings.HasSuffix(u.Host, ":"):
		return "an empty port"
	case strings.Contains(u.EscapedPath()+"/", "/../") || strings.Contains(u.EscapedPath()+"/", "/./"):
		return "a path that steps back"
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return "a port that is none"
	}
	return ""
}
