// Command viaduct carries caller identity across the parts of the telephone network that cannot carry it.
//
// Knows: the command line. Never hears of: anything but package app, where every command lives.
package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"

	"github.com/viaduct-oob/viaduct/internal/app"
)

// commands are all commands; their flags stand in package app.
type commands struct {
	Demo     app.Demo     `cmd:"" help:"The whole country on loopback: calls cross a TDM gap and are judged."`
	Serve    app.Serve    `cmd:"" help:"Serve the roles that a configuration names."`
	Check    app.Check    `cmd:"" help:"Check a configuration and say what would start."`
	Key      app.Key      `cmd:"" help:"The key of a call: under which numbers its PASSporTs are published and looked for, and why."`
	Discover app.Discover `cmd:"" help:"Which CPS a number or a provider has, and why that is believed."`
	CPSList  app.CPSList  `cmd:"" name:"cps-list" help:"Sign the list of all providers' CPSs, as an STI-PA would."`
	Passport app.Passport `cmd:"" help:"Sign, verify or inspect one PASSporT."`
	Publish  app.Publish  `cmd:"" help:"Publish PASSporTs to CPSs."`
	Retrieve app.Retrieve `cmd:"" help:"Retrieve the PASSporTs of a call from CPSs."`
	Bench    app.Bench    `cmd:"" help:"Put a load on a CPS and measure how it bears it."`
	Cert     app.Cert     `cmd:"" help:"STI certificates."`
	Cluster  app.Cluster  `cmd:"" help:"What is made before the CPSs of several machines can be one."`
	Lab      app.Lab      `cmd:"" help:"A laboratory: roots, certificates, keys and a certificate repository."`

	Version kong.VersionFlag `help:"Print the version."`
}

func main() { os.Exit(run()) }

// description is what --help begins with.
const description = `Out-of-band delivery of STIR/SHAKEN PASSporTs.

Exit status: 0 for yes and done; 1 for an answer that is no, such as a call that is not verified, a certificate with findings, a configuration with faults; 2 when what was asked could not be done, such as a file that cannot be read, a flag that does not exist, a CPS that does not answer.`

// run gives the exit status, as description has it.
func run() int {
	streams := app.StandardStreams()
	parser := kong.Must(&commands{}, kong.Name("viaduct"), kong.UsageOnError(), kong.Vars{"version": version()},
		kong.Description(description), kong.Bind(streams), kong.TypeMapper(reflect.TypeFor[time.Time](), kong.MapperFunc(readTime)))
	arguments := os.Args[1:]
	if len(arguments) == 0 {
		arguments = []string{"--help"}
	}
	context, err := parser.Parse(arguments)
	if err != nil {
		fmt.Fprintf(streams.Err, "viaduct: %v\nviaduct --help, or viaduct COMMAND --help, says more\n", err)
		return 2
	}
	switch err := context.Run(); {
	case err == nil:
		return 0
	case errors.Is(err, app.ErrNegative):
		return 1
	default:
		fmt.Fprintf(streams.Err, "viaduct: %v\n", err)
		return 2
	}
}

// readTime reads the flags that are points in time.
func readTime(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("time", &text); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("%q is no time such as 2026-11-22T10:00:00Z", text)
	}
	target.Set(reflect.ValueOf(at))
	return nil
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "viaduct (unknown version)"
	}
	return "viaduct " + info.Main.Version + " " + info.GoVersion
}
