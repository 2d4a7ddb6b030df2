package trace

import (
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/internal/uuid"
)

// Role says what somebody may see of a record. The zero Role is Masked.
type Role uint8

// The roles.
const (
	Masked Role = iota // numbers without their last four digits; no PASSporTs, no raw messages
	Full               // everything
)

const (
	hiddenDigits = 4 // at the end of a number
	numberDigits = 7 // so many digits in a text, with no more than visual separators between them, are taken for a number
	shownOfParts = 3 // digits of a number in several parts that are shown
	gapMax       = 3 // separators in a row within a number
	partyBytes   = 4 // a party as short as that, such as 911, is many people's and found in any text
)

// mask hides the numbers of a view in place. Every text of it is treated, as its tag mask says:
//
//	party  a number keeps its first digits; of a SIP URI the user is hidden
//	id     an identifier, which must stay what it is to be of use: a UUID stays; in another, the parties of the call are hidden
//	hide   left out
//	document  the name of a document of ATIS stays, though it reads as a number; anything else is treated as any text
//	       anything else: the parties are hidden, whatever reads as a number, and whatever reads as a token
func mask(v *View) {
	m := masking{}
	for _, party := range []string{v.Orig, v.Dest, v.KeyOrig, v.KeyDest, v.RedirectedFrom} {
		m.know(party)
	}
	m.value(reflect.ValueOf(v).Elem(), "")
	v.Masked = true
}

// aDocument is what a document of ATIS is cited as.
var aDocument = regexp.MustCompile(`^ATIS` + `-1000[0-9]{3}( §[0-9A-Z.]{1,12})?$`)

// masking hides the parties of one call, in all forms in which texts name them.
type masking struct{ forms []string }

func (m *masking) know(party string) {
	add := func(form string) {
		if len(form) >= partyBytes && !slices.Contains(m.forms, form) {
			m.forms = append(m.forms, form)
		}
	}
	add(party)
	if _, rest, isURI := strings.Cut(party, ":"); isURI {
		user, _, _ := strings.Cut(rest, "@")
		add(rest)
		add(user)
		return
	}
	for _, national := range []int{10, numberDigits} { // as people and switches cut it
		if len(party) > national {
			add(party[len(party)-national:])
		}
	}
}

// settled are the types that hold no text of a peer.
var settled = map[reflect.Type]bool{reflect.TypeFor[time.Time](): true, reflect.TypeFor[netip.AddrPort](): true}

func (m *masking) value(v reflect.Value, how string) {
	switch kind := v.Kind(); {
	case settled[v.Type()]:
	case how == "hide":
		v.SetZero()
	case kind == reflect.Pointer && !v.IsNil():
		m.value(v.Elem(), how)
	case kind == reflect.Slice:
		for i := range v.Len() {
			m.value(v.Index(i), how)
		}
	case kind == reflect.Struct:
		for i := range v.NumField() {
			m.value(v.Field(i), v.Type().Field(i).Tag.Get("mask"))
		}
	case kind == reflect.String:
		v.SetString(m.text(v.String(), how))
	}
}

func (m *masking) text(s, how string) string {
	switch {
	case s == "", how == "document" && aDocument.MatchString(s):
		return s
	case how == "party":
		return maskParty(s)
	case how == "id" && uuid.Is(s):
		return s
	case how == "id":
		return m.masked(s, m.ofParty)
	}
	return m.masked(maskTokens(s), always)
}

// masked hides the parties, and of the other numbers those that are to be hidden.
func (m *masking) masked(s string, hide func(digits string) bool) string {
	var out strings.Builder
	for {
		at, form := m.first(s)
		if at < 0 {
			break
		}
		out.WriteString(maskNumbers(s[:at], hide))
		out.WriteString(maskParty(form))
		s = s[at+len(form):]
	}
	out.WriteString(maskNumbers(s, hide))
	return out.String()
}

