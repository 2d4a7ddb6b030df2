package store

import (
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Config bounds the shelf. The zero value is usable: every field that is zero has the default that its comment gives.
// What they come to in memory, Memory tells. A record takes what its PASSporTs take, a fifteenth of that more, and at most 240
// bytes, the use of its token included: 300 in all for PASSporTs of 900. One that is consumed leaves 64 bytes until it would
// have expired, and 68 until it cannot be published again. The feed takes 24 bytes for each of FeedRecords, whether there are
// as many or not.
type Config struct {
	Now func() time.Time // the clock; default time.Now

	Records int64 // records in all; default 1,000,000
	Bytes   int64 // bytes of PASSporTs in all; default 1 GiB
	Tokens  int64 // token uses remembered, of publishing and of reading; default 4,000,000

	KeyRecords          int   // live records under one key; default 64
	KeyPublisherRecords int   // those of one publisher among them; default 32, so that no publisher can fill a key alone
	PublisherRecords    int64 // records of one publisher; default 250,000
	PublisherBytes      int64 // bytes of PASSporTs of one publisher; default 256 MiB

	FeedProfiles []oob.Profile // what is fed to those who subscribe, see [Feed]; empty: nothing, and no cost
	FeedRecords  int           // how many newest records of them a reader of the feed may be behind; default 1,000,000

	// Laid is told of each publication that was laid, on every node, while locks are held: it hands over and does not wait.
	Laid func(Event)
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	orDefault(&c.Records, 1_000_000)
	orDefault(&c.Bytes, 1<<30)
	orDefault(&c.Tokens, 4_000_000)
	orDefault(&c.KeyRecords, 64)
	orDefault(&c.KeyPublisherRecords, 32)
	orDefault(&c.PublisherRecords, 250_000)
	orDefault(&c.PublisherBytes, 256<<20)
	orDefault(&c.FeedRecords, 1_000_000)
	return c
}

// What Memory reckons with, in bytes; see record.
const (
	perRecord = 60 + 64 + 4 + 34 // its last block, its node, its head, its entry in the index
	perToken  = 40 + 4 + 64 + 4  // the nodes of a token use and of a tomb, for there may be most of each at its time, and their heads
	perPlace  = 24               // of the feed
	perShard  = 448 << 10        // its chunks of every kind that are not full
)

// Memory is the most that a shelf of this configuration can come to hold, in bytes. What many PASSporTs in one publication take
// besides, four bytes each, is not reckoned with.
func (c Config) Memory() int64 {
	c = c.withDefaults()
	most := c.Bytes + c.Bytes/15 + perRecord*c.Records + perToken*c.Tokens + perShard*shards
	if len(c.FeedProfiles) > 0 {
		most += perPlace * int64(c.FeedRecords)
	}
	return most
}

// most is the room in all.
func (c Config) most() room {
	return room{records: c.Records, bytes: c.Bytes, tokens: c.Tokens}
}

// quota is the room of one publisher.
func (c Config) quota() room {
	return room{records: c.PublisherRecords, bytes: c.PublisherBytes, tokens: c.Tokens}
}

func orDefault[N int | int64](setting *N, value N) {
	if *setting == 0 {
		*setting = value
	}
}
