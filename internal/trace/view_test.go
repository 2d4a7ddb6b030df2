package trace_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/oob"
)

// TestJSONFormIsStable: whoever reads the records relies on these names. A member may be added, none may be changed.
func TestJSONFormIsStable(t *testing.T) {
	for _, c := range []struct {
		name   string
		record trace.Record
		want   string
	}{
		{"nothing known", trace.Record{Began: noon}, `{"version":1,"id":"","ts":"2026-07-01T12:00:00Z","added_ms":0,"door":"","call_id":"","trunk":"","role":"","sip_code":0,"fail_open":"","repeated":false,"cancelled":false,"masked":false,"orig":"","dest":"","key_orig":"","key_dest":"","redirected_from":"","restricted":false,"emergency":false,"attest":"","origid":"","x5u":"","iat":0,"passports":[],"publish":[],"retrieve":[],"tries":0,"verstat":"","reason_code":0,"checks":[],"steps":[]}`},
		{"everything known", trace.Record{
			ID: "7d444840-9dc0-11d1-b245-5ffdce74fad2", Began: noon, Took: 2500 * time.Microsecond, Door: "udp", Peer: peer, Local: local,
			CallID: "a@h", CallKey: "key", Trunk: "pstn-a", Mode: "publish",
			Orig: identity(t, "12155550121"), Dest: identity(t, "12155550131"), KeyOrig: identity(t, "12155550122"), KeyDest: identity(t, "12155550132"),
			KeySPC: "1234", Profile: "agreed", RedirectedFrom: identity(t, "12155550133"), Restricted: true, Emergency: true, Unusable: "too short",
			Attest: "A", OrigID: "123e4567-e89b-12d3-a456-426655440000", X5U: "https://cr.example/sp.pem", IAT: noon, Row: "own", Reason: "it is",
			Publish: []trace.Attempt{{CPS: "cps-1", Status: "ok", Began: time.Millisecond, Took: time.Second}}, Tries: 2,
			Retrieve:  []trace.Attempt{{CPS: "cps-2", Status: "ok", Count: 1}},
			Passports: []string{"a.b.c"}, Verstat: "TN-Validation-Failed", SignerSPC: "4321", ReasonCode: 438, Case: "E17", Doubt: "none",
			Checks:  []oob.Check{{Name: "freshness", Of: "in-band 1/1", Case: "E1", Section: "S", Outcome: oob.CheckFailed, Detail: "old", At: noon.Add(time.Millisecond), Took: time.Microsecond}},
			SIPCode: 302, FailOpen: "peer-timeout", Repeated: true, Cancelled: true,
			Steps:     []trace.Step{{At: time.Millisecond, Name: "matched", Detail: "pstn-a"}},
			Messages:  []trace.Message{{At: time.Millisecond, In: true, Transport: "udp", From: peer, To: local, Bytes: []byte("INVITE")}},
			Withdrawn: noon.Add(time.Minute), WithdrawnReason: "twice",
		}, `{"version":1,"id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","ts":"2026-07-01T12:00:00Z","added_ms":2.5,"door":"udp","peer":"192.0.2.1:5060","local":"192.0.2.2:5060","call_id":"a@h","trunk":"pstn-a","role":"publish","sip_code":302,"fail_open":"peer-timeout","repeated":true,"cancelled":true,"masked":false,"withdrawn":{"ts":"2026-07-01T12:01:00Z","why":"twice"},"orig":"12155550121","dest":"12155550131","key_orig":"12155550122","key_dest":"12155550132","key_spc":"1234","profile":"agreed","redirected_from":"12155550133","restricted":true,"emergency":true,"unusable":"too short","attest":"A","origid":"123e4567-e89b-12d3-a456-426655440000","x5u":"https://cr.example/sp.pem","iat":1782907200,"policy_row":"own","policy_reason":"it is","passports":["a.b.c"],"publish":[{"cps":"cps-1","status":"ok","at_ms":1,"ms":1000}],"retrieve":[{"cps":"cps-2","status":"ok","at_ms":0,"ms":0,"count":1}],"tries":2,"verstat":"TN-Validation-Failed","signer_spc":"4321","reason_code":438,"case":"E17","doubt":"none","checks":[{"name":"freshness","of":"in-band 1/1","outcome":"failed","case":"E1","section":"S","detail":"old","at_ms":1,"ms":0.001}],"steps":[{"at_ms":1,"name":"matched","detail":"pstn-a"}],"messages":[{"at_ms":1,"direction":"in","transport":"udp","from":"192.0.2.1:5060","to":"192.0.2.2:5060","text":"INVITE"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := viewJSON(t, &c.record, trace.Full); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			var v trace.View
			if err := json.Unmarshal([]byte(c.want), &v); err != nil {
				t.Error(err)
			}
		})
	}
}
