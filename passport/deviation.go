package passport

import "fmt"

// Deviation is one thing about a token that the specifications do not allow, or advise against.
type Deviation struct {
	Code    string // stable name, for tests and search
	Where   string // member or segment
	Text    string // one sentence for the person who made the token; it repeats nothing of the token
	Section string // where the rule stands; empty where it is a limit of ours
}

// deviationSections has every code, with the section whose rule it stands for.
var deviationSections = map[string]string{
	// the text around and between the segments
	"too-long":          "",
	"outer-space":       "RFC 7515 §7.1",
	"header-parameters": "RFC 8224 §4",
	"compact-form":      "RFC 8588 §3",
	"segment-count":     "RFC 7515 §7.1",
	"base64-break":      "RFC 7515 §2",
	"base64-padding":    "RFC 7515 §2",
	"base64-alphabet":   "RFC 7515 §2",
	"base64-form":       "RFC 7515 §2",
	"base64-bits":       "RFC 4648 §3.5",
	"signature-der":     "RFC 7518 §3.4",
	"signature-length":  "RFC 7518 §3.4",

	// JSON
	"json-form":      "RFC 8259 §2",
	"json-duplicate": "RFC 7515 §4",
	"json-strict":    "RFC 8259 §8.1",
	"not-canonical":  "RFC 8225 §9",

	// header
	"alg":        "RFC 8225 §4.2",
	"typ":        "RFC 8225 §4.1",
	"x5u":        "RFC 8225 §4.3",
	"x5u-scheme": "RFC 7515 §4.1.5",
	"ppt":        "RFC 8225 §8.1",
	"crit":       "RFC 7515 §4.1.11",

	// claims
	"claim-missing": "RFC 8225 §5",
	"iat-string":    "RFC 8225 §5.1.1",
	"iat-form":      "RFC 8225 §5.1.1",
	"party-string":  "RFC 8225 §5.2.1",
	"party-form":    "RFC 8225 §5.2.1",
	"dest-empty":    "RFC 8225 §5.2.1",
	"dest-many":     "",
	"tn-array":      "RFC 8225 §5.2.1",
	"tn-bare":       "RFC 8225 §5.2.1",
	"tn-number":     "RFC 8225 §5.2.1",
	"tn-plus":       "RFC 8224 §8.3",
	"tn-form":       "RFC 8224 §8.3",
	"tn-national":   "RFC 8224 §8.3",
	"uri-form":      "RFC 8225 §5.2.1",
	"attest":        "RFC 8588 §4",
	"attest-case":   "RFC 8588 §4",
	"origid-uuid":   "RFC 8588 §5",
	"div-unchanged": "RFC 8946 §3",
	"opt-in-div":    "RFC 8946 §3",

	// rare claims; codes that are a problem's name are what the strict reader says
	"opt-form":        "RFC 8946 §6",
	"opt-elsewhere":   "RFC 8946 §6",
	"rph-form":        "RFC 8443 §3",
	"sph-form":        "RFC 9027 §4",
	"mky-form":        "RFC 8225 §5.2.2",
	"mky-order":       "RFC 8225 §5.2.2",
	"msgi-form":       "RFC 9475 §3.2",
	"msgi-elsewhere":  "RFC 9475 §3.2",
	"rcd-form":        "RFC 9795 §5.1",
	"rcdi-form":       "RFC 9795 §6",
	"digest-mismatch": "RFC 9795 §6.1",
}

// note adds a deviation once for each place: a list of forty wrong numbers is one thing to say.
func (d *Diagnosis) note(code, where, format string, args ...any) {
	for _, known := range d.Deviations {
		if known.Code == code && known.Where == where {
			return
		}
	}
	d.Deviations = append(d.Deviations, Deviation{
		Code: code, Where: where, Text: fmt.Sprintf(format, args...), Section: deviationSections[code],
	})
}
