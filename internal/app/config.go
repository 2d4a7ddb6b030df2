package app

import (
	"bytes"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
)

// Config is the configuration file of `viaduct serve`. docs/configuration.md describes every key, its unit and its
// default; a test keeps that page and this type equal. A key that does not exist is an error, a key that is left out
// has its default.
type Config struct {
	CPS          CPSConfig          `yaml:"cps"`
	SIP          SIPConfig          `yaml:"sip"`
	API          APIConfig          `yaml:"api"`
	Trunks       []TrunkConfig      `yaml:"trunks"`
	Signing      SigningConfig      `yaml:"signing"`
	Verification VerificationConfig `yaml:"verification"`
	Peers        PeersConfig        `yaml:"peers"`
	Numbers      NumbersConfig      `yaml:"numbers"`
	Discovery    DiscoveryConfig    `yaml:"discovery"`
	Credentials  []CredentialConfig `yaml:"credentials"`
	Cluster      ClusterConfig      `yaml:"cluster"`
	Trace        TraceConfig        `yaml:"trace"`
	Trust        TrustConfig        `yaml:"trust"`
	Management   ManagementConfig   `yaml:"management"`
	Drain        DrainConfig        `yaml:"drain"`
	Log          LogConfig          `yaml:"log"`
}

// CPSConfig is the role of a Call Placement Service.
type CPSConfig struct {
	Listen   string    `yaml:"listen"`
	TLS      TLSConfig `yaml:"tls"`
	Audience []string  `yaml:"audience"`
	Profiles []string  `yaml:"profiles"`

	Retention      map[string]Duration `yaml:"retention"`
	TokenFreshness FreshnessConfig     `yaml:"token_freshness"`
	AnyTokenID     bool                `yaml:"any_token_id"`
	Inspect        InspectConfig       `yaml:"inspect"`

	Allow   []SPC   `yaml:"allow"`
	Deny    []SPC   `yaml:"deny"`
	Readers Readers `yaml:"readers"`

	Serves     []SPC           `yaml:"serves"`
	Everything []SPC           `yaml:"everything"`
	Push       PushConfig      `yaml:"push"`
	Advertise  AdvertiseConfig `yaml:"advertise"`
	Relay      RelayConfig     `yaml:"relay"`

	Rates  RatesConfig  `yaml:"rates"`
	Limits LimitsConfig `yaml:"limits"`
}

// TLSConfig names a certificate and its key.
type TLSConfig struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// FreshnessConfig is a window for iat.
type FreshnessConfig struct {
	Past   Duration `yaml:"past"`
	Future Duration `yaml:"future"`
}

// InspectConfig says what is checked about a PASSporT before it is stored.
type InspectConfig struct {
	Depth             string          `yaml:"depth"`
	Freshness         FreshnessConfig `yaml:"freshness"`
	RefuseUnreachable bool            `yaml:"refuse_unreachable"`
	FetchWait         Duration        `yaml:"fetch_wait"`
}

// RatesConfig bounds how often one SPC may ask.
type RatesConfig struct {
	Publish  RateConfig `yaml:"publish"`
	Retrieve RateConfig `yaml:"retrieve"`
	Open     RateConfig `yaml:"open"`
}

// RateConfig is one rate.
type RateConfig struct {
	PerSecond float64 `yaml:"per_second"`
	Burst     int     `yaml:"burst"`
}

// LimitsConfig bounds what the CPS takes on.
type LimitsConfig struct {
	Connections         int      `yaml:"connections"`
	AddressConnections  int      `yaml:"address_connections"`
	InFlight            int      `yaml:"in_flight"`
	BodyTimeout         Duration `yaml:"body_timeout"`
	Timeout             Duration `yaml:"timeout"`
	Records             int64    `yaml:"records"`
	Bytes               int64    `yaml:"bytes"`
	Tokens              int64    `yaml:"tokens"`
	KeyRecords          int      `yaml:"key_records"`
	KeyPublisherRecords int      `yaml:"key_publisher_records"`
	PublisherRecords    int64    `yaml:"publisher_records"`
	PublisherBytes      int64    `yaml:"publisher_bytes"`

	Turnstile TurnstileConfig `yaml:"turnstile"`
}

// DrainConfig says how the process ends.
type DrainConfig struct {
	Delay   Duration `yaml:"delay"`
	Timeout Duration `yaml:"timeout"`
}

