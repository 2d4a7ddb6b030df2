package app

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// Lab is `viaduct lab`: a laboratory STI-PA, CA and certificate repository on disk.
type Lab struct {
	Init   LabInit   `cmd:"" help:"Write a laboratory: roots, certificates, keys, a configuration for serve."`
	Serve  LabServe  `cmd:"" help:"Serve the laboratory's certificate repository until interrupted."`
	Revoke LabRevoke `cmd:"" help:"Revoke providers' certificates: put them onto the laboratory's revocation list."`
}

// LabInit is `viaduct lab init`.
type LabInit struct {
	Dir        string            `arg:"" type:"path" help:"Folder to make. It must not exist, or be empty."`
	SPC        []string          `required:"" placeholder:"SPC" help:"Service provider code of a provider to make; may be repeated."`
	Delegate   map[string]string `placeholder:"NAME=RANGE" help:"Holder of numbers to make, with a delegate certificate for a range such as 12155550140-12155550149; may be repeated."`
	Repository string            `default:"127.0.0.1:8444" placeholder:"HOST:PORT" help:"Where lab serve listens, and what x5u's point to (${default})."`
	CPS        string            `name:"cps" default:"127.0.0.1:8443" placeholder:"HOST:PORT" help:"Where serve listens (${default})."`
	SIP        string            `name:"sip" default:"127.0.0.1:5070" placeholder:"HOST:PORT" help:"Where the first provider's SIP element listens, the others three ports above each; of the ports between, one is for operators and one for HTTP (${default})."`
	Management string            `default:"127.0.0.1:9464" placeholder:"HOST:PORT" help:"Where serve listens for operators (${default})."`
}

// The files of a laboratory, relative to its folder.
const (
	labSTIRoot    = "sti-root.pem"
	labTLSRoot    = "tls-root.pem"
	labConfig     = "viaduct.yaml"
	labRepository = "repository"
	labProviders  = "providers"
	labTLS        = "tls"
	labAddresses  = "addresses"
	labSTIPA      = "sti-pa"
	labNumbers    = "numbers.csv"
)

// labAddressesBytesMax bounds the file of addresses.
const labAddressesBytesMax = 4096

// Run writes the laboratory.
func (l *LabInit) Run(std *Streams) error {
	if entries, err := os.ReadDir(l.Dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty; choose another folder, or remove it", l.Dir)
	}
	for _, address := range []string{l.Repository, l.CPS, l.Management, l.SIP} {
		if err := checkAddress(address); err != nil {
			return fmt.Errorf("an address %w", err)
		}
	}
	if err := l.checkApart(); err != nil {
		return err
	}
	if len(l.SPC) == 0 { // --spc ''
		return errors.New("--spc is needed: which provider is to be made?")
	}
	for i, spc := range l.SPC {
		if !atis.IsSPC(spc) {
			return fmt.Errorf("an SPC is letters and digits, not %q", spc)
		}
		if slices.ContainsFunc(l.SPC[:i], func(other string) bool { return strings.EqualFold(other, spc) }) {
			return fmt.Errorf("SPC %s is there twice", spc)
		}
	}
	for name, numbers := range l.Delegate {
		if _, err := tn.ParseRange(numbers); err != nil || !atis.IsSPC(name) || slices.Contains(l.SPC, name) {
			return fmt.Errorf("a delegate has a name of letters and digits that is no provider's, and a range of numbers: not %q=%q", name, numbers)
		}
	}
	if err := l.write(); err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "laboratory in %s with providers %s\n\nnext, in three terminals:\n", l.Dir, strings.Join(l.SPC, ", "))
	fmt.Fprintf(std.Out, "  viaduct lab serve %s\n  viaduct serve --config %s\n", l.Dir, filepath.Join(l.Dir, labConfig))
	fmt.Fprintf(std.Out, "  viaduct passport sign --lab %s --spc %s --orig 12155550121 --dest 12155550131 |\n    viaduct publish --lab %[1]s --spc %[2]s\n", l.Dir, l.SPC[0])
	fmt.Fprintf(std.Out, "  viaduct retrieve --lab %s --spc %s --from %s --orig 12155550121 --dest 12155550131 |\n    viaduct passport verify --lab %[1]s --orig 12155550121 --dest 12155550131\n", l.Dir, l.SPC[len(l.SPC)-1], l.SPC[0])
	fmt.Fprintf(std.Out, "\nwhat a switch of provider %s asks, over SIP and HTTP:\n  viaduct serve --config %s\n", l.SPC[0], filepath.Join(l.Dir, labSwitches, l.SPC[0]+".yaml"))
	for _, name := range slices.Sorted(maps.Keys(l.Delegate)) {
		held, _ := tn.ParseRange(l.Delegate[name]) // which has been read before
		fmt.Fprintf(std.Out, "\ndelegate %s signs for its own numbers, without attestation:\n", name)
		fmt.Fprintf(std.Out, "  viaduct passport sign --lab %s --spc %s --type base --orig %s --dest 12155550131 |\n    viaduct passport verify --lab %[1]s --accept base --orig %[3]s --dest 12155550131\n", l.Dir, name, held.Start())
	}
	return nil
}

