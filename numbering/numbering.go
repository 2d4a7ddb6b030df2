// Package numbering tells which service provider codes numbers belong to now, portability included: from a file, from an
// HTTP interface, from the DNS, or from several of these in turn. All are [oob.Numbering].
//
// Knows: number files, how long an answer may be believed, servers that hang or lie. Never hears of: calls, PASSporTs,
// certificates, who may read what.
//
// # What decides
//
// The entry for the fewest numbers does. A number in an entry of its own has been ported to the provider named there, and
// belongs to nobody else; of two blocks of which one lies within the other, the inner one has been handed on. Several codes
// in entries for equally many numbers share it. It has to be so for RFC 9888 §10: the provider that a number has been ported
// away from keeps its block, and could else go on reading who calls that number.
//
// # Failures
//
// Errors are [oob.Fault]: NotFound when nothing is known of a number, PeerTimeout, PeerFailed or Overloaded when the answer could
// not be had. No error text has a number.
//
// # Limits
//
// [SPCsMax] and those of [CacheConfig], [HTTPConfig] and [FileConfig].
package numbering
