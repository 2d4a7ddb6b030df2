package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
)

// awaitedLog gives out what is logged, line by line, to a test that waits for it.
type awaitedLog chan string

// Write never waits: what nobody has taken in a long time is of no use to the test.
func (l awaitedLog) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func (l awaitedLog) await(text string) {
	for line := range l {
		if strings.Contains(line, text) {
			return
		}
	}
}

// TestServe_IsReadyWhateverTheSTIPADoes: a list that is not there raises an alarm and stops nothing; when it is there, it
// is believed.
func TestServe_IsReadyWhateverTheSTIPADoes(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	pa, err := pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	list, err := pa.TrustList(oobtest.TrustListConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var works atomic.Bool
	host, err := pki.StartHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !works.Load() || r.Header.Get("Authorization") != "secret" {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		w.Write(oobtest.TrustListAnswer(list))
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()

	dir := filepath.Join(t.TempDir(), "lab")
	lab := LabInit{Dir: dir, SPC: []string{"1234"}, Repository: "127.0.0.1:1", CPS: "127.0.0.1:0", Management: "127.0.0.1:0", SIP: "127.0.0.1:0"}
	if err := lab.write(); err != nil {
		t.Fatal(err)
	}
	w := &labWriter{dir: dir}
	w.file("list-signer.pem", pa.Signer.CertificatePEM())
	w.file("list-tls.pem", pki.TLSRootPEM())
	w.file("secret", []byte("secret\n"))
	name := filepath.Join(dir, labConfig)
	config, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	w.file(labConfig, []byte(strings.Replace(string(config), "  anchors: [sti-root.pem]\n", fmt.Sprintf(`  list:
    source:
      url: %s/ca-list
      authorization_file: secret
      tls_roots: [list-tls.pem]
    signers: [list-signer.pem]
  cache_dir: cache
`, host.URL), 1)))
	if w.err != nil {
		t.Fatal(w.err)
	}
	file, err := readConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(awaitedLog, 1000)
	s, err := open(file, slog.New(slog.NewTextHandler(lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	ask := func(path, want string) {
		t.Helper()
		response, err := http.Get("http://" + s.managementListen.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %v, without %q", path, response.StatusCode, err, want)
		}
	}
	lines.await("sti-ca-list: alarm")
	ask("/readyz", "ready")
	ask("/metrics", `oob_trust_list_alarm{reason="nothing-held"} 1`)
	ask("/metrics", `oob_trust_list_refusals_total{problem="wrong-answer"} 1`)
	ask("/metrics", "oob_trust_anchors 0")
	works.Store(true)
	s.reload(name)
	lines.await("sti-ca-list: the alarm is over")
	ask("/metrics", "oob_trust_anchors 1")
	ask("/metrics", "oob_trust_list_used 1")
	ask("/metrics", `oob_trust_list_alarm{reason="nothing-held"} 0`)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	// Started again without the STI-PA, it believes what it has kept.
	host.Close()
	again, err := open(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if n := again.trusted.anchorCount(); n != 1 {
		t.Errorf("%d anchors after a restart", n)
	}
	if err := again.close(); err != nil {
		t.Error(err)
	}
}
