package atis1000074_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// row is what the error table says of a case.
type row struct {
	code    int
	text    string
	verstat string
}

var (
	stale         = row{403, "Stale Date", "No-TN-Validation"}
	badInfo       = row{436, "Bad identity Info", "No-TN-Validation"}
	badCredential = row{437, "Unsupported credential", "No-TN-Validation"}
	badHeader     = row{438, "Invalid Identity Header", "No-TN-Validation"}
	passed        = row{0, "", "TN-Validation-Passed"}
	untrusted     = row{437, "Unsupported credential", "TN-Validation-Failed"}
	forged        = row{438, "Invalid Identity Header", "TN-Validation-Failed"}
)

// asked is a verification request as a switch sends it: numbers as it writes them, and one Identity header field value.
type asked struct {
	from, to string
	time     time.Time
	identity string
}

func (a asked) body(d sti.Dialect) string {
	name, to := "identity", `["`+a.to+`"]`
	if d == sti.Ms {
		name, to = "identityHeader", `"`+a.to+`"`
	}
	value, _ := json.Marshal(a.identity) // text has no other error than none
	return fmt.Sprintf(`{"verificationRequest":{"from":{"tn":"%s"},"to":{"tn":%s},"time":%d,"%s":%s}}`, a.from, to, a.time.Unix(), name, value)
}

// answer is a verification response, of either dialect; of the other, its members are zero.
type answer struct {
	Response struct {
		Code    int    `json:"reasoncode"`
		Text    string `json:"reasontext"`
		Desc    string `json:"reasondesc"`
		Verstat string `json:"verstat"`

		Value   string `json:"verstatValue"`
		Results []struct {
			Result struct {
				PPT      string `json:"ppt"`
				Status   string `json:"status"`
				Code     int    `json:"reasonCode"`
				Text     string `json:"reasonText"`
				Passport string `json:"passport"`
			} `json:"verifyResult"`
		} `json:"verifyResults"`
	} `json:"verificationResponse"`
}

