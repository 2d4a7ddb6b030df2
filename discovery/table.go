package discovery

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viaduct-oob/viaduct/discovery/internal/blocks"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// Limits of a table of CPSs.
const (
	TableNumbersMax   = 10_000_000 // rows of one number each
	TableRangesMax    = 1_000_000
	TableSPCsMax      = 100_000
	TableURLsMax      = 100_000 // that differ; rows of URLs that are the same share them
	TableLineBytesMax = 64 + URLsMax*(URLBytesMax+1)
)

// ErrTable is wrapped by every error of reading a table.
var ErrTable = errors.New("this is not a table of CPSs")

// Table tells which CPSs belong to which numbers and providers. It does not change once made, and is safe to share. A row
// of one number takes 16 bytes.
type Table struct {
	urls [][]string // the rest refers to them by place

	numbers numbers
	count   int // of them
	special map[tn.Number]uint32
	ranges  blocks.Index // to places in blocks
	blocks  []block
	spcs    map[string]uint32
}

type block struct {
	resource stircert.Resource
	urls     uint32
}

// ParseTable reads lines of the form `resource,url` or `resource,url,url…`, best first: a resource as RFC 9888 §4 writes
// it, and base URLs of its CPSs. Blank lines and those that begin with # are passed over. A resource stands once. The error
// wraps [ErrTable], tells the line and repeats nothing of it.
func ParseTable(r io.Reader) (*Table, error) {
	b := &tableBuilder{places: make(map[string]uint32), seen: make(map[stircert.Resource]bool)}
	b.special, b.spcs = make(map[tn.Number]uint32), make(map[string]uint32)
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, TableLineBytesMax), TableLineBytesMax)
	for lines.Scan() {
		b.line++
		text := bytes.TrimSpace(lines.Bytes())
		if b.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if err := b.add(text); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTable, b.line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrTable, b.line+1, err)
	}
	if err := b.settle(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTable, err)
	}
	table := b.Table
	return &table, nil
}

// chunkRows is how many rows are kept in one piece until their count is known.
const chunkRows = 1 << 19

type tableBuilder struct {
	Table
	line   uint32
	places map[string]uint32          // of URLs as they are written
	chunks [][]row                    // of single numbers
	seen   map[stircert.Resource]bool // ranges
	spans  []blocks.Block
}

type row struct {
	order      uint64
	urls, line uint32
}

func (b *tableBuilder) add(text []byte) error {
	key, urls, found := bytes.Cut(text, []byte(","))
	if !found {
		return errors.New("not a resource, a comma and a URL")
	}
	place, err := b.place(urls)
	if err != nil {
		return err
	}
	if digits, one := bytes.CutPrefix(key, []byte("2-")); one { // most rows: shorter than the way below
		n, err := tn.ParseNumber(string(digits))
		if err != nil {
			return err
		}
		return b.addNumber(n, place)
	}
	resource, err := stircert.ParseResource(string(key))
	switch {
	case err != nil:
		return err
	case resource.SPC() != "":
		return addOnce(b.spcs, resource.SPC(), place, TableSPCsMax)
	}
	return b.addRange(resource, place)
}

// place reads URLs, and gives where they are kept.
func (b *tableBuilder) place(text []byte) (uint32, error) {
	if place, known := b.places[string(text)]; known {
		return place, nil
	}
	if len(b.urls) >= TableURLsMax {
		return 0, fmt.Errorf("more than %d different lists of URLs", TableURLsMax)
	}
	var urls []string
	for field := range strings.SplitSeq(string(text), ",") {
		url, err := BaseURL(strings.TrimSpace(field))
		if err != nil {
			return 0, err
		}
		if urls = append(urls, url); len(urls) > URLsMax {
			return 0, fmt.Errorf("more than %d URLs", URLsMax)
		}
	}
	place := uint32(len(b.urls))
	b.urls = append(b.urls, urls)
	b.places[string(text)] = place
	return place, nil
}

var errTwice = errors.New("the resource stands further up, too")

func addOnce[K comparable](to map[K]uint32, key K, place uint32, most int) error {
	if _, twice := to[key]; twice {
		return errTwice
	}
	if len(to) >= most {
		return fmt.Errorf("more than %d of this kind", most)
	}
	to[key] = place
	return nil
}

func (b *tableBuilder) addRange(resource stircert.Resource, place uint32) error {
	if len(b.blocks) >= TableRangesMax {
		return fmt.Errorf("more than %d ranges", TableRangesMax)
	}
	if b.seen[resource] {
		return errTwice
	}
	b.seen[resource] = true
	span, ok := blocks.Of(resource.Numbers(), uint32(len(b.blocks)))
	if !ok {
		return stircert.ErrResource
	}
	b.spans, b.blocks = append(b.spans, span), append(b.blocks, block{resource, place})
	return nil
}

func (b *tableBuilder) addNumber(n tn.Number, place uint32) error {
	order, ok := blocks.Order(n)
	if !ok {
		return addOnce(b.special, n, place, TableSPCsMax)
	}
	if b.count++; b.count > TableNumbersMax {
		return fmt.Errorf("more than %d numbers", TableNumbersMax)
	}
	last := len(b.chunks) - 1
	if last < 0 || len(b.chunks[last]) == chunkRows {
		b.chunks, last = append(b.chunks, make([]row, 0, min(chunkRows, max(1024, b.count)))), last+1
	}
	b.chunks[last] = append(b.chunks[last], row{order, place, b.line})
	return nil
}

// settle makes the rows be found, and refuses what stands twice.
func (b *tableBuilder) settle() error {
	b.ranges = blocks.NewIndex(b.spans)
	b.numbers = newNumbers(b.count)
	for i, chunk := range b.chunks {
		for _, r := range chunk {
			if !b.numbers.add(r.order, r.urls) {
				return fmt.Errorf("line %d: %w", r.line, errTwice)
			}
		}
		b.chunks[i] = nil // what is not needed any more makes room
	}
	return nil
}

// Len is the count of rows.
func (t *Table) Len() int { return t.count + len(t.special) + len(t.blocks) + len(t.spcs) }

// Find gives the CPSs of a number or, where there is none, of a provider, and what they stand for: a number before the
// narrowest range before a provider. Of neither there are none. The slice is shared: read only.
func (t *Table) Find(n tn.Number, spc string) ([]string, stircert.Resource) {
	if order, ok := blocks.Order(n); ok {
		if place, found := t.numbers.find(order); found {
			return t.urls[place], numberResource(n)
		}
		if id, found := t.ranges.Find(order); found {
			return t.urls[t.blocks[id].urls], t.blocks[id].resource
		}
	} else if place, found := t.special[n]; found {
		return t.urls[place], numberResource(n)
	}
	if place, found := t.spcs[spc]; found {
		resource, err := stircert.ResourceOfSPC(spc)
		if err == nil {
			return t.urls[place], resource
		}
	}
	return nil, stircert.Resource{}
}

func numberResource(n tn.Number) stircert.Resource {
	numbers, err := tn.NewRange(n, 1)
	if err != nil {
		return stircert.Resource{}
	}
	return stircert.ResourceOf(numbers)
}
