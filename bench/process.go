package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/internal/heap"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// A server is this program again, with its role in the environment. It says hello in one line of JSON and serves until
// its standard input is closed, which also happens when the load generator dies.
const (
	roleVariable    = "VIADUCT_BENCH_ROLE"
	errandVariable  = "VIADUCT_BENCH_ERRAND"
	profileVariable = "VIADUCT_BENCH_PROFILE"
	signerVariable  = "VIADUCT_BENCH_SIGNER"
	configVariable  = "VIADUCT_BENCH_CONFIG"
	tablesVariable  = "VIADUCT_BENCH_TABLES" // trust.tables of the subject; empty for none

	roleFloor    = "floor"
	roleSubject  = "subject"
	roleStrained = "strained" // the subject when it is to be overloaded
	roleKamailio = "kamailio"
	roleSipgo    = "sipgo"
	roleViaduct  = "viaduct"
	roleCPS      = "cps"
	roleAwake    = "awake"
	roleResident = "resident" // measures by itself

	roleFilling   = "filling" // of a restart, see playRestart
	roleRestarted = "restarted"
)

// serverCore and loadCore keep the two apart.
const (
	serverCore = "0"
	loadCore   = "1"
)

// hello is what the load generator has to know of a server.
type hello struct {
	URL        string
	TLSRootPEM []byte
	Providers  []provider
	SIP        string // host:port, the same over UDP and TCP
	Management string // host:port of its management listener, if it has one
}

// provider is a laboratory provider whose certificate the server has cached.
type provider struct {
	SPC    string
	X5U    string
	KeyPEM []byte

	ChainPEM []byte // of its certificate
}

// identity is the provider with its key ready to sign.
func (p provider) identity() (*oobtest.Identity, error) {
	block, _ := pem.Decode(p.KeyPEM)
	if block == nil {
		return nil, errors.New("a provider without a key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("a provider whose key is not an EC key")
	}
	return &oobtest.Identity{SPC: p.SPC, X5U: p.X5U, Key: private, ChainPEM: p.ChainPEM}, nil
}

// play is the life of a server process.
func play(role string, in io.Reader, out io.Writer) error {
	if name := os.Getenv(profileVariable); name != "" {
		profile, err := os.Create(name)
		if err != nil {
			return err
		}
		defer profile.Close()
		if err := pprof.StartCPUProfile(profile); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	switch role {
	case roleResident:
		return reside(out)
	case roleFilling, roleRestarted:
		return playRestart(role, in, out)
	}
	defer heap.Tune(1<<30, 0)() // as serve does; of both, so that the floor is no worse off
	start := map[string]func() (hello, io.Closer, error){
		roleFloor: startFloor, roleSubject: startSubject, roleStrained: startStrained, roleKamailio: startKamailio, roleSipgo: startSipgo,
		roleViaduct: startViaduct, roleCPS: startCPS, roleAwake: startAwake,
	}[role]
	if start == nil {
		return fmt.Errorf("no role %q", role)
	}
	signal.Ignore(os.Interrupt) // from a terminal: the load generator gets it too, and ends this process
	greeting, server, err := start()
	if err != nil {
		return err
	}
	defer server.Close()
	if err := json.NewEncoder(out).Encode(greeting); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// process is a running server.
type process struct {
	hello
	command *exec.Cmd
	stdin   io.Closer
}

// startProcess starts a server on its core, or on any where there is no taskset.
func startProcess(ctx context.Context, role string, environment ...string) (*process, error) {
	return startOn(ctx, serverCore, role, environment...)
}

// startOn starts a server that has one core, or all of them where none is named.
func startOn(ctx context.Context, core, role string, environment ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self)
	if core != "" {
		environment = append(environment, "GOMAXPROCS=1")
		if taskset, ok := pinning(); ok {
			command = exec.CommandContext(ctx, taskset, "-c", core, self)
		}
	}
	command.Env = append(os.Environ(), append(environment, roleVariable+"="+role)...)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	command.Cancel, command.WaitDelay = stdin.Close, 5*time.Second // so that it ends what it has started
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.hello)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not start: %w", role, err), p.stop())
	}
	return p, nil
}

func (p *process) stop() error {
	_ = p.stdin.Close() // closed already when the process has died, which Wait tells
	return p.command.Wait()
}

// pinning finds taskset (util-linux), which puts processes on cores, where there are two.
func pinning() (taskset string, ok bool) {
	taskset, err := exec.LookPath("taskset")
	return taskset, err == nil && runtime.NumCPU() > 1
}

// pinLoad puts this process, with all its threads, on the core of the load.
func pinLoad() error {
	taskset, ok := pinning()
	if !ok {
		return nil
	}
	return exec.Command(taskset, "-acp", loadCore, strconv.Itoa(os.Getpid())).Run()
}
