package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/internal/load"
)

// benchSubject is a CPS in a process of its own, with the laboratory that it believes.
type benchSubject struct {
	url       string
	providers []load.Provider
	roots     []string

	dir        string
	repository *http.Server
	command    *exec.Cmd
	exited     chan error
}

// benchConfig is what `viaduct serve` is told beside its defaults: nobody's rate is limited, because what is measured is the work,
// not its refusal.
const benchConfig = `cps:
  listen: "127.0.0.1:0"
  tls: {certificate: tls/cps.pem, key: tls/cps-key.pem}
  audience: [127.0.0.1]
  rates:
    publish: {per_second: 1000000, burst: 1000000}
    retrieve: {per_second: 1000000, burst: 1000000}
    open: {per_second: 1000000, burst: 1000000}
  limits: {address_connections: 10000, publisher_records: 1000000, publisher_bytes: 1073741824}
numbers: {file: numbers.csv}
trust:
  anchors: [sti-root.pem]
  laboratory: {hosts: [%q], roots: [tls-root.pem]}
management: {listen: "127.0.0.1:0"}
`

const (
	benchFirstSPC  = 1000
	benchProviders = 1000
	benchBlockSize = 10_000_000
	benchStart     = 15 * time.Second // within which the CPS must serve
	benchStop      = 15 * time.Second
)

// startBenchSubject makes a laboratory and starts a CPS. The caller closes it.
func startBenchSubject(ctx context.Context, providers int) (s *benchSubject, err error) {
	if providers < 1 || providers > benchProviders {
		return nil, fmt.Errorf("--providers is 1 to %d", benchProviders)
	}
	s = &benchSubject{}
	defer func() {
		if err != nil {
			s, err = nil, errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "viaduct-bench-"); err != nil {
		return s, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	s.repository = newRepositoryServer(s.dir)
	if err := s.writeLab(providers, listener.Addr().String()); err != nil {
		return s, errors.Join(err, listener.Close())
	}
	go func() { // returns when it is closed
		_ = s.repository.ServeTLS(listener, filepath.Join(s.dir, labTLS, "repository.pem"), filepath.Join(s.dir, labTLS, "repository-key.pem"))
	}()
	return s, s.start(ctx)
}

// writeLab writes a laboratory whose providers have so many numbers that none is called twice.
func (s *benchSubject) writeLab(providers int, repository string) error {
	lab := LabInit{Dir: s.dir, Repository: repository, CPS: "127.0.0.1:0", Management: "127.0.0.1:0", SIP: "127.0.0.1:0"}
	numbers := ""
	for i := range providers {
		spc := fmt.Sprint(benchFirstSPC + i)
		lab.SPC = append(lab.SPC, spc)
		numbers += fmt.Sprintf("%s,%d,%d\n", spc, 999_000_000_000_000+i*benchBlockSize, benchBlockSize)
	}
	if err := lab.write(); err != nil {
		return err
	}
	for name, text := range map[string]string{labConfig: fmt.Sprintf(benchConfig, repository), labNumbers: numbers} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	s.roots = []string{filepath.Join(s.dir, labTLSRoot)}
	var err error
	s.providers, err = benchProvidersOfLab(s.dir, lab.SPC)
	return err
}

// start starts the CPS, and waits until it serves.
func (s *benchSubject) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s.command = exec.Command(program, "serve", "--config", filepath.Join(s.dir, labConfig))
	s.command.SysProcAttr = apart()
	said, log, err := os.Pipe()
	if err != nil {
		return err
	}
	s.command.Stderr = log
	err = s.command.Start()
	_ = log.Close() // the child has its own
	if err != nil {
		_ = said.Close()
		s.command = nil
		return err
	}
	s.exited = make(chan error, 1)
	serving, told := make(chan string, 1), make(chan string, 1)
	go func() {
		defer said.Close()
		hearServing(said, serving, told)
		s.exited <- s.command.Wait()
	}()
	timer := time.NewTimer(benchStart)
	defer timer.Stop()
	select {
	case address := <-serving:
		s.url = "https://" + address
		return nil
	case text := <-told:
		return fmt.Errorf("the CPS does not start: %s", text)
	case <-timer.C:
		return errors.New("the CPS does not serve in time")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// benchSaidMax bounds what is told of a CPS that did not start.
const benchSaidMax = 2000

// hearServing reads a log until its end: where the CPS serves, or what it said instead.
func hearServing(log io.Reader, serving, told chan<- string) {
	var text strings.Builder
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		var said struct {
			Message string `json:"msg"`
			CPS     string `json:"cps"`
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Message == "serving" {
			serving <- said.CPS
			_, _ = io.Copy(io.Discard, lines) // a line of each request
			return
		}
		if text.Len() < benchSaidMax {
			text.WriteString(line)
		}
		if err != nil {
			told <- strings.TrimSpace(text.String())
			return
		}
	}
}

// close ends the CPS and takes its laboratory away. It may be nil.
func (s *benchSubject) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	if s.command != nil {
		errs = append(errs, s.end())
	}
	if s.repository != nil {
		_ = s.repository.Close() // of a listener that is closed already
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// end asks the CPS to end, and ends it.
func (s *benchSubject) end() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil { // it has ended before: why has been told
		return nil
	}
	timer := time.NewTimer(benchStop)
	defer timer.Stop()
	select {
	case err := <-s.exited:
		return err
	case <-timer.C:
		return errors.Join(errors.New("the CPS did not end in time"), s.command.Process.Kill())
	}
}
