package wire

import (
	"errors"
	"strings"

	"github.com/viaduct-oob/viaduct/oob"
)

// FaultOf makes the Fault that an answer with an error status stands for. The kind is that of the slug where its row has
// this status, else the one that the status suggests. What the peer says of it becomes the cause, for the log, short and
// printable.
func FaultOf(status int, slug, said string) *oob.Fault {
	kind, ok := oob.KindOfSlug(slug)
	if !ok || kind.Row().HTTP != status {
		kind = kindOfStatus(status)
	}
	f := oob.Faultf(kind, "the CPS answered %d", status)
	if said != "" {
		_ = f.Because(errors.New(printable(said)))
	}
	return f
}

// kindOfStatus is for CPSs that are not ours (ATIS-1000096 §7 and its sources name these statuses).
func kindOfStatus(status int) oob.Kind {
	switch status {
	case 400:
		return oob.Malformed
	case 401:
		return oob.Unproven
	case 403:
		return oob.Refused
	case 404:
		return oob.NotFound
	case 405:
		return oob.WrongMethod
	case 406:
		return oob.NotAcceptable
	case 408:
		return oob.TooSlow
	case 413:
		return oob.TooLarge
	case 415:
		return oob.WrongMedia
	case 429:
		return oob.RateLimited
	case 503:
		return oob.Overloaded
	case 504:
		return oob.PeerTimeout
	}
	return oob.PeerFailed
}

// printable keeps what a peer says from breaking a log line, and short.
func printable(s string) string {
	const lengthMax = 200
	if len(s) > lengthMax {
		s = s[:lengthMax]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
}
