package store

// InTurn puts first the first record of each publisher in list, then the second of each, and so on: where all who publish
// share what is read, nobody can push another's record out of an answer by publishing more. Within a turn the order is
// that of list.
func InTurn[T any](list []T, publisher func(*T) string) []T {
	turn := make([]int, len(list)) // in which each comes
	var count []int                // how many come in each
	taken := map[string]int{}
	for i := range list {
		name := publisher(&list[i])
		turn[i] = taken[name]
		taken[name]++
		if turn[i] == len(count) {
			count = append(count, 0)
		}
		count[turn[i]]++
	}
	begin := 0 // of a turn; from here on, count is where the next record of each goes
	for i, n := range count {
		count[i], begin = begin, begin+n
	}
	turns := make([]T, len(list))
	for i := range list {
		turns[count[turn[i]]] = list[i]
		count[turn[i]]++
	}
	return turns
}
