package app

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/trust"
)

// client are the flags of commands that ask CPSs.
type client struct {
	Signer
	CPS      []string      `name:"cps" placeholder:"URL" help:"CPS to ask, such as https://cps.example.net; may be repeated for a redundant pair."`
	Audience string        `placeholder:"NAME" help:"Name of the CPS in aud; the host of its URL if left out."`
	Profile  string        `default:"agreed" enum:"agreed,mesh,rfc9888,company" help:"Form of the CPS: agreed (ATIS-1000105), mesh (ATIS-1000096), rfc9888 (RFC 9888) or company (OOB SHAKEN 2020) (${default})."`
	Cert     string        `name:"certificate" type:"existingfile" placeholder:"FILE" help:"STI certificate with its chain, PEM, to show in TLS instead of an access token, in the forms rfc9888 and company; then --x5u and --spc are not needed."`
	CA       []string      `name:"ca" type:"existingfile" placeholder:"FILE" help:"TLS roots of the CPS, PEM; those of the system if left out."`
	Orig     string        `placeholder:"NUMBER" help:"Calling number."`
	Dest     string        `placeholder:"NUMBER" help:"Called number."`
	Budget   time.Duration `default:"3s" help:"Time for the whole operation, above 0s (${default})."`
}

// open makes the client. The laboratory fills in what no flag said.
func (c *client) open() (*cpsclient.Client, oob.Profile, error) {
	profile, _ := oob.ProfileNamed(c.Profile) // kong has checked the name
	shown, err := c.shown(profile)
	if err != nil {
		return nil, 0, err
	}
	key, err := c.load(shown)
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
	if len(c.CPS) == 0 || c.SPC == "" && shown == nil {
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
	if shown != nil {
		config.Key, config.X5U, config.SPC = nil, "", c.SPC
		if len(shown.Leaf.TNAuthList.SPCs) == 0 { // that of a delegate
			config.SPC = ""
			if config.Number, err = firstNumber(shown.Leaf.TNAuthList); err != nil {
				return nil, 0, fmt.Errorf("--certificate: %w", err)
			}
		}
		config.Certificate = &tls.Certificate{Certificate: shown.DER(), PrivateKey: key}
	}
	opened, err := cpsclient.New(config)
	return opened, profile, err
}

// shown is the certificate that is shown in TLS; nil where it is none. It says who asks, unless that is said already.
func (c *client) shown(profile oob.Profile) (*trust.Chain, error) {
	if c.Cert == "" {
		return nil, nil
	}
	if !profile.Row().CallerInside {
		return nil, errors.New("--certificate is for the forms rfc9888 and company; the others want an access token")
	}
	chain, err := readChain(c.Cert)
	if err != nil {
		return nil, plain(err)
	}
	switch list := chain.Leaf.TNAuthList; {
	case c.SPC == "" && len(list.SPCs) == 1:
		c.SPC = list.SPCs[0]
	case c.SPC == "" && len(list.SPCs) > 1:
		return nil, errors.New("--spc is needed: --certificate names several providers")
	case c.SPC != "" && !list.HasSPC(c.SPC) && (len(list.SPCs) > 0 || c.Lab == ""): // in a laboratory it may be the name of a delegate
		return nil, errors.New("--spc is none that --certificate names")
	}
	return chain, nil
}

// load reads the key. With a certificate that is shown no x5u is needed, and the key must be its own.
func (c *client) load(shown *trust.Chain) (crypto.Signer, error) {
	if shown == nil || c.Lab != "" {
		key, err := c.Signer.load()
		if err != nil {
			return nil, err
		}
		return key, fits(key, shown)
	}
	if c.Key == "" {
		return nil, errors.New("--key is needed: that of --certificate")
	}
	key, err := openKey(c.Key)
	if err != nil {
		return nil, err
	}
	return key, fits(key, shown)
}

// fits refuses a certificate that is another key's.
func fits(key crypto.Signer, shown *trust.Chain) error {
	if shown != nil && !shown.Leaf.Key.Equal(key.Public()) {
		return errors.New("--certificate is not that of --key")
	}
	return nil
}

// key is the slot on the CPS; spc is that of who published.
func (c *client) key(profile oob.Profile, spc string) (oob.Key, error) {
	k := oob.Key{Profile: profile}
	if profile.Row().KeyedBySPC || profile.Row().ForSPC {
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
	To    string         `placeholder:"SPC" help:"SPC of the called party's provider; needed in the form company."`
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
	if err := p.checkParties(tokens); err != nil {
		return err
	}
	opened, profile, err := p.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	owner := p.SPC
	if profile.Row().ForSPC {
		if owner = p.To; owner == "" {
			return errors.New("--to is needed: the SPC of the called party's provider, whose CPS it is")
		}
	} else if p.To != "" {
		return errors.New("--to goes with --profile company alone")
	}
	key, err := p.key(profile, owner)
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

// checkParties refuses numbers that contradict the PASSporTs, in the forms where these say whose call it is.
func (p *Publish) checkParties(tokens []string) error {
	profile, _ := oob.ProfileNamed(p.Profile)
	if !profile.Row().CallerInside {
		return nil
	}
	key, err := p.key(profile, p.To)
	if err != nil {
		return err
	}
	var orig, dest, read bool
	for _, text := range tokens {
		token, err := passport.Parse(text)
		if err != nil {
			continue // which the CPS says
		}
		read = true
		orig = orig || token.Claims.Orig == key.Orig
		dest = dest || slices.Contains(token.Claims.Dest, key.Dest)
	}
	switch {
	case read && !orig:
		return fmt.Errorf("--orig is not the caller of the PASSporT, and in the form %s that counts: leave it out", profile)
	case read && !dest:
		return fmt.Errorf("--dest is not called by the PASSporT, and in the form %s that counts: leave it out", profile)
	}
	return nil
}

// Retrieve is `viaduct retrieve`.
type Retrieve struct {
	client
	From string `placeholder:"SPC" help:"SPC of the upstream provider, who published; needed in the agreed form."`
}

// Run prints one PASSporT a line. The exit status tells whether there was one.
func (r *Retrieve) Run(std *Streams) error {
	if r.From != "" && r.Profile != oob.Agreed.String() {
		return fmt.Errorf("--from does not go with --profile %s: who published is not part of what PASSporTs are found by there", r.Profile)
	}
	opened, profile, err := r.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	if profile.Row().KeyedBySPC && r.From == "" {
		return errors.New("--from is needed: the SPC of the provider that handed the call over")
	}
	owner := r.From
	if profile.Row().ForSPC {
		owner = r.SPC
	}
	key, err := r.key(profile, owner)
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
