package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// reload has a process read its configuration again, and waits until it says what came of it.
func (s *server) reload(t *testing.T, says string) {
	t.Helper()
	before := s.said.count(says)
	check(t, s.cmd.Process.Signal(syscall.SIGHUP))
	await(t, says, func() bool { return s.said.count(says) > before })
}

const (
	reloaded = "msg=reloaded"
	refused  = "reload refused; everything stays as it was"
)

// TestReloadOfNumbersKeepsStreams: a number is ported while others are subscribed to its provider. Nobody's stream ends.
func TestReloadOfNumbersKeepsStreams(t *testing.T) {
	b := newProviders(t)
	cps := b.serve(t, here, "cps.yaml")
	from, to := foreign{b, "1234"}, foreign{b, "567B"}
	told, stream := to.streams(t, "/cps/ppts?dest=0-567B")
	told.wait(t, "200")
	other := "12155550199"
	path := "/cps/" + other + "/ppts"

	to.asks(t, path).wants(t, "another provider's number", "403")
	b.write(t, "numbers.csv", b.skeleton(t, "numbers.csv", "")+"nonsense\n")
	cps.reload(t, refused)
	to.asks(t, path).wants(t, "another provider's number after a file that is refused", "403")
	b.write(t, "numbers.csv", b.skeleton(t, "numbers.csv", "")+"567B,"+other+"\n")
	cps.reload(t, reloaded)
	to.asks(t, path).wants(t, "its own number now", "200")
	from.publishes(t, path, b.lab.sign(t, "--dest", other)).wants(t, "published", "201")
	told.wait(t, `"dest":"`+other+`"`)
	if told.count("event: end") != 0 || stream.ProcessState != nil {
		t.Errorf("the stream has ended:\n%s", told)
	}
}

// TestNumberFileIsPolled: it takes effect by itself, unless something is wrong with it.
func TestNumberFileIsPolled(t *testing.T) {
	b := newProviders(t)
	b.edit(t, "cps.yaml", "poll: 0s", "poll: 1s")
	cps := b.serve(t, here, "cps.yaml")
	to, path, before := foreign{b, "567B"}, "/cps/12155550199/ppts", b.skeleton(t, "numbers.csv", "")
	b.replace(t, "numbers.csv", before+"nonsense\n")
	await(t, "a fault", func() bool { return cps.metric(t, "oob_numbers_file_fault") == 1 })
	to.asks(t, "/cps/"+called+"/ppts").wants(t, "what it had", "200")
	b.replace(t, "numbers.csv", before+"567B,12155550199\n")
	await(t, "another row", func() bool { return cps.metric(t, "oob_numbers_rows") == 3 })
	to.asks(t, path).wants(t, "what it has now", "200")
	if n := cps.metric(t, "oob_numbers_file_fault"); n != 0 {
		t.Error("a fault that is no more")
	}
}

// replace writes a file so that nobody reads half of it.
func (b *bed) replace(t *testing.T, file, text string) {
	t.Helper()
	b.write(t, file+".new", text)
	check(t, os.Rename(b.lab.path(file+".new"), b.lab.path(file)))
}

