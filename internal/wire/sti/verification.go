package sti

import (
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// VerificationRequest is a call to be verified, as a switch describes it.
type VerificationRequest struct {
	Dialect  Dialect
	From     tn.Identity   // P-Asserted-Identity, else From
	To       []tn.Identity // To; of Ms, one
	Dest     tn.Identity   // the Request-URI, which Ms says where the call was diverted; else nobody
	Time     time.Time     // Date of the call, whole seconds
	Identity []string      // Identity header field values as received, that of the shaken PASSporT first; none only of ReadVerificationOutOfBand
}

// Called is whom the call goes to: Dest where the request says it, else the first of To. The others of To are only what
// the caller dialled.
func (r VerificationRequest) Called() tn.Identity {
	if !r.Dest.IsZero() {
		return r.Dest
	}
	return r.To[0]
}

// ReadVerification reads the body of a verification request of either dialect; otherwise is the dialect of one that does
// not tell. National numbers are read by plan. Identity header field values are not looked into: what is wrong with
// them belongs in the verdict. The error is an [*Exception].
func ReadVerification(body []byte, plan tn.Plan, otherwise Dialect) (VerificationRequest, error) {
	return readVerification(body, plan, otherwise, false)
}

// ReadVerificationOutOfBand is ReadVerification for a service that looks out of band: a call may have come without Identity
// header field. Some switches then write an empty string, or an empty array.
func ReadVerificationOutOfBand(body []byte, plan tn.Plan, otherwise Dialect) (VerificationRequest, error) {
	return readVerification(body, plan, otherwise, true)
}

func readVerification(body []byte, plan tn.Plan, otherwise Dialect, mayLack bool) (VerificationRequest, error) {
	m, e := readRequest(body, "verificationRequest",
		"from", "to", "time", "identity", "identityHeader", "identityHeaders", "dest")
	if e != nil {
		return VerificationRequest{}, e.in(otherwise)
	}
	r := VerificationRequest{Dialect: otherwise}
	switch isMs := m.hasAny("identityHeader", "identityHeaders"); {
	case isMs && m.hasAny("identity"): // two readers could choose differently
		return VerificationRequest{}, exception(InvalidParameter, "identity", "beside identityHeader").in(otherwise)
	case isMs:
		r.Dialect = Ms
	case m.hasAny("identity"):
		r.Dialect = ATIS
	}
	if mayLack {
		m.dropEmpty("identity", "identityHeader", "identityHeaders")
		mayLack = !m.hasAny("identity", "identityHeader", "identityHeaders")
	}
	if e := r.read(m, plan, mayLack); e != nil {
		return VerificationRequest{}, e.in(r.Dialect)
	}
	return r, nil
}

// dropEmpty takes a string without text, and an array without elements, for an absent member.
func (m members) dropEmpty(names ...string) {
	for _, name := range names {
		text, isText := jws.String(m[name])
		list, isList := jws.Strings(m[name], 1)
		if isText && text == "" || isList && len(list) == 0 {
			delete(m, name)
		}
	}
}

func (r *VerificationRequest) read(m members, plan tn.Plan, withoutIdentity bool) (e *Exception) {
	anyForm := party{single: true, list: true, most: DestMax}
	if r.From, e = m.readParty("from", anyForm, plan); e != nil {
		return e
	}
	to := anyForm
	if r.Dialect == Ms {
		to.most = 1
	}
	if r.To, e = m.readParties("to", to, plan); e != nil {
		return e
	}
	if m.hasAny("dest") {
		if r.Dest, e = m.readParty("dest", anyForm, plan); e != nil {
			return e
		}
	}
	seconds, e := m.readSeconds("time")
	if e != nil {
		return e
	}
	r.Time = time.Unix(seconds, 0)
	if !withoutIdentity {
		r.Identity, e = r.readIdentity(m)
	}
	return e
}

// readIdentity reads the header field values. Ms may send those of div and rph alone.
func (r *VerificationRequest) readIdentity(m members) ([]string, *Exception) {
	name := "identity"
	if r.Dialect == Ms {
		name = "identityHeader"
	}
	var values []string
	if r.Dialect == ATIS || m.hasAny(name) || !m.hasAny("identityHeaders") {
		value, e := m.readText(name)
		if e != nil {
			return nil, e
		}
		values = append(values, value)
	}
	if list, ok := m["identityHeaders"]; ok {
		more, ok := jws.Strings(list, identity.HeadersMax-len(values))
		if !ok || len(values)+len(more) == 0 {
			return nil, exception(InvalidParameter, "identityHeaders", "not an array of strings, empty, or too many")
		}
		values = append(values, more...)
	}
	return values, nil
}

// AnswerStyle is what of an answer can be chosen. The zero AnswerStyle is what the documents have.
type AnswerStyle struct {
	Verstat oob.VerstatStyle

	// ReasonDescription names the sentence of a verifyResult of Ms reasonDescription, as one of the two public OpenAPI
	// files of it does, instead of reasonDesc.
	ReasonDescription bool
}

// WriteVerification is the answer to a verification request. Its HTTP status is 200, whatever the verdict.
func WriteVerification(d Dialect, v oob.Verdict, style AnswerStyle) []byte {
	text := []byte(`{"verificationResponse":`)
	if d == Ms {
		text = appendMs(text, v, style)
	} else {
		text = appendATIS(text, v, style)
	}
	return append(text, '}')
}

// object is a JSON object that is being written.
type object struct {
	text []byte
	some bool
}

func open(text []byte) *object { return &object{text: append(text, '{')} }

func (o *object) name(name string) {
	if o.some {
		o.text = append(o.text, ',')
	}
	o.some = true
	o.text = append(jws.AppendString(o.text, name), ':')
}

// add writes a member; an empty text is left out.
func (o *object) add(name, value string) {
	if value != "" {
		o.name(name)
		o.text = jws.AppendString(o.text, value)
	}
}

// addCode writes a number, as a number: clients count a quoted one as none. 0 is left out.
func (o *object) addCode(name string, code int) {
	if code != 0 {
		o.name(name)
		o.text = strconv.AppendInt(o.text, int64(code), 10)
	}
}

func (o *object) close() []byte { return append(o.text, '}') }

func appendATIS(text []byte, v oob.Verdict, style AnswerStyle) []byte {
	o := open(text)
	o.addCode("reasoncode", v.Code)
	o.add("reasontext", v.ReasonText)
	o.add("reasondesc", description(v))
	o.add("verstat", style.Verstat.Verstat(v))
	return o.close()
}

// description is the sentence for a person. A call that has passed needs none.
func description(v oob.Verdict) string {
	switch {
	case v.Verstat == oob.VerstatPassed:
		return ""
	case v.ReasonDesc == "":
		return v.Doubt
	}
	return v.ReasonDesc
}

func appendMs(text []byte, v oob.Verdict, style AnswerStyle) []byte {
	o := open(text)
	o.add("verstatValue", style.Verstat.Verstat(v))
	if v.Priority != nil {
		o.add("verstatPriority", string(v.Priority.Verstat))
	}
	if results := results(v); len(results) > 0 {
		o.name("verifyResults")
		o.text = appendList(o.text, results, func(text []byte, t oob.TokenVerdict) []byte { return appendResult(text, t, style) })
	}
	if diversions := diversions(v); len(diversions) > 0 {
		o.name("divResult")
		o.text = appendList(o.text, diversions, appendDiversion)
	}
	return o.close()
}

func appendList(text []byte, tokens []oob.TokenVerdict, element func([]byte, oob.TokenVerdict) []byte) []byte {
	text = append(text, '[')
	for i, t := range tokens {
		if i > 0 {
			text = append(text, ',')
		}
		text = element(text, t)
	}
	return append(text, ']')
}

// results are the PASSporTs that were judged to the end: one that was ignored or not needed has neither passed nor failed.
// What decided the verdict is among them, also where it is nothing in a PASSporT: the date of the call is not fresh, say,
// or the call is not the one that a good PASSporT is for. Ms has no other place for its code.
func results(v oob.Verdict) []oob.TokenVerdict {
	var all []oob.TokenVerdict
	decided, at := v.Code == 0, -1
	for _, t := range v.Tokens {
		if t.Ignored || t.Code == 0 && t.Verstat != oob.VerstatPassed {
			continue
		}
		decided = decided || t.Case == v.Case
		if t.Passport == v.Passport {
			at = len(all)
		}
		all = append(all, t)
	}
	if decided {
		return all
	}
	if at < 0 {
		all, at = append([]oob.TokenVerdict{{Passport: v.Passport}}, all...), 0
	}
	all[at].Verstat, all[at].Code, all[at].ReasonText, all[at].ReasonDesc = v.Verstat, v.Code, v.ReasonText, v.ReasonDesc
	return all
}

func appendResult(text []byte, t oob.TokenVerdict, style AnswerStyle) []byte {
	sentence, status := "reasonDesc", "fail"
	if style.ReasonDescription {
		sentence = "reasonDescription"
	}
	if t.Code == 0 && t.Verstat == oob.VerstatPassed {
		status = "pass"
	}
	o := open(append(text, `{"verifyResult":`...))
	o.add("ppt", t.PPT)
	o.add("status", status)
	o.addCode("reasonCode", t.Code)
	o.add("reasonText", t.ReasonText)
	o.add(sentence, t.ReasonDesc)
	o.add("passport", t.Passport)
	return append(o.close(), '}')
}

func diversions(v oob.Verdict) []oob.TokenVerdict {
	var all []oob.TokenVerdict
	for _, t := range v.Tokens {
		if !t.Ignored && (t.PPT == string(passport.Div) || t.PPT == string(passport.DivO)) {
			all = append(all, t)
		}
	}
	return all
}

// appendDiversion writes what became of a div PASSporT, and who it says was called before, which is true only if it
// was validated.
func appendDiversion(text []byte, t oob.TokenVerdict) []byte {
	o := open(text)
	if envelope, err := passport.Open(t.Passport); err == nil {
		if claims, err := envelope.Claims(); err == nil {
			o.name("div")
			div := open(o.text)
			if claims.Div.IsURI() {
				div.add("uri", claims.Div.String())
			} else {
				div.add("tn", claims.Div.String())
			}
			o.text = div.close()
		}
	}
	o.add("verstatValue", string(t.Verstat))
	return o.close()
}
