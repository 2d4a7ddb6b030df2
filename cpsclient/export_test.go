package cpsclient

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// WithDial replaces TCP, so that a whole client fits into a testing/synctest bubble.
func WithDial(cfg Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) Config {
	cfg.dial = dial
	return cfg
}

// Union is the merging of answers.
var Union = union

// JudgePublish gives what one attempt makes of an answer.
func JudgePublish(answer http.RoundTripper) *oob.Fault {
	p := peer{base: "https://cps.example", transport: answer, now: time.Now}
	res, failed := p.exchange(context.Background(), request{method: http.MethodPost, path: "/passports/1/2", body: []byte("{}"), bytesMax: answerBytesMax})
	if failed == nil {
		failed = res.stored()
	}
	return faultOf(failed)
}

// JudgeRetrieve gives what one attempt makes of an answer.
func JudgeRetrieve(answer http.RoundTripper) ([]string, *oob.Fault) {
	p := peer{base: "https://cps.example", transport: answer, now: time.Now}
	res, failed := p.exchange(context.Background(), request{method: http.MethodGet, path: "/passports/1/2", bytesMax: oob.RetrievedBytesMax})
	if failed != nil {
		return nil, failed.fault
	}
	passports, failed := foundArray(context.Background(), nil, nil, oob.Key{}, res)
	return passports, faultOf(failed)
}

// JudgeCollection gives what a retrieve in the form of RFC 9888 makes of a CPS that answers everything alike.
func JudgeCollection(t interface{ Fatal(...any) }, cfg Config, k oob.Key, answer http.RoundTripper) ([]string, *oob.Fault) {
	c, err := newClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := c.peers[0]
	p.transport = answer
	res, failed := p.exchange(context.Background(), retrieveCollection(k))
	if failed != nil {
		return nil, failed.fault
	}
	passports, failed := foundCollection(context.Background(), c, p, k, res)
	return passports, faultOf(failed)
}

// RecentMax is how many records are known again.
const RecentMax = recentMax

// Recent gives a function that is false for a record that is known already, and one that counts what is remembered.
func Recent() (add func(oob.Held) bool, size func() int) {
	var r recent
	return r.add, func() int { return len(r.now) + len(r.before) }
}

func faultOf(failed *failure) *oob.Fault {
	if failed == nil {
		return nil
	}
	return failed.fault
}
