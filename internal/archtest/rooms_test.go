package archtest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// room is one package and what it may know of the others.
//
// Only non-test files count. A package of ours may import those of a lower layer, and those of its own folder tree.
// never and directly list what is banned: an import path, or a path ending in /... for everything below it. A ban in never
// also holds for what is reached through our own packages; what the standard library imports for itself is its own affair
// (crypto/x509 imports net). why is told to whoever breaks a ban.
type room struct {
	path     string
	layer    int
	never    []string
	directly []string
	only     []string // if set, the only packages of ours that it imports
	why      string
	aside    bool // a tool, a folder of tests, or where everything meets: its package comment need not say what it never hears of
	kit      bool // may import testing
}

// The layers of design: imports run one way, from higher to lower.
const (
	bytesLayer   = iota // what tokens and numbers are made of
	tokenLayer          // tokens and certificates
	nounLayer           // the shared nouns
	trustLayer          // who is believed
	serviceLayer        // the rooms of the CPS, and signing and verifying
	feedLayer           // what is told of the shelf as it fills
	judgeLayer          // who may do what with the rooms of the CPS
	clientLayer         // the client of any CPS
	dipLayer            // what is done when a switch asks
	doorLayer           // doors
	kitLayer            // a whole CPS for tests
	appLayer            // where everything meets
	outerLayer          // programs, and tests of the whole
)

var (
	network = []string{"net", "net/http", "os"}
	sipOnly = "github.com/emiago/sipgo/..."
)

