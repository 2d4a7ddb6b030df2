package isup_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// numbering is what a switch knows of the numbers of its country, and of its trunk.
type numbering struct {
	variant variant
	country string // country code
	jip     string // the switch's own place in the network, which ANSI trunks tell
}

var decimal = regexp.MustCompile(`^[0-9]+$`)

// e164 is an ISUP number in international form, or nothing if it has none.
func (n numbering) e164(isup number) string {
	digits := strings.TrimSuffix(isup.digits, "#") // end of pulsing
	switch {
	case !decimal.MatchString(digits):
		return ""
	case isup.nature == national:
		return "+" + n.country + digits
	case isup.nature == international:
		return "+" + digits
	}
	return ""
}

// isup is a number in international form as it goes over the trunk.
func (n numbering) isup(e164 string) number {
	digits := strings.TrimPrefix(e164, "+")
	if own, found := strings.CutPrefix(digits, n.country); found {
		return number{own, national}
	}
	return number{digits, international}
}

// Reasons of a diversion, by their codes in the redirection information.
var diversionReasons = []string{"unknown", "user-busy", "no-answer", "unconditional", "deflection", "deflection", "unavailable"}

// initialAddress is what of an INVITE goes over the trunk. It fails for a called party that has no number.
func (n numbering) initialAddress(invite *sip.Request) (message, bool) {
	called, parameters := userPart(invite.Recipient.User)
	if !strings.HasPrefix(called, "+") {
		return message{}, false
	}
	m := message{called: n.isup(called)}
	if n.variant == ansi {
		m.jip = n.jip
		if routing := parameters["rn"]; routing != "" { // the trunk routes by it, and tells the ported number beside
			m.called, m.ported = n.isup(routing), m.called
		}
		m.charge = n.numberOf(values(invite, "P-Charge-Info"))
	}
	if asserted := values(invite, "P-Asserted-Identity"); len(asserted) > 0 {
		m.calling, m.screen = n.numberOf(asserted), 3 // network provided
	} else {
		m.calling = n.numberOf([]string{invite.From().Value()}) // user provided, not verified
	}
	if strings.Contains(strings.Join(values(invite, "Privacy"), ";"), "id") {
		m.pres = 1
	}
	if diversions := values(invite, "Diversion"); len(diversions) > 0 { // the newest first
		m.redirecting, m.origCalled = n.numberOf(diversions), n.numberOf(diversions[len(diversions)-1:])
		for _, d := range diversions {
			m.counter += counterOf(d)
		}
		for code, reason := range diversionReasons {
			if strings.Contains(diversions[0], "reason="+reason) {
				m.reason = code
			}
		}
	}
	return m, true
}

// counterOf is how many diversions a Diversion header field stands for.
func counterOf(diversion string) int {
	_, text, _ := strings.Cut(diversion, ";counter=")
	text, _, _ = strings.Cut(text, ";")
	counter, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return counter
}

// numberOf is that of the first value, if it has one.
func (n numbering) numberOf(addresses []string) number {
	if len(addresses) == 0 {
		return number{}
	}
	var uri sip.Uri
	var parameters sip.HeaderParams
	if _, err := sip.ParseAddressValue(addresses[0], &uri, &parameters); err != nil {
		return number{}
	}
	user, _ := userPart(uri.User + uri.Raw()) // of a sip URI, or of a tel URI
	if !strings.HasPrefix(user, "+") {
		return number{}
	}
	return n.isup(user)
}

// userPart takes the parameters off a user part that is a telephone number.
func userPart(user string) (digits string, parameters map[string]string) {
	fields := strings.Split(user, ";")
	parameters = map[string]string{}
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		parameters[name] = value
	}
	return fields[0], parameters
}

// invitation is the user part of the Request-URI and the header fields that an initial address message becomes, at a switch
// of that host. From is the first. No field tells more than the trunk did.
func (n numbering) invitation(m message, host string) (user string, fields []string) {
	at := func(e164 string) string { return fmt.Sprintf("<sip:%s@%s;user=phone>", e164, host) }
	user = n.e164(m.called)
	if ported := n.e164(m.ported); ported != "" {
		user = ported + ";npdi;rn=" + user
	}
	calling := n.e164(m.calling)
	tag := ";tag=" + sip.GenerateTagN(16)
	switch {
	case calling == "":
		fields = append(fields, "From: <sip:unavailable@unknown.invalid>"+tag)
	case m.pres == 0:
		fields = append(fields, "From: "+at(calling)+tag, "P-Asserted-Identity: "+at(calling))
	default:
		fields = append(fields, `From: "Anonymous" <sip:anonymous@anonymous.invalid>`+tag, "P-Asserted-Identity: "+at(calling), "Privacy: id")
	}
	if redirecting := n.e164(m.redirecting); redirecting != "" {
		reason := diversionReasons[0]
		if m.reason < len(diversionReasons) {
			reason = diversionReasons[m.reason]
		}
		fields = append(fields, "Diversion: "+at(redirecting)+";reason="+reason+";counter="+strconv.Itoa(max(1, m.counter-1)))
		if first := n.e164(m.origCalled); first != "" && m.counter > 1 {
			fields = append(fields, "Diversion: "+at(first)+";reason=unknown;counter=1")
		}
	}
	if charge := n.e164(m.charge); charge != "" {
		fields = append(fields, "P-Charge-Info: "+at(charge))
	}
	return user, fields
}

// Causes of a release, and the status codes of SIP that stand for them.
var causes = []struct{ cause, status int }{
	{17, 486}, {1, 404}, {16, 487}, {18, 480}, {19, 480}, {21, 603}, {22, 410}, {28, 484}, {31, 480}, {34, 503}, {41, 503},
}

// statusOf is the answer to an INVITE whose call was released before it was answered.
func statusOf(cause int) int {
	for _, row := range causes {
		if row.cause == cause {
			return row.status
		}
	}
	return 500
}

// causeOf is what releases a call whose INVITE was answered so.
func causeOf(status int) int {
	for _, row := range causes {
		if row.status == status {
			return row.cause
		}
	}
	return 41 // temporary failure
}
