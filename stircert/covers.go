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
// a range or number lies within one range. It is what an issuer with a TNAuthList must hold of the certificates that it
// issues (RFC 9060 §4).
//
// Whether a provider code of the issuer covers numbers of that provider is left to local policy (RFC 9060 §4). Here it
// covers none: to know which numbers are whose takes a database that we do not have.
func (l TNAuthList) Covers(child TNAuthList) bool {
	spcs := make(map[string]bool, len(l.SPCs))
	for _, spc := range l.SPCs {
		spcs[spc] = true
	}
	if slices.ContainsFunc(child.SPCs, func(spc string) bool { return !spcs[spc] }) {
		return false
	}
	spans := spansOf(l.Ranges) // sorted, because both lists may have thousands of entries and an enemy for an author
	return !slices.ContainsFunc(child.Ranges, func(r tn.Range) bool { return !within(spans, r) })
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

// CheckPath says whether no certificate of a path, leaf first, is authoritative for more than those that issued it (RFC
// 9060 §4). An issuer without a TNAuthList, which all STI-CAs are, limits nothing; one with a malformed list covers
// nothing. The error wraps [BeyondIssuer].
func CheckPath(path []*x509.Certificate) error {
	if len(path) == 0 {
		return nil
	}
	scope, _ := tnAuthListOf(path[0]) // that a leaf has one is for CheckEndEntity to say
	for _, issuer := range path[1:] {
		list, err := tnAuthListOf(issuer)
		switch {
		case errors.Is(err, NoTNAuthList):
			continue
		case err != nil:
			return fmt.Errorf("%w: %w", BeyondIssuer, err)
		case !list.Covers(scope):
			return BeyondIssuer
		}
		scope = list
	}
	return nil
}
