package app

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// runKey runs `viaduct key` with arguments as they are typed.
func runKey(t testing.TB, in string, arguments ...string) (string, error) {
	t.Helper()
	var commands struct {
		Key Key `cmd:""`
	}
	var out strings.Builder
	parser, err := kong.New(&commands, kong.Bind(&Streams{In: strings.NewReader(in), Out: &out, Err: &out}))
	if err != nil {
		t.Fatal(err)
	}
	context, err := parser.Parse(append([]string{"key"}, arguments...))
	if err != nil {
		t.Fatal(err)
	}
	err = context.Run()
	return out.String(), err
}

var (
	namedBlock   = regexp.MustCompile("(?s)```\\w+ (\\S+)\n(.*?)```")
	consoleBlock = regexp.MustCompile("(?s)```console\n\\$ viaduct key (.*?)\n(.*?)```")
)

// keysPage gives docs/keys.md, and writes the files that it shows into the working folder, a new one.
func keysPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, block := range namedBlock.FindAllStringSubmatch(string(text), -1) {
		if err := os.WriteFile(filepath.Base(block[1]), []byte(block[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return string(text)
}

// TestKeysPage_SaysWhatTheCommandSays runs each example of the page. [1] behind it is its exit status.
func TestKeysPage_SaysWhatTheCommandSays(t *testing.T) {
	examples := consoleBlock.FindAllStringSubmatch(keysPage(t), -1)
	if len(examples) < 5 {
		t.Fatalf("the page has %d examples", len(examples))
	}
	for _, example := range examples {
		out, err := runKey(t, "", strings.Fields(example[1])...)
		if errors.Is(err, ErrNegative) {
			out += "[1]\n"
		} else if err != nil {
			t.Errorf("viaduct key %s: %v", example[1], err)
		}
		if out != example[2] {
			t.Errorf("viaduct key %s says:\n%s", example[1], out)
		}
	}
}

func TestKeysPage_HasEveryCause(t *testing.T) {
	page := keysPage(t)
	for cause := range unusableTexts {
		if !strings.Contains(page, "\n| `"+string(cause)+"` |") {
			t.Errorf("the page does not explain %s", cause)
		}
	}
}

// keyINVITE is an INVITE to a Request-URI with header fields beside those that each has.
func keyINVITE(uri string, fields ...string) string {
	lines := []string{
		"INVITE " + uri + " SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1", "To: <sip:h>", "Call-ID: 1", "CSeq: 1 INVITE",
	}
	return strings.Join(append(lines, fields...), "\r\n") + "\r\n\r\n"
}

const keyFrom, keyNobody = "From: <sip:+12155550121@h>;tag=1", "From: <sip:h>;tag=1"

func TestKey_WhyThereIsNone(t *testing.T) {
	for _, c := range []struct {
		name, in  string
		arguments string
		want      string // of the last line
	}{
		{"no calling number", keyINVITE("tel:+12155550131", "From: <sip:anonymous@anonymous.invalid>;tag=1"), "", "no_calling_number: there is no calling number"},
		{"extension", keyINVITE("tel:+12155550131", "From: <tel:55;phone-context=h>;tag=1"), "", "calling_number_unusable: "},
		{"foreign without country code", keyINVITE("tel:+12155550131", "From: <tel:+1442079460>;tag=1"), "", "calling_number_truncated: "},
		{"caller is a URI", keyINVITE("tel:+12155550131", "From: <sip:alice@h>;tag=1"), "", "calling_party_is_uri: "},
		{"called is a URI", keyINVITE("sip:bob@h", keyFrom), "", "called_party_is_uri: "},
		{"called number of no form", keyINVITE("sip:5550131@h", keyFrom), "", "called_number_unusable: "},
		{"overlap", keyINVITE("sip:+1215555@h", keyFrom), "", "overlap: the called number is not complete"},
		{"no called number", "0100010060010a030600 039090a2 020310", "--isup ansi --frame circuit", "no_called_number: there is no called number"},
		{"emergency", keyINVITE("urn:service:sos", keyFrom), "", "the call is left alone"},
		{"marked", keyINVITE(keyDialled, keyFrom, "Priority: psap-callback"), "--config c.yaml --trunk out", "the call is marked as one of emergency services"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inKeyFolder(t, nil)
			out, err := runKey(t, c.in, append(strings.Fields(c.arguments), "-")...)
			lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
			if last := lines[len(lines)-1]; !errors.Is(err, ErrNegative) || !strings.HasPrefix(last, "no key") || !strings.Contains(last, c.want) {
				t.Errorf("%v, last line %q", err, last)
			}
		})
	}
}

const (
	keyConfig = `
signing: {spc: "1234"}
peers: {cps: [{name: one, url: "https://one.example.net"}, {name: two, url: "https://two.example.net/cps/"}]}
trunks:
  - {name: out, match: {sources: [192.0.2.1], label: out}, mode: sign_publish, cps: [one]}
  - {name: in, match: {sources: [192.0.2.1], label: in}, mode: verify, cps: [two, one], peer_spc: "1234"}
  - {name: second, match: {sources: [192.0.2.1], label: second}, mode: verify, cps: [two], peer_spc: "1234", second_look: hint}
  - {name: other, match: {sources: [192.0.2.1], label: other}, mode: retrieve, cps: [one], peer_spc: 505J}
  - {name: mesh, match: {sources: [192.0.2.1], label: mesh}, mode: retrieve, cps: [one], profile: mesh}
  - {name: from, match: {sources: [192.0.2.1], label: from}, mode: verify, cps: [one], peer_spc: "1234", numbering: {caller: from_only}}
  - {name: sip, match: {sources: [192.0.2.1], label: sip}, mode: sign}
  - {name: "off", match: {sources: [192.0.2.1], label: "off"}, mode: "off"}
  - {name: group, match: {sources: [192.0.2.1], tgrp: tg-1}, mode: sign_publish, cps: [one], profile: mesh}
  - {name: client, match: {client: switch.example.com, header: X-Trunk, header_value: "7"}, mode: sign}
`
	keyDialled  = "sip:+12155550131@out.h"
	keyAsserted = "P-Asserted-Identity: <tel:+12155550122>"
)

// inKeyFolder makes a folder with the configuration and the files the working one.
func inKeyFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("c.yaml", []byte(keyConfig), 0o600); err != nil {
		t.Fatal(err)
	}
}

func answerOf(t *testing.T, in, arguments string) (keyAnswer, error) {
	t.Helper()
	out, err := runKey(t, in, append(strings.Fields(arguments), "--json")...)
	var answer keyAnswer
	if fault := json.Unmarshal([]byte(out), &answer); fault != nil {
		t.Fatalf("%v: %q", fault, out)
	}
	return answer, err
}

func TestKey_BothEnds(t *testing.T) {
	here := keyINVITE(keyDialled, keyFrom, keyAsserted)
	diverted := "Diversion: <tel:+12155550131>;reason=user-busy"
	for _, c := range []struct {
		name, there, trunk string
		first              string // empty: the same
		note               string
	}{
		{"the same", here, "in", "", ""},
		{"no CPS in common, and no second look", here, "second", "", "no CPS in common"},
		{"national", keyINVITE("sip:2155550131@h", keyFrom, "P-Asserted-Identity: <sip:2155550122@h>"), "in", "", ""},
		{"by the second look", keyINVITE("sip:+12155550140@h", keyFrom, keyAsserted, diverted), "second", "", "second look"},
		{"diverted, and no second look", keyINVITE("sip:+12155550140@h", keyFrom, keyAsserted, diverted), "in", "called", ""},
		{"another profile comes before all else", keyINVITE("sip:+12155550140@h", keyFrom), "mesh", "profile", ""},
		{"another called number", keyINVITE("sip:+12155550140@h", keyFrom), "in", "called", ""},
		{"another place of the caller", here, "from", "calling", ""},
		{"another SPC", here, "other", "spc", ""},
		{"both publish", here, "out", "mode", "one end has to publish"},
		{"no key there", here, "sip", "mode", ""},
		{"off there", here, "off", "mode", ""},
		{"caller unusable there", keyINVITE(keyDialled, keyNobody), "in", "calling", ""},
		{"called unusable there", keyINVITE("sip:+1215@h", keyFrom, keyAsserted), "in", "called", ""},
		{"emergency there", keyINVITE("sip:911@h", keyFrom, keyAsserted), "in", "emergency", ""},
		{"marked there", keyINVITE(keyDialled, keyFrom, keyAsserted, "Resource-Priority: esnet.1"), "in", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inKeyFolder(t, map[string]string{"there.txt": c.there})
			answer, err := answerOf(t, here, "--config c.yaml --from 192.0.2.1 --far there.txt --far-config c.yaml --far-trunk "+c.trunk)
			if errors.Is(err, ErrNegative) != (c.first != "") || answer.Both.Same != (c.first == "") || answer.Both.First != c.first {
				t.Errorf("%v: %+v, want a difference at %q", err, answer.Both, c.first)
			}
			if got := strings.Join(answer.Both.Notes, "; "); !strings.Contains(got, c.note) {
				t.Errorf("notes %q, want %q", got, c.note)
			}
			if differs := answer.Both.Here != answer.Both.There; differs != (c.first != "" && c.trunk != "out") {
				t.Errorf("at the first difference %q and %q", answer.Both.Here, answer.Both.There)
			}
		})
	}
}

