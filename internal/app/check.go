package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// Check is `viaduct check`: it reads a configuration and everything that it names, and says what would start.
type Check struct {
	Config string `required:"" type:"path" placeholder:"FILE" help:"Configuration file."`
}

// Run prints what would start, or every fault with its line.
func (c *Check) Run(std *Streams) error {
	file, err := readConfig(c.Config)
	var p *plan
	if err == nil {
		p, err = resolve(file)
	}
	if faults, isFaulty := errors.AsType[*configError](err); isFaulty { // which is the answer that was asked for
		fmt.Fprintln(std.Err, faults)
		return ErrNegative
	}
	if err != nil {
		return err
	}
	defer p.numbers.close()
	now := time.Now()
	well := p.cps == nil || p.cps.describe(std.Out, file, now)
	if p.cluster != nil {
		well = p.cluster.describe(std.Out, now) && well
	}
	if p.switches != nil {
		well = p.switches.describe(std.Out, file, now) && well
	}
	found, err := describeFinding(std.Out, file, p)
	if err != nil {
		return err
	}
	good := well && found
	if p.cps != nil || p.switches != nil { // a witness believes nobody's certificates
		trusted, err := p.trust.describe(std.Out, p.signers())
		if err != nil {
			return err
		}
		good = good && trusted
	}
	if len(file.Trust.Laboratory.Hosts) > 0 {
		fmt.Fprintf(std.Out, "  LABORATORY: private addresses allowed for %s\n", strings.Join(file.Trust.Laboratory.Hosts, ", "))
	}
	fmt.Fprintf(std.Out, "management on %s: /metrics /healthz /readyz /debug/pprof\n", file.Management.Listen)
	if !good {
		fmt.Fprintln(std.Out, "not good: see above; serve would start, and raise the alarm")
		return ErrNegative
	}
	fmt.Fprintln(std.Out, "good")
	return nil
}

func (p *cpsPlan) describe(out io.Writer, file *configFile, now time.Time) (good bool) {
	fmt.Fprintf(out, "CPS on %s, TLS certificate of %s until %s\n", file.CPS.Listen,
		strings.Join(tlsNames(p.certificate.Leaf), ", "), p.certificate.Leaf.NotAfter.UTC().Format(time.RFC3339))
	fmt.Fprintf(out, "  addressed as %s\n", strings.Join(file.CPS.Audience, ", "))
	for _, profile := range p.profiles {
		fmt.Fprintf(out, "  serves %s (%s)\n", profile, profile.Row().Document)
	}
	file.CPS.describeReaders(out)
	p.describeRelay(out, &file.CPS.Relay)
	good = p.describeAdvertised(out, now)
	for i, h := range p.hooks {
		fmt.Fprintf(out, "  tells %s over webhooks of %s, %s form\n", h.name, strings.Join(file.CPS.Push.Webhooks[i].Resources, ", "), h.interest.Profile)
	}
	if !now.Before(p.certificate.Leaf.NotAfter) {
		good = false
		fmt.Fprintln(out, "    ALARM: the TLS certificate has expired: nobody will connect")
	}
	return good
}

