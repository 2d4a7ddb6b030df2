package app

import (
	"time"

	"github.com/viaduct-oob/viaduct/internal/stiapi"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stias"
)

// defaultSource looks so often that what the STI-PA revokes is refused within the hour.
var defaultSource = SourceConfig{Refresh: Duration(time.Hour), AlarmAfter: Duration(24 * time.Hour)}

// defaults is the configuration of a file that says nothing. docs/configuration.md prints it; a test keeps them equal.
func defaults() Config {
	c := Config{
		CPS: CPSConfig{
			Retention:      map[string]Duration{},
			TokenFreshness: FreshnessConfig{Past: Duration(time.Minute), Future: Duration(5 * time.Second)},
			Inspect: InspectConfig{
				Depth:     "verify",
				Freshness: FreshnessConfig{Past: Duration(time.Minute), Future: Duration(time.Minute)},
				FetchWait: Duration(500 * time.Millisecond),
			},
			Rates: RatesConfig{
				Publish:  RateConfig{PerSecond: 200, Burst: 400},
				Retrieve: RateConfig{PerSecond: 200, Burst: 400},
				Open:     RateConfig{PerSecond: 200, Burst: 400},
			},
			Push:      PushConfig{Heartbeat: Duration(15 * time.Second), Subscribers: 16_384, AccountSubscribers: 1024, Queue: 1024, Waits: 16_384},
			Advertise: AdvertiseConfig{Lifetime: Duration(24 * time.Hour)},
			Relay: RelayConfig{
				Spelling: string(oob.ActionRepublish), Timeout: Duration(2 * time.Second), InFlight: 256, Gather: Duration(100 * time.Millisecond),
				Queue: RelayQueueConfig{Records: 65_536, Bytes: 64 << 20}, Token: "required", Rate: RateConfig{PerSecond: 2000, Burst: 4000},
			},
			Limits: LimitsConfig{
				Connections: 10_000, AddressConnections: 256, InFlight: 4096, BodyTimeout: Duration(5 * time.Second), Timeout: Duration(5 * time.Second),
				Records: 1_000_000, Bytes: 1 << 30, Tokens: 4_000_000, KeyRecords: 64, KeyPublisherRecords: 32,
				PublisherRecords: 250_000, PublisherBytes: 256 << 20,
				Turnstile: TurnstileConfig{Waiting: 4096, Target: Duration(5 * time.Millisecond), Burst: Duration(50 * time.Millisecond)},
			},
		},
		SIP: SIPConfig{Limits: SIPLimitsConfig{
			MessageBytes: 64 << 10, Transactions: 65_536, InFlight: 4096, Connections: 1024, SourceConnections: 64, IdleTimeout: Duration(10 * time.Minute),
		}},
		API: APIConfig{Limits: APILimitsConfig{
			Connections: 1024, AddressConnections: 256, InFlight: stiapi.InFlightDefault, BodyTimeout: Duration(stiapi.BodyTimeoutDefault),
		}},
		Signing: SigningConfig{Margin: Duration(stias.ClockMargin)},
		Verification: VerificationConfig{
			Freshness: FreshnessConfig{Past: Duration(time.Minute), Future: Duration(time.Minute)}, Differ: "not_compared",
		},
		Peers: PeersConfig{
			Timeout: Duration(400 * time.Millisecond), Grace: Duration(30 * time.Millisecond), Retry: Duration(50 * time.Millisecond),
			Warm: Duration(30 * time.Second), Breaker: BreakerConfig{Failures: 5, CoolDown: Duration(time.Second), CoolDownMax: Duration(30 * time.Second)},
		},
		Numbers: NumbersConfig{Poll: Duration(time.Minute)},
		Discovery: DiscoveryConfig{
			Order:          []string{"certificate", "file", "list", "advertisements", "dns"},
			List:           CPSListConfig{Source: defaultSource},
			Advertisements: AdvertisementsConfig{Refresh: Duration(15 * time.Minute), NumbersMax: 10_000_000, LifetimeMax: Duration(7 * 24 * time.Hour)},
		},
		Cluster: ClusterConfig{Site: "main", Storage: "file", Sync: Duration(2 * time.Minute), Bytes: 8 << 30, Replicas: 1},
		// Enough for some thousand calls; who needs days of them writes them to a file.
		Trace: TraceConfig{Memory: trace.DefaultBytes, Age: Duration(trace.DefaultAge), HEP: HEPConfig{Transport: "tcp"}},
		Drain: DrainConfig{Timeout: Duration(10 * time.Second)},
		Trust: TrustConfig{
			List:         ListConfig{Source: defaultSource, Expired: "keep"},
			Revocation:   RevocationConfig{Source: defaultSource},
			Certificates: 30_000, FetchTimeout: Duration(2 * time.Second),
		},
		// On loopback: whoever reaches it sees SPCs and can profile the process.
		Management: ManagementConfig{Listen: "127.0.0.1:9464"},
		Log:        LogConfig{Level: "info", Format: "json"},
	}
	for _, profile := range oob.Profiles() {
		c.CPS.Profiles = append(c.CPS.Profiles, profile.String())
		c.CPS.Retention[profile.String()] = Duration(profile.Row().Retention)
	}
	return c
}
