package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// newProviders makes a laboratory of two providers of RFC 9888: 1234, whose calls go to 567B, which has a CPS of its own. The files
// are those of testdata/providers. Holders of numbers are acme, from whose numbers calls come, and widgets, whose numbers are called.
func newProviders(t *testing.T) *bed {
	t.Helper()
	t.Parallel()
	b := &bed{cps: freeAddress(t, "tcp")}
	b.lab = newLaboratory(t, "--cps", b.cps, "--delegate", "acme=12155550120-12155550129", "--delegate", "widgets=12155550130-12155550139")
	b.write(t, "cps.yaml", b.skeleton(t, "cps.yaml", "567B"))
	b.write(t, "numbers.csv", b.skeleton(t, "numbers.csv", ""))
	return b
}

// skeleton is a file of testdata/providers with what this laboratory has in the place of its variables.
func (b *bed) skeleton(t *testing.T, file, spc string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "providers", file))
	check(t, err)
	return os.Expand(string(text), func(name string) string {
		return map[string]string{
			"CPS": b.cps, "SPC": spc, "REPOSITORY": b.lab.repository, "REPOSITORY_HOST": strings.TrimPrefix(b.lab.repository, "https://"),
		}[name]
	})
}

func (b *bed) write(t *testing.T, file, text string) {
	t.Helper()
	check(t, os.WriteFile(b.lab.path(file), []byte(text), 0o600))
}

// element writes the configuration of a provider's element with these trunks, each a row with its budget left out, and gives its
// name.
func (b *bed) element(t *testing.T, spc string, trunks ...string) string {
	t.Helper()
	text := b.skeleton(t, "element.yaml", spc)
	for _, trunk := range trunks {
		name, row, _ := strings.Cut(trunk, ": ")
		text += fmt.Sprintf("  - {name: %s, match: {sources: [127.0.0.0/8], label: %s}, budget: 5s, %s}\n", name, name, row)
	}
	b.write(t, spc+".yaml", text)
	return spc + ".yaml"
}

// dip has a switch ask the element about a call of a trunk, and gives the answer. Two with the same id are about the same call.
func (s *server) dip(t *testing.T, trunk, id, orig, dest string, fields ...string) message {
	t.Helper()
	p, cmd := s.dips(t, trunk, id, orig, dest, fields...)
	out, err := cmd.CombinedOutput()
	answers := p.got(t, "SIP/2.0 ")
	if err != nil || len(answers) == 0 {
		text, _ := os.ReadFile(p.trace)
		t.Fatalf("sipp: %v\n%s\n%s", err, out, text)
	}
	return answers[len(answers)-1]
}

// dips is the command with which a switch asks.
func (s *server) dips(t *testing.T, trunk, id, orig, dest string, fields ...string) (*phone, *exec.Cmd) {
	t.Helper()
	p := here.phone(t)
	fields = append([]string{"P-Asserted-Identity: <sip:+" + orig + "@127.0.0.1>"}, fields...)
	return p, here.sipp(t, p, "dip.xml", s.at["sip_udp"], "-m", "1", "-cid_str", id, "-s", "+"+orig, "-key", "uri", "sip:+"+dest+"@"+trunk+".oob.example",
		"-key", "extra", strings.Join(fields, "\r\n"), "-timeout", fmt.Sprintf("%.0fs", patience.Seconds()), "-timeout_error")
}

// code is that of an answer.
func (m message) code() string { return strings.Fields(string(m))[1] }

// verstat is what a verifying element says of the caller.
func (m message) verstat(t *testing.T) string {
	t.Helper()
	_, verstat, _ := strings.Cut(m.value(t, "P-Asserted-Identity"), "verstat=")
	verstat, _, _ = strings.Cut(verstat, "@")
	return verstat
}

// published is how many PASSporTs the CPS has taken in a form; retrieved, how often it was asked.
func (s *server) published(t *testing.T, profile string) float64 {
	t.Helper()
	return s.metric(t, "oob_cps_request_seconds_count", `operation="publish"`, `profile="`+profile+`"`, `fault=""`)
}

func (s *server) retrieved(t *testing.T, profile string) float64 {
	t.Helper()
	return s.metric(t, "oob_cps_request_seconds_count", `operation="retrieve"`, `profile="`+profile+`"`)
}

// steps are the texts of the trace of the newest call.
func (s *server) steps(t *testing.T) string {
	t.Helper()
	var page struct {
		Calls []json.RawMessage `json:"calls"`
	}
	check(t, json.Unmarshal([]byte(s.get(t, "/calls")), &page))
	if len(page.Calls) == 0 {
		t.Fatal("no call is recorded")
	}
	return string(page.Calls[0])
}
