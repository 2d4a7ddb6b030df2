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
	now := time.Now()
	well := p.cps == nil || p.cps.describe(std.Out, file, now)
	var own *trust.Chain
	if p.switches != nil {
		own = p.switches.own
		well = p.switches.describe(std.Out, file, now) && well
	}
	good, err := p.trust.describe(std.Out, own)
	if err != nil {
		return err
	}
	good = good && well
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
	if good = now.Before(p.certificate.Leaf.NotAfter); !good {
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
	cps      *cpsPlan    // nil without
	switches *switchPlan // nil without
	trust    *trustPlan
}

// cpsPlan is what a configuration says of a CPS.
type cpsPlan struct {
	certificate tls.Certificate
	profiles    []oob.Profile
	retention   map[oob.Profile]time.Duration
	depth       cps.Depth
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
	p.cps = resolveCPS(file, note)
	p.switches = resolveSwitches(file, note)
	if p.cps == nil && p.switches == nil {
		note("", errors.New("names no role: cps, or sip or api with trunks"))
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
	noteTrustBounds(&file.Trust, note)
	noteLog(file.Log, note)
	if file.Drain.Delay < 0 || file.Drain.Timeout <= 0 {
		note("$.drain", errors.New("delay cannot be negative, timeout must be above zero"))
	}
	if len(faults.faults) > 0 {
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
	for path, rate := range map[string]RateConfig{"publish": c.Rates.Publish, "retrieve": c.Rates.Retrieve} {
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