func tlsNames(leaf *x509.Certificate) []string {
	names := leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// plan is a configuration whose files have been read and whose words have been understood.
type plan struct {
	cps      *cpsPlan     // nil without
	switches *switchPlan  // nil without
	cluster  *clusterPlan // nil: one node
	trust    *trustPlan
	numbers  *numbers // nil without; belongs to whoever has the plan
}

// signers are the certificates that are signed with, as far as they are at hand, by what is signed.
func (p *plan) signers() map[string]*trust.Chain {
	all := map[string]*trust.Chain{}
	if p.switches != nil && p.switches.own != nil {
		all["calls are"] = p.switches.own
	}
	if p.cps != nil && p.cps.advertises != nil {
		all["the advertisement is"] = p.cps.advertises
	}
	if p.switches != nil {
		for _, c := range p.switches.actsFor {
			all["calls of "+c.Name+" are"] = c.chain
		}
	}
	return all
}

// cpsPlan is what a configuration says of a CPS.
type cpsPlan struct {
	certificate tls.Certificate
	profiles    []oob.Profile
	retention   map[oob.Profile]time.Duration
	depth       cps.Depth
	hooks       []pushHook
	advertised  []advert.Entry
	advertises  *trust.Chain // with which that is signed; nil when it is not at hand
	relay       relayPlan
}

var depths = words[cps.Depth]{"verify": cps.InspectVerify, "match": cps.InspectMatch, "off": cps.InspectOff}

// resolve finds everything that is wrong with a configuration, not only the first thing.
func resolve(file *configFile) (*plan, error) {
	p := &plan{}
	faults := &configError{file: file}
	note := func(path string, err error) {
		if err != nil {
			faults.faults = append(faults.faults, configFault{path: path, text: err.Error()})
		}
	}
	note("$.management.listen", checkAddress(file.Management.Listen))
	p.numbers = resolveNumbers(file.Numbers, note)
	p.cps = resolveCPS(file, note)
	p.switches = resolveSwitches(file, note)
	checkDiscovery(file, note)
	p.cluster = resolveCluster(file, p.cps.longest(&file.CPS), note)
	if p.cps == nil && p.switches == nil && !file.Cluster.Witness {
		note("", errors.New("names no role: cps, or sip or api with trunks, or cluster as a witness"))
	}
	believes := p.cps != nil || p.switches != nil && p.switches.verifies
	note("$.trust.cache_dir", checkDir(file.Trust.CacheDir))
	for i, host := range file.Trust.Laboratory.Hosts {
		if host == "" || strings.ContainsAny(host, "/ ") {
			note(fmt.Sprintf("$.trust.laboratory.hosts[%d]", i), fmt.Errorf("%q is neither host nor host:port", host))
		}
	}
	p.trust = resolveTrust(&file.Trust, believes, note)
	if p.switches != nil {
		p.switches.believes = len(p.trust.anchors) > 0 || p.trust.list != nil
		p.switches.laboratory = p.trust.laboratory
	}
	if p.cps != nil {
		p.cps.checkCovered(p.trust.numbers, note)
	}
	noteTrustBounds(&file.Trust, note)
	noteLog(file.Log, note)
	if file.Drain.Delay < 0 || file.Drain.Timeout <= 0 {
		note("$.drain", errors.New("delay cannot be negative, timeout must be above zero"))
	}
	if len(faults.faults) > 0 {
		p.numbers.close()
		return nil, faults
	}
	return p, nil
}

// resolveCPS reads what a CPS needs; nil when there is none.
func resolveCPS(file *configFile, note func(string, error)) *cpsPlan {
	if !file.has("cps") {
		return nil
	}
	p := &cpsPlan{retention: map[oob.Profile]time.Duration{}}
	c := &file.CPS
	note("$.cps.listen", checkAddress(c.Listen))
	if file.Management.Listen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		note("$.management.listen", errors.New("is that of cps.listen; the two are apart"))
	}
	if len(c.Audience) == 0 {
		note("$.cps.audience", errors.New("needs at least one name by which clients address this CPS in aud"))
	}
	for i, name := range c.Audience {
		if name == "" || strings.ContainsAny(name, "/:[] ") {
			note(fmt.Sprintf("$.cps.audience[%d]", i), fmt.Errorf("%q is no bare host name: no scheme, port or path", name))
		}
	}
	if c.TLS.Certificate == "" || c.TLS.Key == "" {
		note("$.cps.tls", errors.New("needs the files certificate and key"))
	} else {
		var err error
		p.certificate, err = tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key)
		note("$.cps.tls", plain(err))
	}
	p.resolveProfiles(c, note)
	p.depth = depths.read("$.cps.inspect.depth", c.Inspect.Depth, note)
	noteBounds(c, note)
	p.resolvePush(&c.Push, note)
	p.resolveAdvertise(file, note)
	p.resolveRelay(file, note)
	p.checkForms(file, note)
	return p
}