// TrustConfig says whom to believe.
type TrustConfig struct {
	Anchors      []string         `yaml:"anchors"`
	List         ListConfig       `yaml:"list"`
	Revocation   RevocationConfig `yaml:"revocation"`
	Numbers      string           `yaml:"numbers"`
	CacheDir     string           `yaml:"cache_dir"`
	Certificates int              `yaml:"certificates"`
	Tables       int              `yaml:"tables"`
	FetchTimeout Duration         `yaml:"fetch_timeout"`
	Laboratory   LaboratoryConfig `yaml:"laboratory"`
}

// ListConfig is the list of trusted STI-CAs that the STI-PA signs. It is used when its source is given.
type ListConfig struct {
	Source   SourceConfig `yaml:"source"`
	Signers  []string     `yaml:"signers"`
	Roots    []string     `yaml:"roots"`
	X5UHosts []string     `yaml:"x5u_hosts"`
	Expired  string       `yaml:"expired"`
}

// RevocationConfig is the revocation list that the STI-PA signs. It is used when its source is given.
type RevocationConfig struct {
	Source           SourceConfig `yaml:"source"`
	Signers          []string     `yaml:"signers"`
	DistributionURLs []string     `yaml:"distribution_urls"`
	Refuse           RefuseConfig `yaml:"refuse"`
}

// RefuseConfig says when a certificate is refused of which it is not known whether it is revoked.
type RefuseConfig struct {
	NoList       bool `yaml:"no_list"`
	ListExpired  bool `yaml:"list_expired"`
	NoPoint      bool `yaml:"no_point"`
	ForeignPoint bool `yaml:"foreign_point"`
}

// SourceConfig is where a signed document comes from.
type SourceConfig struct {
	URL               string      `yaml:"url"`
	File              string      `yaml:"file"`
	AuthorizationFile string      `yaml:"authorization_file"`
	Login             LoginConfig `yaml:"login"`
	TLSRoots          []string    `yaml:"tls_roots"`
	Refresh           Duration    `yaml:"refresh"`
	AlarmAfter        Duration    `yaml:"alarm_after"`
}

