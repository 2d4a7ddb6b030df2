package siptx

import "strings"

// fault is what is wrong with a message: the reason phrase of its 400, and the name under which it is counted.
type fault string

const (
	badLine            fault = "Line Without CR LF"
	bareReturn         fault = "CR Without LF"
	noHeaderEnd        fault = "Header Without End"
	tooManyFields      fault = "Too Many Header Fields"
	badField           fault = "Line That Is No Header Field"
	badStart           fault = "Bad Request Line"
	badURI             fault = "Bad Request-URI"
	badVia             fault = "Bad Via"
	badFrom            fault = "Bad From"
	badTo              fault = "Bad To"
	badCallID          fault = "Bad Call-ID"
	badCSeq            fault = "Bad CSeq"
	otherMethod        fault = "CSeq With Another Method"
	badMaxForwards     fault = "Bad Max-Forwards"
	badContentLength   fault = "Bad Content-Length"
	bodyCut            fault = "Body Shorter Than Content-Length"
	noContentLength    fault = "Content-Length Missing"
	tooLarge           fault = "Message Too Large"
	noSIP              fault = "Not SIP"
	noVia              fault = "No Usable Via"
	badResponse        fault = "Bad Response"
	versionUnsupported fault = "Version Not Supported"
)

// verdict is how a request that is not handed on is answered; the zero value means that nothing is wrong.
type verdict struct {
	status int
	reason string
	fields []Field
	fault  fault // to be counted; empty if the request is well-formed
}

func bad(f fault) verdict { return verdict{status: 400, reason: string(f), fault: f} }

// isResponse tells whether a start line is that of a response.
func isResponse(start string) bool { return len(start) >= 4 && strings.EqualFold(start[:4], "SIP/") }

// isRequest tells whether a start line was meant to be that of a request: a word, and something of SIP at the end.
func isRequest(start string) bool {
	start = start[:trimRight(start, 0)]
	i := strings.LastIndexAny(start, " \t")
	return i > 0 && isResponse(start[i+1:])
}

// readRequest reads text as a request. The Request can be answered if answerable, whatever the verdict.
func readRequest(r *Request, text string) (v verdict, answerable bool) {
	f := r.message.read(text)
	if !isRequest(r.start) {
		return bad(noSIP), false
	}
	usable, viaOK := false, false
	if at, n := r.first(viaField); n > 0 {
		r.via, usable, viaOK = readVia(unfold(r.value(at)))
	}
	version, startFault := r.readStart()
	switch {
	case f == bareReturn: // an answer would have to repeat it
		return bad(f), false
	case !usable:
		return bad(noVia), false
	case version != "" && version != "2.0":
		return verdict{status: 505, fault: versionUnsupported}, true
	case f != "":
		return bad(f), true
	case startFault != "":
		return bad(startFault), true
	case !viaOK:
		return bad(badVia), true
	}
	if f := r.readFields(); f != "" {
		return bad(f), true
	}
	return verdict{}, true
}

// readStart reads the request line (RFC 3261 §7.1): method, one space, URI, one space, version. The method is read as
// far as it can be: an ACK is not answered, whatever else is wrong with it.
func (r *Request) readStart() (version string, f fault) {
	method, rest, _ := strings.Cut(r.start, " ")
	r.Method = method
	uri, protocol, found := strings.Cut(rest, " ")
	if !found || !isToken(method) || strings.Contains(protocol, " ") || !isResponse(protocol) {
		return "", badStart
	}
	version = protocol[len("SIP/"):]
	if len(version) != 3 || version[1] != '.' || version[0] < '0' || version[0] > '9' || version[2] < '0' || version[2] > '9' {
		return "", badStart
	}
	r.URI = uri
	if !isAddress(uri) {
		return version, badURI
	}
	// Header fields have no place in a Request-URI (RFC 3261 §19.1.1).
	if s := r.scheme(); (s == "sip" || s == "sips") && strings.Contains(uri[strings.LastIndexByte(uri, '@')+1:], "?") {
		return version, badURI
	}
	return version, ""
}

