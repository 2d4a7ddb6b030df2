package trust_test

import (
	"net/http"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// TestWhoWaitsForARepositoryHoldsNoPlace: a repository that is slow keeps nobody from being worked on, and who has waited for it is
// worked on again.
func TestWhoWaitsForARepositoryHoldsNoPlace(t *testing.T) {
	l := newLaboratory(t, nil)
	gate := turnstile.New(turnstile.Config{Places: 1})
	own, asked := l.pki.Handler(), make(chan int, 1)
	l.answer = func(w http.ResponseWriter, r *http.Request) {
		asked <- gate.Stats().Working
		own.ServeHTTP(w, r)
	}
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	pass, err := gate.Enter(t.Context(), turnstile.Guest{Claim: "1234"}, turnstile.Publication)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.verifier.Credential(pass, id.X5U); err != nil {
		t.Fatal(err)
	}
	if waiting, after := <-asked, gate.Stats().Working; waiting != 0 || after != 1 {
		t.Errorf("%d while the repository is asked, %d after that", waiting, after)
	}
	if _, err := l.verifier.Credential(pass, id.X5U); err != nil || len(asked) != 0 {
		t.Errorf("asked again, %v", err)
	}
	pass.Leave()
	if got := gate.Stats().Working; got != 0 {
		t.Errorf("%d at work in the end", got)
	}
}
