package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/internal/heap"
	"github.com/viaduct-oob/viaduct/internal/load"
	"github.com/viaduct-oob/viaduct/oob"
)

// Bench is `viaduct bench`.
type Bench struct {
	Self        bool     `group:"which CPS" help:"Start a CPS of this program in a process of its own, with a laboratory, and measure that."`
	Providers   int      `group:"which CPS" default:"4" placeholder:"NUMBER" help:"Providers of the laboratory of --self (${default})."`
	Lab         string   `group:"which CPS" type:"existingdir" placeholder:"DIR" help:"Laboratory from lab init; gives keys, x5u's, numbers, the CPS and the roots."`
	SPC         []string `group:"which CPS" name:"spc" placeholder:"SPC" help:"Provider of --lab in whose name to act; may be repeated; all if left out."`
	Credentials string   `group:"which CPS" type:"existingfile" placeholder:"FILE" help:"CSV file of providers in whose name to act: SPC,key file,x5u[,certificate file[,first number,count]], a line each. Numbers are those that are called."`
	CPS         []string `group:"which CPS" name:"cps" placeholder:"URL" help:"CPS to publish to; may be repeated: nodes of a cluster are used in turn."`
	Read        []string `group:"which CPS" placeholder:"URL" help:"CPS to retrieve from; may be repeated; those of --cps if left out."`
	Audience    string   `group:"which CPS" placeholder:"NAME" help:"Name of the CPS in aud; the host of its URL if left out."`
	CA          []string `group:"which CPS" name:"ca" type:"existingfile" placeholder:"FILE" help:"TLS roots of the CPS, PEM; those of the system if left out."`
	Profile     string   `group:"which CPS" default:"agreed" enum:"agreed,mesh,rfc9888,company" help:"Form of the CPS: agreed (ATIS-1000105), mesh (ATIS-1000096), rfc9888 (RFC 9888) or company (OOB SHAKEN 2020) (${default})."`
	Mutual      bool     `group:"which CPS" help:"Show STI certificates in TLS instead of access tokens, in the forms rfc9888 and company."`

	Mix      string        `group:"what" default:"call=1" placeholder:"MIX" help:"Shares of publish, retrieve (what is there), miss (retrieve what is not) and call (publish, then retrieve), such as publish=2,retrieve=1 (${default})."`
	Rate     string        `group:"what" default:"500" placeholder:"RATES" help:"Requests and calls a second; several for one after the other: 500,1000,2000@20s (${default})."`
	For      time.Duration `group:"what" default:"10s" help:"How long each rate is kept, unless it says (${default})."`
	Find     time.Duration `group:"what" placeholder:"P99" help:"Search the highest rate whose p99 is at most this, from the first of --rate on."`
	Warmup   time.Duration `group:"what" default:"2s" help:"How long the first rate is kept before it is measured (${default})."`
	Arrivals string        `group:"what" default:"poisson" enum:"poisson,even" help:"poisson: independent of each other, as calls are; even: at equal distances (${default})."`
	Greedy   float64       `group:"what" default:"1" placeholder:"TIMES" help:"The first provider sends this many times what it would; the others what they do anyway, and each has a row in the report."`
	Called   int64         `group:"what" placeholder:"NUMBER" help:"So many numbers are called, some far more often than others; each call another one if left out."`
	Trunk    time.Duration `group:"what" help:"What lies between the two parts of a call: the way through the telephone network."`
	Keep     time.Duration `group:"what" default:"15s" help:"How long records are kept: asked for in the form agreed, what the CPS has been told in the others (${default})."`
	Stock    int           `group:"what" placeholder:"NUMBER" help:"Records that are there to be retrieved (500, or 4 for each provider if that is more)."`
	Seed     uint64        `group:"what" help:"Another one gives other arrivals at the same rates."`

	HTTP1       bool          `group:"how" name:"http1" help:"HTTP/1.1 in place of HTTP/2."`
	Connections int           `group:"how" placeholder:"NUMBER" help:"Connections to each CPS, with --mutual of each provider (8; over HTTP/1.1 64)."`
	Timeout     time.Duration `group:"how" default:"5s" help:"Time for one request (${default})."`
	InFlight    int           `group:"how" default:"10000" placeholder:"NUMBER" help:"Requests under way at most; more are not sent, and have failed (${default})."`
	Ahead       time.Duration `group:"how" default:"20s" help:"How long before they are due requests are signed (${default}). A run that is no longer is signed before it begins."`
	AheadMax    int           `group:"how" default:"100000" placeholder:"NUMBER" help:"Requests signed and not yet sent at most, some 4 KiB each (${default})."`

	JSON string `group:"output" name:"json" type:"path" placeholder:"FILE" help:"Write the report into this file, too."`
	SVG  string `group:"output" name:"svg" type:"path" placeholder:"FILE" help:"Write a picture of the latencies by percentile."`
}

