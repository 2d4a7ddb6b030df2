package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mistake is one wrong value in testdata/providers/whole.yaml, and what is said of it after the key.
type mistake struct {
	old, wrong string
	key, says  string // says is a regular expression
}

var mistakes = []mistake{
	{"profiles: [rfc9888, company]", "profiles: [rfc9999]", "cps.profiles[0]", `"rfc9999" is no profile; there are agreed, mesh, rfc9888, company`},
	{"rfc9888: 60s", "rfc9888: 61s", "cps.retention.rfc9888", "is between 1s and 1m0s"},
	{"company: 30s", "company: 0s", "cps.retention.company", "is between 1s and 1m0s"},
	{"serves: [567B]", "serves: [5-7]", "cps.serves[0]", "."},
	{"everything: [567B]", "everything: ['']", "cps.everything[0]", "."},
	{"heartbeat: 15s", "heartbeat: 0s", "cps.push.heartbeat", "must be above zero"},
	{"subscribers: 16\n", "subscribers: 0\n", "cps.push.subscribers", "must be above zero"},
	{"account_subscribers: 4", "account_subscribers: -1", "cps.push.account_subscribers", "must be above zero"},
	{"queue: 8", "queue: 0", "cps.push.queue", "must be above zero"},
	{"waits: 5", "waits: 0", "cps.push.waits", "must be above zero"},
	{"{name: centre,", "{", "cps.push.webhooks[0].name", "is a name of its own"},
	{"name: other", "name: centre", "cps.push.webhooks[1].name", "is a name of its own"},
	{"https://centre.example/", "http://centre.example/", "cps.push.webhooks[0]", "https"},
	{"key: webhook.key, tls_roots", "key: short.key, tls_roots", "cps.push.webhooks[0]", "."},
	{"key: webhook.key, tls_roots", "key: nothing.key, tls_roots", "cps.push.webhooks[0].key", "is the name of no file"},
	{"tls_roots: [tls-root.pem], profile", "tls_roots: [none.pem], profile", "cps.push.webhooks[0].tls_roots", "none.pem"},
	{"profile: rfc9888, resources: [2-", "profile: agreed, resources: [2-", "cps.push.webhooks[0].profile", "is rfc9888 or company"},
	{"resources: [2-12155550131]", "resources: []", "cps.push.webhooks[0].resources", "needs at least one"},
	{"resources: [2-12155550131]", "resources: [12155550131]", "cps.push.webhooks[0].resources[0]", "is a number as 2-"},
	{"url: https://cps.example/\n", "url: http://cps.example/\n", "cps.advertise.url", "https"},
	{"resources: [0-567B]\n    key", "resources: []\n    key", "cps.advertise.resources", "needs at least one"},
	{"resources: [0-567B]\n    key", "resources: [567B]\n    key", "cps.advertise.resources[0]", "is a provider as 0-"},
	{"    key: providers/567B/key.pem\n    x5u", "    x5u", "cps.advertise", "needs key and x5u"},
	{"    key: providers/567B/key.pem\n    x5u", "    key: tls-root.pem\n    x5u", "cps.advertise.key", "tls-root.pem"},
	{"x5u: https://cr.example/567B.pem", "x5u: http://cr.example/567B.pem", "cps.advertise.x5u", "https"},
	{"lifetime: 24h", "lifetime: 0s", "cps.advertise.lifetime", "."},
	{"lifetime: 24h", "lifetime: 1ms", "cps.advertise.lifetime", "."},
	{"{per_second: 200, burst: 400}", "{per_second: 0, burst: 400}", "cps.rates.open", "must be above zero"},
	{"transport: websocket", "transport: carrier pigeon", "peers.subscriptions[0].transport", "sse"},
	{"profile: rfc9888, resources: [0-567B], t", "profile: mesh, resources: [0-567B], t", "peers.subscriptions[0].profile", "is rfc9888 or company"},
	{"profile: rfc9888, resources: [0-567B], t", "profile: rfc9888, resources: [], t", "peers.subscriptions[0].resources", "needs at least one"},
	{"profile: rfc9888, resources: [0-567B], t", "profile: rfc9888, resources: [1-2], t", "peers.subscriptions[0].resources[0]", "is a provider as 0-"},
	{"- {cps: [far], profile", "- {cps: [near], profile", "peers.subscriptions[0].cps", "of any trunk"},
	{"file: numbers.csv", "file: nothing.csv", "numbers.file", "nothing.csv"},
	{"file: numbers.csv", "file: wrong.csv", "numbers.file", "wrong.csv"},
	{"poll: 1m", "poll: -1s", "numbers.poll", "cannot be negative"},
	{"numbers.example/{tn}", "numbers.example/", "numbers.http.url", "tn"},
	{"https://numbers.example", "http://numbers.example", "numbers.http.url", "https"},
	{"token_file: webhook.key", "token_file: nothing.key", "numbers.http.token_file", "."},
	{"tls_roots: [tls-root.pem]\n  dns", "tls_roots: [none.pem]\n  dns", "numbers.http.tls_roots", "none.pem"},
	{"    suffix: e164.example\n", "", "numbers.dns.suffix", "is needed"},
	{"suffix: e164.example", "suffix: 'a b'", "numbers.dns.suffix", "."},
	{"servers: [\"127.0.0.1:53\"]\n    suffix", "servers: [resolver]\n    suffix", "numbers.dns.servers", "."},
	{"list, advertisements", "list, rumours", "discovery.order[3]", "is one of certificate, file, list, advertisements, dns"},
	{"list, advertisements", "list, file", "discovery.order[3]", "is listed twice"},
	{"file: cpss.csv", "file: nothing.csv", "discovery.file", "nothing.csv"},
	{"file: cpss.csv", "file: wrong.csv", "discovery.file", "wrong.csv.*1"},
	{"1.3.6.1.4.1.99999.1", "99.1", "discovery.certificate.oid", "."},
	{"1.3.6.1.4.1.99999.1", "tomorrow", "discovery.certificate.oid", "is an object identifier"},
	{"    source: {file: ocn-list.jwt}\n", "", "discovery.list.source", "is needed"},
	{"    signers: [sti-pa/crl-issuer.pem]\n", "", "discovery.list.signers", "."},
	{"signers: [sti-pa/crl-issuer.pem]", "signers: [none.pem]", "discovery.list.signers", "none.pem"},
	{"https://cps.example/.well-known", "http://cps.example/.well-known", "discovery.advertisements.urls[0]", "https"},
	{"dir: advertisements", "dir: numbers.csv", "discovery.advertisements.dir", "not a folder"},
	{"refresh: 15m", "refresh: 1ms", "discovery.advertisements.refresh", "is between"},
	{"numbers_max: 1000", "numbers_max: 0", "discovery.advertisements.numbers_max", "above zero"},
	{"lifetime_max: 168h", "lifetime_max: 0s", "discovery.advertisements.lifetime_max", "above 0s"},
	{"    numbers: e164.example\n    providers: cps.example\n", "", "discovery.dns", "needs the suffix"},
	{"within: [example]", "within: ['a b']", "discovery.dns", "."},
	{"path: /", "path: '?'", "discovery.dns", "."},
	{"- {name: acme,", "- {", "credentials[0].name", "is a name of its own"},
	{"name: first", "name: acme", "credentials[1].name", "is a name of its own"},
	{"key: providers/acme/key.pem", "key: providers/1234/key.pem", "credentials[0]", "."},
	{"certificate: repository/acme.pem, ", "", "credentials[0]", "needs key, certificate and x5u"},
	{"certificate: repository/acme.pem", "certificate: none.pem", "credentials[0]", "none.pem"},
	{"$/acme.pem", "http://cr.example/acme.pem", "credentials[0]", "https"},
	{`spc: "1234"`, `spc: "9999"`, "credentials[1]", "."},
	{"certificate: repository/acme.pem, x5u: $/acme.pem", "certificate: repository/1234.pem, x5u: $/1234.pem", "credentials[0]", "."},
	{"discover: dest", "discover: everywhere", "trunks[0].discover", "dest"},
	{"discover: dest", "discover: dest, cps: [far]", "trunks[0].discover", "no cps"},
	{"behalf: acme", "behalf: nobody", "trunks[0].behalf", "is the name of nobody in credentials"},
	{"profile: company, discover: both, behalf: first", "profile: agreed, discover: both, behalf: acme", "trunks[2].behalf", "has no spc"},
	{"mode: retrieve, profile: company", "mode: retrieve, profile: rfc9889", "trunks[2].profile", "is one of"},
	{"answer: {date: none}", "answer: {date: tomorrow}", "trunks[2].answer.date", "iat"},
	{"cps: [far]}", "cps: [far], unless_held: true}", "trunks[1].unless_held", "."},
	{"cps: [far]}", "cps: [far], answer: {date: none}}", "trunks[1].answer.date", "."},
	{"cps: [far]}", "profile_only: true}", "", "there is no key profile_only"},
	{"profiles: [rfc9888, company]", "profiles: [rfc9888]", "cps.push.webhooks[1].profile", "company is no form that this CPS serves"},
	{"profile: rfc9888, discover: dest, behalf", "profile: company, discover: dest, behalf", "trunks[0].unless_held", "nobody reads but the provider"},
	{"sign_publish, profile: rfc9888, discover: dest, behalf: acme, unless_held: true", "sign, profile: rfc9888", "trunks[0].profile", "."},
	{"sign_publish, profile: rfc9888, discover: dest, behalf: acme, unless_held: true", "sign, discover: dest", "trunks[0].", "."},
	{"sign_publish, profile: rfc9888, discover: dest, behalf: acme, unless_held: true", "off, behalf: acme", "trunks[0].behalf", "is not used by mode off"},
	{"private_addresses: false", "private_addresses: some", "", "."},
}

