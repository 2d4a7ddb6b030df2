package app

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// configurationPage gives docs/configuration.md and the YAML in it.
func configurationPage(t *testing.T) (page, block string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	block, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/configuration.md has no yaml block")
	}
	return string(text), block
}

// TestConfiguration_PageIsTheCode: the page prints every key with the default that the code uses, and describes each.
func TestConfiguration_PageIsTheCode(t *testing.T) {
	page, block := configurationPage(t)
	var printed Config
	if err := yaml.UnmarshalWithOptions([]byte(block), &printed, yaml.DisallowUnknownField()); err != nil {
		t.Fatal(err)
	}
	code, err := yaml.Marshal(defaults())
	if err != nil {
		t.Fatal(err)
	}
	again, err := yaml.Marshal(printed)
	if err != nil {
		t.Fatal(err)
	}
	// Marshalled, an empty list that is absent and one that is empty are alike.
	normal := strings.NewReplacer("{}", "[]")
	if normal.Replace(string(code)) != normal.Replace(string(again)) {
		t.Errorf("the page's block differs from the code's defaults:\n%s\nagainst\n%s", again, code)
	}
	for _, key := range keysOf(reflect.TypeFor[Config](), "") {
		leaf := key[strings.LastIndexByte(key, '.')+1:]
		if !strings.Contains(block, leaf+":") {
			t.Errorf("key %s is missing from the block", key)
		}
		if !strings.Contains(page, leaf+"`") && !strings.Contains(page, leaf+".") {
			t.Errorf("key %s is not described", key)
		}
	}
}

func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for field := range t.Fields() {
		key := prefix + field.Tag.Get("yaml")
		if field.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(field.Type, key+".")...)
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

