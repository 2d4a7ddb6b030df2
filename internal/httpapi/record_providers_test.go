package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// TestOneLogLinePerRequestOfProviders: the resource is written as documented, a certificate that names no provider passes for none,
// and what does not exist is told as everything else of these forms.
func TestOneLogLinePerRequestOfProviders(t *testing.T) {
	p := startProviders(t, oobtest.CPSConfig{})
	numbers, err := tn.ParseRange(oobtest.CalledNumber)
	if err != nil {
		t.Fatal(err)
	}
	delegate, err := p.PKI.Issue(oobtest.IssueConfig{TNAuthList: stircert.TNAuthList{Ranges: []tn.Range{numbers}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		asks          one
		resource, spc string
		holder        bool
		status        int
		media         string
	}{
		{"a collection", one{method: "GET", path: calledPath, as: p.Downstream}, "/cps/{dest}/ppts", oobtest.DownstreamSPC, false, 200, "application/json"},
		{"of a delegate", one{method: "GET", path: calledPath, as: delegate}, "/cps/{dest}/ppts", "", true, 200, "application/json"},
		{"a company", one{method: "POST", path: companyPath}, "/cps/company/{spc}", "", false, 400, "application/problem+json"},
		{"neither", one{method: "GET", path: "/cps/a/b"}, "/cps/{first}/{second}", "", false, 404, "application/problem+json"},
		{"nothing", one{method: "GET", path: "/cps/a/b/c/d/e/f"}, "", "", false, 404, "application/problem+json"},
		{"nothing elsewhere", one{method: "GET", path: "/a"}, "", "", false, 404, "application/json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.T = t
			p.log.take(t)
			c.asks.header = http.Header{}
			answer := p.ask(c.asks)
			lines, text := p.log.take(t)
			if answer.Status != c.status || answer.Header.Get("Content-Type") != c.media || len(lines) != 1 {
				t.Fatalf("%d %s, %d lines: %s", answer.Status, answer.Header.Get("Content-Type"), len(lines), text)
			}
			_, holder := lines[0]["certificate"]
			if lines[0]["resource"] != c.resource || lines[0]["spc"] != c.spc || holder != c.holder {
				t.Error(text)
			}
		})
	}
}
