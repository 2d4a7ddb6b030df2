package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// discover runs `viaduct discover`, and gives what it prints on both, and its exit status.
func (b *bed) discover(t *testing.T, config string, args ...string) (out, err string, exit int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(binDir, "viaduct"), append([]string{"discover", "--config", b.lab.path(config)}, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // whose exit status is asked for
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// TestDiscoverTellsTheCPSAndWhy asks each source, with its exit statuses: 0 for a CPS, 1 for none, 2 for no answer.
func TestDiscoverTellsTheCPSAndWhy(t *testing.T) {
	b := newProviders(t)
	b.serve(t, here, "cps.yaml")
	b.signList(t, 1, map[string]string{"567B": "https://list.example/", "1234": "https://list.example/1234"})
	gone, liar := freeAddress(t, "tcp"), freeAddress(t, "tcp")
	b.write(t, "liar.yaml", strings.NewReplacer(b.cps, liar, "[0-567B]", "[0-567B, 0-1234, 2-"+called+"]").Replace(b.skeleton(t, "cps.yaml", "")))
	b.serve(t, here, "liar.yaml")
	b.write(t, "cpss.csv", "0-567B,https://file.example\n2-"+called+",https://number.example/cps\n1-12155550100-10,https://range.example\n")
	const (
		none           = "no CPS is known"
		file           = "  file: cpss.csv\n"
		list           = "  list: {source: {file: ocn-list.jwt}, signers: [sti-pa/list-signer.pem]}\n"
		advertisements = "  advertisements: {urls: [\"https://CPS/.well-known/stir-cps\"]}\n"
		known          = "# known\n"
		greedy         = "  advertisements: {urls: [\"https://LIAR/.well-known/stir-cps\"]}\n"
		nowhere        = "  advertisements: {urls: [\"https://NOWHERE/.well-known/stir-cps\"]}\n"
		stranger       = "  list: {source: {file: ocn-list.jwt}, signers: [sti-root.pem]}\n"
	)
	for name, c := range map[string]struct {
		sources string
		args    []string
		out     string
		why     []string // on standard error
		exit    int
	}{
		"a number in the file":                 {file + list, []string{called}, "https://number.example/cps", []string{"known from", "file", "2-" + called}, 0},
		"a range in the file":                  {file, []string{"12155550105"}, "https://range.example", []string{"1-12155550100-10"}, 0},
		"a provider's number by the file":      {file, []string{"12155550132"}, "https://file.example", []string{"0-567B"}, 0},
		"a provider in the file":               {file + list, []string{"567B"}, "https://file.example", []string{"0-567B"}, 0},
		"a provider in the list":               {file + list, []string{"1234"}, "https://list.example/1234", []string{"list", "0-1234"}, 0},
		"a caller's number by the list":        {list, []string{"--side", "orig", caller}, "https://list.example/1234", []string{"0-1234"}, 0},
		"the list before the file":             {"  order: [list, file]\n" + file + list, []string{called}, "https://list.example", []string{"list"}, 0},
		"a provider advertised":                {advertisements, []string{"567B"}, "https://CPS", []string{"advert", "by ", "0-567B"}, 0},
		"a number of a provider, advertised":   {advertisements, []string{called}, "https://CPS", []string{"advert", "0-567B"}, 0},
		"a list of somebody else":              {stranger, []string{"567B"}, none, []string{"discovery.list: the signature does not verify"}, 1},
		"advertised where nobody is":           {nowhere, []string{"567B"}, none, []string{"https://NOWHERE/.well-known/stir-cps: ", "nobody has advertised it"}, 1},
		"advertised without the right":         {greedy, []string{"1234"}, none, []string{"not believed of 2 of its entries: the signer's certificate does not cover it"}, 1},
		"a number of a provider's, advertised": {greedy + known, []string{called}, "https://LIAR", []string{"for 2-" + called, "not believed of 1 of"}, 0},
		"whose numbers it has is not known":    {greedy, []string{called}, "https://LIAR", []string{"for 0-567B", "not believed of 2 of"}, 0},
		"an unknown provider":                  {file + list + advertisements, []string{"890C"}, none, []string{"file", "list", "advert"}, 1},
		"an unknown number":                    {file + list + advertisements, []string{"12025550199"}, none, []string{"file"}, 1},
		"nonsense":                             {file, []string{"who?"}, "", []string{"neither a number such as"}, 2},
		"a number with a plus":                 {file, []string{"+" + called}, "https://number.example/cps", nil, 0},
		"a side that is none":                  {file, []string{"--side", "left", called}, "", []string{"side"}, 2},
		"nowhere to look":                      {"", []string{called}, "", []string{"has no discovery"}, 2},
		"a configuration that cannot be used":  {"  file: nothing.csv\n", []string{called}, "", []string{"discovery.file", "nothing.csv"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			text := b.skeleton(t, "element.yaml", "1234") + "  - {name: out, match: {sources: [127.0.0.0/8]}, mode: sign}\n"
			head, rest, _ := strings.Cut(text, "discovery:\n")
			_, rest, _ = strings.Cut(rest, "# more\n")
			if c.sources != "" {
				c.sources = "discovery:\n" + c.sources
			}
			if strings.Contains(c.sources, known) {
				rest = strings.Replace(rest, "anchors:", "numbers: numbers.csv\n  anchors:", 1)
			}
			b.write(t, "discover.yaml", strings.Replace(head+strings.NewReplacer("CPS/", b.cps+"/", "NOWHERE", gone, "LIAR", liar, known, "").Replace(c.sources)+rest, "hosts: [", "hosts: [\""+gone+"\", \""+liar+"\", ", 1))
			out, why, exit := b.discover(t, "discover.yaml", c.args...)
			if want := strings.NewReplacer("//CPS", "//"+b.cps, "LIAR", liar).Replace(c.out); strings.TrimSpace(out) != want || exit != c.exit {
				t.Errorf("%q, exit status %d; want %q, %d\n%s", out, exit, want, c.exit, why)
			}
			for _, part := range c.why {
				if part = strings.ReplaceAll(part, "NOWHERE", gone); !strings.Contains(why, part) {
					t.Errorf("%q is not among the reasons:\n%s", part, why)
				}
			}
		})
	}
}
