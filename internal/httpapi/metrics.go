package httpapi

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts and times requests. No label holds a number, an SPC or anything else that a peer chooses.
type Metrics struct {
	took *prometheus.HistogramVec
	rows sync.Map // labels → prometheus.Observer: to find a row by its labels costs more than to observe
}

type labels struct{ operation, profile, fault string }

// NewMetrics registers the door's metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "oob_cps_request_seconds",
		Help:    "Time from a request's header to its answer, by operation (publish, retrieve, health; empty for unknown paths), profile and fault (empty: success).",
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
	row, ok := m.rows.Load(l)
	if !ok {
		row, _ = m.rows.LoadOrStore(l, m.took.WithLabelValues(operation, profile, fault))
	}
	row.(prometheus.Observer).Observe(took.Seconds())
}
