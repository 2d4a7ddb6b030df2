package atis_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// TestEveryKindComesBack through the answer that stands for it.
func TestEveryKindComesBack(t *testing.T) {
	for _, kind := range oob.Kinds() {
		row := kind.Row()
		body := atis.WriteStatus(row.HTTP, row.Title+": something", row.Slug)
		got := atis.ReadFault(row.HTTP, body)
		if got.Kind != kind || got.Err == nil || got.Err.Error() != row.Title+": something" {
			t.Errorf("%s: %+v", kind, got)
		}
		if got := atis.ReadFault(499, body); got.Kind != oob.PeerFailed {
			t.Errorf("%s with another status: %s", kind, got.Kind)
		}
	}
}

func TestReadFaultOfOthers(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   oob.Kind
		cause  string
	}{
		{404, `{"status":404,"message":"Not Found"}`, oob.NotFound, "Not Found"},
		{401, `{"code":401,"message":"no"}`, oob.Unproven, "no"},
		{403, `{"status":403,"error":"no"}`, oob.Refused, ""},
		{429, ``, oob.RateLimited, ""},
		{503, `<html>`, oob.Overloaded, ""},
		{500, `{"fault":"not-found"}`, oob.PeerFailed, ""},
		{500, `{"fault":"internal"}`, oob.Internal, ""},
		{302, `{}`, oob.PeerFailed, ""},
		{400, `{"message":"a\u0000b\nc\u007f"}`, oob.Malformed, "a?b?c?"},
		{400, `{"message":{}}`, oob.Malformed, ""},
	} {
		got := atis.ReadFault(c.status, []byte(c.body))
		cause := ""
		if got.Err != nil {
			cause = got.Err.Error()
		}
		if got.Kind != c.kind || cause != c.cause {
			t.Errorf("%d %s: %s, %q", c.status, c.body, got.Kind, cause)
		}
	}
}

func TestWriteStatusIsJSON(t *testing.T) {
	for _, message := range []string{"", "OK", `"}`, "\xff\x00\n", strings.Repeat("ä", 1000)} {
		var got struct {
			Status         int
			Message, Fault string
		}
		body := atis.WriteStatus(400, message, "malformed")
		if err := json.Unmarshal(body, &got); err != nil || got.Status != 400 || got.Fault != "malformed" || got.Message != strings.ToValidUTF8(message, "?") {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

// FuzzReadFault: whatever a CPS answers is some Fault of the same status, or of no status of its own; its text is short and
// printable.
func FuzzReadFault(f *testing.F) {
	for _, seed := range []string{`{"status":404,"message":"Not Found"}`, `{"fault":"replayed"}`, `{"message":"\u0007"}`, `x`, ``, `{"message":"☎"}`} {
		f.Add(404, []byte(seed))
		f.Add(500, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		got := atis.ReadFault(status, body)
		if got == nil || got.Kind != oob.PeerFailed && got.Kind.Row().HTTP != status {
			t.Fatalf("%d: %+v", status, got)
		}
		if got.Err == nil {
			return
		}
		text := got.Err.Error()
		if len(text) > 3*200 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) && strings.ContainsAny(text, "\x00\n\r\x1b\x7f") {
			t.Fatalf("%q", text)
		}
	})
}
