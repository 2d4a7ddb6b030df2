package store

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// key is an [oob.Key] in 24 bytes without a pointer.
//
//	dest, orig   length of the number in the top 4 bits, then its characters in 4 bits each, the last in the lowest.
//	             So keys sort by length of number, then by number, and a block of numbers is one interval.
//	             Length 0 is a URI: the lower bits are its id in names. All bits 0 is nobody.
//	realm        the Profile in the top byte; below, an SPC of up to 7 visible ASCII characters itself, which is all
//	             that are in use, and any other as 0xFF and its id in names.
type key struct {
	dest, orig, realm uint64
}

const (
	lengthShift  = 60
	profileShift = 56
	spcPacked    = 7     // longest SPC that needs no id
	spcByID      = 0xFF  // in place of the first character of an SPC
	spcIDBits    = 6 * 8 // below that
	digits       = "0123456789*#"
)

// pack gives the key of k; id gives the ids of texts that do not fit in. It reports false when id does.
func pack(k oob.Key, id func(text string) (uint64, bool)) (key, bool) {
	dest, ok := packIdentity(k.Dest, id)
	if !ok {
		return key{}, false
	}
	orig, ok := packIdentity(k.Orig, id)
	if !ok {
		return key{}, false
	}
	spc, ok := packSPC(k.SPC, id)
	return key{dest: dest, orig: orig, realm: uint64(k.Profile)<<profileShift | spc}, ok
}

func (k key) profile() oob.Profile { return oob.Profile(k.realm >> profileShift) }

func packIdentity(identity tn.Identity, id func(string) (uint64, bool)) (uint64, bool) {
	if identity.IsZero() {
		return 0, true
	}
	if n, ok := identity.Number(); ok {
		return packNumber(n), true
	}
	return id(identity.String())
}

func packNumber(n tn.Number) uint64 {
	text := n.String()
	packed := uint64(0)
	for i := range len(text) {
		packed = packed<<4 | packDigit(text[i])
	}
	return packed | uint64(len(text))<<lengthShift
}

// packDigit gives the place of a character of a number in digits.
func packDigit(c byte) uint64 {
	switch c {
	case '*':
		return 10
	case '#':
		return 11
	}
	return uint64(c - '0')
}

// isNumber tells a packed number from a URI or nobody.
func isNumber(packed uint64) bool { return packed>>lengthShift != 0 }

// interval gives the packed first and last numbers of a range.
func interval(r tn.Range) (first, last uint64) {
	first = packNumber(r.Start())
	start, err := strconv.ParseUint(r.Start().String(), 10, 64)
	if err != nil {
		return first, first // it has * or #, which only a range of one may have
	}
	last = first &^ (1<<lengthShift - 1)
	for i, v := 0, start+r.Count()-1; v > 0; i, v = i+1, v/10 {
		last |= v % 10 << (4 * i)
	}
	return first, last
}

func unpackNumber(packed uint64) (tn.Number, error) {
	var text [tn.NumberLengthMax]byte
	length := int(packed >> lengthShift)
	for i := range length {
		text[i] = digits[packed>>(4*(length-1-i))&0xF]
	}
	return tn.ParseNumber(string(text[:length]))
}

func packSPC(spc string, id func(string) (uint64, bool)) (uint64, bool) {
	if len(spc) > spcPacked || !visible(spc) {
		n, ok := id(spc)
		return spcByID<<spcIDBits | n, ok
	}
	packed := uint64(0)
	for i := range len(spc) {
		packed = packed<<8 | uint64(spc[i])
	}
	return packed, true
}