// ask takes a request through the reader of a dialect, the verification service and the writer of the dialect. want is the
// case: the answer of several is the same.
func ask(t *testing.T, l *calltest.Laboratory, d sti.Dialect, a asked, want stivs.Case) answer {
	t.Helper()
	other := sti.ATIS + sti.Ms - d // the body alone tells the dialect
	r, err := sti.ReadVerification([]byte(a.body(d)), tn.NANP, other)
	if err != nil || r.Dialect != d {
		t.Fatalf("%v, dialect %d", err, r.Dialect)
	}
	v := l.Service(nil).Verify(t.Context(), stivs.Call{Orig: r.From, Dest: r.Called(), Time: r.Time, Identity: r.Identity})
	if v.Case != want.String() {
		t.Errorf("case %q, want %s: %s", v.Case, want, v.ReasonDesc)
	}
	var got answer
	if err := json.Unmarshal(sti.WriteVerification(d, v, sti.AnswerStyle{}), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// isAnswered wants what the table says, in both dialects. Of a call that passes, the case is none.
func isAnswered(t *testing.T, l *calltest.Laboratory, a asked, as stivs.Case, want row) {
	t.Helper()
	got := ask(t, l, sti.ATIS, a, as).Response
	if got.Code != want.code || got.Text != want.text || got.Verstat != want.verstat || (got.Desc != "") != (want.code != 0) || got.Value != "" {
		t.Errorf("%+v, want %+v", got, want)
	}
	ms := ask(t, l, sti.Ms, a, as).Response
	if ms.Value != want.verstat || ms.Verstat != "" || ms.Code != 0 || len(ms.Results) != 1 {
		t.Fatalf("Ms: %+v, want %+v", ms, want)
	}
	status := map[bool]string{true: "fail", false: "pass"}[want.code != 0]
	if r := ms.Results[0].Result; r.Code != want.code || r.Text != want.text || r.Status != status {
		t.Errorf("Ms: %+v, want %+v", r, want)
	}
}

// good is a request about a good call.
func good(l *calltest.Laboratory) asked { return with(l, l.Shaken()) }

func with(l *calltest.Laboratory, field string) asked {
	return asked{from: "12155550121", to: "12155550131", time: l.Clock.Now(), identity: field}
}

// each asks about calls that fail in the same way. Of each, the good one with one thing changed, the laboratory makes it.
func each(t *testing.T, as stivs.Case, want row, made map[string]func(l *calltest.Laboratory) asked) {
	t.Helper()
	l := calltest.Start(t)
	isAnswered(t, l, good(l), 0, passed)
	for name, of := range made {
		t.Run(name, func(t *testing.T) {
			l.Clock.Advance(time.Second) // what was fetched in vain may be fetched again
			isAnswered(t, l, of(l), as, want)
		})
	}
}

func field(token string, l *calltest.Laboratory) string {
	return token + ";info=<" + l.Signer.X5U + ">;alg=ES256;ppt=shaken"
}

// forging gives requests about tokens with other members than those of a good one.
func forging(header, payload calltest.Members) func(l *calltest.Laboratory) asked {
	return func(l *calltest.Laboratory) asked { return with(l, field(l.Forge(header, payload), l)) }
}

// replacing gives requests whose header field has something else in a place.
func replacing(old, new string) func(l *calltest.Laboratory) asked {
	return func(l *calltest.Laboratory) asked {
		a := good(l)
		if !strings.Contains(a.identity, old) {
			l.Fatalf("no %s", old)
		}
		a.identity = strings.Replace(a.identity, old, new, 1)
		return a
	}
}

// from gives requests about PASSporTs whose certificate is elsewhere.
func from(x5u string) func(l *calltest.Laboratory) asked {
	return func(l *calltest.Laboratory) asked {
		away := *l.Signer
		away.X5U = strings.Replace(x5u, "{repository}", l.Repository.URL, 1)
		return with(l, calltest.Field(l.Sign(&away, passport.Shaken, passport.Claims{})))
	}
}

func TestATIS82_01_MissingParameterIsE1(t *testing.T) {
	l := calltest.Start(t)
	for _, d := range []sti.Dialect{sti.ATIS, sti.Ms} {
		for _, name := range []string{"from", "to", "time"} {
			body := strings.Replace(good(l).body(d), `"`+name+`"`, `"x"`, 1)
			_, err := sti.ReadVerification([]byte(body), tn.NANP, d)
			isException(t, err, sti.MissingParameter, d, "SVC4001", name)
		}
	}
	_, err := sti.ReadVerification([]byte(`{"verificationRequest":{"from":{"tn":"1"},"to":{"tn":["1"]},"time":1}}`), tn.NANP, sti.ATIS)
	isException(t, err, sti.MissingParameter, sti.ATIS, "SVC4001", "identity")
}

func TestATIS82_02_BadParameterIsE2(t *testing.T) {
	l := calltest.Start(t)
	for _, d := range []sti.Dialect{sti.ATIS, sti.Ms} {
		for name, c := range map[string]struct{ old, new string }{
			"from": {`"12155550121"`, `"1-800-FLOWERS"`},
			"to":   {`"12155550131"`, `7`},
			"time": {fmt.Sprint(l.Clock.Now().Unix()), `"now"`},
		} {
			body := strings.Replace(good(l).body(d), c.old, c.new, 1)
			_, err := sti.ReadVerification([]byte(body), tn.NANP, d)
			isException(t, err, sti.InvalidParameter, d, "SVC4005", name)
		}
	}
}

// isException wants HTTP 400 with an id, or with text alone in the other dialect.
func isException(t *testing.T, err error, kind sti.Kind, d sti.Dialect, id, variable string) {
	t.Helper()
	var e *sti.Exception
	if !errors.As(err, &e) || e.Kind != kind || e.Kind.Row().Status != 400 {
		t.Fatalf("%v", err)
	}
	text := string(sti.WriteException(e))
	if strings.Contains(text, id) != (d == sti.ATIS) || !strings.Contains(text, variable) || !json.Valid([]byte(text)) {
		t.Error(text)
	}
}

func TestATIS82_03_TimeThatIsNotFreshIsE3(t *testing.T) {
	at := func(seconds int) func(l *calltest.Laboratory) asked {
		return func(l *calltest.Laboratory) asked {
			a := good(l)
			a.time = a.time.Add(time.Duration(seconds) * time.Second)
			return a
		}
	}
	l := calltest.Start(t)
	isAnswered(t, l, at(-60)(l), 0, passed)
	isAnswered(t, l, at(60)(l), 0, passed)
	for _, seconds := range []int{-61, 61, -86400} {
		a := at(seconds)(l)
		got := ask(t, l, sti.ATIS, a, stivs.E3).Response
		if got.Code != stale.code || got.Text != stale.text || got.Verstat != stale.verstat {
			t.Errorf("%d s: %+v", seconds, got)
		}
		if ms := ask(t, l, sti.Ms, a, stivs.E3).Response; ms.Value != stale.verstat || len(ms.Results) != 1 || ms.Results[0].Result.Code != stale.code || ms.Results[0].Result.Text != stale.text {
			t.Errorf("Ms, %d s: %+v", seconds, ms)
		}
	}
}

func TestATIS82_04_CompactFormIsE4(t *testing.T) {
	each(t, stivs.E4, badHeader, map[string]func(l *calltest.Laboratory) asked{
		"compact": func(l *calltest.Laboratory) asked {
			token := l.Forge(nil, nil)
			return with(l, field("."+token[len(calltest.SigningInput(token)):], l))
		},
	})
}

func TestATIS82_05_OtherPPTParameterIsE5(t *testing.T) {
	each(t, stivs.E5, badHeader, map[string]func(l *calltest.Laboratory) asked{
		"unknown": replacing("ppt=shaken", "ppt=other"), "capitals": replacing("ppt=shaken", "ppt=Shaken"), "div alone": replacing("ppt=shaken", "ppt=div"),
	})
}

func TestATIS82_06_MissingInfoIsE6(t *testing.T) {
	each(t, stivs.E6, badInfo, map[string]func(l *calltest.Laboratory) asked{
		"none": func(l *calltest.Laboratory) asked { return with(l, l.Forge(nil, nil)+";alg=ES256;ppt=shaken") },
		"bare": func(l *calltest.Laboratory) asked { return with(l, l.Forge(nil, nil)) },
	})
}

func TestATIS82_07_InvalidInfoIsE7(t *testing.T) {
	each(t, stivs.E7, badInfo, map[string]func(l *calltest.Laboratory) asked{
		"empty": replacing("info=<https", "info=<>;x=<https"), "not closed": replacing(">;alg", ";alg"), "a space in it": replacing("info=<https://", "info=<https:// "),
		"http": from("http://cr.example.com/a.pem"), "query": from("{repository}/a.pem?b"), "fragment": from("{repository}/a.pem#b"),
		"user": from("https://user@cr.example.com/a.pem"), "port": from("https://cr.example.com:444/a.pem"), "no host": from("https:///a.pem"),
	})
}

func TestATIS82_08_UnreachableInfoIsE8(t *testing.T) {
	each(t, stivs.E8, badInfo, map[string]func(l *calltest.Laboratory) asked{
		"404": from("{repository}/none.pem"), "private address": from("https://192.168.0.1/a.pem"), "loopback": from("https://localhost/a.pem"),
		"no certificate": func(l *calltest.Laboratory) asked {
			l.Serve("/page.html", []byte("<html>"))
			return from("{repository}/page.html")(l)
		},
	})
}

func TestATIS82_09_IncompleteHeaderIsE9(t *testing.T) {
	made := map[string]func(l *calltest.Laboratory) asked{}
	for _, name := range []string{"ppt", "typ", "alg", "x5u"} {
		made[name] = forging(calltest.Members{name: nil}, nil)
	}
	each(t, stivs.E9, badInfo, made)
}

func TestATIS82_10_InfoThatIsNotX5UIsE10(t *testing.T) {
	each(t, stivs.E10, badInfo, map[string]func(l *calltest.Laboratory) asked{
		"another": replacing(".pem>", ".cer>"), "in capitals": replacing("<https", "<HTTPS"), "with a query": replacing(".pem>", ".pem?>"),
	})
}

func TestATIS82_11_OtherTypIsE11(t *testing.T) {
	each(t, stivs.E11, badCredential, map[string]func(l *calltest.Laboratory) asked{
		"JWT": forging(calltest.Members{"typ": "JWT"}, nil), "capitals": forging(calltest.Members{"typ": "PASSporT"}, nil),
	})
}

func TestATIS82_12_OtherAlgIsE12(t *testing.T) {
	made := map[string]func(l *calltest.Laboratory) asked{"parameter": replacing("alg=ES256", "alg=RS256")}
	for _, alg := range []string{"none", "HS256", "RS256", "es256", "ES384"} {
		made[alg] = forging(calltest.Members{"alg": alg}, nil)
	}
	each(t, stivs.E12, badCredential, made)
}

func TestATIS82_13_OtherPPTIsE13(t *testing.T) {
	each(t, stivs.E13, badHeader, map[string]func(l *calltest.Laboratory) asked{
		"unknown": forging(calltest.Members{"ppt": "other"}, nil), "capitals": forging(calltest.Members{"ppt": "SHAKEN"}, nil), "div": forging(calltest.Members{"ppt": "div"}, nil),
		"base": func(l *calltest.Laboratory) asked {
			return with(l, l.Forge(calltest.Members{"ppt": nil}, nil)+";info=<"+l.Signer.X5U+">")
		},
	})
}

func TestATIS82_14_MissingClaimIsE14(t *testing.T) {
	made := map[string]func(l *calltest.Laboratory) asked{}
	for _, name := range []string{"dest", "orig", "attest", "origid", "iat"} {
		made[name] = forging(nil, calltest.Members{name: nil})
	}
	each(t, stivs.E14, badHeader, made)
}

func TestATIS82_15_StaleIATIsE15(t *testing.T) {
	iat := func(seconds int64) func(l *calltest.Laboratory) asked {
		return func(l *calltest.Laboratory) asked {
			return forging(nil, calltest.Members{"iat": l.Clock.Now().Unix() + seconds})(l)
		}
	}
	each(t, stivs.E15, stale, map[string]func(l *calltest.Laboratory) asked{"61 s ago": iat(-61), "in 61 s": iat(61), "long ago": iat(-1e9), "1970": forging(nil, calltest.Members{"iat": 0})})
	each(t, 0, passed, map[string]func(l *calltest.Laboratory) asked{"60 s ago": iat(-60), "in 60 s": iat(60)})
}

func TestATIS82_16_OtherPartiesAreE16(t *testing.T) {
	party := func(edit func(*asked)) func(l *calltest.Laboratory) asked {
		return func(l *calltest.Laboratory) asked {
			a := good(l)
			edit(&a)
			return a
		}
	}
	each(t, stivs.E16, badHeader, map[string]func(l *calltest.Laboratory) asked{
		"another caller": party(func(a *asked) { a.from = "12155550122" }), "another called": party(func(a *asked) { a.to = "12155550132" }),
		"swapped": party(func(a *asked) { a.from, a.to = a.to, a.from }), "a digit less": party(func(a *asked) { a.from = "+1215555012" }),
	})
	each(t, 0, passed, map[string]func(l *calltest.Laboratory) asked{
		"as people write them": party(func(a *asked) { a.from, a.to = "+1 (215) 555-0121", "215.555.0131" }),
	})
}

func TestATIS82_17_UntrustedCAIsE17(t *testing.T) {
	each(t, stivs.E17, untrusted, map[string]func(l *calltest.Laboratory) asked{
		"another CA": func(l *calltest.Laboratory) asked {
			return with(l, calltest.Field(l.Sign(l.Stranger(), passport.Shaken, passport.Claims{})))
		},
		"expired": func(l *calltest.Laboratory) asked {
			id := l.Issue(oobtest.IssueConfig{SPC: "1234", NotAfter: l.Clock.Now().Add(-time.Second)})
			return with(l, calltest.Field(l.Sign(id, passport.Shaken, passport.Claims{})))
		},
	})
}

func TestATIS82_18_BadSignatureIsE18(t *testing.T) {
	each(t, stivs.E18, forged, map[string]func(l *calltest.Laboratory) asked{
		"another key": func(l *calltest.Laboratory) asked {
			return with(l, field(l.SignText(l.Issue(oobtest.IssueConfig{SPC: "567B"}).Key, calltest.SigningInput(l.Forge(nil, nil))), l))
		},
		"of another payload": func(l *calltest.Laboratory) asked {
			other := l.Forge(nil, calltest.Members{"attest": "C"})
			return with(l, field(calltest.SigningInput(l.Forge(nil, nil))+other[len(calltest.SigningInput(other)):], l))
		},
	})
}

func TestATIS82_19_OtherAttestIsE19(t *testing.T) {
	made := map[string]func(l *calltest.Laboratory) asked{}
	for _, attest := range []any{"a", "D", "", "AB", 1, []string{"A"}} {
		made[fmt.Sprintf("%T %v", attest, attest)] = forging(nil, calltest.Members{"attest": attest})
	}
	each(t, stivs.E19, badHeader, made)
}

// Whatever prevents the attempt is no failure.
func TestATIS74_26_OnlySignatureAndTrustFail(t *testing.T) {
	for _, c := range stivs.Cases()[2:19] { // E3 to E19
		want := oob.VerstatNoValidation
		if c == stivs.E17 || c == stivs.E18 {
			want = oob.VerstatFailed
		}
		if got := c.Row().Verstat; got != want {
			t.Errorf("%s: %s", c, got)
		}
	}
}
