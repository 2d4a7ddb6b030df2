package cpsclient

import "slices"

// union merges the answers of the CPSs, one PASSporT of each in turn, without duplicates. Each list keeps its order. No
// CPS can push back what another has found by what it says of itself: a PASSporT of each is among the first.
func union(lists [][]string) []string {
	lists = slices.CompactFunc(lists, slices.Equal) // the CPSs of a pair mostly agree
	var all []string
	taken := map[string]bool{}
	for i, more := 0, true; more; i++ {
		more = false
		for _, list := range lists {
			if i >= len(list) {
				continue
			}
			more = true
			if !taken[list[i]] {
				taken[list[i]] = true
				all = append(all, list[i])
			}
		}
	}
	return all
}
