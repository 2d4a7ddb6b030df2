package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

func (p *switchPlan) resolvePeers(c *PeersConfig, note func(string, error)) {
	seen := map[string]bool{}
	for i, peer := range c.CPS {
		at := fmt.Sprintf("$.peers.cps[%d]", i)
		if peer.Name == "" || seen[peer.Name] {
			note(at+".name", errors.New("is a name of its own, by which trunks mean this CPS"))
		}
		seen[peer.Name] = true
		if u, err := url.Parse(peer.URL); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(peer.URL, "#") {
			note(at+".url", errors.New("is https://host[:port], with a path where the CPS has one"))
		}
		if strings.ContainsAny(peer.Audience, "/:[] ") {
			note(at+".audience", errors.New("is a bare host name: no scheme, port or path"))
		}
	}
	var err error
	p.peerRoots, err = loadPool(c.TLSRoots)
	note("$.peers.tls_roots", plain(err))
	hash := sha256.New()
	for _, name := range c.TLSRoots {
		if text, err := readFile(name, pemFileBytesMax); err == nil {
			hash.Write(text)
		}
	}
	p.peerRootsHash = hash.Sum(nil)
	for key, d := range map[string]Duration{
		"timeout": c.Timeout, "grace": c.Grace, "retry": c.Retry, "warm": c.Warm, "breaker.cool_down": c.Breaker.CoolDown, "breaker.cool_down_max": c.Breaker.CoolDownMax,
	} {
		if d <= 0 {
			note("$.peers."+key, errors.New("must be above 0s"))
		}
	}
	if c.Breaker.Failures <= 0 {
		note("$.peers.breaker.failures", errors.New("must be above zero"))
	}
}

func (p *switchPlan) resolveSigning(c *SigningConfig, note func(string, error)) {
	if p.signs && c.SPC == "" {
		note("$.signing.spc", errors.New("is needed: as whom to sign, and to ask CPSs"))
	}
	if p.signs && (c.Key == "" || c.X5U == "") {
		note("$.signing", errors.New("needs key and x5u: with them calls are signed, and CPSs asked"))
	}
	if hsm.IsURI(c.Key) {
		note("$.signing.key", hsm.Acceptable(c.Key))
	} else if c.Key != "" {
		_, err := readKey(c.Key)
		note("$.signing.key", plain(err))
	}
	if c.Certificate != "" {
		var err error
		p.own, err = readChain(c.Certificate)
		note("$.signing.certificate", plain(err))
	}
	if c.OrigIDSecret != "" {
		secret, err := readSecret(c.OrigIDSecret)
		if err == nil && len(secret) < stias.OrigIDSecretMin {
			err = fmt.Errorf("the file has less than %d bytes", stias.OrigIDSecretMin)
		}
		note("$.signing.origid_secret", err)
		p.secret = secret
	}
	if c.Margin < 0 {
		note("$.signing.margin", errors.New("cannot be negative"))
	}
	p.policy = stias.Policy{Customers: c.Customers, Home: digits(c.Home), Own: ranges("$.signing.numbers", c.Numbers, note)}
	for i, r := range c.Rows {
		at := fmt.Sprintf("$.signing.rows[%d]", i)
		attest := attestWords.read(at+".attest", r.Attest, note)
		if r.Attest == "" {
			note(at+".attest", errors.New("is needed: A, B, C or none"))
		}
		p.policy.Rows = append(p.policy.Rows, stias.Row{
			Name: r.Name, Customers: r.Customers, Trunks: r.Trunks, Numbers: ranges(at+".numbers", r.Numbers, note),
			International: r.International, Attest: attest, OrigID: r.OrigID, Resign: r.Resign,
		})
	}
	for _, r := range c.Priorities {
		p.policy.Priorities = append(p.policy.Priorities, stias.PriorityRow(r))
	}
	note("$.signing.rows", p.policy.Check(p.secret))
	if p.signs && c.SPC != "" && c.X5U != "" && !hsm.IsURI(c.Key) { // what the service itself refuses
		if credential, err := c.credential(); err == nil {
			_, err := stias.New(stias.Config{SPC: string(c.SPC), Credential: credential})
			note("$.signing", err)
		}
	}
}

