package app

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Limits of a corpus.
const (
	corpusLineBytesMax   = 1 << 20 // of a line
	corpusAuthoritiesMax = 10_000  // different CA certificates
)

// CertSurvey is `viaduct cert survey`.
type CertSurvey struct {
	Roots  []string `required:"" type:"existingfile" placeholder:"FILE" help:"Trust anchors, PEM; may be repeated."`
	Corpus string   `arg:"" type:"existingfile" help:"JSON lines, each an object with a certificate in the member der, in base64; other members are passed over."`
}

// Help says what the table means.
func (c *CertSurvey) Help() string {
	return `Each certificate of the corpus is parsed, classified, compared with ATIS-1000080 in the edition that was in force when it became
valid, and, unless it is a CA, chained to the roots in the middle of its validity. The CA certificates of the corpus stand
between leaves and roots. Nothing is fetched and revocation is not looked at. Memory holds the CA certificates and one line.

The exit status is 1 when a certificate made the program panic, and 2 when the corpus cannot be read; what does not parse, chain
or comply is counted and makes no difference to it.`
}

// Run prints the table.
func (c *CertSurvey) Run(std *Streams) error {
	roots, err := loadPool(c.Roots)
	if err != nil {
		return plain(err)
	}
	s := survey{problems: std.Err, roots: roots, authorities: x509.NewCertPool(), counts: make(map[surveyKey]int)}
	if err := s.read(c.Corpus, s.collect); err != nil { // the CA of a leaf may come after it
		return err
	}
	clear(s.counts)
	if err := s.read(c.Corpus, s.judge); err != nil {
		return err
	}
	if err := s.print(std.Out); err != nil {
		return err
	}
	return s.verdict()
}

// verdict is a no when anything crashed.
func (s *survey) verdict() error {
	if s.counts[surveyKey{"total", "crashed"}] > 0 {
		return ErrNegative
	}
	return nil
}

// survey counts what becomes of certificates.
type survey struct {
	problems    io.Writer // what is told of crashes
	roots       *x509.CertPool
	authorities *x509.CertPool
	seen        map[[sha256.Size]byte]bool // CA certificates
	counts      map[surveyKey]int
}

// surveyKey is a line of the table.
type surveyKey struct{ group, name string }

func (s *survey) count(group, name string) { s.counts[surveyKey{group, name}]++ }

// read hands the certificates of a corpus to each, one by one. A panic is counted.
func (s *survey) read(corpus string, each func(der []byte) error) error {
	file, err := os.Open(corpus)
	if err != nil {
		return plain(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, corpusLineBytesMax)
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		s.count("total", "lines")
		var line struct {
			DER []byte `json:"der"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || len(line.DER) == 0 {
			s.count("total", "without a certificate")
			continue
		}
		if err := s.guarded(n, line.DER, each); err != nil {
			return fmt.Errorf("%s: line %d: %w", corpus, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", corpus, lineError(err, n, corpusLineBytesMax))
	}
	return nil
}

func (s *survey) guarded(line int, der []byte, each func(der []byte) error) error {
	defer func() {
		if cause := recover(); cause != nil {
			s.count("total", "crashed")
			fmt.Fprintf(s.problems, "line %d: crashed: %v\n", line, cause)
		}
	}()
	return each(der)
}

// collect keeps the CA certificates.
func (s *survey) collect(der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil || !cert.IsCA {
		return nil
	}
	if s.seen == nil {
		s.seen = make(map[[sha256.Size]byte]bool)
	}
	hash := sha256.Sum256(der)
	if s.seen[hash] {
		return nil
	}
	if len(s.seen) == corpusAuthoritiesMax {
		return fmt.Errorf("more than %d CA certificates", corpusAuthoritiesMax)
	}
	s.seen[hash] = true
	s.authorities.AddCert(cert)
	return nil
}

// judge counts what becomes of one certificate.
func (s *survey) judge(der []byte) error {
	cert, err := stircert.Parse(der)
	if err != nil {
		s.count("total", "not parsed")
		return nil
	}
	s.count("total", "parsed")
	role := stircert.RoleOf(cert)
	s.count("role", role.String())
	s.lint(cert, role)
	stircert.Describe(cert) // what people would see must not crash either
	if role != stircert.Leaf {
		return nil
	}
	if problem, isBad := errors.AsType[stircert.Problem](cert.CheckEndEntity()); isBad {
		s.count("leaves: unusable", problem.Name())
	} else {
		s.count("leaves: usable", "")
	}
	if problem, isBad := errors.AsType[stircert.Problem](s.chain(cert)); isBad {
		s.count("leaves: not chained", problem.Name())
	} else {
		s.count("leaves: chained", "")
	}
	return nil
}

func (s *survey) lint(cert *stircert.Certificate, role stircert.Role) {
	compliant := true
	for _, f := range stircert.Lint(cert, role, stircert.EditionInForce) {
		s.count("lint: "+f.Severity.String(), f.Rule)
		compliant = compliant && f.Severity != stircert.Error
	}
	if compliant {
		s.count("lint: no error", "")
	}
}

// chain looks for a path to a root in the middle of the validity.
func (s *survey) chain(cert *stircert.Certificate) error {
	paths, err := cert.X509().Verify(x509.VerifyOptions{
		Roots: s.roots, Intermediates: s.authorities,
		CurrentTime: cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 2),
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return stircert.NotTrusted
	}
	for _, path := range paths {
		if err = cert.CheckPath(path[1:], nil); err == nil {
			return nil
		}
	}
	return err
}

// print writes the table: the totals first, then each group by its name.
func (s *survey) print(w io.Writer) error {
	for _, name := range []string{"lines", "without a certificate", "parsed", "not parsed", "crashed"} {
		s.counts[surveyKey{"total", name}] += 0 // a nought is news too
	}
	keys := slices.SortedFunc(maps.Keys(s.counts), func(a, b surveyKey) int {
		return cmp.Or(cmp.Compare(order(a.group), order(b.group)), cmp.Compare(a.group, b.group), cmp.Compare(a.name, b.name))
	})
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, key := range keys {
		fmt.Fprintf(table, "%s\t%s\t%d\n", key.group, key.name, s.counts[key])
	}
	return table.Flush()
}

// order puts the totals and the roles before the rest.
func order(group string) int {
	switch group {
	case "total":
		return 0
	case "role":
		return 1
	}
	return 2
}