// LoginConfig is how the interface of the STI-PA is logged in to.
type LoginConfig struct {
	URL          string `yaml:"url"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
}

// LaboratoryConfig exempts hosts from the rules of the network, for tests.
type LaboratoryConfig struct {
	Hosts []string `yaml:"hosts"`
	Roots []string `yaml:"roots"`
}

// ManagementConfig is the listener for operators.
type ManagementConfig struct {
	Listen string `yaml:"listen"`
}

// LogConfig says what is logged and how.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Duration is a time.Duration whose errors say where they stand in the file.
type Duration time.Duration

// UnmarshalYAML reads 15s, 500ms, 1m30s.
func (d *Duration) UnmarshalYAML(node ast.Node) error {
	value, err := time.ParseDuration(node.GetToken().Value)
	if err != nil {
		return &nodeError{node, "a duration is written as 15s, 500ms or 1m30s"}
	}
	*d = Duration(value)
	return nil
}

// MarshalYAML writes what UnmarshalYAML reads.
func (d Duration) MarshalYAML() ([]byte, error) { return []byte(d.String()), nil }

// String is the text of a time.Duration.
func (d Duration) String() string { return time.Duration(d).String() }

// SPC is a service provider code, letter for letter as certificates have it. YAML would read 0012 as a number, and the
// provider 0012 would be another: the text of the file counts, quoted or not.
type SPC string

// UnmarshalYAML takes the text as it stands.
func (s *SPC) UnmarshalYAML(node ast.Node) error {
	text := node.GetToken().Value
	if !atis.IsSPC(text) {
		return &nodeError{node, "an SPC is 1 to 32 letters and digits"}
	}
	*s = SPC(text)
	return nil
}

// OptionalSPC is an SPC, or nothing.
type OptionalSPC string

// UnmarshalYAML takes the text as it stands.
func (s *OptionalSPC) UnmarshalYAML(node ast.Node) error {
	if node.GetToken().Value == "" {
		return nil
	}
	return (*SPC)(s).UnmarshalYAML(node)
}

// Readers lists, by publishing SPC, who may read what it published.
type Readers map[SPC][]SPC

// UnmarshalYAML reads the keys as SPC does.
func (r *Readers) UnmarshalYAML(node ast.Node) error {
	mapping, ok := node.(ast.MapNode)
	if !ok {
		return &nodeError{node, "readers is a mapping from an SPC to a list of SPCs"}
	}
	*r = Readers{}
	for entries := mapping.MapRange(); entries.Next(); {
		var publisher SPC
		if err := publisher.UnmarshalYAML(entries.Key()); err != nil {
			return err
		}
		var list []SPC
		if err := yaml.NodeToValue(entries.Value(), &list); err != nil {
			return err
		}
		(*r)[publisher] = list
	}
	return nil
}

// configBytesMax bounds the file.
const configBytesMax = 1 << 20

// configFile is a configuration with the text that it came from, for line numbers.
type configFile struct {
	Config
	name string
	tree *ast.File
}

// readConfig reads a file strictly. File names in it are relative to it. The error is a *configError when the file can be
// read and is not a configuration.
func readConfig(name string) (*configFile, error) {
	text, err := readFile(name, configBytesMax)
	if err != nil {
		return nil, err
	}
	f := &configFile{name: name, Config: defaults()}
	if f.tree, err = parser.ParseBytes(text, 0); err != nil {
		return nil, f.notYAML(err)
	}
	if len(f.tree.Docs) > 1 {
		return nil, f.fault(configFault{line: 1, text: "holds several YAML documents, separated by ---; only one is read"})
	}
	if f.saysNothing() { // decoded, it would be a configuration of zeros
		return f, nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField())
	if err := decoder.Decode(&f.Config); err != nil {
		return nil, f.notYAML(err)
	}
	f.resolve(filepath.Dir(name))
	return f, nil
}

// has tells whether a section stands in the file: a role is one that is named.
func (f *configFile) has(section string) bool {
	for _, doc := range f.tree.Docs {
		if mapping, ok := doc.Body.(ast.MapNode); ok {
			for entries := mapping.MapRange(); entries.Next(); {
				if entries.Key().GetToken().Value == section {
					return true
				}
			}
		}
	}
	return false
}

// saysNothing tells whether a file has no keys: it is empty, or holds comments alone.
func (f *configFile) saysNothing() bool {
	for _, doc := range f.tree.Docs {
		switch doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
		default:
			return false
		}
	}
	return true
}

// resolve makes the file names absolute.
func (c *Config) resolve(dir string) {
	t := &c.Trust
	names := []*string{&c.CPS.TLS.Certificate, &c.CPS.TLS.Key, &t.CacheDir, &t.Numbers}
	lists := [][]string{t.Anchors, t.Laboratory.Roots, t.List.Signers, t.List.Roots, t.Revocation.Signers}
	for _, source := range []*SourceConfig{&t.List.Source, &t.Revocation.Source, &c.Discovery.List.Source} {
		names = append(names, &source.File, &source.AuthorizationFile, &source.Login.PasswordFile)
		lists = append(lists, source.TLSRoots)
	}
	s := &c.Signing
	names = append(names, &c.API.TLS.Certificate, &c.API.TLS.Key, &s.Certificate, &s.OrigIDSecret, &c.SIP.Certificate, &c.SIP.Key, &c.Trace.FullKey, &c.Trace.File.Name, &c.Trace.Webhook.Key)
	if !hsm.IsURI(s.Key) {
		names = append(names, &s.Key)
	}
	for i := range c.API.Clients {
		lists = append(lists, c.API.Clients[i].KeyFiles)
	}
	lists = append(lists, c.CPS.Relay.TLSRoots)
	if !hsm.IsURI(c.CPS.Relay.Key) {
		names = append(names, &c.CPS.Relay.Key)
	}
	names = append(names, &c.CPS.Advertise.Certificate, &c.Numbers.File, &c.Numbers.HTTP.TokenFile, &c.Discovery.File, &c.Discovery.Advertisements.Dir)
	if !hsm.IsURI(c.CPS.Advertise.Key) {
		names = append(names, &c.CPS.Advertise.Key)
	}
	for i := range c.Credentials {
		names = append(names, &c.Credentials[i].Certificate)
		if !hsm.IsURI(c.Credentials[i].Key) {
			names = append(names, &c.Credentials[i].Key)
		}
	}
	names = append(names, &c.Cluster.Dir, &c.Cluster.Credentials, &c.Cluster.TLS.Certificate, &c.Cluster.TLS.Key)
	lists = append(lists, c.Cluster.TLS.Roots)
	for i := range c.CPS.Push.Webhooks {
		names = append(names, &c.CPS.Push.Webhooks[i].Key)
		lists = append(lists, c.CPS.Push.Webhooks[i].TLSRoots)
	}
	lists = append(lists, c.Numbers.HTTP.TLSRoots, c.Discovery.List.Signers)
	for _, list := range append(lists, c.API.ClientRoots, c.Peers.TLSRoots, c.SIP.ClientRoots, c.Trace.Webhook.TLSRoots) {
		for i := range list {
			names = append(names, &list[i])
		}
	}
	for _, name := range names {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(dir, *name)
		}
	}
}