// scheme is that of the Request-URI, in lower case.
func (r *Request) scheme() string {
	s, _, _ := strings.Cut(r.URI, ":")
	return strings.ToLower(s)
}

// readFields reads the fields that every request has (RFC 3261 §8.1.1), each once. Max-Forwards may be missing: that is
// so in RFC 2543.
func (r *Request) readFields() fault {
	var at, count [kinds]int
	for i := range r.fields {
		k := r.fields[i].kind
		if count[k]++; count[k] == 1 {
			at[k] = i
		}
	}
	value := func(k kind) string { return unfold(r.value(at[k])) }
	var ok bool
	if count[fromField] != 1 {
		return badFrom
	} else if r.fromTag, ok = readTag(value(fromField)); !ok {
		return badFrom
	}
	if count[toField] != 1 {
		return badTo
	} else if r.toTag, ok = readTag(value(toField)); !ok {
		return badTo
	}
	if count[callIDField] != 1 {
		return badCallID
	} else if r.callID = value(callIDField); r.callID == "" || strings.ContainsAny(r.callID, " \t,") {
		return badCallID
	}
	if count[cseqField] != 1 {
		return badCSeq
	} else if r.cseq, r.cseqMethod, ok = readCSeq(value(cseqField)); !ok {
		return badCSeq
	} else if r.cseqMethod != r.Method {
		return otherMethod
	}
	r.hops = -1
	if count[maxForwardsField] > 1 {
		return badMaxForwards
	} else if count[maxForwardsField] == 1 {
		if r.hops, ok = readCount(value(maxForwardsField), 255); !ok {
			return badMaxForwards
		}
	}
	if count[contentLengthField] == 0 && r.from.reliable() {
		return noContentLength
	}
	return r.readLength(count[contentLengthField], at[contentLengthField])
}

// readLength cuts text behind the body that Content-Length gives it; without, the body goes on to the end (RFC 3261 §18.3).
func (m *message) readLength(count, at int) fault {
	if count == 0 {
		return ""
	}
	if count > 1 {
		return badContentLength
	}
	n, ok := readCount(unfold(m.value(at)), 1<<31)
	if !ok {
		return badContentLength
	}
	if n > len(m.text)-m.bodyAt {
		return bodyCut
	}
	m.text = m.text[:m.bodyAt+n]
	return ""
}

// allowed is the value of Allow: what is answered with something else than 405.
const allowed = "INVITE, ACK, CANCEL, OPTIONS"

// schemes are those of a Request-URI that Respond may be asked about: urn is that of emergency services (RFC 5031 §3).
func schemeServed(scheme string) bool {
	switch scheme {
	case "sip", "sips", "tel", "urn":
		return true
	}
	return false
}

// judge checks a well-formed request as RFC 3261 §8.2 has it: method, then header. Redirect servers ignore Require (§8.3);
// for OPTIONS, which is answered here, it counts.
func (r *Request) judge(proxy bool) verdict {
	switch r.Method {
	case "INVITE":
		if !schemeServed(r.scheme()) {
			return verdict{status: 416}
		}
		if r.toTag != "" && !proxy {
			return verdict{status: 481}
		}
	case "OPTIONS":
		if !schemeServed(r.scheme()) {
			return verdict{status: 416}
		}
		if u := r.list(requireField); u != "" {
			return verdict{status: 420, fields: []Field{{"Unsupported", u}}}
		}
	case "CANCEL", "ACK":
	default:
		return verdict{status: 405, fields: []Field{{"Allow", allowed}}}
	}
	return verdict{}
}

// list joins the values of all fields of the kind with commas.
func (r *Request) list(k kind) string {
	var values []string
	for i := range r.fields {
		if v := unfold(r.value(i)); r.fields[i].kind == k && v != "" {
			values = append(values, v)
		}
	}
	return strings.Join(values, ", ")
}
