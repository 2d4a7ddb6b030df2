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
	return faultOf(p.publish(context.Background(), "/passports/1/2", "Bearer x", []byte("{}")))
}

// JudgeRetrieve gives what one attempt makes of an answer.
func JudgeRetrieve(answer http.RoundTripper) ([]string, *oob.Fault) {
	p := peer{base: "https://cps.example", transport: answer, now: time.Now}
	passports, failed := p.retrieve(context.Background(), "/passports/1/2", "Bearer x")
	return passports, faultOf(failed)
}

func faultOf(failed *failure) *oob.Fault {
	if failed == nil {
		return nil
	}
	return failed.fault
}