// TestKey_BothEndsWhenTheNearOneLooks: the direction does not matter.
func TestKey_BothEndsWhenTheNearOneLooks(t *testing.T) {
	here := keyINVITE(keyDialled, keyFrom)
	inKeyFolder(t, map[string]string{"there.txt": here})
	answer, err := answerOf(t, here, "--config c.yaml --trunk in --far there.txt --far-spc 1234 --far-peer-spc 505J")
	if err != nil || !answer.Both.Same {
		t.Errorf("%v: %+v", err, answer.Both)
	}
}

func TestKey_TheTrunkOfACall(t *testing.T) {
	for _, c := range []struct {
		name, in, arguments string
		trunk, closest      string
		misses              string // of the closest
	}{
		{"label", keyINVITE(keyDialled, keyFrom), "--from 192.0.2.1", "out", "", ""},
		{"named", keyINVITE("sip:+12155550131@h", keyFrom), "--trunk mesh", "mesh", "", ""},
		{"trunk group of Contact", keyINVITE("sip:+12155550131@h", keyFrom, "Contact: <sip:x;tgrp=TG-1;trunk-context=h@192.0.2.1>"), "--from 192.0.2.1", "group", "", ""},
		{"client", keyINVITE("sip:+12155550131@h", keyFrom, "X-Trunk: 7"), "--client switch.example.com", "client", "", ""},
		{"another label", keyINVITE("sip:+12155550131@none.h", keyFrom), "--from 192.0.2.1", "", "out", "label"},
		{"no source", keyINVITE("sip:+12155550131@in.h", keyFrom), "", "", "in", "sources"},
		{"another header", keyINVITE("sip:+12155550131@h", keyFrom, "X-Trunk: 8"), "--client switch.example.com", "", "client", "header X-Trunk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inKeyFolder(t, nil)
			answer, err := answerOf(t, c.in, "--config c.yaml "+c.arguments)
			found, misses := answer.Here.Trunk, ""
			if c.closest != "" {
				if found = answer.Here.Closest; !errors.Is(err, ErrNegative) || answer.Here.Trunk != nil {
					t.Fatalf("%v: %+v", err, answer.Here.Trunk)
				}
			}
			for _, condition := range found.Conditions {
				if !condition.Fits {
					misses += condition.Name
				}
			}
			if found.Name != c.trunk+c.closest || misses != c.misses {
				t.Errorf("%+v misses %q", found, misses)
			}
		})
	}
}

