package rfc9888

import (
	"net/url"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Limits of a subscription.
const (
	ResourcesMax   = 256      // resources in one subscription
	CursorBytesMax = 64       // bytes of a cursor
	queryBytesMax  = 32 << 10 // 256 resources with all their characters escaped, and some
)

// LastEventID is the header field in which a client resumes a stream (HTML §9.2, server-sent events).
const LastEventID = "Last-Event-ID"

// Subscription is what a reader wants to be told of.
type Subscription struct {
	Profile   oob.Profile // one whose records are pushed
	Resources []stircert.Resource
	After     string // cursor of the last event that it has; empty for from now on
}

// ReadSubscription reads the query of a subscription; lastEventID is the header field and counts more than after, which
// stays in the URL while a client resumes again and again. Other parameters are passed over.
func ReadSubscription(query, lastEventID string) (Subscription, error) {
	if len(query) > queryBytesMax {
		return Subscription{}, oob.Faultf(oob.TooLarge, "the query is longer than %d bytes", queryBytesMax)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Subscription{}, oob.Faultf(oob.Malformed, "the query is not one")
	}
	s := Subscription{Profile: oob.RFC9888, After: values.Get("after")}
	if lastEventID != "" {
		s.After = lastEventID
	}
	if s.After != "" && !isCursor(s.After) {
		return Subscription{}, oob.Faultf(oob.Malformed, "the cursor is not one")
	}
	if name := values.Get("profile"); name != "" {
		s.Profile, _ = oob.ProfileNamed(name)
	}
	if !s.Profile.Row().Pushed {
		return Subscription{}, oob.Faultf(oob.Malformed, "profile is none whose records are pushed")
	}
	texts := values["dest"]
	switch {
	case len(texts) == 0:
		return Subscription{}, oob.Faultf(oob.Malformed, "dest is missing")
	case len(texts) > ResourcesMax:
		return Subscription{}, oob.Faultf(oob.TooLarge, "dest stands more than %d times", ResourcesMax)
	}
	known := map[stircert.Resource]bool{}
	for _, text := range texts {
		r, err := stircert.ParseResource(text)
		if err != nil {
			return Subscription{}, oob.Faultf(oob.Malformed, "a dest is neither 0-code nor 1-first-count nor 2-number")
		}
		if !known[r] {
			known[r] = true
			s.Resources = append(s.Resources, r)
		}
	}
	return s, nil
}

// Path is where a client subscribes; the cursor is in it.
func (s Subscription) Path() string {
	query := url.Values{}
	for _, r := range s.Resources {
		query.Add("dest", r.String())
	}
	if s.Profile != oob.RFC9888 {
		query.Set("profile", s.Profile.String())
	}
	if s.After != "" {
		query.Set("after", s.After)
	}
	return SubscribePattern + "?" + query.Encode()
}

// isCursor takes what can stand in a header field, a line of a stream and a query alike.
func isCursor(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= CursorBytesMax
}
