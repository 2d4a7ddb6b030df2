package passport

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// Limits of a jCard. RFC 7095 states none; those of RFC 9795 have half a kilobyte.
const (
	jCardBytesMax      = 16 << 10
	jCardDepthMax      = 8
	jCardPropertiesMax = 128
	jCardLinksMax      = 16
)

// cardLinks reads a jCard (RFC 7095 §3.2), strictly, and lists the URIs in it that have content, each with its pointer
// below root. Problem: RCDForm.
func cardLinks(root string, card []byte) ([]RichLink, error) {
	if len(card) > jCardBytesMax {
		return nil, problem(RCDForm, "jcard")
	}
	var links []RichLink
	count, err := jws.Array(card, jCardDepthMax, func(i int, value jws.Value) error {
		switch i {
		case 0:
			if text, ok := jws.String(value); !ok || text != "vcard" {
				return problem(RCDForm, "jcard")
			}
			return nil
		case 1:
			_, err := jws.Array(value, jCardDepthMax, func(i int, value jws.Value) error {
				if i == jCardPropertiesMax {
					return problem(RCDForm, "jcard")
				}
				return property(root+"/1/"+strconv.Itoa(i), value, &links)
			})
			return err
		}
		return problem(RCDForm, "jcard")
	})
	switch {
	case err != nil:
		return nil, orForm(err, RCDForm)
	case count != 2 || len(links) > jCardLinksMax:
		return nil, problem(RCDForm, "jcard")
	}
	return links, nil
}

// property reads [name, parameters, type, value, …] (RFC 7095 §3.3). Only values of the type uri are looked at.
func property(pointer string, property jws.Value, links *[]RichLink) error {
	isURIs := false
	count, err := jws.Array(property, jCardDepthMax, func(i int, value jws.Value) error {
		switch i {
		case 0, 2:
			// RFC 7095 §3.3: both are in lower case, so that no reader takes URI for another type than uri.
			text, ok := jws.String(value)
			if !ok || text == "" || text != strings.ToLower(text) {
				return problem(RCDForm, "jcard")
			}
			isURIs = i == 2 && text == "uri"
		case 1:
			if value.Kind() != '{' {
				return problem(RCDForm, "jcard")
			}
		default:
			if isURIs {
				return cardValue(pointer+"/"+strconv.Itoa(i), value, links)
			}
		}
		return nil
	})
	if err == nil && count < 4 {
		err = problem(RCDForm, "jcard")
	}
	return err
}

// cardValue reads a value of the type uri: one URI, or an array of them (RFC 7095 §3.3.1.3).
func cardValue(pointer string, value jws.Value, links *[]RichLink) error {
	if value.Kind() == '[' {
		_, err := jws.Array(value, jCardDepthMax, func(i int, value jws.Value) error {
			return cardValue(pointer+"/"+strconv.Itoa(i), value, links)
		})
		return err
	}
	text, ok := jws.String(value)
	if !ok || !isURI(text) {
		return problem(RCDForm, "jcard")
	}
	if hasContent(text) {
		*links = append(*links, RichLink{Pointer: pointer, URI: text})
	}
	return nil
}

// bareSchemes are those of URIs that name somebody or something, or are their own content: nothing is fetched for them, so
// that nothing can change.
var bareSchemes = []string{"data", "geo", "mailto", "sip", "sips", "tel", "urn"}

func hasContent(uri string) bool {
	u, err := url.Parse(uri) // which lowers the scheme
	return err != nil || !slices.Contains(bareSchemes, u.Scheme)
}

// isPointer reports whether s is a JSON pointer (RFC 6901 §3) to anything but the whole.
func isPointer(s string) bool {
	for i := range len(s) {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return false
		}
	}
	return strings.HasPrefix(s, "/")
}

// at gives a copy of the value to which a JSON pointer leads (RFC 6901 §4); the empty pointer leads to the whole.
func at(text []byte, pointer string) (jws.Value, bool) {
	value := jws.Value(text)
	for pointer != "" {
		var token string
		token, pointer = cutPointer(pointer)
		var next jws.Value
		switch value.Kind() {
		case '{':
			_ = jws.Object(value, jCardDepthMax, func(name string, value jws.Value) error {
				if name == token {
					next = value
				}
				return nil
			})
		case '[':
			_, _ = jws.Array(value, jCardDepthMax, func(i int, value jws.Value) error {
				if strconv.Itoa(i) == token {
					next = value
				}
				return nil
			})
		}
		if next == nil {
			return nil, false
		}
		value = next
	}
	return slices.Clone(value), true
}

// cutPointer splits a JSON pointer behind its first reference token, which it gives unescaped (RFC 6901 §4).
func cutPointer(pointer string) (token, rest string) {
	token = pointer[1:]
	if i := strings.IndexByte(token, '/'); i >= 0 {
		token, rest = token[:i], token[i:]
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"), rest
}
