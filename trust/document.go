package trust

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Document is what a URL serves.
type Document struct {
	Body      []byte
	ETag      string // to ask with the next time; empty when the host gives none
	Unchanged bool   // it is still what the ETag in the request stood for, and Body is empty
}

// etagBytesMax bounds an ETag that is sent back.
const etagBytesMax = 256

// Document gets what is at a URL that an operator has named: at most bytesMax bytes. The rules for x5u's hold, with
// [Laboratory] as the only exemption. etag is that of the document that is held, or empty. Nothing is remembered.
//
// Errors wrap [ErrURL], [ErrAddress], [ErrContent], or come from the network.
func (r *Repository) Document(ctx context.Context, url, accept, etag string, bytesMax int) (Document, error) {
	s, err := r.parseURL(url)
	if err != nil {
		return Document{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	header := http.Header{"Accept": {accept}}
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	res, err := r.roundTrip(ctx, s, header)
	if err != nil {
		return Document{}, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified && etag != "" {
		return Document{ETag: etag, Unchanged: true}, nil
	}
	if res.StatusCode != http.StatusOK {
		return Document{}, fmt.Errorf("%w: status %d", ErrContent, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(bytesMax)+1))
	if err != nil {
		return Document{}, err
	}
	if len(body) > bytesMax {
		return Document{}, fmt.Errorf("%w: more than %d bytes", ErrContent, bytesMax)
	}
	d := Document{Body: body}
	if tag := res.Header.Get("ETag"); len(tag) <= etagBytesMax {
		d.ETag = tag
	}
	return d, nil
}

// Stands says whether a credential that was believed once is believed now: it may have expired since, or been revoked, or
// lost its CA. An error is the fault CredentialUntrusted.
func (v *Verifier) Stands(c *Credential) error { return v.Judge(c.chain) }
