package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
)

// element is a provider's SIP element with its configuration in a file, beside the demonstration's CPS.
type element struct {
	*provider
	t    *testing.T
	file *Config
	name string
	log  *lockedBuffer
}

// lockedBuffer is what a server logs into.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func startCountry(t *testing.T) *country {
	t.Helper()
	c, err := openCountry()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *country) startElement(t *testing.T, spc string, change func(*Config)) *element {
	t.Helper()
	file, err := readConfig(filepath.Join(c.dir, labSwitches, spc+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file.Peers.CPS[0].URL = c.cps.url()
	for i := range file.Trunks {
		file.Trunks[i].Budget = Duration(countryBudget)
	}
	change(&file.Config)
	e := &element{t: t, file: &file.Config, name: filepath.Join(t.TempDir(), "element.yaml"), log: &lockedBuffer{}}
	e.write()
	written, err := readConfig(e.name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(written, slog.New(slog.NewTextHandler(e.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	e.provider = &provider{spc: spc, element: s}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return e
}

// write lays the configuration into its file. Sections of other roles would name those.
func (e *element) write() {
	e.t.Helper()
	text, err := yaml.Marshal(e.file)
	if err != nil {
		e.t.Fatal(err)
	}
	var sections yaml.MapSlice
	if err := yaml.Unmarshal(text, &sections); err != nil {
		e.t.Fatal(err)
	}
	var kept yaml.MapSlice
	for _, s := range sections {
		if s.Key != "cps" {
			kept = append(kept, s)
		}
	}
	if text, err = yaml.Marshal(kept); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(e.name, text, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

func (e *element) asks(label string, call sipCall) *sipAnswer {
	e.t.Helper()
	answer, err := e.dip(e.t.Context(), label, call)
	if err != nil {
		e.t.Fatal(err)
	}
	return answer
}

// A trunk table is changed while a call is under way on a row that is no longer there afterwards: it ends as it began. A
// file with a fault changes nothing.
func TestServe_TrunksAreReloadedWithoutDroppingACall(t *testing.T) {
	c := startCountry(t)
	e := c.startElement(t, terminatingSPC, func(*Config) {})
	var under sync.WaitGroup
	var slow *sipAnswer
	begun := make(chan struct{})
	under.Go(func() {
		close(begun)
		slow = e.asks("from-"+originatingSPC, newCall("12155550121", demoDest)) // nothing is there: it is waited for
	})
	<-begun
	for e.element.switches.sip.Stats().InFlight == 0 { // it will be: the INVITE is on its way
		runtime.Gosched()
	}
	e.file.Trunks = []TrunkConfig{{
		Name: "renamed", Match: MatchConfig{Sources: []string{"127.0.0.1"}, Label: "renamed"}, Mode: "sign",
	}}
	e.write()
	e.element.reload(e.name)
	under.Wait()
	if slow.status != 302 || slow.verstat() != oob.VerstatNoValidation {
		t.Errorf("the call under way was answered %d, %s", slow.status, slow.verstat())
	}
	if got := e.asks("renamed", newCall("12155550121", demoDest)); got.status != 302 || got.header.Get("Identity") == "" {
		t.Errorf("the new row answers %d", got.status)
	}
	if got := e.asks("from-"+originatingSPC, newCall("12155550121", demoDest)); got.status != 404 {
		t.Errorf("a row that is gone answers %d", got.status)
	}
	e.file.Trunks[0].Mode = "sing"
	e.write()
	e.element.reload(e.name)
	if got := e.asks("renamed", newCall("12155550121", demoDest)); got.status != 302 {
		t.Errorf("after a refused reload the row answers %d", got.status)
	}
	if said := e.log.String(); !strings.Contains(said, "reload refused") || !strings.Contains(said, "trunks[0].mode: is one of") {
		t.Errorf("the log does not say what was wrong:\n%s", said)
	}
}

// The next credential is taken from its files on a reload, and signs at once where its certificate may (issue 3's rules).
func TestServe_CredentialIsReloaded(t *testing.T) {
	c := startCountry(t)
	e := c.startElement(t, originatingSPC, func(*Config) {})
	before := e.asks("sip-out", newCall("12155550121", demoDest)).header.Get("Identity")
	// Another provider's certificate is refused, and its own key goes on.
	own := e.file.Signing
	e.file.Signing.Key = filepath.Join(c.dir, labProviders, transitSPC, "key.pem")
	e.file.Signing.Certificate = filepath.Join(c.dir, labRepository, transitSPC+".pem")
	e.write()
	e.element.reload(e.name)
	if said := e.log.String(); !strings.Contains(said, "reload refused") {
		t.Errorf("another provider's credential is taken:\n%s", said)
	}
	e.file.Signing = own
	e.write()
	e.element.reload(e.name)
	after := e.asks("tdm-out", newCall("12155550121", demoDest)).header.Get("Identity")
	if before == "" || after == "" || !strings.Contains(e.log.String(), "msg=reloaded") {
		t.Errorf("not signed after a reload:\n%s", e.log.String())
	}
}

// Operators find calls; numbers are masked unless the key is shown, and no metric holds one.
func TestServe_CallsAreFoundAndMasked(t *testing.T) {
	const key = "0123456789abcdefghij"
	keyFile := filepath.Join(t.TempDir(), "full.key")
	if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startCountry(t)
	e := c.startElement(t, originatingSPC, func(file *Config) { file.Trace.FullKey, file.Trace.Messages = keyFile, true })
	call := newCall("12155550121", demoDest)
	e.asks("tdm-out", call)
	base := "http://" + e.element.managementListen.Addr().String()
	get := func(path, authorization string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), "GET", base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	status, masked := get("/calls?call_id="+call.id, "")
	var found struct {
		Calls []trace.View `json:"calls"`
	}
	if err := json.Unmarshal([]byte(masked), &found); err != nil || status != 200 || len(found.Calls) != 1 || !found.Calls[0].Masked {
		t.Fatalf("%d %v %s", status, err, masked)
	}
	id := found.Calls[0].ID
	for _, secret := range []string{call.orig, call.dest, "eyJ"} {
		if strings.Contains(masked, secret) {
			t.Errorf("%q is shown to whoever asks", secret)
		}
	}
	if status, full := get("/calls?number=%2B"+call.orig, "Bearer "+key); status != 200 || !strings.Contains(full, call.dest) || !strings.Contains(full, "eyJ") {
		t.Errorf("with the key: %d %s", status, full)
	}
	if status, text := get("/calls/"+id+"/messages", "Bearer "+key); status != 200 || !strings.Contains(text, "INVITE sip:+"+call.dest) {
		t.Errorf("messages: %d %s", status, text)
	}
	if status, capture := get("/calls/"+id+"/pcap", "Bearer "+key); status != 200 || len(capture) < 24 {
		t.Errorf("pcap: %d", status)
	}
	for path, want := range map[string]int{
		"/calls?nmber=1": 400, "/calls/" + id + "/messages": 401, "/calls/" + id + "/pcap": 401, "/calls/undelivered": 401,
	} {
		if status, _ := get(path, ""); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	if status, _ := get("/calls", "Bearer "+key[1:]); status != 401 {
		t.Errorf("a wrong key: %d", status)
	}
	_, metrics := get("/metrics", "")
	for _, want := range []string{
		`oob_dips_total{result="published",role="sign_publish",trunk="tdm-out"} 1`, `oob_passports_signed_total{attest="A"} 1`,
		`oob_sip_answers_total{code="302",transport="tcp"} 1`, `oob_circuit_state{cps="` + c.cps.url() + `"} 0`, "oob_signing 1",
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, secret := range []string{call.orig, call.dest, call.id} {
		if strings.Contains(metrics, secret) {
			t.Errorf("metrics hold %q", secret)
		}
	}
}

// One process has both roles, and readiness says so.
func TestServe_CPSAndSwitchesInOneProcess(t *testing.T) {
	c := startCountry(t)
	file, err := readConfig(filepath.Join(c.dir, labSwitches, originatingSPC+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cps, err := readConfig(filepath.Join(c.dir, labConfig))
	if err != nil {
		t.Fatal(err)
	}
	cps.CPS.Listen = "127.0.0.1:0"
	file.CPS, file.tree = cps.CPS, mustParse(t, "cps: {}\nsip: {}\napi: {}\ntrunks: []\n")
	s, err := open(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	response, err := http.Get("http://" + s.managementListen.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || s.cps == nil || s.switches == nil {
		t.Errorf("not ready: %d", response.StatusCode)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A switch that asks over HTTP: a signing request on a TDM trunk publishes before it answers, and a verification request
// without Identity is looked for out of band.
func TestServe_SwitchesAskOverHTTP(t *testing.T) {
	c := startCountry(t)
	here, there := c.startElement(t, originatingSPC, func(*Config) {}), c.startElement(t, terminatingSPC, func(*Config) {})
	ask := func(e *element, path, body string) string {
		t.Helper()
		response, err := http.Post("http://"+e.element.switches.api.listener.Addr().String()+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("%s: %d %s %v", path, response.StatusCode, answer, err)
		}
		return string(answer)
	}
	now := time.Now().Unix()
	signed := ask(here, "/stir/v1/signing", fmt.Sprintf(`{"signingRequest":{"attest":"A","orig":{"tn":"12155550121"},"dest":{"tn":["12155550131"]},"iat":%d,"origid":"6f2c9c1e-0a2b-4d66-9a51-6a1a2f9d7c10"}}`, now))
	if !strings.Contains(signed, `"identity":"eyJ`) {
		t.Errorf("signing: %s", signed)
	}
	verified := ask(there, "/stir/v1/verification?tgrp="+originatingSPC, fmt.Sprintf(`{"verificationRequest":{"from":{"tn":"12155550121"},"to":{"tn":["12155550131"]},"time":%d}}`, now))
	if !strings.Contains(verified, `"verstat":"TN-Validation-Passed"`) {
		t.Errorf("verification: %s", verified)
	}
	carried := ask(there, "/oob/v1/retrieve?tgrp="+originatingSPC, `{"retrieveRequest":{"orig":{"tn":"12155550121"},"dest":{"tn":"12155550131"}}}`)
	if !strings.Contains(carried, "eyJ") {
		t.Errorf("retrieving: %s", carried)
	}
}

// switchFaults gives what is wrong with a provider's configuration after a change.
func switchFaults(t *testing.T, change func(*Config)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lab")
	lab := LabInit{
		Dir: dir, SPC: []string{"1234", "567B"}, Repository: "127.0.0.1:1", CPS: "127.0.0.1:2", Management: "127.0.0.1:3", SIP: "127.0.0.1:10",
	}
	if err := lab.write(); err != nil {
		t.Fatal(err)
	}
	file, err := readConfig(filepath.Join(dir, labSwitches, "1234.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	change(&file.Config)
	if _, err := resolve(file); err != nil {
		return err.Error()
	}
	return ""
}

// What serve would refuse, or what would do nothing that its writer can have meant, check refuses.
func TestConfiguration_OfSwitchesIsCheckedWhole(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if faults := switchFaults(t, func(*Config) {}); faults != "" {
		t.Fatal(faults)
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"bits behind a prefix", func(c *Config) { c.Trunks[0].Match.Sources = []string{"192.0.2.7/24"} }, "trunks[0].match.sources[0]: is an address and a prefix at once: write 192.0.2.7 or 192.0.2.0/24"},
		{"a CPS with a fragment", func(c *Config) { c.Peers.CPS[0].URL += "/#x" }, "peers.cps[0].url"},
		{"a CPS with an empty query", func(c *Config) { c.Peers.CPS[0].URL += "?" }, "peers.cps[0].url"},
		{"an audience that is a URL", func(c *Config) { c.Peers.CPS[0].Audience = "https://cps.example" }, "peers.cps[0].audience"},
		{"a plain x5u", func(c *Config) { c.Signing.X5U = "http://cr.example/1234.pem" }, "signing: "},
		{"another provider's certificate", func(c *Config) { c.Signing.SPC = "567B" }, "signing: "},
		{"another provider's key", func(c *Config) { c.Signing.Key = strings.Replace(c.Signing.Key, "1234", "567B", 1) }, "signing: "},
		{"a PIN in a key's URI", func(c *Config) { c.Signing.Key = "pkcs11:token=a;object=b?module-path=/x&pin-value=1234" }, "signing.key"},
		{"national numbers", func(c *Config) { c.Signing.Numbers = []string{"555-0100"} }, "signing.numbers[0]: is a range"},
		{"a webhook far away without TLS", func(c *Config) { c.Trace.Webhook = WebhookConfig{URL: "http://198.51.100.7/", Key: secret} }, "trace.webhook: "},
		{"a webhook with a short key", func(c *Config) { c.Trace.Webhook = WebhookConfig{URL: "https://w.example/", Key: secret} }, "trace.webhook: "},
		{"a trace file in no folder", func(c *Config) { c.Trace.File.Name = "/nowhere/at/all/trace.json" }, "trace.file.name"},
		{"a trace file that is a folder", func(c *Config) { c.Trace.File.Name = "/" }, "trace.file.name: is a folder"},
		{"a secret in place of its file", func(c *Config) { c.Trace.FullKey = "hunter2hunter2hunter2" }, "trace.full_key: is the name of no file"},
		{"no memory", func(c *Config) { c.Trace.Memory = 1 }, "trace.memory: is at least"},
		{"one address twice", func(c *Config) { c.SIP.UDP = append(c.SIP.UDP, c.SIP.UDP[0]) }, "sip.udp[1]: is listed twice"},
		{"SIP where operators are", func(c *Config) { c.Management.Listen = c.SIP.TCP[0] }, "management.listen: is an address of sip"},
		{"blocking where nothing is verified", func(c *Config) { c.Trunks[0].Block = "failed" }, "trunks[0].block: is not used by mode sign"},
		{"a second look where nothing is looked up", func(c *Config) { c.Trunks[0].SecondLook = "hint" }, "trunks[0].second_look: is not used"},
		{"ourselves upstream", func(c *Config) { c.Trunks[len(c.Trunks)-1].PeerSPC = "1234" }, ".peer_spc: is our own"},
		{"a client that nobody is", func(c *Config) { c.Trunks[0].Match.Client = "sbc" }, "trunks[0].match.client: is the name of nobody"},
		{"a customer that nobody is", func(c *Config) { c.Trunks[0].Customer = "acne" }, "trunks[0].customer: is the name of no customer"},
		{"a row for no trunk", func(c *Config) {
			c.Signing.Rows = []SigningRowConfig{{Attest: "C", Trunks: []string{"tdm-uot"}}}
		}, "signing.rows[0].trunks[0]: is the name of no trunk"},
		{"plain HTTP for everybody", func(c *Config) { c.API.Listen = "0.0.0.0:80" }, "api.plain: is for loopback alone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			faults := switchFaults(t, c.change)
			if !strings.Contains(faults, c.want) {
				t.Errorf("check does not say %q:\n%s", c.want, faults)
			}
			if strings.Contains(faults, "hunter2") {
				t.Error("check tells a secret")
			}
		})
	}
}

// A reload that is refused changes nothing, whatever part of it is wrong.
func TestServe_ARefusedReloadChangesNothing(t *testing.T) {
	c := startCountry(t)
	e := c.startElement(t, originatingSPC, func(*Config) {})
	e.file.Signing.Numbers = []string{"13035550100-13035550199"}
	e.file.Signing.SPC = transitSPC // which needs a restart
	e.write()
	e.element.reload(e.name)
	if said := e.log.String(); !strings.Contains(said, "reload refused") {
		t.Fatalf("not refused:\n%s", said)
	}
	call := newCall("12155550121", demoDest)
	e.asks("sip-out", call)
	if record, err := e.record(call.id); err != nil || record.Attest != "A" {
		t.Errorf("attest %s, %v: the policy has changed", record.Attest, err)
	}
}

// A key opened anew takes the place of the one before, also in the clients of CPSs: that one is closed (issue 4).
func TestServe_AKeyOpenedAnewIsUsedEverywhere(t *testing.T) {
	c := startCountry(t)
	e := c.startElement(t, originatingSPC, func(*Config) {})
	r := e.element.switches
	closing, closed := r.credential, false
	closing.Close = func() { closed = true }
	r.mu.Lock()
	before := r.equipped.of
	r.waiting = &closing
	adopted := r.adopt()
	file, plan := r.file, r.plan
	r.mu.Unlock()
	if err := r.equip(file, plan); err != nil || !adopted {
		t.Fatal(err)
	}
	if r.equipped.of == before {
		t.Error("the clients go on with the key of before, which is closed")
	}
	if closed {
		t.Error("the new key is closed")
	}
}

// A door whose address is taken is an error of the start that says which.
func TestServe_ATakenAddressIsSaid(t *testing.T) {
	c := startCountry(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for want, change := range map[string]func(*Config){
		"sip.udp: ":           func(c *Config) { c.SIP.UDP = []string{socket.LocalAddr().String()} },
		"sip.tcp: ":           func(c *Config) { c.SIP.TCP = []string{taken.Addr().String()} },
		"api.listen: ":        func(c *Config) { c.API.Listen = taken.Addr().String() },
		"management.listen: ": func(c *Config) { c.Management.Listen = taken.Addr().String() },
	} {
		file, err := readConfig(filepath.Join(c.dir, labSwitches, originatingSPC+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		file.Peers.CPS[0].URL = c.cps.url()
		change(&file.Config)
		if _, err := open(file, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// The operator is told once when a CPS is left alone, and when it answers again.
func TestServe_WhatStandsBadlyIsToldOnce(t *testing.T) {
	c := startCountry(t)
	nowhere, err := unusedAddress()
	if err != nil {
		t.Fatal(err)
	}
	e := c.startElement(t, originatingSPC, func(file *Config) {
		file.Peers.CPS[0].URL = "https://" + nowhere
		file.Peers.Breaker.Failures = 1
	})
	e.asks("tdm-out", newCall("12155550121", demoDest))
	told := standing{}
	e.element.switches.tell(told)
	e.element.switches.tell(told)
	if n := strings.Count(e.log.String(), "is left alone"); n < 1 || n > 2 { // the server's own round may have told it, too
		t.Errorf("told %d times:\n%s", n, e.log)
	}
}

// Every metric stands on the page for operators.
func TestMetricsPage_HasEveryMetric(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`describe\("([a-z_]+)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range named.FindAllStringSubmatch(string(text), -1) {
			if count++; !strings.Contains(string(page), "`oob_"+found[1]+"`") {
				t.Errorf("oob_%s is not on the page", found[1])
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d metrics were found in the code", count)
	}
}
