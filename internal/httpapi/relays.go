package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httplimit"
	"github.com/viaduct-oob/viaduct/internal/latent"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// How long several relays may take together, and one of them, from when it is its turn. It is less than who relays waits by default:
// one that has to wait for a certificate is told that it may come again, which it does alone, and takes nothing away from the others.
const (
	relaysTime = time.Second
	relayTime  = 100 * time.Millisecond
)

// niceWait is for how long several relays wait for the thread that gives way to others, before they are judged without.
const niceWait = 100 * time.Millisecond

// relays takes several relays in one request. Each of them enters the turnstile by itself: nobody waits for more than one.
func (d *door) relays(x *exchange) error {
	x.profile, x.operation = oob.Mesh.String(), "relays"
	if x.r.Method != http.MethodPost {
		return x.wrongMethod("POST")
	}
	request, err := d.tokenRequest(x, oob.Key{Profile: oob.Mesh}, proof.ATIS)
	if err != nil {
		return err
	}
	if err := checkMedia(x.r.Header, "application/json"); err != nil {
		return err
	}
	body, err := d.body(x, atis.RelaysBytesMax)
	if err != nil {
		return err
	}
	if err := d.enter(x, turnstile.Relay, request); err != nil {
		return err
	}
	request.Digest = atis.RelaysDigest(body)
	all, err := atis.ReadRelays(body)
	if err != nil {
		return err
	}
	courier, principal, err := d.config.Service.Relays(x.ctx, request, len(all))
	x.spc = principal.SPC
	if err != nil {
		return err
	}
	x.pass.Leave()
	ctx, cancel := latent.WithTimeout(x.r.Context(), relaysTime)
	defer cancel()
	guest := turnstile.Guest{Address: httplimit.AddressOf(x.r.RemoteAddr), Claim: x.claim(request)}
	each := make([]oneOfRelays, len(all))
	d.nice.Do(niceWait, func() {
		for i := range all { // one after the other: to hand on who is working costs as much as a tenth of the work
			each[i].began = time.Now()
			each[i].publication, each[i].err = d.judgeOne(ctx, guest, courier, &all[i])
		}
	})
	var storing sync.WaitGroup
	for i := range each { // all at once: a log takes what comes together as fast as one alone
		if one := &each[i]; one.err == nil {
			storing.Go(func() {
				defer func() {
					if p := recover(); p != nil {
						one.err = panicked(p)
					}
				}()
				one.err = d.storeOne(ctx, courier, one.publication)
			})
		}
	}
	storing.Wait()
	answers := make([][]byte, len(all))
	alone := exchange{r: x.r, operation: string(oob.ActionRepublish), profile: x.profile, spc: x.spc, status: http.StatusCreated}
	for i, one := range each {
		fault := interrupted(oob.FaultOf(one.err))
		answers[i] = alone.written(fault)
		d.record(&alone, atis.RelaysPath, fault, one.began)
	}
	x.body = atis.WriteRelaysAnswer(answers)
	return nil
}

// oneOfRelays is what has become of one of several relays.
type oneOfRelays struct {
	began       time.Time
	publication oob.Publication
	err         error
}

// judgeOne judges one of several relays when it is its turn.
func (d *door) judgeOne(ctx context.Context, guest turnstile.Guest, courier cps.Courier, one *atis.OneOfRelays) (oob.Publication, error) {
	pass, err := d.config.Turnstile.Enter(ctx, guest, turnstile.Relay)
	if err != nil {
		return oob.Publication{}, entered(err)
	}
	defer pass.Leave()
	limited, cancel := latent.WithTimeout(pass.Context, relayTime)
	defer cancel()
	pass.Context = limited
	r := cps.Request{Key: one.Key, Passports: one.Passports, Digest: atis.Digest(one.Passports)}
	if err := d.readOriginal(&r, one.Token); err != nil {
		return oob.Publication{}, err
	}
	return courier.Judge(pass, r)
}

// storeOne stores one that was judged, for which it needs no turn.
func (d *door) storeOne(ctx context.Context, courier cps.Courier, p oob.Publication) error {
	limited, cancel := latent.WithTimeout(ctx, relayTime)
	defer cancel()
	return courier.Store(limited, p)
}

// written is the answer to one of several relays, as if it had come alone. The line in the log is that of the request, unless the fault
// is ours.
func (x *exchange) written(fault *oob.Fault) []byte {
	x.quiet = fault == nil || fault.Kind != oob.Internal
	if fault == nil {
		return atis.WriteStatus(http.StatusCreated, http.StatusText(http.StatusCreated), "")
	}
	return statusOf(x.outward(fault))
}

// takesRelays says how many relays are taken in one request, as a value of atis.RelaysHeader.
var takesRelays = []string{strconv.Itoa(atis.RelaysMax)}
