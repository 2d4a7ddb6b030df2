package main

import (
	"math"
	"slices"
)

// median is the middle of the values, or the mean of the two in the middle; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the least value that p percent of the values do not exceed (nearest rank); 0 of none.
func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// each is what f makes of each of the list.
func each[T any](list []T, f func(T) float64) []float64 {
	values := make([]float64, len(list))
	for i, one := range list {
		values[i] = f(one)
	}
	return values
}

// compared is the median of a measurement for floor and subject, and the median of subject ÷ floor over the pairs whose
// floor is not zero.
func compared(pairs []pair, of func(slice) float64) (floor, subject, ratio float64) {
	var floors, subjects, ratios []float64
	for _, p := range pairs {
		f, s := of(p.floor), of(p.subject)
		floors, subjects = append(floors, f), append(subjects, s)
		if f != 0 {
			ratios = append(ratios, s/f)
		}
	}
	return median(floors), median(subjects), median(ratios)
}
