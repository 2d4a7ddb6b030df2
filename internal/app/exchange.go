package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// client are the flags of commands that ask CPSs.
type client struct {
	Signer
	CPS      []string      `name:"cps" placeholder:"URL" help:"CPS to ask, such as https://cps.example.net; may be repeated for a redundant pair."`
	Audience string        `placeholder:"NAME" help:"Name of the CPS in aud; the host of its URL if left out."`
	Profile  string        `default:"agreed" enum:"agreed,mesh" help:"Form of the CPS: agreed (ATIS-1000105) or mesh (ATIS-1000096) (${default})."`
	CA       []string      `name:"ca" type:"existingfile" placeholder:"FILE" help:"TLS roots of the CPS, PEM; those of the system if left out."`
	Orig     string        `placeholder:"NUMBER" help:"Calling number."`
	Dest     string        `placeholder:"NUMBER" help:"Called number."`
	Budget   time.Duration `default:"3s" help:"Time for the whole operation, above 0s (${default})."`
}

// open makes the client. The laboratory fills in what no flag said.
func (c *client) open() (*cpsclient.Client, oob.Profile, error) {
	key, err := c.load()
	if err != nil {
		return nil, 0, err
	}
	if c.Lab != "" {
		lab, err := readLab(c.Lab)
		if err != nil {
			return nil, 0, err
		}
		if len(c.CPS) == 0 {
			c.CPS = []string{"https://" + lab.cps}
		}
		if len(c.CA) == 0 {
			c.CA = []string{lab.path(labTLSRoot)}
		}
	}
	if len(c.CPS) == 0 || c.SPC == "" {
		return nil, 0, errors.New("--cps and --spc are needed, or --lab and --spc")
	}
	if c.Budget <= 0 {
		return nil, 0, errors.New("--budget must be above 0s")
	}
	roots, err := loadPool(c.CA)
	if err != nil {
		return nil, 0, plain(err)
	}
	config := cpsclient.Config{
		SPC: c.SPC, Key: key, X5U: c.X5U, RootCAs: roots, Budget: c.Budget,
		// A person asks once and wants to know why it failed, not that it has failed before.
		Breaker: cpsclient.Breaker{Failures: math.MaxInt},
	}
	for _, url := range c.CPS {
		if !strings.HasPrefix(url, "https://") {
			return nil, 0, fmt.Errorf("--cps %s: write it as https://host[:port]", url)
		}
		config.CPSs = append(config.CPSs, cpsclient.CPS{URL: url, Audience: c.Audience})
	}
	opened, err := cpsclient.New(config)
	profile, _ := oob.ProfileNamed(c.Profile) // kong has checked the name
	return opened, profile, err
}

// key is the slot on the CPS; spc is that of who published.
func (c *client) key(profile oob.Profile, spc string) (oob.Key, error) {
	k := oob.Key{Profile: profile}
	if profile.Row().KeyedBySPC {
		k.SPC = spc
	}
	var err error
	if k.Orig, err = parseParty("--orig", c.Orig); err != nil {
		return oob.Key{}, err
	}
	k.Dest, err = parseParty("--dest", c.Dest)
	return k, err
}

// Publish is `viaduct publish`.
type Publish struct {
	client
	Keep  *time.Duration `placeholder:"TIME" help:"How long the CPS keeps the PASSporTs, 1s to 60s, in the agreed form; the CPS decides if left out (15s unless it is configured otherwise)."`
	Token []string       `arg:"" optional:"" help:"PASSporTs or Identity header values; read from standard input, one a line, if left out."`
}

// Run publishes, and prints how long it took.
func (p *Publish) Run(std *Streams) error {
	if p.Keep != nil && (*p.Keep < time.Second || *p.Keep > time.Minute || p.Profile != oob.Agreed.String()) {
		return errors.New("--keep is 1s to 60s, and only in the agreed form")
	}
	texts := p.Token
	if len(texts) == 0 {
		var err error
		if texts, err = readTokens("", std.In); err != nil {
			return err
		}
	}
	if len(texts) == 0 {
		return errNoToken
	}
	tokens, err := bareTokens(texts)
	if err != nil {
		return err
	}
	orig, dest := partiesOf(tokens)
	if orig.IsZero() && (p.Orig == "" || p.Dest == "") {
		return errors.New("no token says who calls whom; is it a PASSporT? If so, give --orig and --dest")
	}
	if p.Orig == "" {
		p.Orig = orig.String()
	}
	if p.Dest == "" {
		p.Dest = dest.String()
	}
	opened, profile, err := p.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	key, err := p.key(profile, p.SPC)
	if err != nil {
		return err
	}
	began := time.Now()
	publication := oob.Publication{Key: key, Passports: tokens}
	if p.Keep != nil {
		publication.Expires = began.Add(*p.Keep)
	}
	if err := opened.Publish(context.Background(), publication); err != nil {
		return explain(err)
	}
	fmt.Fprintf(std.Err, "published %d under %s in %s\n", len(tokens), profile, time.Since(began).Round(time.Millisecond/10))
	return nil
}

// Retrieve is `viaduct retrieve`.
type Retrieve struct {
	client
	From string `placeholder:"SPC" help:"SPC of the upstream provider, who published; needed in the agreed form."`
}

// Run prints one PASSporT a line. The exit status tells whether there was one.
func (r *Retrieve) Run(std *Streams) error {
	if r.From != "" && r.Profile == oob.Mesh.String() {
		return errors.New("--from does not go with --profile mesh: PASSporTs are found there by the two numbers alone")
	}
	opened, profile, err := r.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	if profile.Row().KeyedBySPC && r.From == "" {
		return errors.New("--from is needed: the SPC of the provider that handed the call over")
	}
	key, err := r.key(profile, r.From)
	if err != nil {
		return err
	}
	tokens, err := opened.Retrieve(context.Background(), key)
	if errors.Is(err, oob.NotFound) {
		fmt.Fprintln(std.Err, "nothing is held for this call")
		return ErrNegative
	}
	if err != nil {
		return explain(err)
	}
	_, err = fmt.Fprintln(std.Out, strings.Join(tokens, "\n"))
	return err
}

// explain gives a Fault's detail and cause: on the command line the person is both the peer and the operator.
func explain(err error) error {
	f := oob.FaultOf(err)
	text := f.Detail
	if text == "" {
		text = f.Kind.Row().Title
	}
	if f.Err != nil {
		return fmt.Errorf("%s: %w", text, f.Err)
	}
	return errors.New(text)
}
