// Package trace keeps what happened to each call, so that an operator can be shown why it was answered as it was, and so
// that a traceback is answered from what was seen: one record for each leg of a call, with every step, in bounded memory,
// handed on as JSON lines, to a webhook, and to a capture server in HEP3.
//
// Knows: the record of a call leg and its JSON form, what of it may be shown to whom, how long it is kept, where it goes.
// Never hears of: SIP stacks, what the steps decide, shelves and credentials, metrics.
//
// Nothing here can fail or delay a call: a method of [Call] takes a lock that is never held for longer than a copy, and
// what does not fit is left out and counted in [Stats].
package trace
