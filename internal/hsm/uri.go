package hsm

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// uriBytesMax bounds a URI, pinBytesMax a PIN; neither PKCS #11 nor RFC 7512 states a bound.
const (
	uriBytesMax = 4 << 10
	pinBytesMax = 256
)

// IsURI reports whether text is meant as a PKCS #11 URI and not as the name of a file.
func IsURI(text string) bool { return strings.HasPrefix(strings.ToLower(text), scheme) }

const scheme = "pkcs11:"

// Acceptable tells why Open would refuse a URI before it asks a token; nil when it would not.
func Acceptable(text string) error {
	_, err := parseURI(text)
	return err
}

// uri is what a PKCS #11 URI says of a key (RFC 7512 §2.3). Empty fields fit every token or key.
type uri struct {
	token, serial, manufacturer, model string
	slot                               *uint
	object                             string // CKA_LABEL
	id                                 []byte // CKA_ID
	module                             string // absolute path
	pinFile                            string // absolute path; empty for a token that wants no login
}

// parseURI reads a URI that names one private key and the module to reach it by. What it does not know it refuses: an
// attribute that is passed over could be the one that tells two keys apart. A PIN has no place in a URI, which stands in
// process lists and configuration. No error repeats any of it.
func parseURI(text string) (uri, error) {
	if !IsURI(text) || len(text) > uriBytesMax {
		return uri{}, fmt.Errorf("%w: it must begin with pkcs11: and have at most %d bytes", ErrURI, uriBytesMax)
	}
	path, query, _ := strings.Cut(text[len(scheme):], "?")
	var u uri
	if err := u.attributes(path, ";", u.pathAttribute); err != nil {
		return uri{}, err
	}
	if err := u.attributes(query, "&", u.queryAttribute); err != nil {
		return uri{}, err
	}
	switch {
	case u.object == "" && len(u.id) == 0:
		return uri{}, fmt.Errorf("%w: object or id must say which key", ErrURI)
	case u.token == "" && u.serial == "" && u.slot == nil:
		return uri{}, fmt.Errorf("%w: token, serial or slot-id must say which token", ErrURI)
	case u.module == "":
		return uri{}, fmt.Errorf("%w: module-path must say which module", ErrURI)
	}
	return u, nil
}

// attributes gives each name=value of a list to set, percent-decoded, each name once.
func (u *uri) attributes(list, separator string, set func(name, value string) error) error {
	if list == "" {
		return nil
	}
	seen := map[string]bool{}
	for _, attribute := range strings.Split(list, separator) {
		name, encoded, found := strings.Cut(attribute, "=")
		if !found || seen[name] {
			return fmt.Errorf("%w: an attribute has no value, or stands there twice", ErrURI)
		}
		seen[name] = true
		value, err := url.PathUnescape(encoded)
		if err != nil {
			return fmt.Errorf("%w: %s is not percent-encoded as it must be", ErrURI, name)
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (u *uri) pathAttribute(name, value string) error {
	switch name {
	case "token":
		u.token = value
	case "serial":
		u.serial = value
	case "manufacturer":
		u.manufacturer = value
	case "model":
		u.model = value
	case "object":
		u.object = value
	case "id":
		u.id = []byte(value)
	case "slot-id":
		slot, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return fmt.Errorf("%w: slot-id is not a number", ErrURI)
		}
		number := uint(slot)
		u.slot = &number
	case "type":
		if value != "private" {
			return fmt.Errorf("%w: the type that signs is private", ErrURI)
		}
	default:
		return fmt.Errorf("%w: it has an attribute that is not known here", ErrURI)
	}
	return nil
}

func (u *uri) queryAttribute(name, value string) error {
	switch name {
	case "module-path":
		if !filepath.IsAbs(value) {
			return fmt.Errorf("%w: module-path is not an absolute path", ErrURI)
		}
		u.module = value
	case "pin-source":
		file := strings.TrimPrefix(strings.TrimPrefix(value, "file://"), "file:")
		if !filepath.IsAbs(file) {
			return fmt.Errorf("%w: pin-source is not file: with an absolute path", ErrURI)
		}
		u.pinFile = file
	case "pin-value":
		return fmt.Errorf("%w: a PIN does not belong there; write it into a file and name that as pin-source", ErrURI)
	default:
		return fmt.Errorf("%w: it has a query attribute that is not known here", ErrURI)
	}
	return nil
}

// readPIN reads the PIN anew for every login, so that it is nowhere in between.
func (u *uri) readPIN() (string, error) {
	text, err := os.ReadFile(u.pinFile)
	if err != nil {
		return "", fmt.Errorf("%w: PIN file: %w", ErrToken, err)
	}
	pin := bytes.TrimRight(text, "\r\n")
	if len(pin) == 0 || len(pin) > pinBytesMax {
		return "", fmt.Errorf("%w: the PIN file holds no PIN of 1 to %d bytes", ErrToken, pinBytesMax)
	}
	return string(pin), nil
}
