package cpsclient_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// unions are also the seeds of FuzzUnion.
var unions = []struct {
	name  string
	lists [][]string
	want  []string
}{
	{"nothing", nil, nil},
	{"one list keeps its order", [][]string{{"1", "3", "2"}}, []string{"1", "3", "2"}},
	{"a list that repeats itself", [][]string{{"2", "2", "1", "2"}}, []string{"2", "1"}},
	{"the same", [][]string{{"2", "1"}, {"2", "1"}}, []string{"2", "1"}},
	{"the same, of three", [][]string{{"2"}, {"2"}, {"2"}}, []string{"2"}},
	{"one missed the newest", [][]string{{"1"}, {"2", "1"}}, []string{"1", "2"}},
	{"nothing in common: in turn", [][]string{{"3", "1"}, {"2", "0"}}, []string{"3", "2", "1", "0"}},
	{"one floods", [][]string{{"9", "8", "7", "6", "5"}, {"1"}}, []string{"9", "1", "8", "7", "6", "5"}},
	{"empty list", [][]string{{}, {"1"}}, []string{"1"}},
}

func TestUnion(t *testing.T) {
	for _, c := range unions {
		t.Run(c.name, func(t *testing.T) {
			lists := slices.Clone(c.lists) // union uses its argument up
			if got := cpsclient.Union(lists); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzUnion: the union holds what the lists hold, each once, and what stands at place i of a list stands before place
// 2(i+1) of the union: no CPS of a pair can push back what the other has found.
func FuzzUnion(f *testing.F) {
	for _, c := range unions {
		lists := append(slices.Clone(c.lists), nil, nil)
		f.Add(strings.Join(lists[0], " "), strings.Join(lists[1], " "))
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		lists := [][]string{strings.Fields(a), strings.Fields(b)}
		got := cpsclient.Union(slices.Clone(lists))
		all := append(slices.Clone(lists[0]), lists[1]...)
		slices.Sort(all)
		sorted := slices.Sorted(slices.Values(got))
		if want := slices.Compact(all); !slices.Equal(sorted, want) {
			t.Fatalf("got %q, want those of %q", got, want)
		}
		for _, list := range lists {
			for i, token := range list {
				if at := slices.Index(got, token); at >= 2*(i+1) {
					t.Fatalf("%q is at %d, and was at %d", token, at, i)
				}
			}
		}
	})
}

// fixedAnswer is a CPS that gives one answer, of which the connection may break off at the end.
type fixedAnswer struct {
	status     int
	retryAfter string
	body       string
	breaksOff  bool
}

func (a fixedAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	var body io.Reader = strings.NewReader(a.body)
	if a.breaksOff {
		body = io.MultiReader(body, brokenReader{})
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{"Retry-After": {a.retryAfter}}, Body: io.NopCloser(body)}, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("broken 19032469103") }

// answers are also the seeds of FuzzAnswer.
var answers = []struct {
	name       string
	answer     fixedAnswer
	retrieve   oob.Kind // 0 for success
	publish    oob.Kind // 0 for success
	retryAfter time.Duration
}{
	{"found", fixedAnswer{200, "", `{"passports":["a.b.c"]}`, false}, 0, 0, 0},
	{"found, then broken off", fixedAnswer{200, "", `{"passports":["a.b.c"]}`, true}, oob.PeerFailed, 0, 0},
	{"created", fixedAnswer{201, "", `{"status":201,"message":"Created"}`, false}, oob.PeerFailed, 0, 0},
	{"created, then broken off", fixedAnswer{201, "", ``, true}, oob.PeerFailed, 0, 0},
	{"not found", fixedAnswer{404, "", `{"status":404,"message":"no 19032469103","fault":"not-found"}`, false}, oob.NotFound, oob.WrongPath, 0},
	{"wrong path", fixedAnswer{404, "", `{"status":404,"message":"no","fault":"wrong-path"}`, false}, oob.WrongPath, oob.WrongPath, 0},
	{"limit, seconds", fixedAnswer{429, "7", `{}`, false}, oob.RateLimited, oob.RateLimited, 7 * time.Second},
	{"limit, past date", fixedAnswer{429, "Fri, 31 Dec 1999 23:59:59 GMT", `{}`, false}, oob.RateLimited, oob.RateLimited, 0},
	{"limit, far date", fixedAnswer{429, "Fri, 31 Dec 9999 23:59:59 GMT", `{}`, false}, oob.RateLimited, oob.RateLimited, time.Hour},
	{"outage for ever", fixedAnswer{503, "4000000000", `eyJhbGciOiJFUzI1NiJ9.eyJpYXQiOjF9.AA`, true}, oob.Overloaded, oob.Overloaded, time.Hour},
	{"outage, senseless time", fixedAnswer{503, "-99999999999999999999", ``, false}, oob.Overloaded, oob.Overloaded, 0},
}

func TestAnswers(t *testing.T) {
	for _, c := range answers {
		t.Run(c.name, func(t *testing.T) {
			_, retrieve := cpsclient.JudgeRetrieve(c.answer)
			publish := cpsclient.JudgePublish(c.answer)
			for _, judged := range []struct {
				fault *oob.Fault
				want  oob.Kind
			}{{retrieve, c.retrieve}, {publish, c.publish}} {
				if judged.want == 0 && judged.fault == nil {
					continue
				}
				if judged.fault == nil || judged.fault.Kind != judged.want || judged.fault.RetryAfter != c.retryAfter {
					t.Errorf("got %v, want %v after %v", judged.fault, judged.want, c.retryAfter)
				}
			}
		})
	}
}

// FuzzAnswer: whatever a CPS answers is either what was asked for, within its limits, or a Fault without a number.
func FuzzAnswer(f *testing.F) {
	for _, c := range answers {
		f.Add(c.answer.status, c.answer.retryAfter, c.answer.body, c.answer.breaksOff)
	}
	for _, body := range []string{"a.b.c\nd.e.f", `["/cps/19032469103/ppts/1"]`, `[]`, `["//a.example"]`} {
		f.Add(200, "", body, false)
	}
	f.Fuzz(func(t *testing.T, status int, retryAfter, body string, breaksOff bool) {
		answer := fixedAnswer{status, retryAfter, body, breaksOff}
		passports, fault := cpsclient.JudgeRetrieve(answer)
		checkRetrieved(t, passports, fault)
		passports, fault = cpsclient.JudgeCollection(t, cpsclient.Config{CPSs: []cpsclient.CPS{{URL: "https://cps.example"}}}, keyOf(oob.RFC9888), answer)
		checkRetrieved(t, passports, fault)
		fault = cpsclient.JudgePublish(answer)
		checkFault(t, fault)
		if fault == nil && status != 200 && status != 201 {
			t.Fatalf("%d counts as stored", status)
		}
	})
}

func checkRetrieved(t *testing.T, passports []string, fault *oob.Fault) {
	t.Helper()
	checkFault(t, fault)
	if (fault == nil) == (len(passports) == 0) {
		t.Fatalf("%d PASSporTs and fault %v", len(passports), fault)
	}
	for _, p := range passports {
		if p == "" || len(p) > oob.PassportBytesMax || strings.ContainsAny(p, " \r\n\"") {
			t.Fatalf("PASSporT %q", p)
		}
	}
}

func checkFault(t *testing.T, fault *oob.Fault) {
	t.Helper()
	if fault == nil {
		return
	}
	if fault.RetryAfter < 0 || len(fault.Error()) > 1000 || strings.Contains(fault.Error(), "19032469103") {
		t.Fatalf("%v after %v", fault, fault.RetryAfter)
	}
}
