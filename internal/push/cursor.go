package push

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"

	"github.com/viaduct-oob/viaduct/oob"
)

// cursors writes positions so that nobody else can read them: they count the calls of everybody. A cursor is one block, the
// name of the feed and a position, under a key that lives as long as the hub; so none can be made up, either.
type cursors struct {
	feed  [8]byte
	block cipher.Block
}

func newCursors(epoch string) cursors {
	var key [16]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 16 bytes is one
	}
	c := cursors{block: block}
	copy(c.feed[:], epoch)
	return c
}

// cursorCharacters is the length of a cursor: a block in base64url.
const cursorCharacters = 22

func (c *cursors) seal(position uint64) string {
	var block [aes.BlockSize]byte
	copy(block[:], c.feed[:])
	binary.BigEndian.PutUint64(block[8:], position)
	c.block.Encrypt(block[:], block[:])
	return base64.RawURLEncoding.EncodeToString(block[:])
}

// open reads a cursor, and tells whether it is of this feed. The empty one stands for the present. Fault: Malformed.
func (c *cursors) open(cursor string) (position uint64, known bool, err error) {
	if cursor == "" {
		return 0, true, nil
	}
	block, err := base64.RawURLEncoding.Strict().DecodeString(cursor[:min(len(cursor), cursorCharacters+1)])
	if err != nil || len(cursor) != cursorCharacters || len(block) != aes.BlockSize { // line breaks are skipped by the decoder
		return 0, false, oob.Faultf(oob.Malformed, "not a cursor")
	}
	c.block.Decrypt(block, block)
	return binary.BigEndian.Uint64(block[8:]), [8]byte(block) == c.feed, nil
}
