package cps

import (
	"context"

	"github.com/viaduct-oob/viaduct/oob"
)

// Retrieve gives the records under a key that the principal may read, newest first. There being none is the Fault
// NotFound; an expired record and one that never was are the same answer. Reading deletes nothing: a retried retrieval
// must succeed, and a transit provider retrieves before it publishes onward. The principal is given as by Publish.
func (s *Service) Retrieve(ctx context.Context, r Request) (oob.Principal, []oob.Record, error) {
	principal, err := s.admit(ctx, r, oob.ActionRetrieve, s.retrieves)
	if err != nil {
		return principal, nil, err
	}
	if !s.mayRead(r.Key.SPC, principal.SPC) {
		return principal, nil, oob.Faultf(oob.Refused, "the publisher does not let this SPC read")
	}
	if err := s.config.Store.Spend(ctx, s.tokenUse(r.Access, [8]byte{})); err != nil {
		return principal, nil, err
	}
	all, err := s.config.Store.Retrieve(ctx, r.Key)
	if err != nil {
		return principal, nil, err
	}
	var readable []oob.Record
	for _, record := range all {
		if s.mayRead(record.Publisher, principal.SPC) {
			readable = append(readable, record)
		}
	}
	if len(readable) == 0 {
		s.misses.add(principal.SPC)
		return principal, nil, oob.Faultf(oob.NotFound, "nothing is held for these numbers")
	}
	return principal, readable, nil
}

// mayRead asks the publisher's list. In the agreed form the key names the publisher, and a refusal tells nothing about
// what is held; in the mesh form the key does not, and a record that may not be read is as good as absent.
func (s *Service) mayRead(publisher, reader string) bool {
	readers, listed := s.readers[publisher]
	return !listed || readers[reader]
}
