package app

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newManagement makes the server for operators. It is apart from the public listener, plain HTTP, and on loopback unless
// the configuration says otherwise.
func newManagement(s *server, registry *prometheus.Registry) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "alive\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.health(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
		if cluster := s.cluster(); cluster != nil {
			for _, node := range cluster.log.Unlike() {
				fmt.Fprintf(w, "but %s has other nodes in its configuration\n", node)
			}
		}
	})
	if s.switches != nil {
		s.switches.pages.mount(mux)
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
}

// newRegistry makes the registry with everything that is counted elsewhere and read when it is asked for.
func newRegistry(s *server) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &collector{s})
	return registry
}

// collector reads the counters of the rooms, which know nothing of Prometheus.
type collector struct{ server *server }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("oob_"+name, help, labels, nil)
}

var (
	descRecords     = describe("cps_records", "Records held now.")
	descRecordsMax  = describe("cps_records_max", "Records that the shelf holds at most.")
	descBytes       = describe("cps_record_bytes", "Bytes of PASSporTs held now.")
	descBytesMax    = describe("cps_record_bytes_max", "Bytes of PASSporTs that the shelf holds at most.")
	descTokens      = describe("cps_tokens", "Uses of access tokens remembered now, against replays.")
	descTokensMax   = describe("cps_tokens_max", "Uses of access tokens that are remembered at most.")
	descPublishers  = describe("cps_publishers", "Providers with at least one record now.")
	descMisses      = describe("cps_retrieve_misses_total", "Retrievals that found nothing, by the SPC that asked: guessing looks like that.", "spc")
	descInspections = describe("cps_inspected_passports_total", "PASSporTs looked at before they were stored, by what was found.", "outcome")
	descCertHits    = describe("trust_cache_hits_total", "Certificates given from the cache.")
	descCertMisses  = describe("trust_cache_misses_total", "Certificates that were not cached.")
	descFetches     = describe("trust_fetches_total", "Requests to certificate repositories.")
	descFetchFails  = describe("trust_fetch_failures_total", "Requests to certificate repositories that brought no trusted certificate.")
	descChains      = describe("trust_chain_builds_total", "Certificate chains built.")
	descCerts       = describe("trust_certificates", "Certificates cached now.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, descs) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	level := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge := func(desc *prometheus.Desc, value int64) { level(desc, float64(value)) }
	counter := func(desc *prometheus.Desc, value int64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), labels...)
	}
	if c.server.cps != nil {
		c.server.cps.collect(gauge, counter)
		c.server.cps.collectPush(gauge, counter)
		c.server.cps.collectOverload(gauge, counter)
		c.server.cps.mesh.collect(level, counter)
	}
	if cluster := c.server.cluster(); cluster != nil {
		cluster.collect(level, counter)
	}
	if c.server.found != nil {
		c.server.found.collect(level, counter)
	}
	if c.server.holders != nil {
		c.server.holders.now.Load().collect(level, counter)
	}
	if c.server.switches != nil {
		c.server.switches.collect(metrics, level, counter)
		c.server.switches.collectInboxes(level, counter)
	}
	certificates := c.server.verifier.Stats()
	counter(descCertHits, certificates.Hits)
	counter(descCertMisses, certificates.Misses)
	counter(descFetches, certificates.Fetches)
	counter(descFetchFails, certificates.FetchFailures)
	counter(descChains, certificates.ChainBuilds)
	gauge(descCerts, certificates.Certificates)
	c.server.trusted.collect(level, counter)
}

// collect gives the counters of a CPS.
func (r *cpsRole) collect(gauge func(*prometheus.Desc, int64), counter func(*prometheus.Desc, int64, ...string)) {
	shelf := r.store.Stats()
	gauge(descRecords, shelf.Records)
	gauge(descRecordsMax, shelf.RecordsMax)
	gauge(descBytes, shelf.Bytes)
	gauge(descBytesMax, shelf.BytesMax)
	gauge(descTokens, shelf.Tokens)
	gauge(descTokensMax, shelf.TokensMax)
	gauge(descPublishers, shelf.Publishers)
	for spc, n := range r.service.MissesBySPC() {
		counter(descMisses, n, spc)
	}
	for outcome, n := range r.service.Inspections() {
		counter(descInspections, n, outcome)
	}
}

// health is nil when every role can do its work.
func (s *server) health() error {
	if s.cps != nil {
		if err := s.cps.service.Health(); err != nil {
			return err
		}
	}
	if s.witness != nil {
		if err := s.witness.log.Ready(); err != nil {
			return err
		}
	}
	if s.switches != nil {
		return s.switches.health()
	}
	return nil
}
