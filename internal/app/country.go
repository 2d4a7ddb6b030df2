package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/oob"
)

// The providers of the demonstration.
const (
	originatingSPC = "1234" // where calls begin
	transitSPC     = "567B" // between two TDM trunks
	terminatingSPC = "890C" // where calls arrive
	revokedSPC     = "666R" // whose certificate has been revoked
	delegate       = "acme" // an enterprise with a certificate for numbers of its own
)

// The numbers for which the delegate's certificate is.
const delegateNumbers = "12155550140-12155550149"

// country is what the demonstration plays on: a laboratory on disk, its repository, two CPSs and a SIP element for each
// provider, all as `viaduct serve` would start them. Everything is real but the TDM trunk and the switches.
type country struct {
	dir        string
	repository *http.Server
	cps        *server // inspects what it stores
	careless   *server // does not, as not all CPSs will, and keeps records for two seconds
	providers  map[string]*provider

	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	failed  error // guarded by mu: a server that ended by itself
}

// provider is one telephone company: a switch, and the SIP element that it asks.
type provider struct {
	spc     string
	element *server
}

// carelessRetention is how long the careless CPS keeps a record.
const carelessRetention = 2 * time.Second

// countryBudget is the time for each call: more than a switch would give, so that all ends as expected on a machine that has much to
// do beside it.
const countryBudget = 2 * time.Second

// openCountry builds it. The caller closes it.
func openCountry() (c *country, err error) {
	ctx, stop := context.WithCancel(context.Background())
	c = &country{providers: map[string]*provider{}, stop: stop}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.dir, err = os.MkdirTemp("", "viaduct-demo-"); err != nil {
		return c, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return c, err
	}
	address, err := unusedAddress() // is advertised before it is listened on
	if err != nil {
		return c, err
	}
	lab := LabInit{
		Dir: c.dir, SPC: []string{originatingSPC, transitSPC, terminatingSPC, revokedSPC},
		Delegate:   map[string]string{delegate: delegateNumbers},
		Repository: listener.Addr().String(), CPS: address, Management: "127.0.0.1:0", SIP: "127.0.0.1:0",
	}
	if err = lab.write(); err != nil {
		return c, errors.Join(err, listener.Close())
	}
	if err = (&LabRevoke{Dir: c.dir, SPC: []string{revokedSPC}}).Run(&Streams{Out: io.Discard}); err != nil {
		return c, errors.Join(err, listener.Close())
	}
	c.repository = newRepositoryServer(c.dir)
	c.spawn(func() error {
		return c.repository.ServeTLS(listener, filepath.Join(c.dir, labTLS, "repository.pem"), filepath.Join(c.dir, labTLS, "repository-key.pem"))
	})
	if err = c.provision(address); err != nil {
		return c, err
	}
	if c.cps, err = c.openServer(ctx, labConfig, func(file *Config) {
		file.CPS.Advertise.Resources = []string{"0-" + terminatingSPC}
		file.CPS.Advertise.Key = filepath.Join(c.dir, labProviders, terminatingSPC, "key.pem")
		file.CPS.Advertise.Certificate = filepath.Join(c.dir, labRepository, terminatingSPC+".pem")
		file.CPS.Advertise.X5U = "https://" + lab.Repository + "/" + terminatingSPC + ".pem"
	}); err != nil {
		return c, err
	}
	if c.careless, err = c.openServer(ctx, labConfig, func(file *Config) {
		file.CPS.Listen = "127.0.0.1:0"
		file.CPS.Inspect.Depth = "off"
		file.CPS.Advertise = AdvertiseConfig{Lifetime: file.CPS.Advertise.Lifetime}
		file.CPS.Retention[oob.Agreed.String()] = Duration(carelessRetention)
	}); err != nil {
		return c, err
	}
	nowhere, err := unusedAddress()
	if err != nil {
		return c, err
	}
	for _, spc := range lab.SPC {
		element, err := c.openServer(ctx, filepath.Join(labSwitches, spc+".yaml"), func(file *Config) {
			file.Peers.CPS[0].URL = c.cps.url()
			for name, url := range map[string]string{"careless": c.careless.url(), "nowhere": "https://" + nowhere} {
				file.Peers.CPS = append(file.Peers.CPS, PeerConfig{Name: name, URL: url, Audience: "localhost"})
			}
			for _, row := range moreTrunks {
				if string(row.PeerSPC) != spc { // nobody is upstream of itself
					file.Trunks = append(file.Trunks, row)
				}
			}
			for i := range file.Trunks {
				file.Trunks[i].Budget = Duration(countryBudget)
			}
			file.Verification.Accept = []string{"base"}
			file.find(spc, address)
		})
		if err != nil {
			return c, err
		}
		c.providers[spc] = &provider{spc: spc, element: element}
	}
	return c, nil
}

