package oob

import "time"

// Profile names one published form of the CPS interface. What differs between forms is the row in [Profile.Row]; no
// code outside the rows asks for a profile by name to decide what to do.
type Profile uint8

// The profiles. The zero Profile is none, so that a Key made in haste finds nothing.
const (
	noProfile   Profile = iota
	Agreed              // ATIS-1000105: one CPS agreed per provider pair, the publisher's SPC in the key
	Mesh                // ATIS-1000096: any CPS, keyed by the two numbers
	RFC9888             // RFC 9888: the CPS of the terminating provider, read by who is called
	Company             // OOB SHAKEN, contribution of 2020: the CPS of one terminating provider, open to whoever signs
	profilesEnd         // keep last
)

// Row is what one profile decides.
type Row struct {
	Name          string        // in configuration, metrics and logs
	Document      string        // where the form is published
	KeyedBySPC    bool          // the key holds the publisher's SPC, and the access token says it in spc instead of sub
	ForSPC        bool          // the key holds the SPC of the terminating provider, who alone may read
	CallerInside  bool          // who calls is read from the PASSporT, not from the path that it is published to; a record ends when that is stale
	ByScope       bool          // what a principal may read follows from its TNAuthList
	Open          bool          // anybody may publish a PASSporT that verifies; nobody is asked who he is
	Consumed      bool          // the reader takes a record away when its call has come
	Pushed        bool          // readers can subscribe
	PublisherSets bool          // the publisher's exp is the record's deadline
	Relayed       bool          // a CPS passes on what is published to it to all other CPSs
	RetentionMin  time.Duration // least and greatest values that the setting may take
	RetentionMax  time.Duration
	Retention     time.Duration // default: how long a record is kept when its publisher did not say
	Patience      time.Duration // how long after a call has come its record may still be on the way, and is worth asking for again
}

var profileRows = [profilesEnd]Row{
	Agreed: {
		Name: "agreed", Document: "ATIS-1000105", KeyedBySPC: true, PublisherSets: true,
		RetentionMin: time.Second, RetentionMax: time.Minute, Retention: 15 * time.Second,
		// The call is released when the CPS has it; only a publisher that could not wait for that is late.
		Patience: 400 * time.Millisecond,
	},
	Mesh: {
		Name: "mesh", Document: "ATIS-1000096", Relayed: true,
		RetentionMin: 5 * time.Second, RetentionMax: time.Minute, Retention: 15 * time.Second,
		// The record may have been published to another CPS and has to be relayed.
		Patience: time.Second,
	},
	RFC9888: {
		Name: "rfc9888", Document: "RFC 9888", CallerInside: true, ByScope: true, Pushed: true,
		RetentionMin: time.Second, RetentionMax: time.Minute, Retention: time.Minute,
		// It may be published after the call was sent on (RFC 9888 §5).
		Patience: time.Second,
	},
	Company: {
		Name: "company", Document: "OOB SHAKEN 2020", ForSPC: true, CallerInside: true, Open: true, Consumed: true, Pushed: true,
		RetentionMin: time.Second, RetentionMax: time.Minute, Retention: time.Minute,
		// It is sent on its way when the call is, and nobody waits for it.
		Patience: time.Second,
	},
}

// Row gives what the profile decides; of an unknown profile, the zero Row.
func (p Profile) Row() Row {
	if p >= profilesEnd {
		return Row{}
	}
	return profileRows[p]
}

// String is the profile's name.
func (p Profile) String() string { return p.Row().Name }

// Profiles lists all profiles, in the order of their rows.
func Profiles() []Profile {
	all := make([]Profile, 0, profilesEnd-1)
	for p := noProfile + 1; p < profilesEnd; p++ {
		all = append(all, p)
	}
	return all
}

// ProfileNamed finds a profile by its name.
func ProfileNamed(name string) (Profile, bool) {
	for _, p := range Profiles() {
		if p.Row().Name == name {
			return p, true
		}
	}
	return noProfile, false
}
