package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// deployed is a file that operators copy.
func deployed(names ...string) string {
	return filepath.Join(append([]string{"..", "deploy"}, names...)...)
}

// TestClusterExample runs the example of a cluster as its script does for a person: nodes come up, share what is published, lose one
// to kill -9, and get it back.
func TestClusterExample(t *testing.T) {
	t.Parallel() // with other tests; the two below choose their ports in turn
	other(t, "bash", "bash")
	for name, args := range map[string][]string{"three nodes": nil, "two servers and a witness": {"witness"}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
			defer cancel()
			temp := t.TempDir()
			script := exec.CommandContext(ctx, "bash", append([]string{deployed("cluster", "try.sh")}, args...)...)
			script.Env = append(os.Environ(), "VIADUCT="+filepath.Join(binDir, "viaduct"), "TMPDIR="+temp)
			script.Cancel = func() error { return script.Process.Signal(syscall.SIGTERM) } // it stops what it has started
			script.WaitDelay = 30 * time.Second
			out, err := script.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if !strings.Contains(string(out), "n1 is back, and has what it missed") {
				t.Errorf("it did not get to its end:\n%s", out)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("it has left %v behind (%v)", left, err)
			}
			for _, process := range processesOf(t, temp) {
				t.Errorf("it has left a process running: %s", process)
			}
		})
	}
}

// processesOf are the command lines of processes that have a folder in them.
func processesOf(t *testing.T, folder string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	check(t, err)
	for _, file := range files {
		if line, _ := os.ReadFile(file); strings.Contains(string(line), folder) { // a process may be gone by now
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// TestClusterExamplesAreTaken: every configuration that operators start from is one that `viaduct check` finds good, once the files
// that it names are there.
func TestClusterExamplesAreTaken(t *testing.T) {
	examples, err := filepath.Glob(deployed("cluster", "*.yaml"))
	check(t, err)
	if len(examples) < 6 {
		t.Fatalf("only %d examples: %v", len(examples), examples)
	}
	lab := initLaboratory(t, "127.0.0.1:8444")
	viaduct := filepath.Join(binDir, "viaduct")
	keys := []string{"cluster", "certificates", lab.dir}
	for i := range 3 {
		keys = append(keys, fmt.Sprintf("n%d=10.0.0.%[1]d", i+1), fmt.Sprintf("east-n%d=10.0.0.%[1]d", i+1), fmt.Sprintf("west-n%d=10.1.0.%[1]d", i+1))
	}
	if out, err := exec.Command(viaduct, keys...).CombinedOutput(); err != nil {
		t.Fatalf("viaduct cluster certificates: %v\n%s", err, out)
	}
	for from, to := range map[string]string{lab.path("tls", "cps.pem"): "cps.pem", lab.path("tls", "cps-key.pem"): "cps.key", lab.path("sti-root.pem"): "sti-roots.pem"} {
		text, err := os.ReadFile(from)
		check(t, err)
		check(t, os.WriteFile(lab.path(to), text, 0o600))
	}
	for _, example := range examples {
		t.Run(filepath.Base(example), func(t *testing.T) {
			text, err := os.ReadFile(example)
			check(t, err)
			name := lab.path(filepath.Base(example))
			check(t, os.WriteFile(name, bytes.ReplaceAll(text, []byte("/var/lib/viaduct/"), []byte(lab.dir+"/")), 0o600))
			if out, err := exec.Command(viaduct, "check", "--config", name).CombinedOutput(); err != nil {
				t.Errorf("viaduct check: %v\n%s", err, out)
			}
		})
	}
}

// TestUnit: systemd understands every line of the unit, and finds little that the service is exposed to. The threshold is a tenth of
// systemd's own measure, which goes up to 10.
func TestUnit(t *testing.T) {
	analyze := other(t, "systemd-analyze", "systemd")
	text, err := os.ReadFile(deployed("viaduct.service"))
	check(t, err)
	viaduct := filepath.Join(binDir, "viaduct")
	unit := filepath.Join(t.TempDir(), "viaduct.service")
	check(t, os.WriteFile(unit, bytes.ReplaceAll(text, []byte("/usr/local/bin/viaduct"), []byte(viaduct)), 0o600))
	for _, args := range [][]string{{"verify", unit}, {"security", "--offline=true", "--no-pager", "--threshold=15", unit}} {
		out, err := exec.Command(analyze, args...).CombinedOutput()
		if args[0] == "verify" && len(out) > 0 || err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}

// alerts is deploy/alerts.yaml, as Prometheus reads it.
type alerts struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations struct {
				Summary string `yaml:"summary"`
				Do      string `yaml:"do"`
			} `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// TestAlertsNameMetrics: a rule about a metric that is not there never wakes anybody up.
func TestAlertsNameMetrics(t *testing.T) {
	text, err := os.ReadFile(deployed("alerts.yaml"))
	check(t, err)
	var file alerts
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	check(t, err)
	known := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(oob_[a-z0-9_]+)` \\|").FindAllSubmatch(page, -1) {
		known[string(m[1])] = true
	}
	for _, list := range []string{"oob_trust_list_", "oob_trust_revocation_"} { // the page names their metrics in a sentence
		known[list+"alarm"] = true
	}
	known["oob_cps_request_seconds_count"] = bytes.Contains(page, []byte("`oob_cps_request_seconds` is the histogram"))
	known["oob_cps_request_seconds_bucket"] = known["oob_cps_request_seconds_count"]
	rules, names := 0, regexp.MustCompile(`\boob_[a-z0-9_]+`)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			rules++
			if rule.Alert == "" || rule.Annotations.Summary == "" || rule.Annotations.Do == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s %q lacks a name, a severity, what it means or what to do", group.Name, rule.Alert)
			}
			for _, name := range names.FindAllString(rule.Expr, -1) {
				if !known[name] {
					t.Errorf("%s: docs/metrics.md has no %s", rule.Alert, name)
				}
			}
		}
	}
	if rules == 0 {
		t.Error("there are no rules")
	}
}