var rooms = []room{
	{path: "internal/jws", layer: bytesLayer, never: network, why: "it turns bytes into values and back"},
	{path: "internal/httplimit", layer: bytesLayer, only: []string{}, never: []string{sipOnly}, why: "it bounds what a requester takes of a server, whatever is served"},
	{path: "internal/heap", layer: bytesLayer, directly: []string{"net", "net/http"}, why: "it knows the runtime alone"},
	{path: "internal/logline", layer: bytesLayer, never: network, only: []string{}, why: "it turns records into bytes"},
	{path: "internal/turnstile", layer: bytesLayer, never: []string{"net/http", sipOnly}, only: []string{}, why: "it decides who is next, whatever they come for; of the system it has a pipe"},
	{path: "internal/latent", layer: bytesLayer, never: network, why: "it knows time alone"},
	{path: "internal/nice", layer: bytesLayer, never: network, only: []string{}, why: "it knows threads alone"},
	{path: "internal/isup", layer: bytesLayer, never: append([]string{sipOnly}, network...), why: "it turns bytes into values and back"},
	{path: "internal/backlog", layer: bytesLayer, never: network, only: []string{}, why: "it holds what waits, whatever it is"},
	{path: "internal/wholefile", layer: bytesLayer, only: []string{}, never: []string{"net", "net/http"}, why: "files are bytes under a name"},
	{path: "internal/uuid", layer: bytesLayer, never: network, why: "it makes identifiers"},
	{path: "tn", layer: bytesLayer, never: network, why: "numbers are pure values"},
	{path: "passport", layer: tokenLayer, never: network, why: "a token is judged by what it says; who is believed is trust's affair"},
	{path: "internal/p256", layer: tokenLayer, never: network, only: []string{"internal/jws"}, why: "it verifies signatures, whoever made them over what"},
	{path: "stircert", layer: tokenLayer, never: network, why: "it tells what a certificate says; who is believed is trust's affair"},
	{path: "internal/webhook", layer: tokenLayer, never: []string{sipOnly}, only: []string{"internal/backlog", "internal/uuid"},
		why: "it posts bytes, whatever they say"},
	{path: "identity", layer: nounLayer, never: append([]string{sipOnly}, network...), why: "a header field is text, whatever SIP stack carries it"},
	{path: "oob", layer: nounLayer, never: []string{"net/http", "encoding/json", "crypto/tls", "os", sipOnly},
		only: []string{"tn", "stircert"}, why: "the nouns must fit every way of carrying, storing and proving"},
	{path: "trust", layer: trustLayer, never: []string{sipOnly}, why: "it serves every road alike"},
	{path: "trust/crl", layer: trustLayer, never: network, only: []string{"stircert"}, why: "a list is read; whose lists count is trust's affair"},
	{path: "internal/dnsclient", layer: trustLayer, never: []string{"net/http", "github.com/miekg/dns/...", sipOnly}, only: []string{"tn"},
		why: "it asks name servers, whatever the answers are used for"},
	{path: "internal/hsm", layer: trustLayer, never: []string{"net", "net/http", sipOnly}, only: []string{}, why: "it signs digests, whatever they are of"},
	{path: "trust/stipa", layer: serviceLayer, never: []string{sipOnly}, why: "it keeps what the STI-PA signs, whoever uses it"},

	{path: "internal/cps", layer: judgeLayer, never: []string{"internal/wire/...", "internal/store/local"},
		directly: []string{"net/http", "encoding/json", "crypto/tls"}, why: "it decides; the door carries, the dialect reads, the shelf keeps"},
	{path: "internal/wire/atis", layer: serviceLayer, never: []string{"internal/cps", "internal/store/...", "internal/httpapi"},
		why: "a dialect is bytes to nouns and back; client and server share it"},
	{path: "internal/wire", layer: serviceLayer, never: append([]string{"internal/cps", "internal/store/...", "internal/httpapi"}, network...),
		why: "it is what dialects have in common, and they are bytes to nouns and back"},
	{path: "internal/wire/rfc9888", layer: serviceLayer, never: []string{"internal/cps", "internal/store/...", "internal/httpapi"},
		why: "a dialect is bytes to nouns and back; client and server share it"},
	{path: "internal/wire/sti", layer: serviceLayer, never: append([]string{"internal/cps", "internal/store/...", "internal/httpapi"}, network...),
		why: "a dialect is bytes to nouns and back, whoever serves or asks"},
	{path: "internal/proof", layer: serviceLayer, never: []string{"internal/cps", "internal/store/..."}, why: "it tells who asks, not what they may"},
	{path: "internal/store", layer: serviceLayer, never: []string{"net/http", "internal/wire/...", "passport"}, why: "the shelf never looks into what lies on it"},
	{path: "internal/store/local", layer: serviceLayer, never: []string{"net/http", "internal/wire/...", "passport"}, why: "the shelf never looks into what lies on it"},
	{path: "internal/store/natslog", layer: serviceLayer, never: []string{"net/http", "internal/wire/...", "passport", "internal/store/local"},
		only: []string{"internal/store", "internal/wholefile", "oob", "tn"}, why: "it carries what is laid to every node, and never looks into it"},
	{path: "internal/store/storetest", layer: serviceLayer, never: []string{"net/http", "internal/store/local"}, why: "the contract fits every store", aside: true, kit: true},
	{path: "internal/trunk", layer: serviceLayer, never: append([]string{"github.com/goccy/go-yaml/...", sipOnly}, network...), directly: []string{"encoding/json"},
		why: "the trunk table is pure values: which row, which number, which slot"},
	{path: "internal/trace", layer: serviceLayer, never: []string{sipOnly, "internal/cps", "internal/store/...", "stias", "stivs", "cpsclient"},
		why: "it writes down what others decide"},
	{path: "stias", layer: serviceLayer, directly: []string{"net/http", sipOnly}, why: "it signs calls, however they came"},
	{path: "stivs", layer: serviceLayer, directly: []string{"net/http", sipOnly}, why: "it verifies calls, however they came"},
	{path: "internal/push", layer: feedLayer, never: []string{"net/http", "encoding/json", "internal/cps", "internal/wire/...", "internal/store/local", "passport", sipOnly},
		why: "it tells who is interested; the door carries, and who may be told is decided before"},
	{path: "numbering", layer: serviceLayer, never: []string{sipOnly, "cpsclient", "internal/cps", "internal/wire/...", "internal/store/..."}, directly: []string{"passport"},
		why: "it tells whose number it is, whoever wants to know"},
	{path: "discovery", layer: serviceLayer, never: []string{sipOnly}, directly: []string{"net/http"}, why: "it tells where a CPS is, whatever is done there"},
	{path: "discovery/internal/blocks", layer: tokenLayer, never: network, only: []string{"tn"}, why: "blocks are numbers, whatever they stand for"},
	{path: "discovery/advert", layer: serviceLayer, never: []string{sipOnly, "cpsclient"}, why: "it tells where a CPS is, whatever is done there"},
	{path: "discovery/ocnlist", layer: clientLayer, never: []string{sipOnly, "cpsclient"}, why: "it tells where a CPS is, whatever is done there"},
	{path: "cpsclient", layer: clientLayer, never: []string{"internal/cps", "internal/store/...", sipOnly}, why: "a client speaks to anybody's CPS"},
	{path: "internal/relay", layer: dipLayer, never: []string{"internal/cps", "internal/store/local", "internal/store/natslog", sipOnly},
		directly: []string{"net", "net/http", "internal/wire/...", "internal/proof"}, why: "it decides what is passed on to whom and when; the client carries, whoever the nodes talk by"},
	{path: "internal/load", layer: dipLayer, never: []string{"internal/cps", "internal/store/...", sipOnly}, directly: []string{"os", "encoding/json", "internal/wire/...", "internal/proof"},
		why: "it puts a load on anybody's CPS, as its clients would"},
	{path: "internal/dip", layer: dipLayer, directly: []string{"net", "net/http", sipOnly}, why: "it does the same whatever door a switch has come to"},
	{path: "internal/sipgw", layer: doorLayer, never: []string{sipOnly}, directly: []string{"net", "net/http", "internal/store/...", "internal/wire/atis"},
		why: "it turns an INVITE into a call and an answer into header fields; siptx carries, dip decides"},
	{path: "internal/httpapi", layer: doorLayer, directly: []string{"internal/store/...", "passport"},
		why: "the door carries: it neither judges nor keeps"},
	{path: "internal/stiapi", layer: doorLayer, never: []string{sipOnly}, directly: []string{"internal/store/...", "internal/cps", "crypto/tls", "os"},
		why: "the door carries: what is done about a call is package dip's affair"},
	{path: "internal/siptx", layer: dipLayer, never: []string{"net/http", "passport", "identity", "oob"}, only: []string{},
		why: "it carries SIP, whatever is asked and answered"},

	{path: "internal/dnstest", layer: kitLayer, only: []string{}, why: "a name server answers, whoever asks", kit: true},
	{path: "internal/porttest", layer: kitLayer, only: []string{}, why: "ports are free, whoever listens", kit: true},
	{path: "internal/stoptest", layer: kitLayer, only: []string{}, why: "a process stands still, whatever it does", kit: true},
	{path: "internal/seedtest", layer: kitLayer, only: []string{}, why: "what is drawn is the same each time, whatever it is", kit: true},
	{path: "internal/openapitest", layer: kitLayer, only: []string{}, why: "a description is held against answers, whoever gives them", kit: true},
	{path: "oobtest", layer: kitLayer, never: []string{"internal/app"}, why: "tests and the laboratory use it, not the other way round"},
	{path: "internal/app", layer: appLayer, aside: true},
	{path: "cmd/viaduct", layer: outerLayer, only: []string{"internal/app"}, why: "a command holds flags only", aside: true},
	{path: "bench", layer: outerLayer, aside: true},
	{path: "e2e", layer: outerLayer, aside: true},
	{path: "e2e/isup", layer: outerLayer, aside: true},
	{path: "fault", layer: outerLayer, aside: true},
	{path: "conformance", layer: outerLayer, only: []string{}, why: "the tables are data", aside: true},
	{path: "conformance/gen", layer: outerLayer, aside: true},
	{path: "conformance/calltest", layer: outerLayer, aside: true, kit: true},
	{path: "conformance/pairtest", layer: outerLayer, aside: true, kit: true},
	{path: "conformance/atis1000074", layer: outerLayer, aside: true},
	{path: "conformance/atis1000080", layer: outerLayer, aside: true},
	{path: "conformance/atis1000096", layer: outerLayer, aside: true},
	{path: "conformance/atis1000105", layer: outerLayer, aside: true},
	{path: "conformance/rfc8224", layer: outerLayer, aside: true},
	{path: "conformance/rfc8225", layer: outerLayer, aside: true},
	{path: "conformance/rfc8226", layer: outerLayer, aside: true},
	{path: "conformance/rfc8588", layer: outerLayer, aside: true},
	{path: "conformance/rfc8946", layer: outerLayer, aside: true},
	{path: "conformance/rfc9060", layer: outerLayer, aside: true},
	{path: "conformance/rfc9118", layer: outerLayer, aside: true},
	{path: "conformance/rfc9410", layer: outerLayer, aside: true},
	{path: "conformance/rfc9795", layer: outerLayer, aside: true},
	{path: "conformance/rfc9888", layer: outerLayer, aside: true},
	{path: "internal/archtest", layer: outerLayer, aside: true},
	{path: "internal/testrun", layer: outerLayer, aside: true},
}

