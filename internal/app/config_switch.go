package app

import "github.com/goccy/go-yaml/ast"

// SigningConfig is the authentication service, and as whom CPSs are asked. It is used by trunks.
type SigningConfig struct {
	SPC             OptionalSPC         `yaml:"spc"`
	Key             string              `yaml:"key"`
	Certificate     string              `yaml:"certificate"`
	X5U             string              `yaml:"x5u"`
	Margin          Duration            `yaml:"margin"`
	OrigIDSecret    string              `yaml:"origid_secret"`
	Numbers         []string            `yaml:"numbers"`
	Customers       []string            `yaml:"customers"`
	Home            []Digits            `yaml:"home"`
	Rows            []SigningRowConfig  `yaml:"rows"`
	Priorities      []PriorityRowConfig `yaml:"priorities"`
	FreshDiversions bool                `yaml:"fresh_diversions"`
}

// SigningRowConfig is one row of the signing policy.
type SigningRowConfig struct {
	Name          string   `yaml:"name"`
	Customers     []string `yaml:"customers"`
	Trunks        []string `yaml:"trunks"`
	Numbers       []string `yaml:"numbers"`
	International bool     `yaml:"international"`
	Attest        string   `yaml:"attest"`
	OrigID        string   `yaml:"origid"`
	Resign        bool     `yaml:"resign"`
}

// PriorityRowConfig says who may assert which priorities.
type PriorityRowConfig struct {
	Customers []string `yaml:"customers"`
	Trunks    []string `yaml:"trunks"`
	Values    []string `yaml:"values"`
	Callback  bool     `yaml:"callback"`
}

// VerificationConfig is the verification service. It is used by trunks.
type VerificationConfig struct {
	Freshness       FreshnessConfig `yaml:"freshness"`
	Transfer        Duration        `yaml:"transfer"`
	Accept          []string        `yaml:"accept"`
	PrioritySigners []SPC           `yaml:"priority_signers"`
	ThirdParties    []string        `yaml:"third_parties"`
	Differ          string          `yaml:"differ"`
	FetchRich       bool            `yaml:"fetch_rich"`
	KeepOutnumbered bool            `yaml:"keep_outnumbered"`
}

// PeersConfig is which CPSs are asked, and how.
type PeersConfig struct {
	CPS              []PeerConfig         `yaml:"cps"`
	Subscriptions    []SubscriptionConfig `yaml:"subscriptions"`
	PrivateAddresses bool                 `yaml:"private_addresses"`
	TLSRoots         []string             `yaml:"tls_roots"`
	Timeout          Duration             `yaml:"timeout"`
	Grace            Duration             `yaml:"grace"`
	Retry            Duration             `yaml:"retry"`
	Warm             Duration             `yaml:"warm"`
	Breaker          BreakerConfig        `yaml:"breaker"`
}

// PeerConfig is one CPS that is asked.
type PeerConfig struct {
	Name     string `yaml:"name"`
	URL      string `yaml:"url"`
	Audience string `yaml:"audience"`
}

// SubscriptionConfig has CPSs tell of calls before they come.
type SubscriptionConfig struct {
	CPS       []string `yaml:"cps"`
	Profile   string   `yaml:"profile"`
	Resources []string `yaml:"resources"`
	Transport string   `yaml:"transport"`
	Behalf    string   `yaml:"behalf"`
}

// BreakerConfig says when a CPS is left alone.
type BreakerConfig struct {
	Failures    int      `yaml:"failures"`
	CoolDown    Duration `yaml:"cool_down"`
	CoolDownMax Duration `yaml:"cool_down_max"`
}

// TrunkConfig is one row of the trunk table.
type TrunkConfig struct {
	Name       string          `yaml:"name"`
	Match      MatchConfig     `yaml:"match"`
	Mode       string          `yaml:"mode"`
	CPS        []string        `yaml:"cps"`
	Discover   string          `yaml:"discover"`
	Profile    string          `yaml:"profile"`
	Behalf     string          `yaml:"behalf"`
	UnlessHeld bool            `yaml:"unless_held"`
	PeerSPC    OptionalSPC     `yaml:"peer_spc"`
	Customer   string          `yaml:"customer"`
	Gateway    bool            `yaml:"gateway"`
	Attest     string          `yaml:"attest"`
	IgnoreDate bool            `yaml:"ignore_date"`
	TakeOrigID bool            `yaml:"take_origid"`
	Budget     Duration        `yaml:"budget"`
	Numbering  NumberingConfig `yaml:"numbering"`
	SecondLook string          `yaml:"second_look"`
	Block      string          `yaml:"block"`
	Nothing    int             `yaml:"nothing"`
	Answer     AnswerConfig    `yaml:"answer"`
	NextHop    string          `yaml:"next_hop"`
}

// MatchConfig says which requests belong to a trunk.
type MatchConfig struct {
	Sources      []string `yaml:"sources"`
	Client       string   `yaml:"client"`
	Asks         string   `yaml:"asks"`
	TGRP         string   `yaml:"tgrp"`
	TrunkContext string   `yaml:"trunk_context"`
	OTG          string   `yaml:"otg"`
	Label        string   `yaml:"label"`
	Header       string   `yaml:"header"`
	HeaderValue  string   `yaml:"header_value"`
}