// TestAlertsAreTaken has Prometheus itself read the rules, and try them on what metrics would say.
func TestAlertsAreTaken(t *testing.T) {
	promtool := other(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", deployed("alerts.yaml")}, {"test", "rules", filepath.Join("testdata", "deploy", "alerts_test.yaml")}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestOperatingPageConfigurations: what operators copy from the page is taken, or stands in an example that is.
func TestOperatingPageConfigurations(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "operating.md"))
	check(t, err)
	blocks := regexp.MustCompile("(?s)\n```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 3 {
		t.Fatalf("%d configurations on the page, want those of one node, of a site and of an external NATS", len(blocks))
	}
	example, err := os.ReadFile(deployed("cluster", "east-n1.yaml"))
	check(t, err)
	for line := range strings.Lines(string(blocks[1][1])) {
		if !strings.Contains(string(example), strings.TrimSpace(line)) {
			t.Errorf("east-n1.yaml lacks %q", line)
		}
	}
	lab := initLaboratory(t, "127.0.0.1:8444")
	check(t, os.WriteFile(lab.path("viaduct.creds"), nil, 0o600))
	own, err := os.ReadFile(lab.path("viaduct.yaml"))
	check(t, err)
	for _, block := range []string{string(blocks[0][1]), string(blocks[2][1])} {
		name := lab.path("page.yaml")
		check(t, os.WriteFile(name, append(bytes.Clone(own), strings.ReplaceAll(block, "/var/lib/viaduct/", lab.dir+"/")...), 0o600))
		if out, err := exec.Command(filepath.Join(binDir, "viaduct"), "check", "--config", name).CombinedOutput(); err != nil {
			t.Errorf("viaduct check: %v\n%s%s", err, out, block)
		}
	}
}