// TestConfiguration_FaultsHaveLines: every fault is found at once, each with file, line and key.
func TestConfiguration_FaultsHaveLines(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"unknown key", "cps:\n  listen: \":1\"\n  listen: \":2\"\n", []string{":3:3: this key is there twice"}},
		{"not YAML", "cps: [\n", []string{"viaduct.yaml:1:6: is not YAML: "}},
		{"wrong type", "cps:\n  retention:\n    mesh: soon\n", []string{":3:11: cps.retention.mesh: a duration is written as"}},
		{"nothing", "log:\n  level: info\n", []string{":1: names no role: cps, or sip or api with trunks"}},
		{"a CPS of nothing", "cps: {}\n", []string{"cps.listen: is host:port", "cps.audience: needs", "cps.tls: ", "trust.anchors: needs"}},
		{"a door for nobody", "sip: {}\n", []string{":1: sip: needs an address", ":1: trunks: needs at least one trunk"}},
		{
			"trunks",
			"sip:\n  udp: [\"127.0.0.1:5070\"]\ntrunks:\n  - name: west\n    mode: publish\n    cps: [nowhere]\n    match: {sources: [192.0.2.0/33]}\n    numbering: {home_npa: 12}\n",
			[]string{":6: trunks[0].cps[0]: is the name of no CPS", ":7: trunks[0].match.sources[0]: is an address", "signing.spc: is needed", "signing: needs key and x5u"},
		},
		{
			"next hops",
			"sip:\n  udp: [\"127.0.0.1:5070\"]\ntrunks:\n  - name: a\n    match: {sources: [192.0.2.1]}\n    mode: verify\n    next_hop: 192.0.2.7\n  - name: b\n    match: {sources: [192.0.2.2]}\n    mode: verify\n    next_hop: sip:nowhere.invalid:5060\n",
			[]string{":7: trunks[0].next_hop: is a SIP URI", ":11: trunks[1].next_hop: nowhere.invalid cannot be found", "sip.sent_by: is needed"},
		},
		{
			"a table that cannot be meant",
			"sip:\n  udp: [\"127.0.0.1:5070\"]\ntrunks:\n  - name: west\n    mode: sign\n  - name: west\n    mode: verify\n",
			[]string{":6: trunks[1].name"},
		},
		{
			"bounds",
			"cps:\n  retention:\n    mesh: 4s\n  profiles: [agreed, smesh]\n  inspect:\n    depth: deep\n  limits:\n    records: -1\n    tokens: 0\n    turnstile: {places: -1, waiting: 0, burst: 1ms}\n",
			[]string{
				":3: cps.retention.mesh: is between 5s and 1m0s", ":4: cps.profiles[1]: \"smesh\" is no profile", ":6: cps.inspect.depth: is one of match, off, verify",
				":8: cps.limits.records: must be above zero", ":9: cps.limits.tokens: must be above zero",
				":10: cps.limits.turnstile.places: is between 0 and 1024", ":10: cps.limits.turnstile.waiting: must be above zero",
				":10: cps.limits.turnstile: target is above 0s, burst no less than that, and at most 1s",
			},
		},
		{"files", "cps:\n  tls:\n    certificate: none.pem\n    key: none.pem\ntrust:\n  anchors:\n    - none.pem\n", []string{"none.pem: no such file", ":3: cps.tls", ":7: trust.anchors"}},
		{"an SPC that is none", "cps:\n  deny: [12/4]\n", []string{"2:10", "an SPC is 1 to 32 letters"}},
		{"readers that are none", "cps:\n  readers: [1234]\n", []string{"readers is a mapping"}},
		{"two documents", "cps:\n  listen: \":1\"\n---\ncps:\n  listen: \":2\"\n", []string{"several YAML documents"}},
		{"empty", "", []string{":1: names no role"}},
		{"a switch", "trust:\n  revocation:\n    refuse:\n      no_list: maybe\n", []string{":4:16: trust.revocation.refuse.no_list: is true or false"}},
		{"a number", "cps:\n  limits:\n    records: many\n", []string{":3:14: cps.limits.records: is a number"}},
		{"a number that is none", "cps:\n  limits:\n    records: 99999999999999999999\n", []string{":3:14: cps.limits.records: is a number"}},
		{"a list", "cps:\n  audience: x\n", []string{":2:13: cps.audience: is a list"}},
		{"a text", "log:\n  level: [a]\n", []string{":2:10: log.level: is a text"}},
		{"a mapping", "cps:\n  limits: 3\n", []string{":2:11: cps.limits: is a mapping"}},
		{"no key", "cps:\n  audiences: [x]\n", []string{":2:3: there is no key audiences here"}},
		{"tabs", "cps:\n\tlisten: x\n", []string{":2:1: is not YAML: lines are indented with spaces"}},
		{"no mapping at all", "[]\n", []string{":1:1: is no configuration"}},
		{
			"trust that means nothing",
			"trust:\n  certificates: -1\n  fetch_timeout: 0s\n  tables: 10001\n  list:\n    x5u_hosts: [\"https://x/\", \"a b\", x:, x:70000, cr.example:8443]\n  revocation:\n    distribution_urls: [foo, \"ftp://a/b\", \"https://crl.example/a.crl\"]\n",
			[]string{
				":2: trust.certificates: must be above zero", ":3: trust.fetch_timeout: is above 0s", ":4: trust.tables: is 0 to 10000",
				":6: trust.list.x5u_hosts[0]: ", ":6: trust.list.x5u_hosts[1]: ", ":6: trust.list.x5u_hosts[2]: ", ":6: trust.list.x5u_hosts[3]: ",
				":8: trust.revocation.distribution_urls[0]: ", ":8: trust.revocation.distribution_urls[1]: ",
			},
		},
		{"names that are none", "cps:\n  audience: [\"https://cps.example.net\"]\ntrust:\n  cache_dir: viaduct.yaml\n", []string{":2: cps.audience[0]: ", ":4: trust.cache_dir: ", "not a folder"}},
		{"one address for both", "cps:\n  listen: 127.0.0.1:9464\n", []string{"management.listen: is that of cps.listen"}},
		{"levels", "log:\n  level: loud\n  format: xml\n", []string{":2: log.level: is one of", ":3: log.format: is json or text"}},
		{
			"a list that is none",
			"trust:\n  list:\n    source:\n      url: http://sti-pa.example/\n      refresh: 0s\n    expired: never\n  revocation:\n    refuse:\n      no_list: true\n",
			[]string{":4: trust.list.source: a URL is https", ":5: trust.list.source.refresh: is between", ":6: trust.list.expired: is keep or stop", "trust.list.signers: nobody may sign", ":8: trust.revocation.source: is needed"},
		},
		{
			"files of a list", "trust:\n  numbers: none.csv\n  list:\n    signers: [none.pem]\n    source:\n      url: https://sti-pa.example/\n      authorization_file: none\n  revocation:\n    source:\n      file: a\n      alarm_after: 1s\n",
			[]string{":2: trust.numbers: ", ":4: trust.list.signers: ", ":7: trust.list.source.authorization_file: ", "trust.revocation.signers: needs", ":11: trust.revocation.source.alarm_after: is not less"},
		},
		{"a node of two", "cluster:\n  node: n1\n  dir: log\n  listen: 127.0.0.1:7401\n  tls: {certificate: none.pem}\n  storage: tape\n  nodes: [{name: n1, address: \"127.0.0.1:7401\"}, {name: n2, address: \"127.0.0.1:7402\"}]\n", []string{
			":2: cluster: ", "add a third, which may be a witness", ":5: cluster.tls: needs the files", ":6: cluster.storage: is one of file, memory", "cluster.witness: a node has either",
		}},
		{"a witness that serves", "cps: {}\ncluster:\n  node: n1\n  dir: log\n  witness: true\n  sync: -1s\n", []string{":5: cluster.witness: a node has either the role cps", ":6: cluster.sync: cannot be negative"}},
		{"a node without a name", "cps: {}\ncluster:\n  dir: log\n  node: a b\n", []string{":3: cluster: ", "1 to 32 letters, digits"}},
		{"windows", "cps:\n  token_freshness:\n    past: 6m\n", []string{":3: cps.token_freshness: past is above 0s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFaults(t, c.text, c.want)
		})
	}
}

