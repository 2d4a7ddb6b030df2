package numbering

import (
	"context"
	"errors"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Chain asks several in turn, until one knows the number. One that could not answer ends it: the next may only know the
// block, and give a ported number to the provider that it has left.
type Chain []oob.Numbering

// SPCs implements oob.Numbering.
func (c Chain) SPCs(ctx context.Context, n tn.Number) ([]string, error) {
	for _, one := range c {
		spcs, err := one.SPCs(ctx, n)
		if err == nil || !errors.Is(err, oob.NotFound) {
			return spcs, err
		}
	}
	return nil, unknown()
}
