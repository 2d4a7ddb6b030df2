package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfiguration_TextIsNotRepeated: somebody names the wrong file, or a right one with a secret in the wrong place. What
// stands there must not reach a terminal or a log.
func TestConfiguration_TextIsNotRepeated(t *testing.T) {
	dir := laboratoryIn(t)
	key, err := os.ReadFile(filepath.Join(dir, labProviders, "1234", "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"a private key": string(key), "a private key below a key": "cps: |\n  " + strings.ReplaceAll(string(key), "\n", "\n  "),
		"garbage": "\x00\x01hunter2\xff\xfe\x80: [\x1b", "more garbage": strings.Repeat("\x89PNG\r\n\x1a\nhunter2\x00", 40),
	}
	for _, text := range []string{
		"hunter2", "password: hunter2", "log:\n  password: hunter2", "Hunter2 hunter2: x", "log: &hunter2\n  level: *hunter", "trust: *hunter2",
		"cps:\n  listen: \"hunter2", "cps:\n  listen: 'hunter2", "cps:\n  limits: hunter2", "cps:\n  limits:\n    records: hunter2",
		"cps:\n  drain:\n    delay: hunter2", "cps:\n  retention:\n    mesh: hunter2", "cps:\n  deny: [hunter-hunter2]", "cps:\n  readers: hunter2",
		"cps:\n  readers:\n    hunter-hunter2: []", "cps:\n  audience: hunter2", "cps: [hunter2", "%hunter2", "%YAML hunter2\n---\n", "!!hunter2{ x", "? hunter2\n: [hunter2",
		"\"hunter2 x\": 1\n\"hunter2 x\": 2", "log:\n  level: \"\\hunter2\"", "log:\n  level: |hunter2\n  x", "@hunter2", "`hunter2", "cps: {hunter2: 1, hunter2: 2}",
		"hunter2: a\n---\nhunter2: b", "cps:\n  <<: hunter2", "log: !!int hunter2", "log:\n  level: hunter2\n level: hunter2",
	} {
		cases[text] = text
	}
	for name, text := range cases {
		file := filepath.Join(t.TempDir(), "viaduct.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := output(t, &Check{Config: file})
		if !errors.Is(err, ErrNegative) {
			t.Errorf("%q: %v", name, err)
		}
		said := strings.ReplaceAll(out, file, "")
		if err := (&Serve{Config: file}).Run(&Streams{Out: os.Stdout, Err: os.Stderr}); err != nil {
			said += strings.ReplaceAll(err.Error(), file, "")
		}
		for _, secret := range append(strings.Split(string(key), "\n"), "hunter2") {
			if secret != "" && strings.Contains(said, secret) && !strings.Contains(said, "there is no key "+secret+" here") {
				t.Errorf("%q: repeats it:\n%s", name, said)
				break
			}
		}
	}
}

// faultsOf are those of a text, without the name of its file.
func faultsOf(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "viaduct.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := output(t, &Check{Config: file})
	if !errors.Is(err, ErrNegative) {
		t.Fatalf("%q: %v", text, err)
	}
	return strings.ReplaceAll(said, dir, "")
}

// TestConfiguration_NothingSaidIsTheDefaults: a file that holds no key is one that leaves every key out.
func TestConfiguration_NothingSaidIsTheDefaults(t *testing.T) {
	want := faultsOf(t, "{}\n")
	for _, text := range []string{"", "\n\n", "# a comment\n", "---\n", "---\n# a comment\n", "null\n", "~\n"} {
		if got := faultsOf(t, text); got != want {
			t.Errorf("%q:\n%s\nwant\n%s", text, got, want)
		}
	}
}

// TestConfiguration_FaultsStandInTheOrderOfTheFile, which is the same in every run.
func TestConfiguration_FaultsStandInTheOrderOfTheFile(t *testing.T) {
	text := "log:\n  level: loud\ncps:\n  limits:\n    timeout: 0s\n    records: 0\n    bytes: 0\n    tokens: 0\n  rates:\n    retrieve: {burst: 0}\n    publish: {burst: 0}\n  retention: {x: 1s, y: 1s, z: 1s}\n"
	want := faultsOf(t, text)
	if strings.Index(want, ":2: log.level") > strings.Index(want, ":5: cps.limits.timeout") || strings.Index(want, ":5: ") > strings.Index(want, ":10: ") {
		t.Errorf("not in order:\n%s", want)
	}
	for range 20 {
		if got := faultsOf(t, text); got != want {
			t.Fatalf("another order:\n%s\nbefore\n%s", got, want)
		}
	}
}