// wantFaults wants a configuration to be refused, for these reasons among others.
func wantFaults(t *testing.T, text string, want []string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "viaduct.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := readConfig(name)
	if err == nil {
		_, err = resolve(file)
	}
	if err == nil {
		t.Fatal("accepted")
	}
	for _, reason := range want {
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("error does not say %q:\n%v", reason, err)
		}
	}
}

// TestConfiguration_SPCsAreText: YAML reads 0012 as a number, and a provider that was to be refused would be served.
func TestConfiguration_SPCsAreText(t *testing.T) {
	name := filepath.Join(t.TempDir(), "viaduct.yaml")
	text := "cps:\n  allow: [0012, 567B, 12E4, \"0013\"]\n  deny:\n    - 0x1F\n  readers:\n    0012: [0013]\n    \"567B\": []\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := readConfig(name)
	if err != nil {
		t.Fatal(err)
	}
	if want := []SPC{"0012", "567B", "12E4", "0013"}; !reflect.DeepEqual(file.CPS.Allow, want) {
		t.Errorf("allow %q, want %q", file.CPS.Allow, want)
	}
	if want := []SPC{"0x1F"}; !reflect.DeepEqual(file.CPS.Deny, want) {
		t.Errorf("deny %q, want %q", file.CPS.Deny, want)
	}
	want := map[string][]string{"0012": {"0013"}, "567B": {}}
	if got := readers(file.CPS.Readers); !reflect.DeepEqual(got, want) {
		t.Errorf("readers %v, want %v", got, want)
	}
}

// TestConfiguration_ReloadNamesWhatWaits: what a reload takes over is not named, everything else is.
func TestConfiguration_ReloadNamesWhatWaits(t *testing.T) {
	was, is := defaults(), defaults()
	was.Trust.List.Source.URL, was.Trust.Revocation.Source.File = "https://a/", "a"
	is.Trust = was.Trust
	is.CPS.TLS.Key, is.Trust.Anchors, is.Trust.Numbers = "other", []string{"other"}, "other"
	is.Trust.List.Signers, is.Trust.List.Roots, is.Trust.Revocation.Signers = []string{"other"}, []string{"other"}, []string{"other"}
	if keys := changedKeys(was, is); len(keys) > 0 {
		t.Errorf("taken over, and named all the same: %v", keys)
	}
	is.CPS.Deny, is.CPS.Limits.Records, is.Log.Level = []SPC{"1234"}, 1, "debug"
	is.Trust.List.Source.Refresh, is.Trust.Revocation.Refuse.NoPoint = 1, true
	if got := strings.Join(changedKeys(was, is), " "); got != "cps.deny cps.limits.records trust.list.source.refresh trust.revocation.refuse.no_point log.level" {
		t.Errorf("named %q", got)
	}
}

func mustParse(t *testing.T, text string) *ast.File {
	t.Helper()
	tree, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
