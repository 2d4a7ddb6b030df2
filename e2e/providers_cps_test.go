package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
)

// wants compares the status of a reply.
func (r reply) wants(t *testing.T, what, status string) {
	t.Helper()
	if r.status != status {
		t.Errorf("%s: %s, want %s\n%s\n%s", what, r.status, status, r.header, r.body)
	}
}

// TestRFC9888_S6_ForeignClients has clients that are not ours use the form of RFC 9888 with nothing but their STI certificates.
func TestRFC9888_S6_ForeignClients(t *testing.T) {
	b := newProviders(t)
	cps := b.serve(t, here, "cps.yaml")
	from, to, widgets, stranger := foreign{b, "1234"}, foreign{b, "567B"}, foreign{b, "widgets"}, foreign{b, ""}
	path, token := "/cps/"+called+"/ppts", b.lab.sign(t)

	told, _ := to.streams(t, "/cps/ppts?dest=0-567A&dest=2-"+called)
	told.wait(t, "403") // 567A is somebody else
	told, _ = to.streams(t, "/cps/ppts?dest=0-567B")
	told.wait(t, "200")
	stranger.publishes(t, path, token).wants(t, "published by nobody", "401")
	foreign{b, "567B"}.publishes(t, "/cps/12155550199/ppts", token).wants(t, "published to another number", "403")
	waiting := to.command(t, "--header", "Prefer: wait=30", path) // as late as can be: it is not for longer
	waiting.Stdout = &spoken{}
	untilTheEnd(t, waiting)
	await(t, "a retrieval that waits", func() bool { return cps.metric(t, "oob_cps_waiting_requests") == 1 })

	made := from.publishes(t, path, token)
	made.wants(t, "published", "201")
	item := made.field("Location")
	if !strings.HasPrefix(item, path+"/") {
		t.Errorf("Location is %q", item)
	}
	told.wait(t, `"passports":["`+token+`"]`)
	if err := waiting.Wait(); err != nil || !strings.Contains(waiting.Stdout.(*spoken).String(), item) {
		t.Errorf("whoever waited is told %v %s", err, waiting.Stdout)
	}

	for name, reader := range map[string]foreign{"the provider": to, "the holder of the number": widgets} {
		list := reader.asks(t, path)
		list.wants(t, name, "200")
		if got := list.list(t); !slices.Equal(got, []string{item}) {
			t.Errorf("%s finds %q, want %q", name, got, item)
		}
		held := reader.asks(t, item)
		held.wants(t, name, "200")
		if strings.TrimSpace(held.body) != token || held.field("Content-Type") != "application/passport" {
			t.Errorf("%s gets %s %q", name, held.field("Content-Type"), held.body)
		}
	}
	var whole struct{ Passports []string }
	at := to.asks(t, "--header", "Prefer: return=representation", path+"?orig="+caller)
	check(t, json.Unmarshal([]byte(at.body), &whole))
	if !slices.Equal(whole.Passports, []string{token}) || at.field("Preference-Applied") != "return=representation" {
		t.Errorf("the whole of it is %s %q", at.field("Preference-Applied"), at.body)
	}
	for name, c := range map[string]struct {
		client foreign
		path   string
		status string
	}{
		"the publisher reads":           {from, path, "403"},
		"the publisher reads the item":  {from, item, "403"},
		"nobody reads":                  {stranger, path, "401"},
		"the caller's holder reads":     {foreign{b, "acme"}, path, "403"},
		"of another provider's number":  {to, "/cps/" + caller + "/ppts", "403"},
		"of nobody's number":            {to, "/cps/12155550199/ppts", "403"},
		"what has never been there":     {to, path + "/" + oob.PassportID("another"), "404"},
		"the publisher subscribes":      {from, "/cps/ppts?dest=0-567B", "403"},
		"the holder reads its provider": {widgets, "/cps/ppts?dest=0-567B", "403"},
		"no number":                     {to, "/cps/1-2-3-x/ppts", "400"},
		"no name of a PASSporT":         {to, path + "/00", "400"},
	} {
		media := "*/*"
		if strings.HasPrefix(c.path, "/cps/ppts") {
			media = "text/event-stream"
		}
		got := c.client.asks(t, "--header", "Accept: "+media, c.path)
		got.wants(t, name, c.status)
		if !strings.HasPrefix(got.field("Content-Type"), "application/problem+json") || strings.Contains(got.body, token) {
			t.Errorf("%s: %s %s", name, got.field("Content-Type"), got.body)
		}
	}

	page := stranger.asks(t, "/.well-known/stir-cps")
	page.wants(t, "what the CPS says of itself", "200")
	claims := decoded(t, strings.Split(page.body, ".")[1])
	if !strings.Contains(claims, `"0-567B":"https://`+b.cps) || page.field("Content-Type") != "application/jose" {
		t.Errorf("it says %s: %s", page.field("Content-Type"), claims)
	}
}

// TestRFC9888_CompanyFormForeignClients: whoever signs may publish there, and only the provider itself reads, and takes away.
func TestRFC9888_CompanyFormForeignClients(t *testing.T) {
	b := newProviders(t)
	b.serve(t, here, "cps.yaml")
	from, to, stranger := foreign{b, "1234"}, foreign{b, "567B"}, foreign{b, ""}
	token := b.lab.sign(t)
	call := "/cps/company/567B/" + called + "/" + caller

	stranger.publishes(t, "/cps/company/567B", tampered(t, token)).wants(t, "tampered", "400")
	stranger.publishes(t, "/cps/company/1234", token).wants(t, "another provider's calls", "403")
	stranger.publishes(t, "/cps/company/567B", token).wants(t, "published", "201")
	to.asks(t, "--header", "Prefer: wait=5", call).wants(t, "read", "200")
	if got := to.asks(t, call); !strings.Contains(got.body, `"`+token+`"`) {
		t.Errorf("read: %s", got.body)
	}
	from.asks(t, call).wants(t, "read by the publisher", "403")
	stranger.asks(t, call).wants(t, "read by nobody", "401")
	id := oob.PassportID(token)
	from.asks(t, "--request", "DELETE", call+"/"+id).wants(t, "taken away by the publisher", "403")
	for range 2 {
		to.asks(t, "--request", "DELETE", call+"/"+id).wants(t, "taken away", "204")
	}
	to.asks(t, call).wants(t, "read when the call has come", "404")
}