// TestKey_Refused: what cannot be done is an error with exit status 2, which is any but ErrNegative.
func TestKey_Refused(t *testing.T) {
	good := keyINVITE("tel:+12155550131", keyFrom)
	for _, c := range []struct{ name, in, arguments, want string }{
		{"nothing", "", "", "no request line"},
		{"an IAM as an INVITE", "0100010060", "", "--isup"},
		{"a response", "SIP/2.0 200 OK\r\n\r\n", "", "no request line"},
		{"another method", strings.ReplaceAll(good, "INVITE", "OPTIONS"), "", "a request OPTIONS"},
		{"within a call", strings.Replace(good, "To: <sip:h>", "To: <sip:h>;tag=2", 1), "", "within a call"},
		{"no From", strings.Replace(good, keyFrom+"\r\n", "", 1), "", "bad from"},
		{"two From", strings.Replace(good, keyFrom, keyFrom+"\r\n"+keyFrom, 1), "", "bad from"},
		{"a header field without colon", keyINVITE("tel:+12155550131", keyFrom, "nonsense"), "", "no header field"},
		{"a carriage return within a line", keyINVITE("tel:+12155550131", keyFrom, "X: a\rb"), "", "cr without lf"},
		{"more than is read", good + strings.Repeat(" ", keyInputBytesMax), "", "longer than"},
		{"a tree cut short", "Request-Line: INVITE tel:1 SIP/2.0\nMessage Header\n    [truncated]From: <sip:", "", "cut short"},
		{"an INVITE as an IAM", good, "--isup itu", "malformed"},
		{"half a byte", "010", "--isup itu", "an odd number: one is missing"},
		{"another message", "06", "--isup itu", "not an initial address message"},
		{"cut short", "0100010060010a0306", "--isup ansi --frame circuit", "--frame circuit"},
		{"the wrong layer", "0100010060010a03060d039090a207031012555510130a070313125555101200", "--isup ansi", "--frame message"},
		{"too many digits of hex", strings.Repeat("00", 4<<10), "--isup ansi", "more than"},
		{"a file that is not there", "", "none.txt", "none.txt"},
		{"a configuration that is not there", good, "--config none.yaml", "none.yaml"},
		{"a configuration with faults", good, "--config bad.yaml", "bad.yaml:2: trunks[0].mode"},
		{"a configuration without trunks", good, "--config cps.yaml", "at least one trunk"},
		{"a configuration that publishes as nobody", good, "--config nobody.yaml", "signing.spc"},
		{"a trunk that is not there", good, "--config c.yaml --trunk none", "no trunk named"},
		{"a trunk of no configuration", good, "--trunk out", "--config is needed"},
		{"far: a source of no configuration", good, "--far f --far-from 192.0.2.1", "--far-config is needed"},
		{"flags that a configuration knows better", good, "--config c.yaml --spc 1234", "do not go with --config"},
		{"far flags without far", good, "--far-spc 1234", "--far is needed"},
		{"both from standard input", good, "--far -", "standard input"},
		{"agreed without SPC", good, "--profile agreed", "--spc or --peer-spc is needed"},
		{"an SPC that is none", good, "--spc 12/4", "letters and digits"},
		{"a country code that is none", good, "--country-code +1", "are digits"},
		{"a country code that is long", good, "--country-code 12345678901234567890", "are digits"},
		{"a home area that is none", good, "--home-npa 21x", "are digits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inKeyFolder(t, map[string]string{
				"bad.yaml": "trunks:\n  - {name: a, match: {sources: [192.0.2.1]}, mode: nonsense}\n", "cps.yaml": "trunks: []\n", "f": good,
				"nobody.yaml": "peers: {cps: [{name: one, url: \"https://one.example.net\"}]}\ntrunks:\n  - {name: a, match: {sources: [192.0.2.1]}, mode: publish, cps: [one]}\n",
			})
			out, err := runKey(t, c.in, strings.Fields(c.arguments)...)
			if err == nil || errors.Is(err, ErrNegative) || !strings.Contains(err.Error(), c.want) || out != "" {
				t.Errorf("%q, %v; want %q", out, err, c.want)
			}
		})
	}
}

