package stircert

import (
	"errors"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// BlockNumbersMax bounds the numbers of one range that is written as its first number and a count. No numbering plan gives
// out more at a time; whoever writes the last number in the place of the count is refused.
const BlockNumbersMax = 1_000_000_000

// ErrResource is wrapped by every refusal of a text that should have been a [Resource]. It repeats nothing of it.
var ErrResource = errors.New("not a provider code, range or number")

// Resource is one entry of a TNAuthList as a text: what a CPS is advertised for, or subscribed to (RFC 9888 §4). Resources
// are comparable with ==. The zero Resource is none.
//
//	0-567A                  a provider code
//	1-19035550100-50        50 numbers, the first included
//	2-12015550199           one number
type Resource struct {
	spc     string
	numbers tn.Range
}

// Kinds of resources, by the first character of their texts.
const (
	resourceSPC   = "0"
	resourceRange = "1"
	resourceOne   = "2"
)

// ResourceOfSPC is the resource of a provider code, which must be such as a TNAuthList may have.
func ResourceOfSPC(spc string) (Resource, error) {
	if !ValidSPC(spc) {
		return Resource{}, ErrResource
	}
	return Resource{spc: spc}, nil
}

// ResourceOf is the resource of numbers; of the zero Range, the zero Resource.
func ResourceOf(numbers tn.Range) Resource { return Resource{numbers: numbers} }

// ParseResource reads the text of a resource, in its one form: no sign, no zero before the count, which is 2 to [BlockNumbersMax].
// The error is [ErrResource].
func ParseResource(text string) (Resource, error) {
	kind, rest, _ := strings.Cut(text, "-")
	var r Resource
	switch kind {
	case resourceSPC:
		return ResourceOfSPC(rest)
	case resourceRange, resourceOne:
		first, count := rest, uint64(1)
		if kind == resourceRange {
			var countText string
			first, countText, _ = strings.Cut(rest, "-")
			var err error
			if count, err = strconv.ParseUint(countText, 10, 64); err != nil || count > BlockNumbersMax {
				return Resource{}, ErrResource
			}
		}
		start, err := tn.ParseNumber(first)
		if err != nil {
			return Resource{}, ErrResource
		}
		if r.numbers, err = tn.NewRange(start, count); err != nil {
			return Resource{}, ErrResource
		}
	}
	if r.IsZero() || r.String() != text {
		return Resource{}, ErrResource
	}
	return r, nil
}

// String is the text that [ParseResource] reads, unless there are too many numbers; of the zero Resource, the empty one.
func (r Resource) String() string {
	switch {
	case r.spc != "":
		return resourceSPC + "-" + r.spc
	case r.numbers.IsZero():
		return ""
	case r.numbers.Count() == 1:
		return resourceOne + "-" + r.numbers.Start().String()
	}
	return resourceRange + "-" + r.numbers.Start().String() + "-" + strconv.FormatUint(r.numbers.Count(), 10)
}

// IsZero reports whether r is none.
func (r Resource) IsZero() bool { return r == Resource{} }

// SPC is the provider code; empty where the resource is one of numbers.
func (r Resource) SPC() string { return r.spc }

// Numbers are the numbers; the zero Range where the resource is a provider code.
func (r Resource) Numbers() tn.Range { return r.numbers }

// MarshalText gives the text of String.
func (r Resource) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote, as [ParseResource] does; the empty text is the zero Resource.
func (r *Resource) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*r = Resource{}
		return nil
	}
	*r, err = ParseResource(string(text))
	return err
}

// CoversResource reports whether r lies within one entry of l, as [TNAuthList.Covers] has it.
func (l TNAuthList) CoversResource(r Resource, data *NumberData) bool {
	switch {
	case r.spc != "":
		return l.HasSPC(r.spc)
	case r.numbers.IsZero():
		return false
	}
	return l.Covers(TNAuthList{Ranges: []tn.Range{r.numbers}}, data)
}
