package trace

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/viaduct-oob/viaduct/tn"
)

// Version is that of the JSON form. Members may be added within a version; one that is there keeps its name and meaning.
const Version = 1

// View is the JSON form of a record: what its reader may see. Times are RFC 3339 in UTC, durations milliseconds from ts.
// A member whose line says omitempty or omitzero is absent when there is nothing to say.
//
// The tag mask says what becomes of a text where numbers are hidden; a text without it is searched for numbers, so that a
// new member is safe before anybody thinks of it (see mask.go).
type View struct {
	Version int    `json:"version"` // of this form: 1
	ID      string `json:"id" mask:"id"`

	TS        time.Time      `json:"ts"`       // when the request came
	AddedMS   float64        `json:"added_ms"` // by how much the call was delayed: from request to answer
	Door      string         `json:"door"`     // udp, tcp, tls or http
	Peer      netip.AddrPort `json:"peer,omitzero"`
	Local     netip.AddrPort `json:"local,omitzero"`
	CallID    string         `json:"call_id" mask:"id"`
	Trunk     string         `json:"trunk"`               // row of the trunk table
	Role      string         `json:"role"`                // what was asked for: sign, publish, retrieve, verify, …
	SIPCode   int            `json:"sip_code"`            // status of the answer, SIP or HTTP
	FailOpen  string         `json:"fail_open"`           // slug of why the call went on without; empty when all went well
	Repeated  bool           `json:"repeated"`            // a second dip of a call that has been answered before
	Cancelled bool           `json:"cancelled"`           // the switch gave up
	Masked    bool           `json:"masked"`              // numbers are hidden, PASSporTs and messages left out
	Withdraw  *Withdrawal    `json:"withdrawn,omitempty"` // the verdict no longer stands

	Orig           string `json:"orig" mask:"party"`     // calling party as it came: a canonical number, without +, or a URI
	Dest           string `json:"dest" mask:"party"`     // called party as it came
	KeyOrig        string `json:"key_orig" mask:"party"` // as both ends of the trunk compute it
	KeyDest        string `json:"key_dest" mask:"party"`
	KeySPC         string `json:"key_spc,omitempty"` // provider in the key, in the agreed form
	Profile        string `json:"profile,omitempty"` // form of the CPS interface
	RedirectedFrom string `json:"redirected_from" mask:"party"`
	Restricted     bool   `json:"restricted"` // the caller wishes not to be shown
	Emergency      bool   `json:"emergency"`
	Unusable       string `json:"unusable,omitempty"` // why the numbers make no key

	Attest       string   `json:"attest"` // A, B or C
	OrigID       string   `json:"origid" mask:"id"`
	X5U          string   `json:"x5u" mask:"id"`
	IAT          int64    `json:"iat"`                     // seconds since 1970; 0 for none
	PolicyRow    string   `json:"policy_row,omitempty"`    // row of the signing policy that decided
	PolicyReason string   `json:"policy_reason,omitempty"` // why that row gives what it gives
	Passports    []string `json:"passports" mask:"hide"`   // in compact form

	Publish  []AttemptView `json:"publish"`  // requests to publish
	Retrieve []AttemptView `json:"retrieve"` // requests to retrieve
	Tries    int           `json:"tries"`    // rounds of retrieving

	Verstat    string      `json:"verstat"`              // TN-Validation-Passed, TN-Validation-Failed, No-TN-Validation
	SignerSPC  string      `json:"signer_spc,omitempty"` // in the certificate that signed
	ReasonCode int         `json:"reason_code"`          // cause in the Reason header field; 0 for none
	Case       string      `json:"case,omitempty"`       // row of the table of docs/troubleshooting.md
	Doubt      string      `json:"doubt,omitempty"`      // why a call with a good PASSporT is marked all the same
	Checks     []CheckView `json:"checks"`               // in the order in which they were made

	Steps    []StepView    `json:"steps"`                          // the time line
	Messages []MessageView `json:"messages,omitempty" mask:"hide"` // raw messages; never in what an output carries
}

// Withdrawal says that a verdict no longer stands.
type Withdrawal struct {
	TS  time.Time `json:"ts"`
	Why string    `json:"why"`
}

// AttemptView is one request to one CPS.
type AttemptView struct {
	CPS    string  `json:"cps"`
	Status string  `json:"status"`          // "ok", or the slug of the fault
	AtMS   float64 `json:"at_ms"`           // when it began
	MS     float64 `json:"ms"`              // what it took
	Count  int     `json:"count,omitempty"` // PASSporTs found; of retrieving alone
}

