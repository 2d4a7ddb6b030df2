package store

import "time"

// Config bounds the shelf. The zero value is usable: every field that is zero has the default that its comment gives.
// A figure of memory: a record takes what its PASSporTs take and at most 300 bytes more, the use of its token included.
type Config struct {
	Now func() time.Time // the clock; default time.Now

	Records int64 // records in all; default 1,000,000
	Bytes   int64 // bytes of PASSporTs in all; default 1 GiB
	Tokens  int64 // token uses remembered, of publishing and of reading; default 4,000,000

	KeyRecords          int   // live records under one key; default 64
	KeyPublisherRecords int   // those of one publisher among them; default 32, so that no publisher can fill a key alone
	PublisherRecords    int64 // records of one publisher; default 250,000
	PublisherBytes      int64 // bytes of PASSporTs of one publisher; default 256 MiB
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
	return c
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
