package oobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// Clock is a clock that stands still until it is told to go on. It begins at the present second, because TLS compares
// certificates with the real time.
type Clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

// NewClock makes a clock.
func NewClock() *Clock { return &Clock{now: time.Now().Truncate(time.Second)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass; a negative d turns the clock back.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Pair is two providers that interconnect over TDM, the CPS between them, and one call. The clock of all is Clock.
type Pair struct {
	PKI                  *PKI
	Repository           *Repository
	CPS                  *CPS
	Clock                *Clock
	Upstream, Downstream *Identity // who publishes and who retrieves
	Orig, Dest           tn.Identity

	http1, http2 *http.Client
	tokens       atomic.Int64 // access tokens made
}

// The providers and the numbers of a Pair.
const (
	UpstreamSPC   = "1234"
	DownstreamSPC = "567B"
	CallingNumber = "12155550121"
	CalledNumber  = "12155550131"
)

// StartPair starts all that a Pair is made of; Now of the configuration does not matter. The caller closes it.
func StartPair(c CPSConfig) (*Pair, error) {
	p := &Pair{Clock: NewClock()}
	c.Now = p.Clock.Now
	if err := p.start(c); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Pair) start(c CPSConfig) (err error) {
	if p.PKI, err = NewPKI(PKIConfig{}); err != nil {
		return err
	}
	if p.Repository, err = p.PKI.StartRepository(); err != nil {
		return err
	}
	if p.Upstream, err = p.PKI.Issue(IssueConfig{SPC: UpstreamSPC}); err != nil {
		return err
	}
	if p.Downstream, err = p.PKI.Issue(IssueConfig{SPC: DownstreamSPC}); err != nil {
		return err
	}
	if p.Orig, err = tn.ParseIdentity(CallingNumber); err != nil {
		return err
	}
	if p.Dest, err = tn.ParseIdentity(CalledNumber); err != nil {
		return err
	}
	if p.CPS, err = StartCPS(p.PKI, p.Repository, c); err != nil {
		return err
	}
	p.http1, p.http2 = p.PKI.Client(), p.PKI.Client()
	only1 := new(http.Protocols)
	only1.SetHTTP1(true)
	p.http1.Transport.(*http.Transport).Protocols = only1
	return nil
}

// Close stops everything at once.
func (p *Pair) Close() error {
	var errs []error
	if p.CPS != nil {
		p.http1.CloseIdleConnections()
		p.http2.CloseIdleConnections()
		errs = append(errs, p.CPS.Close())
	}
	if p.Repository != nil {
		errs = append(errs, p.Repository.Close())
	}
	return errors.Join(errs...)
}

// Forms are the profiles in which the path says whose call it is, and an access token who asks: those that a Pair speaks.
func Forms() []oob.Profile {
	return slices.DeleteFunc(oob.Profiles(), func(p oob.Profile) bool { return p.Row().CallerInside })
}

// Key is the key of the call.
func (p *Pair) Key(profile oob.Profile) oob.Key {
	k := oob.Key{Profile: profile, Dest: p.Dest, Orig: p.Orig}
	if profile.Row().KeyedBySPC {
		k.SPC = p.Upstream.SPC
	}
	return k
}

// Claims are those of a shaken PASSporT of the call, made now; another seed is another PASSporT.
func (p *Pair) Claims(seed string) passport.Claims {
	return passport.Claims{
		IAT: p.Clock.Now(), Orig: p.Orig, Dest: []tn.Identity{p.Dest}, Attest: passport.AttestFull, OrigID: TokenID(seed),
	}
}

// Passport is a good shaken PASSporT of the call, signed now by the upstream provider.
func (p *Pair) Passport(seed string) string { return p.PassportBy(p.Upstream, seed) }

// PassportBy is Passport with another signer.
func (p *Pair) PassportBy(id *Identity, seed string) string {
	token, err := passport.Sign(id.Key, passport.Shaken, id.X5U, p.Claims(seed))
	if err != nil {
		panic(err) // the claims above are good
	}
	return token
}

// Attempt is one request to a CPS. [Pair.Publish] and [Pair.Retrieve] make good ones; what a test wants to be wrong, it
// changes before Send.
type Attempt struct {
	Signer        *Identity  // of the access token
	Access        oob.Access // its claims
	JOSE          []byte     // its header; nil for alg and x5u of Signer
	Payload       []byte     // its payload; nil for Access
	Authorization []string   // header fields in place of the one with that token; empty and not nil for none

	Method, Path string
	Header       http.Header // of the request, beside Authorization
	Body         []byte      // nil for none
	HTTP1        bool        // send it over HTTP/1.1
}

// Publish is a good attempt to publish, by the upstream provider, with a jti of its own.
func (p *Pair) Publish(profile oob.Profile, passports ...string) *Attempt {
	return &Attempt{
		Signer: p.Upstream, Access: p.Upstream.Access(oob.ActionPublish, p.Key(profile), passports, p.nextTokenID(), p.Clock.Now()),
		Method: http.MethodPost, Path: atis.Path(p.Key(profile)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: atis.WritePublish(passports),
	}
}

// Retrieve is a good attempt to retrieve, by the downstream provider, with a jti of its own.
func (p *Pair) Retrieve(profile oob.Profile) *Attempt {
	return &Attempt{
		Signer: p.Downstream, Access: p.Downstream.Access(oob.ActionRetrieve, p.Key(profile), nil, p.nextTokenID(), p.Clock.Now()),
		Method: http.MethodGet, Path: atis.Path(p.Key(profile)), Header: http.Header{},
	}
}

func (p *Pair) nextTokenID() string { return TokenID(strconv.FormatInt(p.tokens.Add(1), 10)) }

// Token is the access token of an attempt, without Bearer.
func (a *Attempt) Token() (string, error) {
	payload := a.Payload
	if payload == nil {
		payload = atis.WriteAccess(a.Access)
	}
	if a.JOSE != nil {
		return jws.Sign(a.Signer.Key, a.JOSE, payload)
	}
	authorization, err := proof.Sign(a.Signer.Key, a.Signer.X5U, payload)
	return authorization[min(len("Bearer "), len(authorization)):], err
}

// Answer is what a CPS answers.
type Answer struct {
	Status    int
	HTTPMajor int
	Header    http.Header
	Body      string
}

// Send makes the attempt. The body is sent without a declared length, as the public client does over HTTP/2.
func (p *Pair) Send(ctx context.Context, a *Attempt) (Answer, error) {
	var body io.Reader
	if a.Body != nil {
		body = io.MultiReader(bytes.NewReader(a.Body)) // http.NewRequest does not know its length
	}
	request, err := http.NewRequestWithContext(ctx, a.Method, p.CPS.URL+a.Path, body)
	if err != nil {
		return Answer{}, err
	}
	request.Header = a.Header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	if a.Authorization != nil {
		request.Header["Authorization"] = a.Authorization
	} else {
		token, err := a.Token()
		if err != nil {
			return Answer{}, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := p.http2
	if a.HTTP1 {
		client = p.http1
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.ProtoMajor, response.Header, string(text)}, err
}
