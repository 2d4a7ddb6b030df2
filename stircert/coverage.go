package stircert

// CoversEach reports of each resource what [TNAuthList.CoversResource] does of one: both lists may have thousands of entries
// and an enemy for an author.
func (l TNAuthList) CoversEach(resources []Resource, data *NumberData) []bool {
	spcs := make(map[string]bool, len(l.SPCs))
	for _, spc := range l.SPCs {
		spcs[spc] = true
	}
	spans := spansOf(l.Ranges)
	covered := make([]bool, len(resources))
	var asked []digitSpan
	var places []int
	for i, r := range resources {
		switch {
		case r.spc != "":
			covered[i] = spcs[r.spc]
		case r.numbers.IsZero():
		case within(spans, r.numbers):
			covered[i] = true
		default:
			if span, ok := digitsOf(r.numbers); ok {
				asked, places = append(asked, span), append(places, i)
			}
		}
	}
	met := data.meeting(spcs, append([]digitSpan(nil), asked...)) // which sorts them
	for i, span := range asked {
		covered[places[i]] = holdAll(met, []digitSpan{span})
	}
	return covered
}
