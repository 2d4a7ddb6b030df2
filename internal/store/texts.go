package store

// texts keeps the PASSporTs of one shelf, cut into blocks that lie in chunks which never move, for two reasons. The garbage
// collector finds no pointer in them, and so looks at none of them, however many records there are. And what becomes free
// fits whatever comes next, so that all together never need more than the most that ever lay there at one time.
//
// A text is a ring of blocks, named by its last: that leads to the first, so that a whole ring becomes free by one
// exchange. The ref 0 is the empty text. texts has no lock.
type texts struct {
	chunks []*[chunkBlocks]block
	made   uint32 // blocks ever in use; the refs given out
	free   uint32 // first of those no longer in use, each leading to the next
}

const (
	// blockBytes makes a block as long as a line of the processor's caches.
	blockBytes = 60

	// chunkBlocks makes a chunk of 256 KiB, four times one of chunkNodes: of all chunks, most would be of texts. Though a collection
	// does not look into a chunk, it has to mark and to sweep each; and who allocates while it runs helps it by so many bytes of
	// pointers, of which those to chunks are the dearest. A larger one takes longer to clear, under the lock of its shelf.
	chunkBlocks = 4096
)

type block struct {
	next uint32
	text [blockBytes]byte
}

// at gives the block of a ref that is not 0.
func (t *texts) at(ref uint32) *block {
	i := ref - 1
	return &t.chunks[i/chunkBlocks][i%chunkBlocks]
}

// put keeps a text, and gives the ref of its last block.
func (t *texts) put(text string) (last uint32) {
	first := uint32(0)
	for len(text) > 0 {
		ref := t.alloc()
		b := t.at(ref)
		text = text[copy(b.text[:], text):]
		if last == 0 {
			first = ref
		} else {
			t.at(last).next = ref
		}
		last = ref
	}
	if last != 0 {
		t.at(last).next = first
	}
	return last
}

func (t *texts) alloc() uint32 {
	if ref := t.free; ref != 0 {
		t.free = t.at(ref).next
		return ref
	}
	if int(t.made) == len(t.chunks)*chunkBlocks {
		t.chunks = append(t.chunks, new([chunkBlocks]block))
	}
	t.made++
	return t.made
}

// drop gives the blocks of a text free.
func (t *texts) drop(last uint32) {
	if last != 0 {
		b := t.at(last)
		b.next, t.free = t.free, b.next
	}
}

// read copies a text into what is as long.
func (t *texts) read(into []byte, last uint32) {
	for ref := last; len(into) > 0; {
		ref = t.at(ref).next
		into = into[copy(into, t.at(ref).text[:]):]
	}
}

// is tells whether the text of so many bytes is equal to another.
func (t *texts) is(last uint32, length int, text string) bool {
	if len(text) != length {
		return false
	}
	for ref := last; len(text) > 0; {
		ref = t.at(ref).next
		n := min(len(text), blockBytes)
		if string(t.at(ref).text[:n]) != text[:n] {
			return false
		}
		text = text[n:]
	}
	return true
}
