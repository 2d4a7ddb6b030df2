package trunk

import (
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// form is what signalling says of the digits of a number.
type form uint8

const (
	dialled       form = iota // as a subscriber of the trunk dials it
	subscriber                // local to the home area
	national                  //
	international             // the country code first
	unreadable                // of no form that is known, or with digits beyond 9
)

// spelled is a number as signalling gives it.
type spelled struct {
	digits   string
	form     form
	context  string // digits of the global number to whose area it is local (RFC 3966 §5.1.5); empty when that is not said
	complete bool   // no digits can follow
}

// outcome is what became of a number.
type outcome uint8

const (
	usable   outcome = iota
	absent           // there is none
	unusable         //
	trimmed          // it is said to be national, or has a country code, and does not fit there
	short            // as trimmed, and digits may be missing at its end
)

// internationalMin is the length of the shortest international number: three digits of country code, four behind it.
const internationalMin = 7

// e164 makes the international number of a spelled one, and says why so, or why not.
func (n *Numbering) e164(s spelled) (digits string, o outcome, why string) {
	if s.form == unreadable || s.digits == "" || !isDigits(s.digits) {
		return "", unusable, "of another form than a number of the public network"
	}
	cc := n.Plan.CountryCode
	if s.context != "" && !strings.HasPrefix(s.context, cc) {
		return "", unusable, "local to another country"
	}
	switch s.form {
	case international:
		digits, why = s.digits, "international as it is"
		if rest, ok := strings.CutPrefix(digits, n.Plan.InternationalPrefix); ok && digits[0] == '0' {
			digits, why = rest, "international, with the prefix of foreign numbers"
		}
	case national:
		if cc == "" {
			return "", unusable, "national, and the trunk is of no country"
		}
		digits, why = cc+s.digits, "national: country code of the trunk"
	case subscriber:
		digits, why = n.local(s)
	case dialled:
		digits, why = n.dialled(s)
	}
	if digits == "" {
		return "", unusable, why
	}
	if o, doubt := n.complete(digits, s.complete); o != usable {
		return "", o, doubt
	}
	return digits, usable, why
}

// isDigits is true of digits alone. It is asked of both numbers of every call.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// local puts the home area before a subscriber number.
func (n *Numbering) local(s spelled) (digits, why string) {
	if n.HomeNPA == "" {
		return "", "a subscriber number, and the trunk has no home area"
	}
	area := n.Plan.CountryCode + n.HomeNPA
	if s.context != "" && !strings.HasPrefix(s.context, area) && !strings.HasPrefix(area, s.context) {
		return "", "local to another area than that of the trunk"
	}
	if !n.isNational(len(n.HomeNPA) + len(s.digits)) {
		return "", "too long or too short for a subscriber number of the home area"
	}
	return area + s.digits, "subscriber number: country code and home area of the trunk"
}

func (n *Numbering) isNational(length int) bool {
	return n.Plan.NationalMin <= length && length <= n.Plan.NationalMax
}

// dialled reads digits as a subscriber dials them. What the plan does not know is international only where it cannot be
// anything else: with the country code of the trunk before a whole national number, or longer than all that can be dialled
// within the country.
func (n *Numbering) dialled(s spelled) (digits, why string) {
	stripped := n.strip(s.digits)
	if known, ok := n.Plan.International(stripped); ok {
		return known, "as dialled, by the plan of the trunk"
	}
	behind, home := strings.CutPrefix(stripped, n.Plan.CountryCode)
	longest := len(n.Plan.NationalPrefix) + n.Plan.NationalMax
	switch {
	case home && n.isNational(len(behind)):
		return stripped, "begins with the country code of the trunk"
	case n.HomeNPA != "" && n.isNational(len(n.HomeNPA)+len(stripped)):
		return n.local(spelled{digits: stripped, context: s.context})
	case n.Plan.NationalMax > 0 && len(stripped) > longest:
		return stripped, "longer than any number of this country: international without prefix"
	}
	return "", "as dialled: neither national nor international by the plan of the trunk"
}

// strip takes the first dial prefix away that fits. What would be left without a digit is left as it is.
func (n *Numbering) strip(digits string) string {
	for _, prefix := range n.StripPrefixes {
		if len(digits) > len(prefix) && fitsPrefix(digits, prefix) {
			return digits[len(prefix):]
		}
	}
	return digits
}

// fitsPrefix compares where an X stands for any digit.
func fitsPrefix(digits, prefix string) bool {
	for i := range len(prefix) {
		if prefix[i] != 'X' && prefix[i] != digits[i] {
			return false
		}
	}
	return true
}

// complete judges an international number by what is known of its country: that of the trunk, and North America.
func (n *Numbering) complete(digits string, ended bool) (outcome, string) {
	low, high := internationalMin, tn.NumberLengthMax
	behind, home := strings.CutPrefix(digits, n.Plan.CountryCode)
	switch {
	case digits[0] == '0':
		return unusable, "no country code begins with 0"
	case digits[0] == '1':
		low, high = 11, 11
	case home && n.Plan.CountryCode != "":
		code := len(digits) - len(behind)
		low, high = max(low, code+n.Plan.NationalMin), code+n.Plan.NationalMax
	}
	switch {
	case len(digits) < low && !ended:
		return short, "digits are missing"
	case len(digits) < low || len(digits) > high:
		return trimmed, "no number of its country is so long or so short: a foreign one without its country code, or cut off"
	case digits[0] == '1' && (digits[1] < '2' || digits[4] < '2'):
		return trimmed, "no North American number: maybe a foreign one without its country code"
	}
	return usable, ""
}

// isBypass reports whether a called number is to be left alone, in any of the spellings in which switches send short codes.
func (n *Numbering) isBypass(digits string) bool {
	if digits == "" {
		return false
	}
	codes := n.Bypass
	if codes == nil {
		codes = BypassDefault
	}
	stripped := n.strip(digits)
	home, ok := strings.CutPrefix(digits, n.Plan.CountryCode)
	for _, code := range codes {
		if digits == code || stripped == code || ok && home == code {
			return true
		}
	}
	return false
}

// BypassDefault are the called numbers that are left alone where a trunk does not say: emergency numbers, the test number
// 933, the crisis line 988, and the other service codes of North America.
var BypassDefault = []string{"911", "112", "999", "933", "988", "211", "311", "411", "511", "611", "711", "811"}

// tollFreeDefault are the area codes of toll-free numbers in North America.
var tollFreeDefault = []string{"800", "822", "833", "844", "855", "866", "877", "888"}

// isTollFree reports whether a number stands for another one.
func (n *Numbering) isTollFree(id tn.Identity) bool {
	number, _ := id.Number()
	area, ok := strings.CutPrefix(number.String(), n.Plan.CountryCode)
	codes := n.TollFree
	if codes == nil && n.Plan.CountryCode == tn.NANP.CountryCode {
		codes = tollFreeDefault
	}
	if !ok || n.Plan.CountryCode == "" {
		return false
	}
	for _, code := range codes {
		if strings.HasPrefix(area, code) {
			return true
		}
	}
	return false
}