func visible(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// names gives ids to the texts that do not fit into a key: URIs and unusual SPCs. A text has its id for as long as any
// record needs it. An id is never given twice, so that a reader who looked one up a moment ago can at worst find
// nothing.
type names struct {
	mu     sync.RWMutex
	byText map[string]*name
	byID   map[uint64]*name
	last   uint64
}

type name struct {
	text    string
	id      uint64
	records int // that have it in their key, each occurrence counted
}

func newNames() *names {
	return &names{byText: map[string]*name{}, byID: map[uint64]*name{}}
}

// find gives the key under which k would be found, and false when nothing can be there.
func (n *names) find(k oob.Key) (key, bool) {
	return pack(k, n.id)
}

// unpack gives the key that k is of, and false when it has a text that is not known any more.
func (n *names) unpack(k key) (oob.Key, bool) {
	dest, destKnown := n.identity(k.dest)
	orig, origKnown := n.identity(k.orig)
	spc, spcKnown := n.spc(k.realm)
	if !destKnown || !origKnown || !spcKnown {
		return oob.Key{}, false
	}
	return oob.Key{Profile: k.profile(), SPC: spc, Dest: dest, Orig: orig}, true
}

// identity undoes packIdentity.
func (n *names) identity(packed uint64) (tn.Identity, bool) {
	if packed == 0 {
		return tn.Identity{}, true
	}
	if isNumber(packed) {
		number, err := unpackNumber(packed)
		return tn.Of(number), err == nil
	}
	text, ok := n.text(packed)
	if !ok {
		return tn.Identity{}, false
	}
	uri, err := tn.ParseURI(text)
	return uri, err == nil
}

// spc undoes packSPC.
func (n *names) spc(realm uint64) (string, bool) {
	if realm>>spcIDBits&0xFF == spcByID {
		return n.text(realm & (1<<spcIDBits - 1))
	}
	var text [spcPacked]byte
	at := len(text)
	for rest := realm & (1<<profileShift - 1); rest != 0; rest >>= 8 {
		at--
		text[at] = byte(rest)
	}
	return string(text[at:]), true
}

// text gives what an id was given to.
func (n *names) text(id uint64) (string, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	known, ok := n.byID[id]
	if !ok {
		return "", false
	}
	return known.text, true
}

// hold gives the key of k for a new record, whose end must be told to release.
func (n *names) hold(k oob.Key) key {
	held, _ := pack(k, n.take)
	return held
}

// release undoes one hold.
func (n *names) release(k key) {
	for _, packed := range [...]uint64{k.dest, k.orig} {
		if packed != 0 && !isNumber(packed) {
			n.drop(packed)
		}
	}
	if k.realm>>spcIDBits&0xFF == spcByID {
		n.drop(k.realm & (1<<spcIDBits - 1))
	}
}

func (n *names) id(text string) (uint64, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	known, ok := n.byText[text]
	if !ok {
		return 0, false
	}
	return known.id, true
}

func (n *names) take(text string) (uint64, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known, ok := n.byText[text]
	if !ok {
		n.last++
		known = &name{text: strings.Clone(text), id: n.last}
		n.byText[known.text] = known
		n.byID[known.id] = known
	}
	known.records++
	return known.id, true
}

func (n *names) drop(id uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known, ok := n.byID[id]
	if !ok {
		return
	}
	if known.records--; known.records == 0 {
		delete(n.byText, known.text)
		delete(n.byID, id)
	}
}

// packTokens puts a list of PASSporTs into one text: when it is one, the PASSporT itself, otherwise the length of each in 4
// bytes, then all of them.
func packTokens(tokens []string) string {
	if len(tokens) == 1 {
		return tokens[0]
	}
	var b strings.Builder
	b.Grow(4*len(tokens) + tokenBytes(tokens))
	for _, token := range tokens {
		n := len(token)
		b.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	for _, token := range tokens {
		b.WriteString(token)
	}
	return b.String()
}

// unpackTokens appends the count PASSporTs that were packed into text. They share its memory.
func unpackTokens(into []string, text string, count int) []string {
	if count == 1 {
		return append(into, text)
	}
	rest := text[4*count:]
	for i := range count {
		head := text[4*i:]
		n := int(head[0])<<24 | int(head[1])<<16 | int(head[2])<<8 | int(head[3])
		into = append(into, rest[:n])
		rest = rest[n:]
	}
	return into
}

func tokenBytes(tokens []string) int {
	n := 0
	for _, token := range tokens {
		n += len(token)
	}
	return n
}

// nanos is t in ns since 1970, kept within what can be so expressed.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < 0:
		return 0
	case s >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func instant(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }
