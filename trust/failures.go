package trust

import (
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// failures remembers the URLs that gave no trusted certificate, so that they are tried less and less often. A host
// has a bounded share: a provider that signs tokens with ever new x5u's forgets its own failures, not those of others.
type failures struct {
	max, hostMax int

	mu    sync.Mutex
	byURL map[string]*failure // guarded by mu
	hosts map[string][]string // URLs of each host, oldest first; guarded by mu
}

type failure struct {
	owner string
	fault *oob.Fault
	last  time.Time
	wait  time.Duration // from last until the next try
}

func newFailures(max, hostMax int) *failures {
	return &failures{max: max, hostMax: hostMax, byURL: make(map[string]*failure), hosts: make(map[string][]string)}
}

// blocked gives the fault that keeps the URL from being tried now, or nil.
func (f *failures) blocked(x5u string, now time.Time) *oob.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.byURL[x5u]
	if known == nil {
		return nil
	}
	rest := known.last.Add(known.wait).Sub(now)
	if rest <= 0 {
		return nil
	}
	fault := *known.fault
	fault.RetryAfter = rest
	return &fault
}

// add notes one more failure. The wait doubles from BackoffMin to BackoffMax, and starts again for a URL that has
// not been asked for in a long time.
func (f *failures) add(s source, fault *oob.Fault, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := f.byURL[s.x5u]
	if known == nil {
		f.makeRoom(s.owner)
		known = &failure{owner: s.owner}
		f.byURL[s.x5u] = known
		f.hosts[s.owner] = append(f.hosts[s.owner], s.x5u)
	}
	known.wait = min(max(BackoffMin, 2*known.wait), BackoffMax)
	if now.Sub(known.last) > 2*BackoffMax {
		known.wait = BackoffMin
	}
	known.fault, known.last = withoutCertificates(fault), now
}

var errTLS = errors.New("the host's TLS certificate is not believed")

// withoutCertificates leaves out the chain that crypto/tls keeps in its error: a host may send 256 KiB of it.
func withoutCertificates(fault *oob.Fault) *oob.Fault {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](fault.Err); ok {
		return unreachable(errTLS)
	}
	return fault
}

// makeRoom drops the host's own oldest failure when its share is used up, and that of any host when all is full.
func (f *failures) makeRoom(owner string) {
	if len(f.hosts[owner]) >= f.hostMax {
		f.drop(f.hosts[owner][0])
	}
	for _, urls := range f.hosts {
		if len(f.byURL) < f.max {
			return
		}
		f.drop(urls[0])
	}
}

// forget says that the URL works.
func (f *failures) forget(x5u string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(x5u)
}

// forgetIf forgets all URLs that failed for what is over now.
func (f *failures) forgetIf(over func(*oob.Fault) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for x5u, known := range f.byURL {
		if over(known.fault) {
			f.drop(x5u)
		}
	}
}

// drop removes a URL, if it is there. The caller holds mu.
func (f *failures) drop(x5u string) {
	known := f.byURL[x5u]
	if known == nil {
		return
	}
	delete(f.byURL, x5u)
	urls := f.hosts[known.owner]
	at := slices.Index(urls, x5u)
	if urls = slices.Delete(urls, at, at+1); len(urls) == 0 {
		delete(f.hosts, known.owner)
		return
	}
	f.hosts[known.owner] = urls
}

func (f *failures) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.byURL)
}