func (p *cpsPlan) resolveProfiles(c *CPSConfig, note func(string, error)) {
	for i, name := range c.Profiles {
		profile, ok := oob.ProfileNamed(name)
		if !ok {
			note(fmt.Sprintf("$.cps.profiles[%d]", i), fmt.Errorf("%q is no profile; there are %s", name, profileNames()))
			continue
		}
		p.profiles = append(p.profiles, profile)
	}
	if len(c.Profiles) == 0 {
		note("$.cps.profiles", fmt.Errorf("needs at least one of %s", profileNames()))
	}
	for name, kept := range c.Retention {
		profile, ok := oob.ProfileNamed(name)
		if !ok {
			note("$.cps.retention."+name, fmt.Errorf("%q is no profile; there are %s", name, profileNames()))
			continue
		}
		p.retention[profile] = time.Duration(kept)
		if row := profile.Row(); p.retention[profile] < row.RetentionMin || p.retention[profile] > row.RetentionMax {
			note("$.cps.retention."+name, fmt.Errorf("is between %s and %s", row.RetentionMin, row.RetentionMax))
		}
	}
}

func profileNames() string {
	var names []string
	for _, p := range oob.Profiles() {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

// keptMargin is for clocks that differ, and for what is remembered a second longer than needed.
const keptMargin = 5 * time.Second

// longest is how long after it was published anything of a publication can matter: the record, its token, or its tomb. Nodes of a
// cluster that are configured alike have the same.
func (p *cpsPlan) longest(c *CPSConfig) time.Duration {
	if p == nil { // a witness leaves that to the others
		return keptMargin
	}
	kept := max(time.Duration(c.TokenFreshness.Past+c.TokenFreshness.Future), time.Duration(c.Inspect.Freshness.Past+c.Inspect.Freshness.Future))
	for _, profile := range p.profiles {
		kept = max(kept, profile.Row().RetentionMax)
	}
	return kept + keptMargin
}

// freshnessMax is the widest window that an operator may set (the widest one published is 5 minutes).
const freshnessMax = Duration(5 * time.Minute)

// noteBounds refuses windows, bounds and rates that are none: an operator who writes 0 means something, and it would
// not be what a limit of zero does.
func noteBounds(c *CPSConfig, note func(string, error)) {
	for path, window := range map[string]FreshnessConfig{
		"$.cps.token_freshness": c.TokenFreshness, "$.cps.inspect.freshness": c.Inspect.Freshness,
	} {
		if window.Past <= 0 || window.Future < 0 || window.Past > freshnessMax || window.Future > freshnessMax {
			note(path, fmt.Errorf("past is above 0s, future is 0s or more, both at most %s", freshnessMax))
		}
	}
	for path, n := range map[string]int64{
		"connections": int64(c.Limits.Connections), "address_connections": int64(c.Limits.AddressConnections),
		"in_flight": int64(c.Limits.InFlight), "records": c.Limits.Records,
		"bytes": c.Limits.Bytes, "tokens": c.Limits.Tokens, "key_records": int64(c.Limits.KeyRecords),
		"key_publisher_records": int64(c.Limits.KeyPublisherRecords), "publisher_records": c.Limits.PublisherRecords,
		"publisher_bytes": c.Limits.PublisherBytes, "body_timeout": int64(c.Limits.BodyTimeout), "timeout": int64(c.Limits.Timeout),
	} {
		if n <= 0 {
			note("$.cps.limits."+path, errors.New("must be above zero"))
		}
	}
	c.Limits.Turnstile.check(note)
	for path, rate := range map[string]RateConfig{"publish": c.Rates.Publish, "retrieve": c.Rates.Retrieve, "open": c.Rates.Open} {
		if rate.PerSecond <= 0 || rate.Burst <= 0 {
			note("$.cps.rates."+path, errors.New("per_second and burst must be above zero"))
		}
	}
	if c.Inspect.FetchWait <= 0 {
		note("$.cps.inspect.fetch_wait", errors.New("must be above zero"))
	}
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("is host:port or :port with a port up to 65535, not %q", address)
	}
	return nil
}

// checkDir accepts a folder, or a name at which one can be made.
func checkDir(name string) error {
	if name == "" {
		return nil
	}
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) {
		name = filepath.Dir(name)
		info, err = os.Stat(name)
	}
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s: not a folder", name)
	}
	return plain(err)
}

// plain drops the system call from a file error: the person needs the file and the reason.
func plain(err error) error {
	if pathError, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", pathError.Path, pathError.Err)
	}
	return err
}

// loadPool reads TLS roots; nil for no files means those of the system.
func loadPool(files []string) (*x509.CertPool, error) {
	if len(files) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	for _, name := range files {
		text, err := readFile(name, pemFileBytesMax)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: holds no PEM certificate", name)
		}
	}
	return pool, nil
}