// TestCheckSaysWhatIsWrong breaks each key of providers: the line is named, and what is wrong; at most one more fault follows from it.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	b := newProviders(t)
	b.write(t, "webhook.key", "thirty-two-bytes-at-the-very-least-0\n")
	b.write(t, "short.key", "short\n")
	b.write(t, "wrong.csv", "567B;12155550131\n")
	b.write(t, "cpss.csv", "0-1234,https://cps.example\n")
	b.signList(t, 1, map[string]string{"567B": "https://cps.example"})
	whole := b.skeleton(t, "whole.yaml", "")
	if out, err := b.checkConfig(t, whole); err != nil {
		t.Fatalf("a file that is right: %v\n%s", err, out)
	}
	for _, m := range mistakes {
		name := m.wrong
		if name == "" {
			name = "without " + m.old
		}
		t.Run(strings.TrimSpace(name), func(t *testing.T) {
			m.old, m.wrong = strings.ReplaceAll(m.old, "$", b.lab.repository), strings.ReplaceAll(m.wrong, "$", b.lab.repository)
			out, err := b.checkConfig(t, swap(t, whole, m.old, m.wrong))
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 {
				t.Errorf("exit %v, want 1", err)
			}
			said := regexp.MustCompile(`(?m)^.*whole\.yaml:\d+(?::\d+)?: ` + regexp.QuoteMeta(m.key) + `.*` + m.says)
			if lines := strings.Count(out, "whole.yaml:"); lines < 1 || lines > 2 || !said.MatchString(out) {
				t.Errorf("%d faults, want one or two with %s:\n%s", lines, said, out)
			}
		})
	}
}

func (b *bed) checkConfig(t *testing.T, text string) (string, error) {
	t.Helper()
	b.write(t, "whole.yaml", text)
	out, err := exec.Command(filepath.Join(binDir, "viaduct"), "check", "--config", b.lab.path("whole.yaml")).CombinedOutput()
	return string(out), err
}