// Help is what --help says besides.
func (b *Bench) Help() string {
	return `A CPS under a load that does not wait for it. Each request is due at an instant that was fixed before; its latency counts from
then, whatever it waited for. Tokens and PASSporTs are signed before, one of each for every request. The simplest run:

  viaduct bench --self --rate 500,1000,2000 --svg latency.svg

The generator says where it was itself too slow: such a rate is DOUBTFUL. Give it processors of its own, best a machine.
The exit status is 1 where a request has failed or a rate is doubtful, and with --find where no rate was found.`
}

// Run measures and prints.
func (b *Bench) Run(std *Streams) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// While the sender naps, somebody else must hear what has been answered.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	defer heap.Tune(int64(b.AheadMax)*8<<10, 0)()
	config, subject, err := b.config(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, subject.close()) }()
	loaded, err := load.New(config)
	if err != nil {
		return err
	}
	defer loaded.Close()
	measure := loaded.Run
	if b.Find != 0 {
		measure = func(ctx context.Context) (*load.Report, error) { return loaded.Find(ctx, b.Find) }
	}
	report, err := measure(ctx)
	if err != nil {
		return err
	}
	if err := report.WriteText(std.Out); err != nil {
		return err
	}
	if err := b.save(report); err != nil {
		return err
	}
	if !report.OK() {
		return ErrNegative
	}
	return nil
}

// config is the load, and the CPS where it is one of our own.
func (b *Bench) config(ctx context.Context) (c load.Config, subject *benchSubject, err error) {
	c = load.Config{
		URLs: b.CPS, Read: b.Read, Audience: b.Audience, Mutual: b.Mutual,
		Warmup: b.Warmup, Arrivals: load.Arrivals(b.Arrivals), Called: b.Called, Seed: b.Seed,
		HTTP1: b.HTTP1, Connections: b.Connections, Timeout: b.Timeout, InFlight: b.InFlight, Ahead: b.Ahead, AheadMax: b.AheadMax,
		Keep: b.Keep, Trunk: b.Trunk, Stock: b.Stock,
	}
	c.Form, _ = oob.ProfileNamed(b.Profile) // kong has checked the name
	if c.Mix, err = load.ParseMix(b.Mix); err != nil {
		return c, nil, fmt.Errorf("--mix: %w", err)
	}
	if c.Steps, err = load.ParseSteps(b.Rate, b.For); err != nil {
		return c, nil, fmt.Errorf("--rate: %w", err)
	}
	if !(b.Greedy > 0) {
		return c, nil, errors.New("--greedy must be above 0")
	}
	roots := b.CA
	switch {
	case b.Self && (b.Lab != "" || b.Credentials != "" || len(b.CPS) > 0):
		return c, nil, errors.New("--self brings everything along: leave out --cps, --lab and --credentials")
	case b.Self:
		if subject, err = startBenchSubject(ctx, b.Providers); err != nil {
			return c, nil, err
		}
		c.URLs, c.Providers, roots = []string{subject.url}, subject.providers, subject.roots
	case b.Credentials != "":
		c.Providers, err = readBenchCredentials(b.Credentials)
	case b.Lab != "":
		c.Providers, err = b.fromLab()
	default:
		return c, nil, errors.New("whom to measure, and as whom? --self, or --lab, or --cps and --credentials")
	}
	if b.Lab != "" && err == nil {
		var lab *laboratory
		if lab, err = readLab(b.Lab); err == nil && len(c.URLs) == 0 {
			c.URLs = []string{"https://" + lab.cps}
		}
		if err == nil && len(roots) == 0 {
			roots = []string{lab.path(labTLSRoot)}
		}
	}
	if err == nil {
		c.RootCAs, err = loadPool(roots)
	}
	if err != nil {
		return c, nil, errors.Join(plain(err), subject.close())
	}
	if len(c.Providers) > 0 {
		c.Providers[0].Share = b.Greedy
	}
	return c, subject, nil
}

// save writes the files that were asked for.
func (b *Bench) save(report *load.Report) error {
	if b.JSON != "" {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(b.JSON, append(text, '\n'), 0o644); err != nil {
			return plain(err)
		}
	}
	if b.SVG == "" {
		return nil
	}
	file, err := os.Create(b.SVG)
	if err != nil {
		return plain(err)
	}
	return errors.Join(report.WriteSVG(file), file.Close())
}
