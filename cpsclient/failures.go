package cpsclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// failure is an attempt that did not succeed.
type failure struct {
	fault *oob.Fault
	again bool // another attempt may succeed
	sick  bool // the CPS gave no answer, or one that says that it is not well
	ours  bool // the CPS was not asked
}

// errOpen marks the fault of a CPS that was not asked.
var errOpen = errors.New("circuit breaker open")

// telling orders faults by how much they tell whoever has to do something about them.
func telling(f *oob.Fault) int {
	switch {
	case f.Kind == oob.NotFound: // of one CPS; while another has failed, nothing is known
		return 0
	case errors.Is(f, errOpen):
		return 1
	case f.Kind == oob.PeerTimeout:
		return 2
	case f.Kind == oob.PeerFailed:
		return 3
	case f.Kind.Row().HTTP >= http.StatusInternalServerError:
		return 4
	case f.Kind.Row().HTTP == http.StatusTooManyRequests:
		return 5
	}
	return 6 // a refusal: the configuration of one side is wrong
}

// silence is the failure of an attempt that err ended before there was an answer.
func silence(ctx context.Context, err error) *failure {
	var fault *oob.Fault
	again := true
	timeout, timed := errors.AsType[net.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case ctx.Err() != nil, timed && timeout.Timeout():
		fault = outOfTime()
	case untrusted:
		fault, again = oob.Faultf(oob.PeerFailed, "the TLS certificate of the CPS is not trusted"), false
	default:
		fault = oob.Faultf(oob.PeerFailed, "the CPS cannot be reached, or broke off")
	}
	return &failure{fault: fault.Because(blotted(err)), again: again, sick: true}
}

// nonsense is the failure of an attempt whose answer is not that of a CPS.
func nonsense(fault *oob.Fault) *failure {
	return &failure{fault: fault, sick: true}
}

// retryAfterMax is the longest time that is believed.
const retryAfterMax = time.Hour

// retryAfter reads the header field: seconds or a date (RFC 9110 §10.2.3). Zero when it is absent or wrong.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, retryAfterMax)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), retryAfterMax)
}

// secret is what may be a number, a URI that stands for one, a token from its first letters on, or a part of one.
var secret = regexp.MustCompile(`[0-9]{7,}|eyJ[\w.-]*|[\w-]{40,}|(?i:\b(?:sips?|tel|urn)(?::|%3a)\S+)`)

// blotted is the text of err without what a peer may have repeated of our request. Nothing of err is left to unwrap.
func blotted(err error) error {
	return errors.New(secret.ReplaceAllString(err.Error(), "…"))
}

// outcome is Success for no failure, else the slug of its kind.
func (f *failure) outcome() string {
	if f == nil {
		return Success
	}
	return f.fault.Kind.String()
}
