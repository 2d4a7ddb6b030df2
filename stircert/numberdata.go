package stircert

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// Limits of number data. A country of the size of the United States has about a million blocks.
const (
	NumberDataRowsMax      = 10_000_000
	NumberDataLineBytesMax = 256
)

// ErrNumberData is wrapped by every error of reading number data.
var ErrNumberData = errors.New("these are not number data")

// NumberData tells which numbers belong to which service provider codes. No certificate says that, and RFC 9060 §4 leaves
// it to local policy where one knows it from. Several codes may hold the same number: the data decide what that
// means. The nil NumberData knows of no number. It does not change once made and is safe to share.
//
// A row takes 16 bytes twice, less where blocks of one code adjoin.
type NumberData struct {
	holders map[string][]digitSpan // of each code, sorted and apart
	all     []digitSpan            // of all codes together, sorted and apart
}

// digitSpan is a block of numbers of one length: the numbers as integers, with a 1 in front that keeps the lengths apart.
type digitSpan struct{ first, last uint64 }

// ParseNumberData reads lines of the form `spc,first` or `spc,first,count`: count numbers from first on, in canonical form
// as tn.ParseNumber has it. Blank lines and those that begin with # are passed over. The error wraps [ErrNumberData], tells
// the line and repeats nothing of it.
func ParseNumberData(r io.Reader) (*NumberData, error) {
	d := &NumberData{holders: make(map[string][]digitSpan)}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, NumberDataLineBytesMax), NumberDataLineBytesMax)
	line, rows := 0, 0
	for lines.Scan() {
		line++
		text := bytes.TrimSpace(lines.Bytes())
		if line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if rows++; rows > NumberDataRowsMax {
			return nil, fmt.Errorf("%w: more than %d rows", ErrNumberData, NumberDataRowsMax)
		}
		if err := d.add(string(text)); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrNumberData, line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrNumberData, line+1, err)
	}
	d.settle()
	return d, nil
}

func (d *NumberData) add(row string) error {
	spc, numbers, found := strings.Cut(row, ",")
	if !found || !validSPC(spc) {
		return fmt.Errorf("not a provider code of 1 to %d visible characters, a comma and a number", SPCLengthMax)
	}
	start, countText, isBlock := strings.Cut(numbers, ",")
	first, err := tn.ParseNumber(start)
	if err != nil {
		return err
	}
	count := uint64(1)
	if isBlock {
		if count, err = strconv.ParseUint(countText, 10, 64); err != nil {
			return errors.New("the count is not a number")
		}
	}
	block, err := tn.NewRange(first, count)
	if err != nil {
		return err
	}
	span, ok := digitsOf(block)
	if !ok {
		return errors.New("a number with # or * belongs to no provider")
	}
	if spans, known := d.holders[spc]; known {
		d.holders[spc] = append(spans, span)
		return nil
	}
	d.holders[strings.Clone(spc)] = []digitSpan{span} // row would stay in memory with its code
	return nil
}

// digitsOf gives a range as integers; none for one with # or *.
func digitsOf(r tn.Range) (digitSpan, bool) {
	first, err := strconv.ParseUint("1"+r.Start().String(), 10, 64)
	if err != nil || r.IsZero() {
		return digitSpan{}, false
	}
	return digitSpan{first, first + r.Count() - 1}, true
}

// settle sorts the spans and joins those that touch.
func (d *NumberData) settle() {
	n := 0
	for spc, spans := range d.holders {
		d.holders[spc] = joined(spans)
		n += len(d.holders[spc])
	}
	all := make([]digitSpan, 0, n)
	for _, spans := range d.holders {
		all = append(all, spans...)
	}
	d.all = joined(all)
}

// joined sorts spans in place, and makes one of those that overlap or adjoin.
func joined(spans []digitSpan) []digitSpan {
	slices.SortFunc(spans, byFirst)
	apart := spans[:0]
	for _, s := range spans {
		if n := len(apart); n > 0 && s.first <= apart[n-1].last+1 {
			apart[n-1].last = max(apart[n-1].last, s.last)
			continue
		}
		apart = append(apart, s)
	}
	return slices.Clip(apart)
}

func byFirst(a, b digitSpan) int { return cmp.Compare(a.first, b.first) }

// begunBy gives the place of the last of the sorted spans that begins no later than at first; -1 for none.
func begunBy(spans []digitSpan, first uint64) int {
	after, _ := slices.BinarySearchFunc(spans, first, func(s digitSpan, first uint64) int {
		if s.first <= first {
			return -1
		}
		return 1
	})
	return after - 1
}

// contain reports whether one of the spans holds the whole of s. They are sorted, and apart or such that each reaches as far
// as those before it.
func contain(spans []digitSpan, s digitSpan) bool {
	at := begunBy(spans, s.first)
	return at >= 0 && spans[at].last >= s.last
}

func containRange(spans []digitSpan, r tn.Range) bool {
	span, ok := digitsOf(r)
	return ok && contain(spans, span)
}

// meeting gives the spans of the codes in which one of asked begins, sorted by their first numbers, and lets each reach as
// far as any before it; it sorts asked. A list may name thousands of codes and its child thousands of numbers: of each
// code, the shorter list is gone through and the longer one searched. What it gives is no longer than asked, times the
// codes to which the data give the same number.
func (d *NumberData) meeting(spcs map[string]bool, asked []digitSpan) []digitSpan {
	slices.SortFunc(asked, byFirst)
	var met []digitSpan
	for spc := range spcs {
		spans := d.of(spc)
		if len(spans) <= len(asked) {
			for _, s := range spans {
				if at, _ := slices.BinarySearchFunc(asked, s, byFirst); at < len(asked) && asked[at].first <= s.last {
					met = append(met, s)
				}
			}
			continue
		}
		own := len(met)
		for _, s := range asked {
			at := begunBy(spans, s.first)
			if at < 0 || spans[at].last < s.first || len(met) > own && met[len(met)-1] == spans[at] {
				continue
			}
			met = append(met, spans[at])
		}
	}
	slices.SortFunc(met, byFirst)
	for i := 1; i < len(met); i++ {
		met[i].last = max(met[i].last, met[i-1].last)
	}
	return met
}

// holdAll reports whether each of asked lies within one of the spans that were met.
func holdAll(met, asked []digitSpan) bool {
	return !slices.ContainsFunc(asked, func(s digitSpan) bool { return !contain(met, s) })
}

// of gives the numbers of a code.
func (d *NumberData) of(spc string) []digitSpan {
	if d == nil {
		return nil
	}
	return d.holders[spc]
}

// anybody gives the numbers of all codes.
func (d *NumberData) anybody() []digitSpan {
	if d == nil {
		return nil
	}
	return d.all
}

// Holds reports whether all numbers of r belong to a provider code.
func (d *NumberData) Holds(spc string, r tn.Range) bool { return containRange(d.of(spc), r) }

// HoldsNumber says whether the list is authority for n, and whether that can be known: what is listed as a number is, and
// so is what the data say of listed provider codes. A list with a provider code and a number of which the data know
// nothing is not known.
func (l TNAuthList) HoldsNumber(n tn.Number, data *NumberData) (holds, known bool) {
	if l.HasNumber(n) {
		return true, true
	}
	r, err := tn.NewRange(n, 1)
	if err != nil {
		return false, true
	}
	if slices.ContainsFunc(l.SPCs, func(spc string) bool { return data.Holds(spc, r) }) {
		return true, true
	}
	return false, len(l.SPCs) == 0 || containRange(data.anybody(), r)
}
