package stircert

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// Covers reports whether every entry of child lies within one entry of l: a provider code is listed letter for letter,
// a range or number lies within one range, or belongs to a provider code of l as data has it. It is what an issuer with
// a TNAuthList must hold of the certificates that it issues (RFC 9060 §4).
//
// Whether a provider code of the issuer covers numbers of that provider is left to local policy (RFC 9060 §4). Here it
// covers those that the data give it, and without data none.
func (l TNAuthList) Covers(child TNAuthList, data *NumberData) bool {
	spcs := make(map[string]bool, len(l.SPCs))
	for _, spc := range l.SPCs {
		spcs[spc] = true
	}
	if slices.ContainsFunc(child.SPCs, func(spc string) bool { return !spcs[spc] }) {
		return false
	}
	spans := spansOf(l.Ranges) // sorted, because both lists may have thousands of entries and an enemy for an author
	var asked []digitSpan
	for _, r := range child.Ranges {
		if within(spans, r) {
			continue
		}
		digits, ok := digitsOf(r)
		if !ok {
			return false
		}
		asked = append(asked, digits)
	}
	return holdAll(data.meeting(spcs, asked), asked)
}

// span is a range as texts that are ordered as numbers are among those of the same length.
type span struct{ first, last string }

// spansOf sorts ranges by their first numbers and lets each reach as far as any before it: the one that reaches
// farthest covers a number if one of them does.
func spansOf(ranges []tn.Range) []span {
	spans := make([]span, len(ranges))
	for i, r := range ranges {
		spans[i] = span{orderOf(r.Start()), orderOf(r.Last())}
	}
	slices.SortFunc(spans, func(a, b span) int { return strings.Compare(a.first, b.first) })
	for i := 1; i < len(spans); i++ {
		spans[i].last = max(spans[i].last, spans[i-1].last)
	}
	return spans
}

func within(spans []span, r tn.Range) bool {
	first, last := orderOf(r.Start()), orderOf(r.Last())
	after, _ := slices.BinarySearchFunc(spans, first, func(s span, first string) int {
		if s.first <= first {
			return -1
		}
		return 1
	})
	return after > 0 && spans[after-1].last >= last
}

// orderOf keeps numbers of different lengths apart, and those with # or *, which lie in no range of others.
func orderOf(n tn.Number) string {
	digits := n.String()
	return fmt.Sprintf("%t %02d %s", strings.ContainsAny(digits, "#*"), len(digits), digits)
}

// CheckPath says whether the certificate is authoritative for no more than those that issued it (RFC 9060 §4), and
// whether these may issue at all. issuers is the rest of a path that x509.Certificate.Verify has found, the trust anchor
// last. data tells whose numbers are whose, so that the provider code of an issuer covers numbers; nil for nobody's.
// Errors wrap [BeyondIssuer] or [MayNotIssue].
//
// An issuer without a TNAuthList, which all STI-CAs are, limits nothing. One with a malformed list covers nothing, nor
// does one whose list is elsewhere: lists are fetched for end entities alone.
func (c *Certificate) CheckPath(issuers []*x509.Certificate, data *NumberData) error {
	scope := c.TNAuthList
	for i, issuer := range issuers {
		if i < len(issuers)-1 { // the last is the anchor
			if err := firstBroken(issuerPolicy, issuer, nil, faults{}); err != nil {
				return err
			}
		}
		list, _, err := authorityOf(issuer)
		switch {
		case errors.Is(err, NoTNAuthList):
			continue
		case err != nil:
			return fmt.Errorf("%w: %w", BeyondIssuer, err)
		case !list.Covers(scope, data):
			return BeyondIssuer
		}
		scope = list
	}
	return nil
}
