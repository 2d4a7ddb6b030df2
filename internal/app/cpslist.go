package app

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/ocnlist"
)

// CPSList is `viaduct cps-list`: it signs the list of all providers' CPSs, as an STI-PA would.
type CPSList struct {
	Key      string        `required:"" placeholder:"FILE|URI" help:"Private key on P-256 of who signs the list: a PEM file, or a key in a token."`
	X5U      string        `name:"x5u" required:"" placeholder:"URL" help:"Where the certificate of the key is served."`
	Lifetime time.Duration `default:"168h" help:"How long the list holds (${default})."`
	Sequence *uint64       `placeholder:"NUMBER" help:"Number of the list, above 0 and above that of the one before; seconds since 1970 if left out."`
	Mapping  string        `arg:"" optional:"" type:"existingfile" help:"Lines of a provider code, a comma and the URL of its CPS, such as 567B,https://cps.example.net; read from standard input if left out."`
}

// cpsListBytesMax bounds what is signed.
const cpsListBytesMax = ocnlist.BytesMax

// Run prints the signed list.
func (c *CPSList) Run(std *Streams) error {
	if c.Lifetime <= 0 {
		return errors.New("--lifetime must be above 0s")
	}
	if u, err := url.Parse(c.X5U); err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("--x5u is an https URL")
	}
	sequence := uint64(time.Now().Unix())
	if c.Sequence != nil {
		if sequence = *c.Sequence; sequence == 0 {
			return errors.New("--sequence must be above 0")
		}
	}
	var text []byte
	var err error
	if c.Mapping != "" {
		text, err = readFile(c.Mapping, cpsListBytesMax)
	} else {
		text, err = io.ReadAll(io.LimitReader(std.In, cpsListBytesMax))
	}
	if err != nil {
		return err
	}
	cpss, err := ocnlist.ParseMapping(text)
	if err != nil {
		return err
	}
	key, err := openKey(c.Key)
	if err != nil {
		return err
	}
	list, err := ocnlist.Sign(key, c.X5U, sequence, time.Now().Add(c.Lifetime), cpss)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.Out, list)
	return err
}
