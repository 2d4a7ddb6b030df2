package app

// ClusterConfig is how the CPSs of several machines, and of several sites, are one. Without this section there is one node, whose
// records are in memory, and no log is started.
type ClusterConfig struct {
	Node        string              `yaml:"node"`
	Site        string              `yaml:"site"`
	Dir         string              `yaml:"dir"`
	Storage     string              `yaml:"storage"`
	Sync        Duration            `yaml:"sync"`
	Bytes       int64               `yaml:"bytes"`
	Listen      string              `yaml:"listen"`
	Advertise   string              `yaml:"advertise"`
	Nodes       []ClusterNodeConfig `yaml:"nodes"`
	TLS         ClusterTLSConfig    `yaml:"tls"`
	Witness     bool                `yaml:"witness"`
	URL         []string            `yaml:"url"`
	Credentials string              `yaml:"credentials"`
	Replicas    int                 `yaml:"replicas"`
	Sites       SitesConfig         `yaml:"sites"`
}

// given tells whether anything was said of a node: who prints the defaults has none.
func (c *ClusterConfig) given() bool {
	return c.Node != "" || c.Dir != "" || c.Witness || len(c.URL) > 0 || len(c.Nodes) > 0 || len(c.Sites.Others) > 0
}

// engineMemory is what the engine of the log takes on a busy node, beside what it keeps in memory.
const engineMemory = 384 << 20

// memory is what the log takes of a process that has one inside.
func (c *ClusterConfig) memory() int64 {
	switch {
	case !c.given() || len(c.URL) > 0:
		return 0
	case storages[c.Storage]:
		return engineMemory + c.Bytes
	default:
		return engineMemory
	}
}

// ClusterNodeConfig is where a node is reached by the others of its site.
type ClusterNodeConfig struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"`
}

// ClusterTLSConfig is how nodes and sites prove themselves to each other, in both directions.
type ClusterTLSConfig struct {
	Certificate string   `yaml:"certificate"`
	Key         string   `yaml:"key"`
	Roots       []string `yaml:"roots"`
}

// SitesConfig is the other sites.
type SitesConfig struct {
	Listen      string       `yaml:"listen"`
	Others      []SiteConfig `yaml:"others"`
	Acknowledge int          `yaml:"acknowledge"`
}

// SiteConfig is one of them, and where its nodes are read.
type SiteConfig struct {
	Name      string   `yaml:"name"`
	Addresses []string `yaml:"addresses"`
}
