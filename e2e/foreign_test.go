package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// foreign is a client that others have written, curl, with the STI certificate of somebody in the laboratory; of nobody under the
// empty name.
type foreign struct {
	b   *bed
	who string
}

// reply is what a foreign client was answered.
type reply struct {
	status, header, body string
}

// command is curl with these arguments, the last of which is a path at the CPS.
func (f foreign) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	last := len(args) - 1
	args = append([]string{"--silent", "--show-error", "--cacert", f.b.lab.path("tls-root.pem"), "https://" + f.b.cps + args[last]}, args[:last]...)
	if f.who != "" {
		args = append(args, "--cert", f.b.lab.path("repository", f.who+".pem"), "--key", f.b.lab.key(f.who))
	}
	return exec.Command(other(t, "curl", "curl"), args...)
}

// asks runs curl to its end.
func (f foreign) asks(t *testing.T, args ...string) reply {
	t.Helper()
	dir := t.TempDir()
	header, body := filepath.Join(dir, "header"), filepath.Join(dir, "body")
	cmd := f.command(t, append([]string{"--dump-header", header, "--output", body, "--write-out", "%{http_code}", "--max-time", "60"}, args...)...)
	status, err := cmd.Output()
	check(t, err)
	fields, err := os.ReadFile(header)
	check(t, err)
	text, err := os.ReadFile(body)
	if !os.IsNotExist(err) {
		check(t, err)
	}
	return reply{string(status), string(fields), string(text)}
}

// field is the value of a header field.
func (r reply) field(name string) string {
	for line := range strings.Lines(r.header) {
		if key, value, found := strings.Cut(strings.TrimSpace(line), ":"); found && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// publishes posts PASSporTs, one in a line.
func (f foreign) publishes(t *testing.T, path string, tokens ...string) reply {
	t.Helper()
	return f.asks(t, "--header", "Content-Type: application/passport", "--data-binary", strings.Join(tokens, "\n"), path)
}

// streams subscribes until the test ends, and gives what it is told.
func (f foreign) streams(t *testing.T, path string) (said *spoken, cmd *exec.Cmd) {
	t.Helper()
	cmd, said = f.command(t, "--no-buffer", "--include", "--header", "Accept: text/event-stream", path), &spoken{}
	cmd.Stdout = said
	untilTheEnd(t, cmd)
	return said, cmd
}

// list reads an array of texts, such as that of the PASSporTs of a number.
func (r reply) list(t *testing.T) (texts []string) {
	t.Helper()
	check(t, json.Unmarshal([]byte(r.body), &texts))
	return texts
}
