package e2e

import (
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
)

// secsipidx is the program of that name: a Go implementation of its own, that Kamailio is built on.
type secsipidx struct{ path string }

func findSecsipidx(t *testing.T) secsipidx {
	t.Helper()
	s := secsipidx{other(t, "secsipidx", "secsipidx")}
	t.Log(firstLine(s.path, "-version"))
	return s
}

// check gives 0 when it believes a value, else its exit status: the last 8 bits of the code of its library. Certificate
// is a file or a URL, roots a file; without roots it believes any certificate.
func (s secsipidx) check(t *testing.T, lab *laboratory, value, certificate, roots string) int {
	t.Helper()
	args := []string{"-check", "-expire", "60", "-timeout", "10", "-identity", value, "-fpubkey", certificate}
	if roots != "" {
		args = append(args, "-cert-verify", "5", "-ca-file", roots) // validity, and a chain to these roots
	}
	cmd := exec.Command(s.path, args...)
	cmd.Env = lab.believing()
	text, err := cmd.Output()
	status := cmd.ProcessState.ExitCode()
	if believed := strings.TrimSpace(string(text)) == "ok"; status < 0 || believed != (status == 0) {
		t.Fatalf("secsipidx: %v\n%s", err, text)
	}
	return status
}

// sign gives what it prints.
func (s secsipidx) sign(t *testing.T, key string, args ...string) string {
	t.Helper()
	text, err := exec.Command(s.path, append([]string{"-k", key}, args...)...).Output()
	check(t, err)
	return strings.TrimSpace(string(text))
}

func TestSecsipidxBelievesOurs(t *testing.T) {
	s, lab := findSecsipidx(t), newLaboratory(t)
	stranger := initLaboratory(t, "127.0.0.1:1")
	x5u, file := lab.repository+"/1234.pem", lab.path("repository", "1234.pem")
	for _, attest := range []string{"A", "B", "C"} {
		value := lab.sign(t, "--header", "--attest", attest)
		checkForm(t, value, x5u)
		for _, c := range []struct {
			name, value, certificate, roots string
			want                            bool
		}{
			{"certificate from a file", value, file, "", true},
			{"chain from a file", value, file, lab.path("sti-root.pem"), true},
			{"chain from the repository", value, x5u, lab.path("sti-root.pem"), true},
			{"chain to another root", value, x5u, stranger.path("sti-root.pem"), false},
			{"another provider's certificate", value, lab.path("repository", "567B.pem"), "", false},
			{"another caller", tampered(t, value), x5u, lab.path("sti-root.pem"), false},
			{"several called numbers", lab.sign(t, "--header", "--dest", "12155550132"), x5u, lab.path("sti-root.pem"), true},
		} {
			t.Run("attest "+attest+"/"+c.name, func(t *testing.T) {
				if status := s.check(t, lab, c.value, c.certificate, c.roots); (status == 0) != c.want {
					t.Errorf("exit status %d, believed should be %t", status, c.want)
				}
			})
		}
	}
}

func TestSecsipidxIsBelieved(t *testing.T) {
	s, lab := findSecsipidx(t), newLaboratory(t)
	x5u := lab.repository + "/1234.pem"
	parameters := []string{"-orig-tn", caller, "-dest-tn", called, "-attest", "B", "-x5u", x5u}
	full := s.sign(t, lab.key("1234"), append(parameters, "-sign-full")...)
	token := s.sign(t, lab.key("1234"), append(parameters, "-sign", "-orig-id", "123e4567-e89b-12d3-a456-426655440000")...)
	foreign := s.sign(t, lab.key("567B"), append(parameters, "-sign-full")...)
	checkForm(t, full, x5u)
	lab.judge(t, []judgement{
		{"Identity header", full, passed, nil},
		{"token out of band", token, passed, nil},
		{"stale Identity header", full, "E15", []string{"--at", "2038-01-19T03:14:07Z"}},
		{"Identity header of another call", full, "E16", []string{"--dest", "12155550132"}},
		{"Identity header with another caller", tampered(t, full), "E16", nil},
		{"Identity header, tampered for this call", tampered(t, full), "E18", []string{"--orig", "12155550122"}},
		{"token, tampered for this call", tampered(t, token), "E18", []string{"--orig", "12155550122"}},
		{"key of another provider", foreign, "E18", nil},
		{"Identity header without any origid asked for", s.sign(t, lab.key("1234"), append(parameters, "-sign")...), "E14", nil},
	})
}

// checkForm wants the form of an Identity header that large carriers emit, and that all three emit: parameters in the order info,
// alg, ppt, no quotes.
func checkForm(t *testing.T, value, x5u string) {
	t.Helper()
	token, parameters, _ := strings.Cut(value, ";")
	if want := "info=<" + x5u + ">;alg=ES256;ppt=shaken"; parameters != want {
		t.Errorf("parameters %q, want %q", parameters, want)
	}
	header, _, _ := strings.Cut(token, ".")
	if got, want := decoded(t, header), `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"`+x5u+`"}`; got != want {
		t.Errorf("header %s, want %s", got, want)
	}
}

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func decoded(t *testing.T, text string) string {
	t.Helper()
	plain, err := base64.RawURLEncoding.DecodeString(text)
	check(t, err)
	return string(plain)
}
