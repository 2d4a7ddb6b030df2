package siptx_test

import (
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// TestReadingTakesTimeInProportion: a message that is eight times as long as another of its kind takes no more than some thirty
// times as long to read, where one that is read in squares takes sixty-four. The quickest of several tries counts: what else the machine
// does only makes a try slower.
func TestReadingTakesTimeInProportion(t *testing.T) {
	const short, tries, most = 7000, 7, 30
	effort := func(text string) time.Duration {
		least := time.Hour
		for range tries {
			began := time.Now()
			_, _ = siptx.Read(text) // whether it is well-formed is all the same here
			if least = min(least, time.Since(began)); least > 20*time.Millisecond {
				break // slow enough
			}
		}
		return least
	}
	for _, field := range []string{"X", "Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Require"} {
		for _, filling := range []string{";", ":", ",", "<", ">", "\"", "\\", "\"\"", "%", "=", "@", "[", "a", " ", "\t", "\r\n ", "\r\n a", ";a", ";a=b", "<>;", "a,"} {
			for _, end := range []string{"", "<sip:a@b>;tag=1", "\"<sip:a@b>;tag=1", "\r\n <sip:a@b>;tag=1"} {
				message := func(n int) string {
					return invite("z9hG4bK1", field, strings.Repeat(filling, n/len(filling))+end)
				}
				small := max(effort(message(short)), 100*time.Microsecond)
				large := effort(message(8 * short))
				for again := 0; large > most*small && again < 10; again++ {
					large = min(large, effort(message(8*short)))
				}
				if large > most*small {
					t.Errorf("%s of %q and %q: %v for %d bytes, %v for eight times as many", field, filling, end, small, short, large)
				}
			}
		}
	}
}
