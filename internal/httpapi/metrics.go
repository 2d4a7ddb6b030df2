package httpapi

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts and times requests. No label holds a number, an SPC or anything else that a peer chooses.
type Metrics struct {
	took *prometheus.HistogramVec

	mu   sync.RWMutex
	rows map[labels]prometheus.Observer // to find a row by its labels costs more than to observe; guarded by mu
}

type labels struct{ operation, profile, fault string }

// NewMetrics registers the door's metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{rows: map[labels]prometheus.Observer{}, took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "oob_cps_request_seconds",
		Help:    "Time from a request's header to its answer, by operation (publish, retrieve, republish, relays: several of these in one request, each counted as well, health; empty for unknown paths), profile and fault (empty: success).",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"operation", "profile", "fault"})}
	registry.MustRegister(m.took)
	return m
}

func (m *Metrics) observe(operation, profile, fault string, took time.Duration) {
	if m == nil {
		return
	}
	l := labels{operation, profile, fault}
	m.mu.RLock()
	row, ok := m.rows[l]
	m.mu.RUnlock()
	if !ok {
		row = m.took.WithLabelValues(operation, profile, fault)
		m.mu.Lock()
		m.rows[l] = row
		m.mu.Unlock()
	}
	row.Observe(took.Seconds())
}
