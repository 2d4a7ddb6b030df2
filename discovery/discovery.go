// Package discovery finds the CPS of a number or of a provider.
//
// Knows: the [Source]s that may know, their order, the memory of what slow ones have said, a table that an operator has
// written ([File]), the extension of a certificate that names a CPS ([Certificate]). Never hears of: SIP, calls, what is
// done with a CPS. Advertisements are in package advert, the signed list of an STI-PA in package ocnlist.
//
// Read source.go for the contract, resolver.go for the order of things, memory.go for what is remembered and how nobody
// waits for a source that hangs.
//
// No document says how the sources stand to each other. Here the first that knows decides, in the order of the
// configuration; within one source a number stands before a range, the narrowest of them first, and a range before a
// provider.
//
// # Failures
//
// [Resolver.Resolve] has none: a call must not wait for discovery, and goes on without. What went wrong is in
// [Answer.Reasons].
//
// # Limits
//
// [URLBytesMax], [URLsMax]; of a table [TableNumbersMax], [TableRangesMax], [TableSPCsMax], [TableURLsMax],
// [TableLineBytesMax], [FileBytesMax]; of a slow source [Pace].
package discovery
