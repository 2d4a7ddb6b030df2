package dip

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
)

// retrieve is the dip of a call that comes out of a TDM trunk in transit: every PASSporT that is found goes on with it,
// unjudged.
func (d *doing) retrieve(ctx context.Context) Answer {
	keys := d.trunk.Keys(d.call.Parties, d.spc(), false)
	if len(keys) == 0 || d.trunk.Retriever == nil {
		return d.nothing("nothing to retrieve", "the call has no key")
	}
	var answer Answer
	for i, key := range keys {
		d.noteKey(key)
		tokens, err := d.look(ctx, key, len(keys)-i)
		if err == nil {
			d.found(true)
			answer.Identity = headersOf(tokens)
			if d.trunk.Answer.Date == trunk.DateOfPassport {
				answer.Date = d.dateOf(tokens)
			}
			answer.Result, answer.FailOpen = ResultRetrieved, ""
			return answer
		}
		answer.FailOpen = d.failed(ctx, err)
	}
	if answer.FailOpen == "" {
		d.found(false)
		return d.nothing("nothing found", "no CPS has a PASSporT for the call")
	}
	d.call.Trace.Step("not retrieved", string(answer.FailOpen))
	return answer
}

// look asks under one key, with its share of the time that is left.
func (d *doing) look(ctx context.Context, key oob.Key, shares int) ([]string, error) {
	ctx, cancel := share(ctx, shares)
	defer cancel()
	return d.trunk.Retriever.Retrieve(d.watch(ctx), key)
}

// share leaves a part of the time for what comes after.
func share(ctx context.Context, shares int) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline() // a dip always has one
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(shares))
}

// headersOf makes Identity header field values of retrieved PASSporTs: what the header says beside the token is in the
// token, too. What is none, or cannot stand in a header field, is left out.
func headersOf(tokens []string) []string {
	values := make([]string, 0, len(tokens))
	for _, text := range tokens {
		token, err := passport.Parse(text)
		if err != nil {
			continue
		}
		header := identity.Header{Token: text, Info: token.Header.X5U, Alg: "ES256", PPT: string(token.Header.PPT)}
		if value, err := header.MarshalText(); err == nil && len(values) < identity.HeadersMax {
			values = append(values, string(value))
		}
	}
	return values
}

// dateOf is the Date that goes with retrieved PASSporTs, which verifiers want to be near their iat (RFC 8224 §6.2): the iat of
// the newest that is shaken, and where none is, that of the newest. What is not fresh does not count.
func (d *doing) dateOf(tokens []string) (date time.Time) {
	shaken := false
	for _, text := range tokens {
		token, err := passport.Parse(text)
		if err != nil || stias.Fresh.Check(token.Claims.IAT, d.config.Now()) != nil {
			continue
		}
		is, iat := token.Header.PPT == passport.Shaken, token.Claims.IAT
		if is && !shaken || is == shaken && iat.After(date) {
			date, shaken = iat, is
		}
	}
	return date
}

// verify is the dip of a call that arrives: it is looked for out of band when nothing in band verifies it.
func (d *doing) verify(ctx context.Context) Answer {
	if d.trunk.Verifies == nil {
		return d.nothing("not verified", "nothing is verified here")
	}
	p := d.call.Parties
	if p.Orig.IsZero() || p.Dest.IsZero() {
		verdict := oob.Verdict{Verstat: oob.VerstatNoValidation, ReasonDesc: "The numbers of the call cannot be used."}
		return d.verdict(verdict, "")
	}
	keys := d.trunk.Keys(p, d.spc(), false)
	looks := []stivs.Call{{
		ID: d.call.ID, Orig: p.Orig, Dest: p.Dest, Identity: d.call.Carried, Time: d.date(), Fingerprints: d.call.Fingerprints,
	}}
	if len(keys) > 0 {
		d.noteKey(keys[0])
		looks[0].Key = keys[0]
	}
	if len(keys) > 1 && !p.Second.IsZero() {
		second := looks[0]
		second.Dest, second.Key = p.Second, keys[1]
		looks = append(looks, second)
	}
	var verdict oob.Verdict
	var cause Cause
	for i, look := range looks {
		look.Preview = i > 0 && !d.trunk.SecondVerifies // a hint takes nothing from the call that the PASSporT was made for
		verdict, cause = d.judged(ctx, look, len(looks)-i)
		if verdict.Source != oob.SourceNone {
			if i > 0 {
				d.onSecondLook(&verdict)
			}
			break
		}
	}
	return d.verdict(verdict, cause)
}

// judged asks the verification service, and finds out whether its answer rests on something that has failed.
func (d *doing) judged(ctx context.Context, call stivs.Call, shares int) (oob.Verdict, Cause) {
	ctx, cancel := share(ctx, shares)
	defer cancel()
	w := witnessed{gone: func(key oob.Key) ([]string, bool) { return d.consumed.of(key, d.call.ID) }}
	verdict := d.trunk.Verifies.Verify(context.WithValue(d.watch(ctx), witnessKey{}, &w), call)
	if !call.Preview {
		d.consume(call.Key, &verdict, w.retrieved())
	}
	asked, count, err := w.outcome()
	var cause Cause
	switch {
	case verdict.Verstat == oob.VerstatPassed:
	case asked && err != nil:
		cause = d.failed(ctx, err)
	case verdict.Case == stivs.E8.String():
		cause = CauseFetch
	}
	if asked && (err == nil || oob.FaultOf(err).Kind == oob.NotFound) {
		d.found(count > 0)
	}
	return verdict, cause
}

// onSecondLook marks what was verified for the number that was called first: nothing that is signed says that the call
// was sent on from there to here.
func (d *doing) onSecondLook(v *oob.Verdict) {
	v.Doubt = "verified for the number that was called first; no signature says that the call was sent on from there"
	if d.trunk.SecondVerifies {
		return
	}
	v.Priority = nil
	if v.Verstat == oob.VerstatPassed {
		v.Verstat = oob.VerstatNoValidation
		v.Attest, v.OrigID, v.SignerSPC, v.Rich = "", "", "", nil
	}
}

func (d *doing) verdict(v oob.Verdict, cause Cause) Answer {
	d.noteVerdict(&v)
	if cause != "" {
		d.call.Trace.Step("not verified", "what it depends on could not be had: "+string(cause))
	}
	block := d.trunk.BlockFailed && v.Verstat == oob.VerstatFailed
	if block {
		d.call.Trace.Step("blocked", "by the policy of the trunk")
	}
	return Answer{Result: ResultVerified, Verdict: &v, Block: block, FailOpen: cause}
}

// date is that of the request, where it counts.
func (d *doing) date() time.Time {
	if d.trunk.IgnoreDate {
		return time.Time{}
	}
	return d.call.Date
}

// found counts whether a CPS had something for a call of this trunk.
func (d *doing) found(something bool) { d.tally.looked(d.trunk.Name, something) }