// TestReloadOfDiscoveryAndCredentials: which CPS a provider has, and with what a gateway acts for others, change between two calls;
// what is wrong changes nothing.
func TestReloadOfDiscoveryAndCredentials(t *testing.T) {
	b := newProviders(t)
	cps := b.serve(t, here, "cps.yaml")
	name := b.behalf(t, "1234", "out: mode: sign_publish, profile: rfc9888, discover: dest", "for: mode: sign_publish, profile: rfc9888, discover: dest, behalf: acme")
	nowhere := freeAddress(t, "tcp")
	b.edit(t, name, "  advertisements:\n    urls: [\"https://"+b.cps+"/.well-known/stir-cps\"]\n", "  file: cpss.csv\n")
	b.write(t, "cpss.csv", "0-567B,https://"+nowhere+"/\n")
	element := b.serve(t, here, name)
	publishes := func(what, trunk, id string, want float64) {
		t.Helper()
		before := cps.published(t, "rfc9888")
		element.dip(t, trunk, id, caller, called)
		if n := cps.published(t, "rfc9888") - before; n != want {
			t.Errorf("%s: %v published, want %v\n%s", what, n, want, element.steps(t))
		}
	}
	publishes("the CPS is elsewhere", "out", "elsewhere", 0)

	b.write(t, "cpss.csv", "0-567B,http://"+b.cps+"/\n")
	element.reload(t, refused)
	publishes("a file that is refused", "out", "refused", 0)
	b.write(t, "cpss.csv", "0-567B,https://"+b.cps+"/\n")
	element.reload(t, reloaded)
	publishes("another file", "out", "found", 1)
	b.edit(t, name, "private_addresses: true", "private_addresses: false")
	element.reload(t, reloaded)
	publishes("a private address", "out", "private", 0)
	b.edit(t, name, "private_addresses: false", "private_addresses: true")
	element.reload(t, reloaded)
	publishes("on behalf of acme", "for", "acme", 1)

	b.edit(t, name, "name: acme, key: providers/acme/key.pem", "name: acme, key: providers/1234/key.pem")
	element.reload(t, refused)
	publishes("a key that is not acme's", "for", "another-key", 1)
	b.edit(t, name, "name: acme, key: providers/1234/key.pem, certificate: repository/acme.pem", "name: acme, key: providers/acme/key.pem, certificate: repository/renewed.pem",
		"x5u: "+b.lab.repository+"/acme.pem", "x5u: "+b.lab.repository+"/renewed.pem")
	b.lab.publish(t, "renewed.pem", b.lab.path("repository", "acme.pem"))
	element.reload(t, reloaded)
	answer := element.dip(t, "for", "renewed", caller, called)
	if got := answer.value(t, "Identity"); !strings.Contains(got, "/renewed.pem") {
		t.Errorf("signed with %q", got)
	}

	b.edit(t, name, "discovery:\n  file: cpss.csv\n", "", ", discover: dest", ", cps: [far]")
	element.reload(t, "needs a restart")
	publishes("without discovery", "out", "named", 1)
}

// TestReloadThatAddsDiscovery: what there was no room for in the beginning needs a restart, and calls go on.
func TestReloadThatAddsDiscovery(t *testing.T) {
	b := newProviders(t)
	b.serve(t, here, "cps.yaml")
	name := b.element(t, "1234", "out: mode: sign_publish, profile: rfc9888, cps: [far]")
	with, err := os.ReadFile(b.lab.path(name))
	check(t, err)
	b.edit(t, name, "discovery:\n  advertisements:\n    urls: [\"https://"+b.cps+"/.well-known/stir-cps\"]\n", "")
	element := b.serve(t, here, name)
	b.write(t, name, strings.Replace(string(with), "cps: [far]}", "discover: dest}", 1))
	element.reload(t, refused)
	if got := element.dip(t, "out", "goes-on", caller, called); got.code() != "302" || got.value(t, "Identity") == "" {
		t.Errorf("answered %s", got)
	}
}

// TestReloadLeavesCallsAlone: what calls are signed with changes while one waits for its CPS, which is told of it all the same.
func TestReloadLeavesCallsAlone(t *testing.T) {
	b := newProviders(t)
	cps := b.serve(t, here, "cps.yaml")
	name := b.behalf(t, "1234", "out: mode: sign_publish, profile: rfc9888, cps: [far], behalf: acme")
	element := b.serve(t, here, name)
	cps.hang(t)
	waiting, asks := element.dips(t, "out", "waits", caller, called)
	check(t, asks.Start())
	await(t, "a call that waits", func() bool { return element.metric(t, "oob_sip_held", `what="in-flight"`) == 1 })
	b.lab.publish(t, "renewed.pem", b.lab.path("repository", "acme.pem"))
	b.edit(t, name, b.lab.repository+"/acme.pem", b.lab.repository+"/renewed.pem")
	element.reload(t, reloaded)
	check(t, cps.cmd.Process.Signal(syscall.SIGCONT))
	check(t, asks.Wait())
	if got := waiting.got(t, "SIP/2.0 302"); len(got) != 1 || !strings.Contains(got[0].value(t, "Identity"), "/acme.pem") {
		t.Errorf("the call that waited is answered\n%s", got)
	}
	if n := cps.published(t, "rfc9888"); n != 1 {
		t.Errorf("%v published, want 1", n)
	}
	if got := element.dip(t, "out", "next", caller, called); !strings.Contains(got.value(t, "Identity"), "/renewed.pem") {
		t.Errorf("the next call is answered\n%s", got)
	}
}