// first finds the first form of a party in a text, and of those that begin there the longest.
func (m *masking) first(s string) (at int, form string) {
	at = -1
	for _, f := range m.forms {
		if i := strings.Index(s, f); i >= 0 && (at < 0 || i < at || i == at && len(f) > len(form)) {
			at, form = i, f
		}
	}
	return at, form
}

func always(string) bool { return true }

// ofParty tells whether the digits of a number, which may have separators in it, name a party; those of another script may.
func (m *masking) ofParty(digits string) bool {
	return strings.ContainsRune(digits, otherScript) || slices.ContainsFunc(m.forms, func(form string) bool { return len(form) >= numberDigits && strings.Contains(digits, form) })
}

// maskParty hides the end of a number, and of a URI what is before its host.
func maskParty(s string) string {
	scheme, rest, isURI := strings.Cut(s, ":")
	if !isURI {
		scheme, rest = "", s
	} else {
		scheme += ":"
	}
	if _, host, hasUser := strings.Cut(rest, "@"); hasUser {
		return scheme + strings.Repeat("x", hiddenDigits) + "@" + maskNumbers(host, always)
	}
	if isURI {
		return scheme + maskNumbers(rest, always)
	}
	shown := len(rest) - hiddenDigits
	if len(rest) < numberDigits {
		shown = 0
	}
	for shown > 0 && !utf8.RuneStart(rest[shown]) {
		shown--
	}
	return rest[:shown] + strings.Repeat("x", hiddenDigits)
}

// maskNumbers hides the end of whatever reads as a telephone number, in any script, with visual separators (RFC 3966 §3)
// in it: dots, parentheses, dashes, spaces and what is not seen at all. Of one in several parts little is shown, because
// nobody can tell where it ends.
func maskNumbers(s string, hide func(digits string) bool) string {
	var out strings.Builder
	for s != "" {
		number, digits := numberAt(s)
		if len(digits) < numberDigits || !hide(digits) {
			out.WriteString(s[:len(number)])
			s = s[len(number):]
			continue
		}
		shown := len(digits) - hiddenDigits
		if utf8.RuneCountInString(number) > len(digits) {
			shown = shownOfParts
		}
		for _, c := range number {
			if unicode.IsDigit(c) {
				if shown--; shown < 0 {
					c = 'x'
				}
			}
			out.WriteRune(c)
		}
		s = s[len(number):]
	}
	return out.String()
}

// numberAt takes a number from the beginning of a text, and its digits alone; without a digit there, what comes before the
// next.
func numberAt(s string) (number, digits string) {
	var found []byte
	end, gap := 0, 0
	for i, c := range s {
		switch {
		case unicode.IsDigit(c):
			if found == nil && i > 0 {
				return s[:i], ""
			}
			end, gap = i+utf8.RuneLen(c), 0
			if c > '9' {
				c = otherScript
			}
			found = append(found, byte(c))
		case found == nil:
		case separates(c) && gap < gapMax:
			gap++
		default:
			return s[:end], string(found)
		}
	}
	if found == nil {
		return s, ""
	}
	return s[:end], string(found)
}

// otherScript stands for a digit that is not of ASCII.
const otherScript = '?'

func separates(c rune) bool {
	return strings.ContainsRune(".()", c) || unicode.In(c, unicode.Pd, unicode.Zs, unicode.Cc, unicode.Cf)
}

// maskTokens leaves out what reads as a JWS in compact form: its claims name the parties in Base64, where nobody sees them.
func maskTokens(s string) string {
	var out strings.Builder
	for {
		at := strings.Index(s, "eyJ")
		if at < 0 {
			if out.Len() == 0 {
				return s
			}
			out.WriteString(s)
			return out.String()
		}
		end := at
		for end < len(s) && (s[end] == '.' || s[end] == '-' || s[end] == '_' || '0' <= s[end] && s[end] <= '9' ||
			'a' <= s[end]|0x20 && s[end]|0x20 <= 'z') {
			end++
		}
		out.WriteString(s[:at])
		out.WriteString("(token)")
		s = s[end:]
	}
}