// NumberingConfig says how numbers are written on a trunk.
type NumberingConfig struct {
	CountryCode          Digits   `yaml:"country_code"`
	InternationalPrefix  Digits   `yaml:"international_prefix"`
	NationalPrefix       Digits   `yaml:"national_prefix"`
	PrefixOptional       bool     `yaml:"prefix_optional"`
	NationalMin          int      `yaml:"national_min"`
	NationalMax          int      `yaml:"national_max"`
	HomeNPA              Digits   `yaml:"home_npa"`
	Bare                 string   `yaml:"bare"`
	Caller               string   `yaml:"caller"`
	Bypass               []Digits `yaml:"bypass"`
	StripPrefixes        []Digits `yaml:"strip_prefixes"`
	TollFree             []Digits `yaml:"toll_free"`
	ShortCallerIsMissing bool     `yaml:"short_caller_is_missing"`
}

// AnswerConfig says how answers are spelled.
type AnswerConfig struct {
	Identity          string `yaml:"identity"`
	Verstat           string `yaml:"verstat"`
	LegacyAttestation bool   `yaml:"legacy_attestation"`
	Reason            string `yaml:"reason"`
	CallInfo          bool   `yaml:"call_info"`
	DisplayMark       bool   `yaml:"display_mark"`
	Date              string `yaml:"date"`
}

// SIPConfig is the door for switches that ask over SIP.
type SIPConfig struct {
	UDP         []string        `yaml:"udp"`
	TCP         []string        `yaml:"tcp"`
	TLS         []string        `yaml:"tls"`
	Certificate string          `yaml:"certificate"`
	Key         string          `yaml:"key"`
	ClientRoots []string        `yaml:"client_roots"`
	SentBy      string          `yaml:"sent_by"`
	Limits      SIPLimitsConfig `yaml:"limits"`
}

// SIPLimitsConfig bounds what the SIP door takes on.
type SIPLimitsConfig struct {
	MessageBytes      int      `yaml:"message_bytes"`
	Transactions      int      `yaml:"transactions"`
	InFlight          int      `yaml:"in_flight"`
	Connections       int      `yaml:"connections"`
	SourceConnections int      `yaml:"source_connections"`
	IdleTimeout       Duration `yaml:"idle_timeout"`
}

// APIConfig is the door for switches that ask over HTTP.
type APIConfig struct {
	Listen      string            `yaml:"listen"`
	TLS         TLSConfig         `yaml:"tls"`
	Plain       bool              `yaml:"plain"`
	ClientRoots []string          `yaml:"client_roots"`
	Base        string            `yaml:"base"`
	KeyInQuery  bool              `yaml:"key_in_query"`
	Clients     []APIClientConfig `yaml:"clients"`
	Limits      APILimitsConfig   `yaml:"limits"`
}

// APIClientConfig is one switch, and what it proves itself with.
type APIClientConfig struct {
	Name              string   `yaml:"name"`
	Addresses         []string `yaml:"addresses"`
	CertificateNames  []string `yaml:"certificate_names"`
	KeyFiles          []string `yaml:"key_files"`
	Dialect           string   `yaml:"dialect"`
	BothAnswers       bool     `yaml:"both_answers"`
	Verstat           string   `yaml:"verstat"`
	ReasonDescription bool     `yaml:"reason_description"`
}

// APILimitsConfig bounds what the HTTP door takes on.
type APILimitsConfig struct {
	Connections        int      `yaml:"connections"`
	AddressConnections int      `yaml:"address_connections"`
	InFlight           int      `yaml:"in_flight"`
	BodyTimeout        Duration `yaml:"body_timeout"`
}

// TraceConfig is the record of each call.
type TraceConfig struct {
	Memory   int64         `yaml:"memory"`
	Age      Duration      `yaml:"age"`
	Messages bool          `yaml:"messages"`
	FullKey  string        `yaml:"full_key"`
	File     OutputConfig  `yaml:"file"`
	Webhook  WebhookConfig `yaml:"webhook"`
	HEP      HEPConfig     `yaml:"hep"`
}

// OutputConfig is a file of JSON lines.
type OutputConfig struct {
	Name string `yaml:"name"`
	Full bool   `yaml:"full"`
}

// WebhookConfig is where records are posted.
type WebhookConfig struct {
	URL      string   `yaml:"url"`
	Key      string   `yaml:"key"`
	Full     bool     `yaml:"full"`
	TLSRoots []string `yaml:"tls_roots"`
}

// HEPConfig is a capture server.
type HEPConfig struct {
	Address   string `yaml:"address"`
	Transport string `yaml:"transport"`
	Agent     uint32 `yaml:"agent"`
	Full      bool   `yaml:"full"`
}

// Digits is a text of digits, letter for letter as it stands in the file: YAML would read 011 as a number.
type Digits string

// UnmarshalYAML takes the text as it stands.
func (d *Digits) UnmarshalYAML(node ast.Node) error {
	text := node.GetToken().Value
	for _, c := range text {
		if (c < '0' || c > '9') && c != 'X' && c != '*' && c != '#' {
			return &nodeError{node, "is digits; write it as \"011\""}
		}
	}
	if len(text) > 32 {
		return &nodeError{node, "is longer than any number"}
	}
	*d = Digits(text)
	return nil
}

func digits(list []Digits) []string {
	var all []string
	for _, d := range list {
		all = append(all, string(d))
	}
	return all
}