// CheckView is one check of the verification.
type CheckView struct {
	Name    string  `json:"name"`
	Of      string  `json:"of,omitempty"`                      // of which PASSporT, such as "in-band 2/3"
	Outcome string  `json:"outcome"`                           // passed, failed or skipped
	Case    string  `json:"case,omitempty"`                    // as above, where it failed
	Section string  `json:"section,omitempty" mask:"document"` // where the rule stands
	Detail  string  `json:"detail,omitempty"`                  // what was compared
	AtMS    float64 `json:"at_ms"`
	MS      float64 `json:"ms"`
}

// StepView is one point on the time line.
type StepView struct {
	AtMS   float64 `json:"at_ms"`
	Name   string  `json:"name"`
	Detail string  `json:"detail,omitempty"`
}

// MessageView is one raw message.
type MessageView struct {
	AtMS      float64        `json:"at_ms"`
	Direction string         `json:"direction"` // in or out
	Transport string         `json:"transport"`
	From      netip.AddrPort `json:"from"`
	To        netip.AddrPort `json:"to"`
	Text      string         `json:"text"` // what is no UTF-8 is replaced
}

// View shows what the role may see. It shares nothing with the record.
func (r *Record) View(role Role) View {
	v := r.view()
	if role != Full {
		mask(&v)
	}
	return v
}

func (r *Record) view() View {
	v := View{
		Version: Version, ID: r.ID, TS: r.Began.UTC(), AddedMS: milliseconds(r.Took), Door: r.Door, Peer: r.Peer, Local: r.Local,
		CallID: r.CallID, Trunk: r.Trunk, Role: r.Mode, SIPCode: r.SIPCode, FailOpen: r.FailOpen, Repeated: r.Repeated, Cancelled: r.Cancelled,
		Orig: r.Orig.String(), Dest: r.Dest.String(), KeyOrig: r.KeyOrig.String(), KeyDest: r.KeyDest.String(),
		KeySPC: r.KeySPC, Profile: r.Profile, RedirectedFrom: r.RedirectedFrom.String(), Restricted: r.Restricted,
		Emergency: r.Emergency, Unusable: r.Unusable, Attest: r.Attest, OrigID: r.OrigID, X5U: r.X5U,
		PolicyRow: r.Row, PolicyReason: r.Reason, Passports: append([]string{}, r.Passports...),
		Publish: attempts(r.Publish), Retrieve: attempts(r.Retrieve), Tries: r.Tries,
		Verstat: r.Verstat, SignerSPC: r.SignerSPC, ReasonCode: r.ReasonCode, Case: r.Case, Doubt: r.Doubt,
		Checks: make([]CheckView, 0, len(r.Checks)), Steps: make([]StepView, 0, len(r.Steps)),
	}
	if !r.IAT.IsZero() {
		v.IAT = r.IAT.Unix()
	}
	if !r.Withdrawn.IsZero() {
		v.Withdraw = &Withdrawal{TS: r.Withdrawn.UTC(), Why: r.WithdrawnReason}
	}
	for _, c := range r.Checks {
		v.Checks = append(v.Checks, CheckView{Name: c.Name, Of: c.Of, Outcome: string(c.Outcome), Case: c.Case, Section: c.Section,
			Detail: c.Detail, AtMS: milliseconds(c.At.Sub(r.Began)), MS: milliseconds(c.Took)})
	}
	for _, s := range r.Steps {
		v.Steps = append(v.Steps, StepView{AtMS: milliseconds(s.At), Name: s.Name, Detail: s.Detail})
	}
	for _, m := range r.Messages {
		v.Messages = append(v.Messages, MessageView{AtMS: milliseconds(m.At), Direction: m.direction(), Transport: m.Transport,
			From: m.From, To: m.To, Text: string(m.Bytes)})
	}
	return v
}

func attempts(list []Attempt) []AttemptView {
	views := make([]AttemptView, 0, len(list))
	for _, a := range list {
		views = append(views, AttemptView{CPS: a.CPS, Status: a.Status, AtMS: milliseconds(a.Began), MS: milliseconds(a.Took), Count: a.Count})
	}
	return views
}

func (m Message) direction() string {
	if m.In {
		return "in"
	}
	return "out"
}

// milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// line is the JSON form that outputs carry: without raw messages, and without a line break.
func (r *Record) line(role Role) []byte {
	v := r.View(role)
	v.Messages = nil
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a View has numbers, texts and addresses alone, which all have a JSON form
	}
	return text
}

// parties are all that the record is about, for searching.
func (r *Record) parties() [5]tn.Identity {
	return [...]tn.Identity{r.Orig, r.Dest, r.KeyOrig, r.KeyDest, r.RedirectedFrom}
}
