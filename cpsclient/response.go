package cpsclient

import (
	"bytes"
	"net/http"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// answerBytesMax bounds an answer that holds no PASSporTs.
const answerBytesMax = 64 << 10

// response is an answer of any status.
type response struct {
	status     int
	media      string
	body       []byte
	cut        *failure // why body is not all of it; of no matter where the status says enough
	retryAfter time.Duration
}

// stored judges the answer to a publish.
func (r response) stored() *failure {
	if r.status == http.StatusCreated || r.status == http.StatusOK {
		return nil
	}
	failed := r.refusal()
	if failed.fault.Kind == oob.NotFound {
		failed.fault.Kind = oob.WrongPath // there is nothing to find in a publish: this CPS does not serve the form
	}
	return failed
}

// gone judges the answer to a consume. Nothing there is as good.
func (r response) gone() *failure {
	if r.status == http.StatusNoContent || r.status == http.StatusOK {
		return nil
	}
	failed := r.refusal()
	if failed.fault.Kind == oob.NotFound {
		return nil
	}
	return failed
}

// complete judges the answer to a retrieve before its body is read.
func (r response) complete() *failure {
	if r.status != http.StatusOK {
		failed := r.refusal()
		// A token that is new to us is not to the CPS when something between has repeated the request. What is not there
		// may be on its way.
		failed.again = failed.again || failed.fault.Kind == oob.Replayed || failed.fault.Kind == oob.NotFound
		return failed
	}
	return r.cut
}

// passports reads the answer to a retrieve.
func (r response) passports(read func([]byte) ([]string, error)) ([]string, *failure) {
	if failed := r.complete(); failed != nil {
		return nil, failed
	}
	passports, err := read(r.body)
	if err != nil {
		return nil, unreadable(err)
	}
	if len(passports) == 0 {
		return nil, nothingThere()
	}
	return passports, nil
}

// isArray says that the body begins as a JSON array does.
func (r response) isArray() bool {
	return bytes.HasPrefix(bytes.TrimLeft(r.body, " \t\r\n"), []byte{'['})
}

func unreadable(err error) *failure {
	return nonsense(oob.Faultf(oob.PeerFailed, "the CPS's answer cannot be read").Because(err))
}

func nothingThere() *failure {
	return &failure{again: true, fault: oob.Faultf(oob.NotFound, "the CPS answered with an empty list")}
}

// refusal is the failure that an answer with a status other than the expected stands for.
func (r response) refusal() *failure {
	read := atis.ReadFault
	if r.media == rfc9888.ProblemMedia {
		read = rfc9888.ReadProblem
	}
	fault := read(r.status, r.body).After(r.retryAfter)
	if fault.Err != nil {
		_ = fault.Because(blotted(fault.Err))
	}
	switch {
	case r.status < http.StatusBadRequest:
		return nonsense(fault)
	case r.status >= http.StatusInternalServerError:
		return &failure{fault: fault, again: true, sick: true}
	case r.status == http.StatusTooManyRequests:
		return &failure{fault: fault, again: r.retryAfter > 0}
	}
	return &failure{fault: fault}
}
