package stircert

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/tn"
)

// Limits of number data. A country of the size of the United States has about a million blocks, some thousand provider
// codes, and more ported numbers than rows fit.
const (
	NumberDataRowsMax      = 10_000_000
	NumberDataLineBytesMax = 256
	NumberDataSPCsMax      = 100_000 // different provider codes
	NumberDataSharedMax    = 10_000  // provider codes with the very same block
	NumberDataOverlapsMax  = 1 << 20 // places where blocks overlap of which neither lies within the other, and the one that begins first decides
)

// ErrNumberData is wrapped by every error of reading number data.
var ErrNumberData = errors.New("these are not number data")

// NumberData tells which numbers belong to which service provider codes. No certificate says that, and RFC 9060 §4 leaves
// it to local policy where one knows it from. The nil NumberData knows of no number. It does not change once made and is
// safe to share.
//
// It answers two questions in two ways, because a ported number has two rows: its own, and the block that it lies in.
// [NumberData.SPCs] says whom a number belongs to now: the row for the fewest numbers decides. [NumberData.Holds] says
// what a code may speak for, and there all rows count: a certificate for a block is not wrong as a whole because some number
// in it has been ported.
//
// A row takes 16 bytes, and each block that rows of one code make up together 8 more.
type NumberData struct {
	codes map[string]uint32 // place of each code in names
	names []string          // in the order of the file
	rows  []numberRow       // sorted, without repetitions
	way   ladder            // through rows
	bent  []bentSpan        // where the row that begins last does not decide, sorted and apart

	held  []heldSpan // of each code in turn, sorted and apart
	begin []uint32   // of each code in held, and the end of the last
}

// digitSpan is a block of numbers of one length: the numbers as integers, with a 1 in front that keeps the lengths apart.
type digitSpan struct{ first, last uint64 }

// heldSpan is a block that rows of one code make up together: it begins as the row at from does and ends as that at to.
type heldSpan struct{ from, to uint32 }

// ParseNumberData reads lines of the form `spc,first` or `spc,first,count`: count numbers from first on, at most
// [BlockNumbersMax], in canonical form as tn.ParseNumber has it. Blank lines and those that begin with # are passed over. The error wraps [ErrNumberData], tells
// the line where it is one line that is wrong, and repeats nothing of it.
//
// If r is an io.Seeker that can be set back it is read twice, so that no more memory is taken than the data need.
func ParseNumberData(r io.Reader) (*NumberData, error) {
	return parseNumberData(r, NumberDataRowsMax, NumberDataOverlapsMax)
}

func parseNumberData(r io.Reader, rowsMax, overlapsMax int) (*NumberData, error) {
	d := &NumberData{codes: make(map[string]uint32)}
	if n := countLines(r); n > 0 {
		d.rows = make([]numberRow, 0, min(n, rowsMax))
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, NumberDataLineBytesMax), NumberDataLineBytesMax)
	line := 0
	for lines.Scan() {
		line++
		text := bytes.TrimSpace(lines.Bytes())
		if line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		err := d.add(text)
		if len(d.rows) > rowsMax {
			err = fmt.Errorf("more than %d rows", rowsMax)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrNumberData, line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: line %d: %w", ErrNumberData, line+1, err)
	}
	if err := d.settle(overlapsMax); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNumberData, err)
	}
	return d, nil
}

// countLines tells how many lines r has from where it stands, and sets it back; 0 when it cannot be set back.
func countLines(r io.Reader) int {
	s, ok := r.(io.ReadSeeker)
	if !ok {
		return 0
	}
	start, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0
	}
	n := 1 // the last one may have no end
	buffer := make([]byte, 64<<10)
	for err == nil {
		var read int
		read, err = s.Read(buffer)
		n += bytes.Count(buffer[:read], []byte{'\n'})
	}
	if _, err := s.Seek(start, io.SeekStart); err != nil {
		return 0 // what was read is gone, and so are the numbers: reading on fails, or finds no rows
	}
	return n
}

// add takes one row. It allocates nothing: ten million rows would leave more behind than they take.
func (d *NumberData) add(row []byte) error {
	spc, numbers, found := bytes.Cut(row, []byte{','})
	if !found || !visibleASCII(spc, SPCLengthMax) {
		return fmt.Errorf("not a provider code of 1 to %d visible characters, a comma and a number", SPCLengthMax)
	}
	start, countText, isBlock := bytes.Cut(numbers, []byte{','})
	count := uint64(1)
	if isBlock {
		var err error
		if count, err = strconv.ParseUint(string(countText), 10, 64); err != nil {
			return errors.New("the count is not a number")
		}
	}
	if count > BlockNumbersMax {
		return fmt.Errorf("the count is above %d: a row is a provider code, the first number and how many there are", BlockNumbersMax)
	}
	first, end, ok := digits(start)
	if !ok || count == 0 || count > end-first {
		return refusal(string(start), count)
	}
	id, known := d.codes[string(spc)]
	if !known {
		if id = uint32(len(d.names)); id >= NumberDataSPCsMax {
			return fmt.Errorf("more than %d provider codes", NumberDataSPCsMax)
		}
		name := string(spc)
		d.codes[name], d.names = id, append(d.names, name)
	}
	d.rows = append(d.rows, newNumberRow(digitSpan{first, first + count - 1}, id))
	return nil
}

// digits gives a number as an integer with a 1 in front, and the one behind the last of its length; none for a text that
// is no number or has # or *.
func digits[T ~string | ~[]byte](text T) (value, end uint64, ok bool) {
	if len(text) == 0 || len(text) > tn.NumberLengthMax {
		return 0, 0, false
	}
	value, end = 1, 2
	for i := range len(text) {
		digit := text[i] - '0'
		if digit > 9 {
			return 0, 0, false
		}
		value, end = 10*value+uint64(digit), 10*end
	}
	return value, end, true
}