func ranges(path string, list []string, note func(string, error)) []tn.Range {
	var all []tn.Range
	for i, text := range list {
		r, err := tn.ParseRange(text)
		if err != nil {
			note(fmt.Sprintf("%s[%d]", path, i), errors.New("is a range such as 12155550100-12155550199, or one number"))
		}
		all = append(all, r)
	}
	return all
}

func (p *switchPlan) resolveVerification(c *VerificationConfig, note func(string, error)) {
	if c.Freshness.Past <= 0 || c.Freshness.Future <= 0 || c.Freshness.Past > freshnessMax || c.Freshness.Future > freshnessMax {
		note("$.verification.freshness", fmt.Errorf("past and future are above 0s and at most %s", freshnessMax))
	}
	for i, word := range c.Accept {
		p.accept = append(p.accept, acceptWords.read(fmt.Sprintf("$.verification.accept[%d]", i), word, note))
	}
	p.differ = differWords.read("$.verification.differ", c.Differ, note)
	if c.Transfer < 0 || c.Transfer > Duration(24*time.Hour) {
		note("$.verification.transfer", errors.New("is between 0s and 24h"))
	}
}

func (p *switchPlan) resolveTrace(c *TraceConfig, note func(string, error)) {
	if c.Memory < traceMemoryMin {
		note("$.trace.memory", fmt.Errorf("is at least %d", traceMemoryMin))
	}
	if c.Age <= 0 {
		note("$.trace.age", errors.New("must be above 0s"))
	}
	if c.FullKey != "" {
		key, err := readSecret(c.FullKey)
		if err == nil && len(key) < traceKeyMin {
			err = fmt.Errorf("the file has less than %d characters", traceKeyMin)
		}
		note("$.trace.full_key", err)
		p.traceKey = string(key)
	}
	if c.Webhook.URL != "" {
		_, err := readSecret(c.Webhook.Key)
		note("$.trace.webhook.key", err)
		p.webhookRoots, err = loadPool(c.Webhook.TLSRoots)
		note("$.trace.webhook.tls_roots", plain(err))
		if err == nil { // what the recorder itself refuses
			webhook := p.traceConfig(TraceConfig{Memory: c.Memory, Age: c.Age, Webhook: c.Webhook})
			recorder, err := trace.Open(webhook)
			if err == nil {
				err = recorder.Close(context.Background())
			}
			note("$.trace.webhook", err)
		}
	}
	if c.File.Name != "" {
		note("$.trace.file.name", checkOutput(c.File.Name))
	}
	if c.HEP.Address != "" {
		note("$.trace.hep.address", checkAddress(c.HEP.Address))
	}
	hepWords.read("$.trace.hep.transport", c.HEP.Transport, note)
}

// traceKeyMin is the least length of a key that shows numbers.
const traceKeyMin = 16

// secretBytesMax bounds a file that holds a secret.
const secretBytesMax = 4096

// readSecret reads a file whose content is a secret, without the line end that editors leave. The error does not name the
// file: somebody may have written the secret in the place of its file.
func readSecret(name string) ([]byte, error) {
	if name == "" {
		return nil, errors.New("needs a file")
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, errors.New("is the name of no file that can be read")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, errors.New("is a file that others than its owner can read; chmod 600")
	}
	text, err := readFile(name, secretBytesMax)
	if err != nil {
		return nil, errors.New("is the name of no file of a secret that can be read")
	}
	return bytes.TrimRight(text, "\r\n"), nil
}

// traceMemoryMin holds a few thousand records.
const traceMemoryMin = 1 << 20

// checkOutput accepts the name of a file that can be appended to, or made.
func checkOutput(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return errors.New("is a folder")
	}
	return checkDir(filepath.Dir(name))
}
