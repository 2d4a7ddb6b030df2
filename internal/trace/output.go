package trace

import "context"

// output is where settled records go.
type output interface {
	offer(record *Record, line func(Role) []byte) // never waits
	Run()                                         // until closed
	Close(ctx context.Context) error              // after the last offer; what waits is delivered until ctx is done
}

// handOn offers a record to all outputs. Its JSON form is made once for each role.
func (r *Recorder) handOn(record *Record) {
	var made [2][]byte
	line := func(role Role) []byte {
		if made[role] == nil {
			made[role] = record.line(role)
		}
		return made[role]
	}
	for _, o := range r.outputs {
		o.offer(record, line)
	}
}
