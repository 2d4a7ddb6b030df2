package ocnlist

import (
	"context"
	"math/big"
	"sync/atomic"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// Check reads a list and makes sure that it was signed by one of the signers. It is the Check of a stipa.Keeper's Config.
func Check(signers *stipa.Signers) func(context.Context, stipa.Offer) (*stipa.Document[*List], error) {
	return func(ctx context.Context, offer stipa.Offer) (*stipa.Document[*List], error) {
		var list *List
		kept, err := signers.Believe(ctx, offer, func(body []byte) (*stipa.Signed, error) {
			var err error
			if list, err = Parse(body); err != nil {
				return nil, err
			}
			return list.signed, nil
		})
		if err != nil {
			return nil, err
		}
		return &stipa.Document[*List]{
			Value: list, Number: new(big.Int).SetUint64(list.Sequence), Content: list.content(), Expires: list.Expires,
			Entries: len(list.CPSs), Skipped: list.Skipped, Kept: kept,
		}, nil
	}
}

// Source finds CPSs in the newest list. It is a discovery.Source, and safe for concurrent use.
type Source struct {
	keeper *stipa.Keeper[*List]
	held   atomic.Pointer[List]
}

// Config says what a Source keeps, and how: of stipa.Config, the Name, Check, Accept and Withdraw are set here.
type Config struct {
	Signers *stipa.Signers
	Keep    stipa.Config[*List]
}

// New makes a Source, and takes up what is on disk. Run keeps it up to date.
func New(cfg Config) (*Source, error) {
	s := &Source{}
	keep := cfg.Keep
	keep.Name = "discovery.list"
	keep.Check = Check(cfg.Signers)
	keep.Accept = func(l *List) { s.held.Store(l) }
	keep.Withdraw = func() { s.held.Store(nil) }
	if keep.Source.Accept == "" {
		keep.Source.Accept = MediaType
	}
	var err error
	if s.keeper, err = stipa.New(keep); err != nil {
		return nil, err
	}
	return s, nil
}

// Run looks at the source of the list until ctx ends.
func (s *Source) Run(ctx context.Context) { s.keeper.Run(ctx) }

// State is what operators see of the list.
func (s *Source) State() stipa.State { return s.keeper.State() }

// CPSs gives the base URLs in the newest list, by provider codes; nil when there is none. It is shared: read only.
func (s *Source) CPSs() map[string]string {
	if list := s.held.Load(); list != nil {
		return list.CPSs
	}
	return nil
}

// Name implements discovery.Source.
func (s *Source) Name() string { return "list" }

var (
	errNoList   = oob.Faultf(oob.PeerFailed, "there is no list")
	errNoHolder = discovery.Nothing("whose number it is is not known")
	errNotInIt  = discovery.Nothing("the list does not have the provider")
)

// Find implements discovery.Source. It does not wait. A list that has expired is used on, unless Keep says otherwise.
func (s *Source) Find(_ context.Context, q discovery.Question) (discovery.Finding, error) {
	list := s.held.Load()
	switch {
	case list == nil:
		return discovery.Finding{}, errNoList
	case q.SPC == "":
		return discovery.Finding{}, errNoHolder
	}
	url, found := list.CPSs[q.SPC]
	if !found {
		return discovery.Finding{}, errNotInIt
	}
	resource, err := stircert.ResourceOfSPC(q.SPC)
	if err != nil {
		return discovery.Finding{}, errNotInIt
	}
	return discovery.Finding{URLs: []string{url}, Resource: resource, Signer: "STI-PA"}, nil
}
