package dnsclient

import (
	"errors"
	"fmt"
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

const (
	nameLengthMax  = 253 // of the text, without the last dot (RFC 1035 §2.3.4)
	labelLengthMax = 63
)

// CheckName tells whether a text is a name that can be asked for: labels of letters, digits, hyphens and underscores, with or
// without the last dot. The error wraps BadName.
func CheckName(name string) error {
	name = strings.TrimSuffix(name, ".")
	if len(name) > nameLengthMax {
		return fmt.Errorf("%w: longer than %d", BadName, nameLengthMax)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > labelLengthMax || strings.ContainsFunc(label, notInLabel) {
			return fmt.Errorf("%w: a label is not 1 to %d letters, digits, hyphens and underscores", BadName, labelLengthMax)
		}
	}
	return nil
}

func notInLabel(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

// ENUMName is the name of a number below a suffix: its digits in reverse order, with dots between them (RFC 6116 §3.4). A
// number with # or * has none.
func ENUMName(n tn.Number, suffix string) (string, error) {
	digits := n.String()
	if n.IsZero() || strings.ContainsAny(digits, "#*") {
		return "", errors.New("only a number of digits has a name in the DNS")
	}
	if suffix == "" {
		return "", fmt.Errorf("%w: no suffix", BadName)
	}
	name := make([]byte, 0, 2*len(digits)+len(suffix))
	for i := len(digits) - 1; i >= 0; i-- {
		name = append(name, digits[i], '.')
	}
	whole := string(append(name, suffix...))
	if err := CheckName(whole); err != nil {
		return "", err
	}
	return whole, nil
}

// lower is the form in which names compare. Only ASCII has two cases in the DNS (RFC 4343 §3), and a name may hold any byte.
func lower(name string) string {
	folded := []byte(strings.TrimSuffix(name, "."))
	for i, c := range folded {
		if c >= 'A' && c <= 'Z' {
			folded[i] = c | 0x20
		}
	}
	return string(folded)
}

// within reports whether name is zone or lies below it. The root is the empty text.
func within(name, zone string) bool {
	return zone == "" || name == zone || strings.HasSuffix(name, "."+zone)
}
