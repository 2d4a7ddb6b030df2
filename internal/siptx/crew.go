package siptx

import "context"

// crewMax bounds the goroutines that are kept while there is nothing to respond to.
const crewMax = 64

// job is an INVITE for Respond.
type job struct {
	x   *transaction
	r   *Request
	ctx context.Context
}

// hand gives an INVITE to a goroutine that has nothing to do, or to a new one: signing takes a deep stack, and one that
// has grown is worth keeping. False after Close.
func (s *Server) hand(j job) bool {
	select {
	case s.jobs <- j:
		return true
	default:
	}
	if !s.begin() {
		return false
	}
	go s.man(j)
	return true
}

// man responds to j and what comes afterwards, until Close or until there are others enough.
func (s *Server) man(j job) {
	defer s.work.Done()
	for {
		s.respond(j)
		j = job{}
		if s.idle.Add(1) > crewMax {
			s.idle.Add(-1)
			return
		}
		select {
		case j = <-s.jobs:
			s.idle.Add(-1)
		case <-s.stopped:
			return
		}
	}
}
