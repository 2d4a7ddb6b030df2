package main

import "testing"

// TestSmokeOverload measures nothing: every request of a short run has to be answered, or refused with the time of a retry.
func TestSmokeOverload(t *testing.T) {
	p := newOverloadPlan()
	p.shrink()
	figures, err := measureOverload(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if f.Least == 100 && f.missed() {
			t.Errorf("%s: %v", f.Name, f.Value)
		}
	}
	if len(figures) == 0 {
		t.Error("no figures")
	}
}