// refusal says why a row is none.
func refusal(start string, count uint64) error {
	first, err := tn.ParseNumber(start)
	if err != nil {
		return err
	}
	if strings.ContainsAny(start, "#*") {
		return errors.New("a number with # or * belongs to no provider")
	}
	_, err = tn.NewRange(first, count)
	return err
}

// digitsOf gives a range as integers; none for one with # or *.
func digitsOf(r tn.Range) (digitSpan, bool) {
	first, _, ok := digits(r.Start().String())
	if !ok {
		return digitSpan{}, false
	}
	return digitSpan{first, first + r.Count() - 1}, true
}

// settle makes of the rows what is searched.
func (d *NumberData) settle(overlapsMax int) error {
	slices.SortFunc(d.rows, byPlace)
	d.rows = slices.Clip(slices.Compact(d.rows))
	if len(d.rows) == 0 {
		return nil
	}
	if n := mostShared(d.rows); n > NumberDataSharedMax {
		return fmt.Errorf("more than %d provider codes have the same block", NumberDataSharedMax)
	}
	d.way = ladderOf(d.rows)
	if err := d.bend(overlapsMax); err != nil {
		return err
	}
	d.hold()
	return nil
}

// hold collects the rows of each code, which are sorted already, and joins those that touch.
func (d *NumberData) hold() {
	ends := make([]uint32, len(d.names)+1)
	for _, r := range d.rows {
		ends[r.spc()+1]++
	}
	for id := range d.names {
		ends[id+1] += ends[id]
	}
	d.held, d.begin = make([]heldSpan, len(d.rows)), ends
	next := slices.Clone(ends)
	for i, r := range d.rows {
		d.held[next[r.spc()]] = heldSpan{uint32(i), uint32(i)}
		next[r.spc()]++
	}
	n := uint32(0)
	for id := range d.names {
		own := d.held[d.begin[id]:ends[id+1]]
		d.begin[id] = n
		n += uint32(len(d.joined(own, d.held[n:n])))
	}
	d.begin[len(d.names)] = n
	if d.held = d.held[:n]; int(n) < cap(d.held)/2 {
		d.held = slices.Clone(d.held)
	}
}

// joined appends to apart what becomes of sorted spans when those that overlap or adjoin are one. apart may lie in the same
// array before spans.
func (d *NumberData) joined(spans, apart []heldSpan) []heldSpan {
	for _, s := range spans {
		if n := len(apart); n > 0 && d.rows[s.from].first() <= d.rows[apart[n-1].to].last()+1 {
			if d.rows[s.to].last() > d.rows[apart[n-1].to].last() {
				apart[n-1].to = s.to
			}
			continue
		}
		apart = append(apart, s)
	}
	return apart
}

// of gives the blocks of a code.
func (d *NumberData) of(spc string) []heldSpan {
	if d == nil {
		return nil
	}
	id, known := d.codes[spc]
	if !known {
		return nil
	}
	return d.held[d.begin[id]:d.begin[id+1]]
}

func (d *NumberData) span(s heldSpan) digitSpan {
	return digitSpan{d.rows[s.from].first(), d.rows[s.to].last()}
}

// begun gives the last of sorted blocks that begins no later than at first.
func (d *NumberData) begun(spans []heldSpan, first uint64) (digitSpan, bool) {
	after, _ := slices.BinarySearchFunc(spans, first, func(s heldSpan, first uint64) int {
		return notAfter(d.rows[s.from].first(), first)
	})
	if after == 0 {
		return digitSpan{}, false
	}
	return d.span(spans[after-1]), true
}

// notAfter orders what begins at first before number also when they are equal: a search finds the place behind it.
func notAfter(first, number uint64) int {
	if first <= number {
		return -1
	}
	return 1
}

// Holds reports whether all numbers of r are in the rows of a provider code.
func (d *NumberData) Holds(spc string, r tn.Range) bool {
	asked, ok := digitsOf(r)
	if !ok || r.IsZero() {
		return false
	}
	s, ok := d.begun(d.of(spc), asked.first)
	return ok && asked.last <= s.last
}

// SPCs gives the provider codes that a number belongs to now, mostly one, in the order in which the data first name them;
// none when the data do not know the number. The slice is shared and not to be changed.
//
// Of the rows that have the number, the one for the fewest numbers decides, of equally many the one that begins last:
// a number or a block that has been ported belongs to its new provider alone, also where it reaches beyond a block of the
// old one. Codes with the very same row share it.
func (d *NumberData) SPCs(n tn.Number) []string {
	at := d.deciding(n)
	if at < 0 {
		return nil
	}
	row := d.rows[at]
	if at == 0 || d.rows[at-1].span() != row.span() {
		id := row.spc()
		return d.names[id : id+1 : id+1]
	}
	from := at
	for from > 0 && d.rows[from-1].span() == row.span() {
		from--
	}
	shared := make([]string, 0, at-from+1)
	for _, r := range d.rows[from : at+1] {
		shared = append(shared, d.names[r.spc()])
	}
	return shared
}

// Rows is how many different rows there are.
func (d *NumberData) Rows() int {
	if d == nil {
		return 0
	}
	return len(d.rows)
}

// deciding gives the last of the equal rows that say whom a number belongs to; -1 for none.
func (d *NumberData) deciding(n tn.Number) int {
	number, _, ok := digits(n.String())
	if !ok || d == nil {
		return -1
	}
	if at, ok := bentAt(d.bent, number); ok {
		return at
	}
	return d.way.reaching(d.rows, d.way.begunBy(d.rows, number), number)
}

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
	return false, len(l.SPCs) == 0 || data.deciding(n) >= 0
}
