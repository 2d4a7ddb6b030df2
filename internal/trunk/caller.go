package trunk

// callerSource is a place where the caller stands.
type callerSource uint8

const (
	fromAsserted callerSource = iota // P-Asserted-Identity; the calling party number
	fromFrom                         // From; the generic number with what the caller's side gave
)

// CallerOrder is where the caller is looked for. In ISUP what is asserted is the calling party number, and what stands
// for From is the generic number with what the caller's side gave.
type CallerOrder uint8

// The orders. In the first, what is asserted decides even where it cannot be used (ATIS-1000074).
const (
	AssertedFirst CallerOrder = iota // P-Asserted-Identity, else From
	FromFirst                        // From where it holds a number, else P-Asserted-Identity
	AssertedOnly
	FromOnly
	callerOrdersEnd // keep last
)

var callerSources = [callerOrdersEnd][]callerSource{
	AssertedFirst: {fromAsserted, fromFrom},
	FromFirst:     {fromFrom, fromAsserted},
	AssertedOnly:  {fromAsserted},
	FromOnly:      {fromFrom},
}

// callerSources are the places where the caller is looked for, in their order.
func (n *Numbering) callerSources() []callerSource {
	if n.Caller >= callerOrdersEnd {
		return nil
	}
	return callerSources[n.Caller]
}

// decides reports whether a caller that is there and is no number ends the search.
func (n *Numbering) decides(source callerSource) bool {
	return n.Caller != FromFirst || source != fromFrom
}
