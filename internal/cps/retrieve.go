package cps

import (
	"context"

	"github.com/viaduct-oob/viaduct/oob"
)

// Retrieve gives the records under a key that the principal may read, newest first, of each publisher in turn. There being none is the Fault
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
	return principal, inTurn(readable), nil
}

// inTurn puts first the newest record of each publisher, then the second of each, and so on: in the mesh, where all who
// publish for two numbers share a key, nobody can push another's record out of an answer by publishing more.
func inTurn(records []oob.Record) []oob.Record {
	var publishers []string
	of := map[string][]oob.Record{}
	for _, r := range records {
		if of[r.Publisher] == nil {
			publishers = append(publishers, r.Publisher)
		}
		of[r.Publisher] = append(of[r.Publisher], r)
	}
	if len(publishers) == 1 {
		return records
	}
	turns := make([]oob.Record, 0, len(records))
	for i := 0; len(turns) < len(records); i++ {
		for _, publisher := range publishers {
			if list := of[publisher]; i < len(list) {
				turns = append(turns, list[i])
			}
		}
	}
	return turns
}

// mayRead asks the publisher's list. In the agreed form the key names the publisher, and a refusal tells nothing about
// what is held; in the mesh form the key does not, and a record that may not be read is as good as absent.
func (s *Service) mayRead(publisher, reader string) bool {
	readers, listed := s.readers[publisher]
	return !listed || readers[reader]
}
