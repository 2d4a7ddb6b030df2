package isup_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkAddedSetUpDelay calls over the trunk, once as switches do without any element and once with elements whose CPS is
// 20 ms away, there and back: the time from the caller's INVITE until the far phone's, and how much more it is with them.
// What crosses is wanted to be verified.
//
//	go test ./e2e/isup -run '^$' -bench AddedSetUpDelay -benchtime 200x
func BenchmarkAddedSetUpDelay(b *testing.B) {
	wants(b)
	sharedElements(b)
	cps := startDistance(b, shared.lab.cps, 10*time.Millisecond)
	var elements [2]sipElement
	for i := range elements {
		elements[i], _ = shared.lab.startElement(b, i, elementConfig{cps: cps})
	}
	plain := startBed(b, ansi, element{}, element{})
	dipped := startBed(b, ansi, elements[0].asked(ansi, "out"), elements[1].asked(ansi, "in"))
	calls := 0
	setUp := func(bed *bed) time.Duration {
		calls++
		began := time.Now()
		call := bed.place(b, fmt.Sprintf("+1215556%04d", calls), "P-Asserted-Identity: <sip:"+caller[ansi]+"@phone.example>")
		ring := bed.far.ringing(b)
		took := time.Since(began)
		if told, _ := heard(ring.InviteRequest); bed == dipped && told != caller[ansi]+";verstat=TN-Validation-Passed" {
			b.Errorf("the far phone is told %s", told)
		}
		ring.respond(b, 486)
		call.refused(b)
		return took
	}
	var without, with []time.Duration
	for b.Loop() {
		without = append(without, setUp(plain))
		with = append(with, setUp(dipped))
	}
	slices.Sort(without)
	slices.Sort(with)
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	median := without[len(without)/2]
	b.ReportMetric(milliseconds(median), "plain-p50-ms")
	b.ReportMetric(milliseconds(with[len(with)/2]-median), "added-p50-ms")
	b.ReportMetric(milliseconds(with[len(with)*99/100]-median), "added-p99-ms")
}
