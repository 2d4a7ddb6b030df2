package trunk

import (
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Unusable is why a call has no key, as a word for metrics.
type Unusable string

// The words. Number is told from URI because a call of a URI can be signed, though not found over a TDM trunk.
const (
	Usable                 Unusable = ""
	NoCallingNumber        Unusable = "no_calling_number"
	CallingNumberUnusable  Unusable = "calling_number_unusable"
	CallingNumberTruncated Unusable = "calling_number_truncated" // it does not fit its country: a foreign one that has lost its country code, or cut off
	CallingPartyIsURI      Unusable = "calling_party_is_uri"
	NoCalledNumber         Unusable = "no_called_number"
	CalledNumberUnusable   Unusable = "called_number_unusable"
	CalledPartyIsURI       Unusable = "called_party_is_uri"
	Overlap                Unusable = "overlap" // the called number is not complete
)

// Parties are the parties of one call.
type Parties struct {
	Orig, Dest   tn.Identity // a complete international number or a URI; zero: not usable
	Second       tn.Identity // another called number, worth a second look when the first has nothing; zero for none
	Restricted   bool        // the caller is never to be shown
	Emergency    bool        // leave the call alone, by who is called; no party is given
	Marked       bool        // the call says of itself that it is one of emergency services: whoever places it can write so
	Diverted     bool        // the call was meant for somebody else
	DivertedFrom tn.Identity // who diverted it last; zero when that is not known
	HI           string      // index of DivertedFrom in History-Info; empty for none
	Unusable     Unusable    // why there is no key; of an emergency call, Usable
	Steps        []Step      // how each was found; only from the functions that explain
}

// Step is one step in finding the parties, for people. It holds numbers.
type Step struct {
	What   string // which party or property: called, calling, second, diverted from, …
	Read   string // what stood in the signalling, as it came, cut where it is long
	Became string // what was made of it; empty where it was refused
	Why    string
}

// finder finds the parties of one call by the rules of one trunk.
type finder struct {
	*Numbering
	explain bool
	parties Parties
}

// readMax bounds Step.Read, in bytes.
const readMax = 128

func (f *finder) step(what, read, became, why string) {
	if f.explain {
		f.parties.Steps = append(f.parties.Steps, Step{What: what, Read: read[:min(len(read), readMax)], Became: became, Why: why})
	}
}

// number makes the identity of a spelled number.
func (f *finder) number(what, read string, s spelled) (tn.Identity, outcome) {
	digits, o, why := f.e164(s)
	f.step(what, read, digits, why)
	if o != usable {
		return tn.Identity{}, o
	}
	n, err := tn.ParseNumber(digits)
	if err != nil { // complete has checked its length
		return tn.Identity{}, unusable
	}
	return tn.Of(n), usable
}

// called settles the called party.
func (f *finder) called(id tn.Identity, o outcome) {
	f.parties.Dest = id
	switch {
	case o == absent:
		f.parties.Unusable = NoCalledNumber
	case o == short:
		f.parties.Unusable = Overlap
	case o != usable:
		f.parties.Unusable = CalledNumberUnusable
	case id.IsURI():
		f.parties.Unusable = CalledPartyIsURI
	}
}

// calling settles the caller. What is wrong with the called party is told first.
func (f *finder) calling(id tn.Identity, o outcome) {
	f.parties.Orig = id
	why := Usable
	switch {
	case o == absent:
		why = NoCallingNumber
	case o == trimmed || o == short:
		why = CallingNumberTruncated
	case o != usable:
		why = CallingNumberUnusable
	case id.IsURI():
		why = CallingPartyIsURI
	}
	if f.parties.Unusable == Usable {
		f.parties.Unusable = why
	}
}

// isShortCaller reports whether a caller counts as none because it has few digits.
func (f *finder) isShortCaller(digits string) bool {
	return f.ShortCallerIsMissing && len(digits) < internationalMin
}

// second settles the second called number: who was called first, or else the toll-free number that was dialled.
func (f *finder) second(original, dialled tn.Identity) {
	if f.Second != SecondOriginal {
		return
	}
	second := original
	if second.IsZero() && f.isTollFree(dialled) {
		second = dialled
	}
	if _, isNumber := second.Number(); isNumber && second != f.parties.Dest {
		f.parties.Second = second
		f.step("second", second.String(), second.String(), "who was called first: looked under when the called number has nothing")
	}
}

// emergency is what is found of a call that is to be left alone.
func (f *finder) emergency(read, why string) Parties {
	f.step("called", read, "", why)
	return Parties{Emergency: true, Steps: f.parties.Steps}
}

// Keys gives the slots of a call on this trunk, in the order in which they are looked at; none where its parties are not
// both numbers, or where no CPS is asked. There is one to publish under, and none when the call is marked. ownSPC is that of
// the provider for whom the call is handled.
//
// In the agreed form the slot holds the SPC of who publishes: ownSPC when publishing, else that of the peer. In the company
// form it holds the SPC of who reads: ownSPC when retrieving, else that of the peer; which is empty where the row names
// none, and then whoever publishes has to find out to which provider the called number belongs.
func (r *Row) Keys(p Parties, ownSPC string, publishing bool) []oob.Key {
	if p.Emergency || p.Marked && publishing || p.Unusable != Usable || r.Profile.Row().Name == "" {
		return nil
	}
	key := oob.Key{Profile: r.Profile, Dest: p.Dest, Orig: p.Orig}
	switch form := r.Profile.Row(); {
	case form.KeyedBySPC && publishing, form.ForSPC && !publishing:
		key.SPC = ownSPC
	case form.KeyedBySPC, form.ForSPC:
		key.SPC = r.PeerSPC
	}
	if publishing || p.Second.IsZero() {
		return []oob.Key{key}
	}
	second := key
	second.Dest = p.Second
	return []oob.Key{key, second}
}
