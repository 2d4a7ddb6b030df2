package stipa

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"

	"github.com/viaduct-oob/viaduct/trust/crl"
)

// CRLSigners are the pinned certificates of those who may sign the revocation list. Their dates do not count, as with
// [SignersConfig.Pinned].
type CRLSigners []*x509.Certificate

// Check reads a revocation list and makes sure that it was signed by one of s. It is the Check of a Keeper's Config. A list
// without a number, which RFC 5280 §5.2.3 asks for, is numbered by the time of its making.
func (s CRLSigners) Check(_ context.Context, offer Offer) (*Document[*crl.List], error) {
	list, err := crl.Parse(offer.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Malformed, err)
	}
	if err := s.judge(list); err != nil {
		return nil, err
	}
	number := list.Number()
	if number == nil {
		number = big.NewInt(list.ThisUpdate().Unix())
	}
	return &Document[*crl.List]{
		Value: list, Number: number, Content: list.Content(), Issued: list.ThisUpdate(), Expires: list.NextUpdate(),
		Entries: list.Len(), Kept: offer.Body,
	}, nil
}

func (s CRLSigners) judge(list *crl.List) error {
	problem := fmt.Errorf("%w: it is that of none of the pinned certificates", WrongSigner)
	for _, signer := range s {
		err := list.CheckSignature(signer)
		if err == nil {
			return nil
		}
		if errors.Is(err, crl.ErrSignature) {
			problem = WrongSignature // who it says it is may sign, and did not
		}
	}
	return problem
}
