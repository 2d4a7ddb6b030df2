package trust

// PublicAddress is the predicate of the dialer.
var PublicAddress = publicAddress

// MaxAge reads Cache-Control.
var MaxAge = maxAge

// FileName is the name of a URL's file in the disk cache.
var FileName = fileName

// Settle waits for the fetch of x5u that is under way, if one is.
func (v *Verifier) Settle(x5u string) {
	<-v.flights.DoChan(x5u, func() (any, error) { return nil, nil })
}

// ParseX5U gives the host of an x5u that keeps the rules.
func (r *Repository) ParseX5U(x5u string) (host string, err error) {
	s, err := r.parseX5U(x5u)
	return s.host, err
}
