package trunk

import "github.com/viaduct-oob/viaduct/tn"

// Numbering is how numbers are written on a trunk. Both ends of a TDM trunk must be given the same meaning.
type Numbering struct {
	Plan    tn.Plan
	HomeNPA string      // area code of subscriber numbers; empty: they are not usable
	Bare    BareForm    // what digits without a + mean in SIP
	Caller  CallerOrder // where the caller is looked for
	Second  SecondKey

	// Bypass are the called numbers that are left alone, as dialled; nil for BypassDefault. What is addressed to
	// urn:service:sos (RFC 5031) is always left alone.
	Bypass []string

	// StripPrefixes are dialled on this trunk before a number and do not belong to it, such as 9 or 101XXXX; an X stands
	// for any digit. The first that fits is taken away, once.
	StripPrefixes []string

	// TollFree are the area codes of numbers that stand for another one, which the network looks up; nil for those of
	// North America where the country code is 1.
	TollFree []string

	// ShortCallerIsMissing takes a caller of less than 7 digits, such as an extension, for no caller, so that the next
	// place is looked at. Otherwise it makes the caller unusable.
	ShortCallerIsMissing bool
}

// BareForm is what digits without a + mean, in a SIP user or a tel URI.
type BareForm uint8

// The forms. A SIP URI without user=phone whose user is digits could name an extension of anybody's: only where its sender
// is known, as on a trunk, may it be read as a number.
const (
	BareDialled       BareForm = iota // as dialled: national, with dial prefixes, or of the home area
	BareInternational                 // the country code first, as some switches send all numbers
	BareText                          // no number in a SIP URI that does not say user=phone; else as dialled
	bareFormsEnd                      // keep last
)

// SecondKey says whether there is a second called number to look under when the first has nothing.
type SecondKey uint8

// The policies.
const (
	SecondNone     SecondKey = iota
	SecondOriginal           // who was called first, before diversions and toll-free translation
	secondKeysEnd            // keep last
)

// Signalling is what an INVITE says of its parties: header field values as they came. Nothing in it is believed to be
// well-formed.
type Signalling struct {
	RequestURI       string
	From             string
	To               string
	Asserted         []string // P-Asserted-Identity
	Privacy          []string
	Diversion        []string
	HistoryInfo      []string
	ChargeInfo       []string // P-Charge-Info: who pays, never who calls
	ResourcePriority []string
	Priority         []string
}