func TestEveryRoomHasOneRow(t *testing.T) {
	built := importsByRoom(goFiles(t))
	rows := map[string]bool{}
	for _, r := range rooms {
		if rows[r.path] {
			t.Errorf("%s has two rows", r.path)
		}
		rows[r.path] = true
		if _, exists := built[r.path]; !exists {
			t.Errorf("%s has a row and no code: take the row out", r.path)
		}
	}
	for path := range built {
		if !rows[path] {
			t.Errorf("%s is a new package: give it a row in rooms, with its layer and what it must never import", path)
		}
	}
}

func TestRoomsImportWhatTheyMay(t *testing.T) { keep(t, forbiddenImports(rooms, goFiles(t))) }

func TestForbiddenImportsAreCaught(t *testing.T) {
	rows := []room{
		{path: "low", layer: bytesLayer, never: []string{"net/http"}, why: "it is low"},
		{path: "mid", layer: tokenLayer},
		{path: "mid/sub", layer: tokenLayer},
		{path: "high", layer: nounLayer, never: []string{"net/http"}, directly: []string{"os"}, why: "it is high"},
		{path: "top", layer: outerLayer, only: []string{"high"}, why: "it is thin"},
		{path: "kit", layer: kitLayer, kit: true},
	}
	for _, c := range []struct {
		name, path, text, want string
	}{
		{"good", "high/a.go", `package high; import _ "` + module + `/low"`, ""},
		{"own folder tree", "mid/sub/a.go", `package sub; import _ "` + module + `/mid"`, ""},
		{"test file", "low/a_test.go", `package low; import _ "net/http"`, ""},
		{"banned", "low/a.go", `package low; import _ "net/http"`, "low must never import net/http: it is low"},
		{"banned directly", "high/a.go", `package high; import _ "os"`, "high must not import os itself: it is high"},
		{"upwards", "low/a.go", `package low; import _ "` + module + `/high"`, "low imports high"},
		{"sideways", "top/a.go", `package top; import _ "` + module + `/low"`, "top may import only [high], not low: it is thin"},
		{"testing", "low/a.go", `package low; import _ "testing"`, "low imports testing"},
		{"testing in a kit", "kit/a.go", `package kit; import _ "testing"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) { catches(t, forbiddenImports(rows, example(t, c.path, c.text)), c.want) })
	}
	t.Run("through our own package", func(t *testing.T) {
		files := example(t, "mid/a.go", `package mid; import _ "net/http"`, "high/a.go", `package high; import _ "`+module+`/mid"`)
		catches(t, forbiddenImports(rows, files), "high must never import net/http, and reaches it through mid: it is high")
	})
}

// importsByRoom maps each package to what its non-test files import; a package of tests alone maps to nothing.
func importsByRoom(files []file) map[string]map[string]bool {
	imports := map[string]map[string]bool{}
	for _, f := range files {
		if imports[f.dir()] == nil {
			imports[f.dir()] = map[string]bool{}
		}
		if f.isTest() {
			continue
		}
		for _, path := range f.imports() {
			imports[f.dir()][path] = true
		}
	}
	return imports
}

func forbiddenImports(rows []room, files []file) []string {
	imports := importsByRoom(files)
	layers := map[string]int{}
	for _, r := range rows {
		layers[r.path] = r.layer
	}
	var complaints []string
	for _, r := range rows {
		for _, path := range slices.Sorted(maps.Keys(imports[r.path])) {
			complaints = append(complaints, r.judge(path, layers)...)
		}
		for path, via := range reached(r.path, imports) {
			if via != "" && banned(r.never, path) {
				complaints = append(complaints, fmt.Sprintf("%s must never import %s, and reaches it through %s: %s", r.path, path, via, r.why))
			}
		}
	}
	return complaints
}

// judge complains of one direct import.
func (r room) judge(path string, layers map[string]int) []string {
	var complaints []string
	say := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	layer, ours := layers[path]
	switch {
	case banned(r.never, path):
		say("%s must never import %s: %s", r.path, path, r.why)
	case banned(r.directly, path):
		say("%s must not import %s itself: %s", r.path, path, r.why)
	case path == "testing" && !r.kit:
		say("%s imports testing, which belongs in tests", r.path)
	case ours && r.only != nil && !slices.Contains(r.only, path):
		say("%s may import only %v, not %s: %s", r.path, r.only, path, r.why)
	case ours && layer >= r.layer && !sameTree(r.path, path):
		say("%s imports %s, which is not below it: imports run one way (see the layers)", r.path, path)
	}
	return complaints
}

// reached maps everything that a room imports through other rooms to one room on the way; direct imports map to "".
func reached(from string, imports map[string]map[string]bool) map[string]string {
	via := map[string]string{}
	for path := range imports[from] {
		via[path] = ""
	}
	next := slices.Sorted(maps.Keys(imports[from]))
	for len(next) > 0 {
		path := next[0]
		next = next[1:]
		for _, p := range slices.Sorted(maps.Keys(imports[path])) {
			if _, seen := via[p]; !seen {
				via[p] = path
				next = append(next, p)
			}
		}
	}
	return via
}

func banned(bans []string, path string) bool {
	return slices.ContainsFunc(bans, func(ban string) bool {
		tree, all := strings.CutSuffix(ban, "/...")
		return path == tree || all && strings.HasPrefix(path, tree+"/")
	})
}

func sameTree(a, b string) bool {
	return strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
}