// TestReloadKeepsBeingTold: who asks CPSs is made anew, and is told of the calls that come then, without a word in between.
func TestReloadKeepsBeingTold(t *testing.T) {
	b := newProviders(t)
	cps := b.serve(t, here, "cps.yaml")
	name := b.behalf(t, "567B", "in: mode: verify, profile: rfc9888, cps: [far]")
	b.edit(t, name, "# subscriptions", "subscriptions: [{cps: [far], profile: rfc9888, resources: [0-567B], transport: sse}]")
	element := b.serve(t, here, name)
	up := func() bool { return element.metric(t, "oob_inbox_subscriptions_up") == 1 }
	await(t, "a subscription", up)
	b.lab.publish(t, "renewed.pem", b.lab.path("repository", "acme.pem"))
	b.edit(t, name, b.lab.repository+"/acme.pem", b.lab.repository+"/renewed.pem")
	element.reload(t, reloaded)
	await(t, "another subscription", up)
	foreign{b, "1234"}.publishes(t, "/cps/"+called+"/ppts", b.lab.sign(t)).wants(t, "published", "201")
	if got := element.dip(t, "in", "told", caller, called); got.verstat(t) != passed {
		t.Errorf("the called party is told %s\n%s", got.verstat(t), element.steps(t))
	}
	if n := cps.retrieved(t, "rfc9888"); n != 0 {
		t.Errorf("asked %v times for what was pushed", n)
	}
	await(t, "the end of the one before", func() bool { return cps.metric(t, "oob_cps_subscribers") == 1 })
}

// TestDrainEndsStreams: a process that is told to end with many streams open does so in time, and tells each.
func TestDrainEndsStreams(t *testing.T) {
	b := newProviders(t)
	b.edit(t, "cps.yaml", "log:\n", "drain: {timeout: 20s}\nlog:\n")
	cps := b.serve(t, here, "cps.yaml")
	path := "/cps/" + called + "/ppts"
	foreign{b, "567B"}.asks(t, path).wants(t, "read", "200") // a certificate that is known: of one address few new ones are judged at a time
	const streams = 50
	dests := "?dest=0-567B"
	args := []string{"--parallel", "--parallel-max", fmt.Sprint(streams), "--no-buffer", "--header", "Accept: text/event-stream"}
	for range streams - 1 {
		args = append(args, "https://"+b.cps+"/cps/ppts"+dests)
	}
	cmd := foreign{b, "567B"}.command(t, append(args, "/cps/ppts"+dests)...)
	var told spoken
	cmd.Stdout = &told
	untilTheEnd(t, cmd)
	await(t, "streams", func() bool { return cps.metric(t, "oob_cps_subscribers") == streams })
	waiting := foreign{b, "567B"}.command(t, "--header", "Prefer: wait=30", path) // as late as can be: it is not for longer
	var empty spoken
	waiting.Stdout = &empty
	untilTheEnd(t, waiting)
	await(t, "a retrieval that waits", func() bool { return cps.metric(t, "oob_cps_waiting_requests") == 1 })
	check(t, cps.cmd.Process.Signal(syscall.SIGTERM))
	cps.said.wait(t, "msg=stopped")
	if text := cps.said.String(); strings.Contains(text, "cut off") || strings.Contains(text, "level=ERROR") {
		t.Errorf("it says:\n%s", text)
	}
	await(t, "the end of each stream", func() bool { return told.count(`"reason":"draining"`) == streams })
	if err := waiting.Wait(); err != nil {
		t.Errorf("whoever waited: %v", err)
	}
}