// provision says whose the called numbers are, and signs where the provider's CPS is.
func (c *country) provision(address string) error {
	w := &labWriter{dir: c.dir}
	w.file(labNumbers, []byte(terminatingSPC+",12155550130,10\n"))
	administrator, err := (&laboratory{dir: c.dir}).crlIssuer()
	if err != nil {
		return err
	}
	w.administrator = administrator.Key
	w.cpsList([]string{terminatingSPC}, "https://"+address)
	return w.err
}

// find says where a provider's element looks for CPSs: one by their advertisements, another by the list of the STI-PA; and the
// terminating provider's is told of calls before they come.
func (c *Config) find(spc, address string) {
	d := &c.Discovery
	d.Advertisements.URLs = []string{"https://" + address + advert.WellKnown}
	switch spc {
	case originatingSPC:
		d.List = CPSListConfig{Source: d.List.Source}
		d.List.Source.File = ""
		d.Advertisements.Refresh = Duration(time.Second)
	default:
		d.Advertisements.URLs = nil
	}
	if spc != terminatingSPC {
		return
	}
	c.Peers.CPS = append(c.Peers.CPS, PeerConfig{Name: "pushing", URL: "https://" + address, Audience: "localhost"})
	c.Peers.Subscriptions = []SubscriptionConfig{{CPS: []string{"pushing"}, Profile: oob.RFC9888.String(), Resources: []string{"0-" + terminatingSPC}}}
	c.Trunks = append(c.Trunks, TrunkConfig{
		Name: "pushed-in", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "pushed-in"}, Mode: "verify", Profile: "rfc9888", CPS: []string{"pushing"},
	})
	c.Verification.Differ = "lower"
}

// spawn runs one server until the country is closed.
func (c *country) spawn(serve func() error) {
	c.running.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.failed = errors.Join(c.failed, err)
		}
	})
}

// moreTrunks are rows beside those of a laboratory, for the calls that go wrong.
var moreTrunks = []TrunkConfig{
	{Name: "mesh-out", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "mesh-out"}, Mode: "sign_publish", CPS: []string{"lab"}, Profile: "mesh"},
	{Name: "mesh-in", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "mesh-in"}, Mode: "verify", CPS: []string{"lab"}, Profile: "mesh"},
	{Name: "careless-out", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "careless-out"}, Mode: "publish", CPS: []string{"careless"}},
	{Name: "careless-in", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "careless-in"}, Mode: "verify", CPS: []string{"careless"}, PeerSPC: originatingSPC},
	{Name: "partial-out", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "partial-out"}, Mode: "sign", Attest: "B"},
	{Name: "curious-in", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "curious-in"}, Mode: "retrieve", CPS: []string{"lab"}, Profile: "rfc9888"},
	{Name: "nowhere-out", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "nowhere-out"}, Mode: "sign_publish", CPS: []string{"nowhere"}},
	{Name: "nowhere-in", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "nowhere-in"}, Mode: "verify", CPS: []string{"nowhere"}, PeerSPC: originatingSPC},
}

// unusedAddress is a port that was just given back: nobody listens there.
func unusedAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// openServer starts what a configuration says that lab init wrote, on free ports.
func (c *country) openServer(ctx context.Context, name string, change func(*Config)) (*server, error) {
	file, err := readConfig(filepath.Join(c.dir, name))
	if err != nil {
		return nil, err
	}
	change(&file.Config)
	s, err := open(file, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	c.spawn(func() error { return s.run(ctx) })
	return s, nil
}

func (s *server) url() string { return "https://" + s.cps.listener.Addr().String() }

// close stops everything and removes the laboratory.
func (c *country) close() error {
	c.stop()
	if c.repository != nil {
		_ = c.repository.Close()
	}
	c.running.Wait()
	return errors.Join(c.failed, os.RemoveAll(c.dir))
}