// checkApart refuses one address for two listeners. Port 0 is another one each time.
func (l *LabInit) checkApart() error {
	flags := []struct{ name, address string }{{"--repository", l.Repository}, {"--cps", l.CPS}, {"--management", l.Management}, {"--sip", l.SIP}}
	for i, flag := range flags {
		for _, other := range flags[:i] {
			if flag.address == other.address && !strings.HasSuffix(flag.address, ":0") {
				return fmt.Errorf("%s and %s are the same address, and both are listened on", other.name, flag.name)
			}
		}
	}
	return nil
}

func (l *LabInit) write() error {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{BaseURL: "https://" + l.Repository})
	if err != nil {
		return err
	}
	w := &labWriter{dir: l.Dir}
	w.policyAdministrator(pki, "https://"+l.Repository+labCRLPath)
	w.file(labSTIRoot, pki.RootPEM())
	w.file(labTLSRoot, pki.TLSRootPEM())
	w.file(labAddresses, []byte("repository "+l.Repository+"\ncps "+l.CPS+"\n"))
	for name, address := range map[string]string{"repository": l.Repository, "cps": l.CPS} {
		host, _, _ := net.SplitHostPort(address)
		w.tls(pki, name, host)
	}
	for _, spc := range l.SPC {
		w.signer(pki, spc, oobtest.IssueConfig{})
	}
	for name, numbers := range l.Delegate {
		held, err := tn.ParseRange(numbers)
		w.err = errors.Join(w.err, err)
		w.signer(pki, name, oobtest.IssueConfig{TNAuthList: stircert.TNAuthList{Ranges: []tn.Range{held}}})
	}
	w.file(labNumbers, []byte(l.numbers()))
	if l.isFound() {
		w.cpsList(l.SPC, "https://"+l.CPS)
	}
	w.config(l)
	w.switches(l)
	return w.err
}

// isFound tells whether others can be told where the CPS is: port 0 is another one each time.
func (l *LabInit) isFound() bool { return !strings.HasSuffix(l.CPS, ":0") }

// labBlock is how many numbers each provider of a laboratory has, the first from labFirstNumber on.
const (
	labFirstNumber = 12155550120
	labBlock       = 10
)

// numbers says whose numbers are whose.
func (l *LabInit) numbers() string {
	text := "# Whose a number is: SPC,first,count. Each provider of the laboratory has a block.\n"
	for i, spc := range l.SPC {
		text += fmt.Sprintf("%s,%d,%d\n", spc, labFirstNumber+labBlock*i, labBlock)
	}
	return text
}

// labWriter writes files until the first error.
type labWriter struct {
	dir   string
	point pkix.Extension // where certificates say that their revocation would be told
	err   error

	administrator crypto.Signer // signs for the laboratory's STI-PA
}

func (w *labWriter) file(name string, text []byte) {
	if w.err != nil {
		return
	}
	path := filepath.Join(w.dir, name)
	if w.err = os.MkdirAll(filepath.Dir(path), 0o700); w.err == nil {
		w.err = os.WriteFile(path, text, 0o600)
	}
}

func (w *labWriter) tls(pki *oobtest.PKI, name, host string) {
	hosts := []string{"localhost", "127.0.0.1"}
	if host != "" && host != "localhost" && host != "127.0.0.1" {
		hosts = append(hosts, host)
	}
	files, err := pki.IssueTLS(hosts...)
	if w.err = errors.Join(w.err, err); w.err != nil {
		return
	}
	w.file(filepath.Join(labTLS, name+".pem"), files.CertificatePEM)
	w.file(filepath.Join(labTLS, name+"-key.pem"), files.KeyPEM)
}

