package app

// PushConfig is how those who may read are told of what is published.
type PushConfig struct {
	Heartbeat          Duration         `yaml:"heartbeat"`
	Subscribers        int              `yaml:"subscribers"`
	AccountSubscribers int              `yaml:"account_subscribers"`
	Queue              int              `yaml:"queue"`
	Waits              int              `yaml:"waits"`
	Webhooks           []PushHookConfig `yaml:"webhooks"`
}

// PushHookConfig is one receiver that is told over signed webhooks.
type PushHookConfig struct {
	Name      string   `yaml:"name"`
	URL       string   `yaml:"url"`
	Key       string   `yaml:"key"`
	TLSRoots  []string `yaml:"tls_roots"`
	Profile   string   `yaml:"profile"`
	Resources []string `yaml:"resources"`
}

// AdvertiseConfig is what a CPS says of itself, for others to find it.
type AdvertiseConfig struct {
	URL         string   `yaml:"url"`
	Resources   []string `yaml:"resources"`
	Key         string   `yaml:"key"`
	Certificate string   `yaml:"certificate"`
	X5U         string   `yaml:"x5u"`
	Lifetime    Duration `yaml:"lifetime"`
}

// NumbersConfig is who knows which numbers belong to which provider now.
type NumbersConfig struct {
	File string            `yaml:"file"`
	Poll Duration          `yaml:"poll"`
	HTTP NumbersHTTPConfig `yaml:"http"`
	DNS  NumbersDNSConfig  `yaml:"dns"`
}

// NumbersHTTPConfig is a server that knows.
type NumbersHTTPConfig struct {
	URL       string   `yaml:"url"`
	TokenFile string   `yaml:"token_file"`
	TLSRoots  []string `yaml:"tls_roots"`
}

// NumbersDNSConfig is a tree of names that knows.
type NumbersDNSConfig struct {
	Servers         []string `yaml:"servers"`
	Suffix          string   `yaml:"suffix"`
	Unauthenticated bool     `yaml:"unauthenticated"`
}

// DiscoveryConfig is where the CPSs of others are found.
type DiscoveryConfig struct {
	Order          []string             `yaml:"order"`
	File           string               `yaml:"file"`
	Certificate    CertificateURIConfig `yaml:"certificate"`
	List           CPSListConfig        `yaml:"list"`
	Advertisements AdvertisementsConfig `yaml:"advertisements"`
	DNS            DiscoveryDNSConfig   `yaml:"dns"`
}

// CertificateURIConfig is the extension of certificates that names a CPS. It is read when its identifier is given.
type CertificateURIConfig struct {
	OID        string `yaml:"oid"`
	Attributes bool   `yaml:"attributes"`
	Strict     bool   `yaml:"strict"`
}

// CPSListConfig is the list of all providers' CPSs that the STI-PA signs. It is used when its source is given.
type CPSListConfig struct {
	Source  SourceConfig `yaml:"source"`
	Signers []string     `yaml:"signers"`
}

// AdvertisementsConfig is where CPSs are advertised.
type AdvertisementsConfig struct {
	URLs        []string `yaml:"urls"`
	Dir         string   `yaml:"dir"`
	Refresh     Duration `yaml:"refresh"`
	NumbersMax  uint64   `yaml:"numbers_max"`
	LifetimeMax Duration `yaml:"lifetime_max"`
}

// DiscoveryDNSConfig is where in the DNS CPSs are.
type DiscoveryDNSConfig struct {
	Servers            []string `yaml:"servers"`
	Numbers            string   `yaml:"numbers"`
	Providers          string   `yaml:"providers"`
	Path               string   `yaml:"path"`
	Within             []string `yaml:"within"`
	TrustAuthenticated bool     `yaml:"trust_authenticated"`
}

// CredentialConfig is whom else this process acts for: a provider without out-of-band of its own, which has delegated its
// numbers (RFC 9060, RFC 9888 §7).
type CredentialConfig struct {
	Name        string      `yaml:"name"`
	SPC         OptionalSPC `yaml:"spc"`
	Key         string      `yaml:"key"`
	Certificate string      `yaml:"certificate"`
	X5U         string      `yaml:"x5u"`
}
