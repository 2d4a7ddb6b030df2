package rfc9888_test

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

var example = regexp.MustCompile("(?s)```console\n\\$ (curl .*?[^\\\\])\n(.*?)```")

// TestRFC9888_S5_S6_AForeignClientNeedsACertificateAlone runs each command of docs/interoperability.md, with files of a
// laboratory: ID and PASSPORT stand for what is published.
func TestRFC9888_S5_S6_AForeignClientNeedsACertificateAlone(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: there is no curl here, so that the commands of docs/interoperability.md are not run")
	}
	page, err := os.ReadFile("../../docs/interoperability.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := example.FindAllStringSubmatch(string(page), -1)
	if len(examples) != 6 {
		t.Fatalf("the page has %d commands", len(examples))
	}
	p := start(t, oobtest.CPSConfig{})
	token, dir := p.Passport("a"), t.TempDir()
	files := map[string][]byte{"passport": []byte(token), "tls-root.pem": p.PKI.TLSRootPEM()}
	for name, id := range map[string]*oobtest.Identity{"originating.pem": p.Upstream, "terminating.pem": p.Downstream} {
		key, err := id.KeyPEM()
		if err != nil {
			t.Fatal(err)
		}
		for _, der := range id.TLS().Certificate {
			files[name] = append(files[name], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		files[name] = append(files[name], key...)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here := strings.NewReplacer("https://cps.example.net", p.CPS.URL, "ID", oob.PassportID(token), "PASSPORT", token)
	command := func(text string) *exec.Cmd {
		c := exec.CommandContext(t.Context(), "sh", "-c", "exec "+here.Replace(strings.ReplaceAll(text, "\\\n", "")))
		c.Dir = dir
		return c
	}
	for _, e := range examples {
		if strings.Contains(e[1], "text/event-stream") {
			p.told(command(e[1]), command(examples[0][1]))
			continue
		}
		var said bytes.Buffer
		c := command(e[1])
		c.Stderr = &said
		out, err := c.Output()
		if want := strings.TrimSpace(here.Replace(e[2])); err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %v, %s%s\nwant %s", e[1], err, out, said.String(), want)
		}
	}
}

// told starts a subscription, submits a further PASSporT with the other command, and wants it to be told.
func (p *providers) told(subscribe, submit *exec.Cmd) {
	p.Helper()
	out, err := subscribe.StdoutPipe()
	if err == nil {
		err = subscribe.Start()
	}
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = subscribe.Process.Kill(); _ = subscribe.Wait() }()
	eventually(p.T, func() bool { return p.CPS.Hub.Stats().Subscribers == 1 })
	token := p.Passport("b")
	if err := os.WriteFile(filepath.Join(submit.Dir, "passport"), []byte(token), 0o600); err != nil {
		p.Fatal(err)
	}
	if answer, err := submit.CombinedOutput(); err != nil {
		p.Fatalf("%v: %s", err, answer)
	}
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			p.Fatalf("the stream has ended: %v", lines.Err())
		}
		if strings.HasPrefix(lines.Text(), "data: ") && strings.Contains(lines.Text(), token) {
			return
		}
	}
}
