package passport

import (
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// rphMax bounds the values of rph; RFC 8443 states none. An INVITE has one or two.
const rphMax = 16

// psapCallback is the only value of sph (RFC 9027 §4).
const psapCallback = "psap-callback"

// readRPH reads {"auth":["ns.r",…]}: one value at least, in the form of a Resource-Priority header (RFC 8443 §3). Members
// other than auth are passed over.
func readRPH(value jws.Value) ([]string, error) {
	var values []string
	err := jws.Object(value, depthMax, func(name string, value jws.Value) error {
		if name != "auth" {
			return nil
		}
		var ok bool
		values, ok = jws.Strings(value, rphMax)
		if !ok || slices.ContainsFunc(values, func(v string) bool { return !IsPriority(v) }) {
			return problem(RPHForm, "auth")
		}
		return nil
	})
	if err != nil {
		return nil, orForm(err, RPHForm)
	}
	if len(values) == 0 {
		return nil, problem(RPHForm, "auth")
	}
	return values, nil
}

// IsPriority reports whether v is an r-value (RFC 4412 §3.1): namespace "." r-priority.
func IsPriority(v string) bool {
	namespace, priority, _ := strings.Cut(v, ".")
	return isToken(namespace) && isToken(priority)
}

// isToken is token-nodot of RFC 4412 §3.1.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		isAlphanumeric := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !isAlphanumeric && strings.IndexByte("-!%*_+`'~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func readSPH(value jws.Value) (string, error) {
	if text, ok := jws.String(value); !ok || text != psapCallback {
		return "", problem(SPHForm, "")
	}
	return psapCallback, nil
}

// isEmergency reports whether v is one of esnet.0 to esnet.4, the values of emergency services (RFC 9027 §3).
func isEmergency(v string) bool {
	priority, found := strings.CutPrefix(v, "esnet.")
	return found && len(priority) == 1 && '0' <= priority[0] && priority[0] <= '4'
}

func auth(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return string(canonical(member{"auth", list(values)}))
}
