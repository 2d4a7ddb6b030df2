package rfc9888

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WaitMax is the longest that a requester may wait for something to be there.
const WaitMax = 30 * time.Second

// preferBytesMax bounds what is read of preferences.
const preferBytesMax = 1 << 10

// Header fields of preferences (RFC 7240 §2, §3).
const (
	preferField  = "Prefer"
	appliedField = "Preference-Applied"
)

// Preferences are how a requester wants its answer (RFC 7240), or what of that was applied.
type Preferences struct {
	Representation bool          // the PASSporTs themselves instead of references (RFC 7240 §4.2)
	Wait           time.Duration // until something is there, whole seconds up to WaitMax; 0 to answer at once (RFC 7240 §4.3)
}

// ReadPrefer reads what a requester prefers. What cannot be understood is passed over, as RFC 7240 §2 asks, and of several of a
// name the first counts.
func ReadPrefer(h http.Header) Preferences { return readPreferences(h[preferField]) }

// SetPrefer asks for p; for the zero Preferences, for nothing.
func (p Preferences) SetPrefer(h http.Header) { p.set(h, preferField) }

// SetApplied tells that p has been applied.
func (p Preferences) SetApplied(h http.Header) { p.set(h, appliedField) }

func (p Preferences) set(h http.Header, field string) {
	var all []string
	if p.Representation {
		all = append(all, "return=representation")
	}
	if p.Wait > 0 {
		all = append(all, "wait="+strconv.FormatInt(int64(min(p.Wait, WaitMax)/time.Second), 10))
	}
	if len(all) > 0 {
		h.Set(field, strings.Join(all, ", "))
	}
}

func readPreferences(fields []string) Preferences {
	var p Preferences
	seen := map[string]bool{}
	text := strings.Join(fields, ",")
	if len(text) > preferBytesMax {
		return Preferences{}
	}
	for preference := range strings.SplitSeq(text, ",") {
		preference, _, _ = strings.Cut(preference, ";") // parameters; none is known
		name, value, _ := strings.Cut(preference, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), unquoted(strings.TrimSpace(value))
		if seen[name] {
			continue
		}
		seen[name] = true
		switch name {
		case "return":
			p.Representation = value == "representation"
		case "wait":
			p.Wait = readWait(value)
		}
	}
	return p
}

// readWait reads whole seconds, up to WaitMax, however many digits they have; 0 for what is none.
func readWait(digits string) time.Duration {
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0
	}
	seconds, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return WaitMax
	}
	return min(time.Duration(seconds)*time.Second, WaitMax)
}

func unquoted(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		return value[1 : len(value)-1]
	}
	return value
}