// keyTree is what tshark 4.0.17 shows of an INVITE with -V, shortened.
const keyTree = `User Datagram Protocol, Src Port: 5060, Dst Port: 5060
    Source Port: 5060
Session Initiation Protocol (INVITE)
    Request-Line: INVITE sip:+12155550131@tdm-out.oob.example;user=phone SIP/2.0
        Method: INVITE
        Request-URI: sip:+12155550131@tdm-out.oob.example;user=phone
            Request-URI User Part: +12155550131
        [Resent Packet: False]
    Message Header
        Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1
            Transport: UDP
            Branch: z9hG4bK1
        From: "Doe" <sip:+12155550121@192.0.2.10>;tag=1
            SIP from display info: "Doe"
        To: <sip:+12155550131@tdm-out.oob.example>
        Call-ID: 1@192.0.2.10
        [Generated Call-ID: 1@192.0.2.10]
        CSeq: 1 INVITE
            Method: INVITE
        Content-Length: 5
    Message Body
        v=0\r\n
`

func TestReadINVITE_AsPeoplePasteIt(t *testing.T) {
	plain := keyINVITE("sip:+12155550131@h", "From: <sip:+12155550121@h>\r\n ;tag=1", "Content-Length: 500") + "v=0\r\n"
	lf := strings.ReplaceAll(plain, "\r\n", "\n")
	for name, text := range map[string]string{
		"as sent":                            plain,
		"line feeds":                         lf,
		"no line end at the end":             strings.TrimSpace(lf),
		"lines before it":                    "11:28:42 received 900 bytes from udp:192.0.2.10:5060:\n\n" + lf,
		"indented":                           strings.ReplaceAll("\n"+lf, "\n", "\n    "),
		"indented, from its first letter on": strings.ReplaceAll(lf, "\n", "\n\t\t"),
		"white space behind lines":           strings.ReplaceAll(lf, "\n", "  \n"),
		"tree of Wireshark":                  keyTree,
		"tree of Wireshark, indented":        strings.ReplaceAll("\n"+keyTree, "\n", "\n  "),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := readINVITE(text)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(r.URI, "sip:+12155550131@") || r.FromTag() != "1" || !strings.Contains(r.Value("From"), "+12155550121@") {
				t.Errorf("%q from %q", r.URI, r.Value("From"))
			}
		})
	}
}

func FuzzReadINVITE(f *testing.F) {
	f.Add(keyTree)
	f.Add(keyINVITE("tel:+12155550131", keyFrom))
	f.Add("  x\n  " + strings.ReplaceAll(keyINVITE("sip:1@h", keyFrom, keyAsserted), "\r\n", "\n  "))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readINVITE(text)
		if err != nil {
			if r != nil {
				t.Error("an error and a request")
			}
			return
		}
		again, err := siptx.Read(r.Text())
		if err != nil || again.URI != r.URI || again.Value("From") != r.Value("From") || r.Method != "INVITE" {
			t.Errorf("%q is read as another request: %v", r.Text(), err)
		}
	})
}
