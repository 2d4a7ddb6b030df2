package advert

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// ClockSkewMax is by how much an advertisement may be issued in the future.
const ClockSkewMax = time.Minute

// CheckerConfig says what is believed.
type CheckerConfig struct {
	Verifier *trust.Verifier // needed

	// Numbers gives what is known of whose numbers are whose, now; nil, or a function that gives nil, for nothing.
	Numbers func() *stircert.NumberData

	NumbersMax  uint64        // of one range; default 10,000,000, a whole area code and some
	LifetimeMax time.Duration // from iat to exp; default 7 days

	Now func() time.Time // default time.Now
}

// Checker tells what of an advertisement is believed. It is safe for concurrent use.
type Checker struct{ cfg CheckerConfig }

// NewChecker makes a Checker.
func NewChecker(cfg CheckerConfig) (*Checker, error) {
	if cfg.Verifier == nil {
		return nil, errors.New("a checker of advertisements needs a verifier")
	}
	if cfg.Numbers == nil {
		cfg.Numbers = func() *stircert.NumberData { return nil }
	}
	if cfg.NumbersMax == 0 {
		cfg.NumbersMax = 10_000_000
	}
	if cfg.LifetimeMax <= 0 {
		cfg.LifetimeMax = 7 * 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Checker{cfg}, nil
}

// Checked is an advertisement whose signature has verified with a certificate that is believed.
type Checked struct {
	*Signed
	Signer  string            // who signed: the provider codes of the certificate, else what stands for its numbers
	Taken   []Entry           // those that are believed
	Refused map[Problem][]int // places in Entries of the others, by why

	id      setID
	content [sha256.Size]byte // the same for what says the same, whenever it was signed
	list    stircert.TNAuthList
	account string       // to whom its members are counted
	stands  func() error // whether the certificate is believed now
}

// Check says what is believed of an advertisement now. That no member is, is the error of the first.
func (c *Checker) Check(ctx context.Context, s *Signed) (*Checked, error) {
	if !c.cfg.Now().Before(s.Expires) {
		return nil, Expired
	}
	checked, err := c.recall(ctx, s)
	if err != nil {
		return nil, err
	}
	if len(checked.Taken) == 0 {
		if len(checked.Refused[Greedy]) > 0 {
			return nil, Greedy
		}
		return nil, Uncovered
	}
	return checked, nil
}

// recall is Check of what was accepted before: of one that has expired, or covers nothing any more, the number still counts,
// as long as it is known who signed it.
func (c *Checker) recall(ctx context.Context, s *Signed) (*Checked, error) {
	switch {
	case s.Expires.Sub(s.Issued) > c.cfg.LifetimeMax:
		return nil, fmt.Errorf("%w: longer than %s", BadTimes, c.cfg.LifetimeMax)
	case s.Issued.After(c.cfg.Now().Add(ClockSkewMax)):
		return nil, NotYetValid
	}
	checked, err := c.verify(ctx, s)
	if err != nil {
		return nil, err
	}
	c.cover(checked)
	return checked, nil
}

// verify checks the signature, and whether its certificate is believed.
func (c *Checker) verify(ctx context.Context, s *Signed) (*Checked, error) {
	checked := &Checked{Signed: s}
	verifies := func(key *ecdsa.PublicKey) error {
		if s.token.Verify(key) != nil {
			return WrongSignature
		}
		return nil
	}
	if len(s.x5c) > 0 {
		chain, err := s.chain()
		if err != nil {
			return nil, err
		}
		checked.stands = func() error { return c.cfg.Verifier.Judge(chain) }
		if err := checked.stands(); err != nil {
			return nil, problemOf(err)
		}
		if err := verifies(chain.Leaf.Key); err != nil {
			return nil, err
		}
		checked.list = chain.Leaf.TNAuthList
		checked.account = accountOf(checked.list, chain.Leaf.Hash, c.cfg.Verifier.HolderOf(chain))
	} else {
		credential, err := c.cfg.Verifier.Verify(ctx, s.x5u, verifies)
		if err != nil {
			return nil, problemOf(err)
		}
		checked.stands = func() error { return c.cfg.Verifier.Stands(credential) }
		checked.list = credential.Certificate.TNAuthList
		checked.account = accountOf(checked.list, credential.Certificate.Hash, c.cfg.Verifier.Holder(credential))
	}
	checked.Signer = signerOf(checked.list)
	checked.id, checked.content = s.set(checked.Signer), sha256.Sum256(s.token.Payload)
	return checked, nil
}

// problemOf names what a Verifier says.
func problemOf(err error) error {
	switch {
	case errors.Is(err, WrongSignature):
		return WrongSignature
	case errors.Is(err, oob.CredentialUntrusted):
		return fmt.Errorf("%w: %w", Untrusted, err)
	}
	return fmt.Errorf("%w: %w", Unreachable, err)
}

// accountOf is to whom the members are counted: whoever may delegate can be as many signers as it likes, and has the room of
// one (RFC 9060 §4).
func accountOf(list stircert.TNAuthList, leaf, holder [32]byte) string {
	if holder != leaf {
		return "delegates:" + hex.EncodeToString(holder[:])
	}
	return signerOf(list)
}

// signerOf names a signer the same with each of its certificates: they change, and what they are for does not.
func signerOf(list stircert.TNAuthList) string {
	if len(list.SPCs) > 0 {
		return strings.Join(slices.Compact(slices.Sorted(slices.Values(list.SPCs))), ",")
	}
	texts := make([]string, len(list.Ranges))
	for i, r := range list.Ranges {
		texts[i] = r.String()
	}
	slices.Sort(texts)
	return "numbers:" + oob.PassportID(strings.Join(texts, ","))
}

// cover sorts the members into those that are believed and those that are not, with what is known of numbers now.
func (c *Checker) cover(checked *Checked) {
	checked.Taken, checked.Refused = make([]Entry, 0, len(checked.Entries)), map[Problem][]int{}
	covered := checked.list.CoversEach(resourcesOf(checked.Entries), c.cfg.Numbers())
	for i, entry := range checked.Entries {
		switch {
		case !covered[i]:
			checked.Refused[Uncovered] = append(checked.Refused[Uncovered], i)
		case entry.Resource.Numbers().Count() > c.cfg.NumbersMax:
			checked.Refused[Greedy] = append(checked.Refused[Greedy], i)
		default:
			checked.Taken = append(checked.Taken, entry)
		}
	}
	if len(checked.Refused) == 0 {
		checked.Taken = checked.Entries // and not a copy
	}
}

func resourcesOf(entries []Entry) []stircert.Resource {
	resources := make([]stircert.Resource, len(entries))
	for i, entry := range entries {
		resources[i] = entry.Resource
	}
	return resources
}

// shed gives up what nobody asks for once an advertisement is held: it is most of the memory.
func (checked *Checked) shed() {
	checked.token, checked.compact, checked.x5c = jws.Token{}, "", nil
}