// signer writes the files of a provider or a delegate.
func (w *labWriter) signer(pki *oobtest.PKI, name string, certificate oobtest.IssueConfig) {
	certificate.SPC, certificate.Path = name, "/"+name+".pem"
	certificate.Modify = w.announce
	identity, err := pki.Issue(certificate)
	if w.err = errors.Join(w.err, err); w.err != nil {
		return
	}
	key, err := identity.KeyPEM()
	if w.err = errors.Join(w.err, err); w.err != nil {
		return
	}
	w.file(filepath.Join(labRepository, name+".pem"), identity.ChainPEM)
	w.file(filepath.Join(labProviders, name, "key.pem"), key)
	w.file(filepath.Join(labProviders, name, "x5u"), []byte(identity.X5U+"\n"))
}

var labConfigTemplate = template.Must(template.New("").Parse(`# Configuration of a laboratory CPS. docs/configuration.md describes every key.
cps:
  listen: "{{.CPS}}"
  tls:
    certificate: tls/cps.pem
    key: tls/cps-key.pem
  audience: [{{.Host}}, localhost]
{{- if .Found}}
  advertise: # as the CPS of provider {{.Advertised}}, at /.well-known/stir-cps
    url: "https://{{.CPS}}"
    resources: ["0-{{.Advertised}}"]
    key: providers/{{.Advertised}}/key.pem
    certificate: repository/{{.Advertised}}.pem
    x5u: https://{{.Repository}}/{{.Advertised}}.pem
{{- end}}
numbers: # who may read who calls a number
  file: numbers.csv
trust:
  anchors: [sti-root.pem]
  revocation:
    source:
      file: sti-pa/revoked.crl # viaduct lab revoke
      refresh: 5s
    signers: [sti-pa/crl-issuer.pem]
  laboratory: # never on a CPS that others are to trust
    hosts: ["{{.Repository}}"]
    roots: [tls-root.pem]
management:
  listen: "{{.Management}}"
log:
  format: text
`))

func (w *labWriter) config(l *LabInit) {
	host, _, _ := net.SplitHostPort(l.CPS)
	if host == "" {
		host = "localhost"
	}
	var text strings.Builder
	err := labConfigTemplate.Execute(&text, map[string]any{
		"CPS": l.CPS, "Found": l.isFound(), "Advertised": l.SPC[len(l.SPC)-1], "Host": host, "Repository": l.Repository, "Management": l.Management,
	})
	w.err = errors.Join(w.err, err)
	w.file(labConfig, []byte(text.String()))
}

// LabServe is `viaduct lab serve`.
type LabServe struct {
	Dir string `arg:"" type:"existingdir" help:"Folder that lab init has written."`
}

// Run serves the repository until SIGINT or SIGTERM.
func (l *LabServe) Run(std *Streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lab, err := readLab(l.Dir)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", lab.repository)
	if err != nil {
		return err
	}
	server := newRepositoryServer(l.Dir)
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Fprintf(std.Out, "serving the certificates of %s at https://%s/\n", l.Dir, listener.Addr())
	err = server.ServeTLS(listener, filepath.Join(l.Dir, labTLS, "repository.pem"), filepath.Join(l.Dir, labTLS, "repository-key.pem"))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// newRepositoryServer serves the certificates of a laboratory's folder, and its revocation list.
func newRepositoryServer(dir string) *http.Server {
	files := http.NewServeMux()
	files.Handle("/", typed("application/pem-certificate-chain", http.FileServer(http.Dir(filepath.Join(dir, labRepository)))))
	files.Handle(labCRLPath, typed("application/pkix-crl", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, labSTIPA, labCRL))
	})))
	return &http.Server{
		Handler:           files,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 5 * time.Second,
	}
}

// typed gives every file the same media type.
func typed(mediaType string, files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		files.ServeHTTP(w, r)
	})
}

// laboratory is a laboratory's folder as the other commands use it.
type laboratory struct {
	dir        string
	repository string // host:port
	cps        string // host:port
}

func readLab(dir string) (*laboratory, error) {
	text, err := readFile(filepath.Join(dir, labAddresses), labAddressesBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a laboratory that `viaduct lab init` has written: it has no file %s", dir, labAddresses)
	}
	if err != nil {
		return nil, err
	}
	lab := &laboratory{dir: dir}
	if _, err := fmt.Sscanf(string(text), "repository %s\ncps %s\n", &lab.repository, &lab.cps); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, labAddresses), err)
	}
	return lab, nil
}

func (l *laboratory) path(names ...string) string {
	return filepath.Join(append([]string{l.dir}, names...)...)
}
