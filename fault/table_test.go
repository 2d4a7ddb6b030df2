package fault

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"
)

// row is what one fault did.
type row struct {
	fault         string
	acked, lost   int
	errors, tried int // publications that failed at both nodes; first attempts that did
	worst, median time.Duration
	notes         string
}

// rows are those of all faults that were tried.
type rows struct {
	mu  sync.Mutex
	all []row // guarded by mu
}

var table rows

func (r *rows) add(one row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// print writes the table.
func (r *rows) print(to io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		return
	}
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tacked\tlost\terrors\tretried\tworst ack\tmedian\t")
	for _, one := range r.all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", one.fault, strconv.Itoa(one.acked), one.lost, one.errors, one.tried,
			one.worst.Round(time.Millisecond), one.median.Round(10*time.Microsecond), one.notes)
	}
	_ = w.Flush() // to the terminal: there is nobody else to tell
}
