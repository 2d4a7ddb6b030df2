package numbering_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/numbering"
)

// One number of which a server says something that nobody can use takes nothing from the others: the server has answered.
func TestHTTP_ABadAnswerAboutOneNumberLeavesTheOthersAlone(t *testing.T) {
	base, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "12155550666") {
			w.Write([]byte(`{"spc":"?\n"}`))
			return
		}
		w.Write([]byte(`{"spc":"567A"}`))
	})
	h := dial(t, numbering.HTTPConfig{URL: base + "/{tn}", Roots: roots})
	for range 20 {
		h.SPCs(t.Context(), number(t, "12155550666"))
	}
	if got, err := h.SPCs(t.Context(), number(t, "12155550121")); err != nil || got[0] != "567A" {
		t.Errorf("%v, %v; %+v", got, err, h.Stats())
	}
}
