package discovery

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// Side says whose CPS is looked for. The documents disagree on where a PASSporT lies: with the provider of the called party
// (RFC 8816 §8.1, RFC 9888 §3), or where the certificate of the caller says (draft-sliwa-stir-cert-cps-ext-02).
type Side uint8

// The sides.
const (
	Dest Side = iota // of the called number
	Orig             // of the calling number
)

// String is the word for logs, metrics and the command line.
func (s Side) String() string {
	if s == Orig {
		return "orig"
	}
	return "dest"
}

// Question asks for the CPS of a number, of a provider, or of a certificate.
type Question struct {
	Side   Side
	Number tn.Number // zero when a provider is asked for
	SPC    string    // who holds Number, portability included, where the asker knows; looked up otherwise

	// Certificate is that of the caller, or our own, for the source that reads it; nil when there is none.
	Certificate *stircert.Certificate
}

// Finding is what one source knows.
type Finding struct {
	URLs     []string          // https, the base of the interface, best first; at least one
	Resource stircert.Resource // what it was published for
	Signer   string            // who said so: an SPC, or the name of a file; empty where nobody signs
	Issued   time.Time         // zero when the source does not say
	Fresh    time.Time         // until when it need not be asked for again; zero when the source does not say
	Expires  time.Time         // after which it must not be used, fresh or not; zero when the source does not say
	Detail   string            // for a person: a file and line, a record of the DNS; may hold numbers, never logged above debug
}

// Source is one place where the CPS of a number can be found. It is safe for concurrent use.
type Source interface {
	// Name is the word for configuration, logs and metrics.
	Name() string

	// Find answers one question: with SPC filled in if it can be known. The fault NotFound says that the source has nothing,
	// and is remembered as an answer; with any other error nothing is known. It does not outlast ctx.
	Find(ctx context.Context, q Question) (Finding, error)
}

// Nothing is what a Source answers when it has nothing.
func Nothing(format string, args ...any) *oob.Fault { return oob.Faultf(oob.NotFound, format, args...) }
