package httpapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
)

// TestRFC9110_S8_6_NetHTTPSaysTheLengthOfAShortAnswer: what the door relies on. That answers of every kind and length have one
// is wanted of each in the other tests; see wantBody.
func TestRFC9110_S8_6_NetHTTPSaysTheLengthOfAShortAnswer(t *testing.T) {
	body := bytes.Repeat([]byte("x"), httpapi.CountedMost)
	for protocol, second := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(protocol, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write(body)
			}))
			server.EnableHTTP2 = second
			server.StartTLS()
			defer server.Close()
			answer, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			got, err := io.ReadAll(answer.Body)
			if err != nil || answer.Proto != protocol || !bytes.Equal(got, body) {
				t.Fatalf("%s, %d bytes, %v", answer.Proto, len(got), err)
			}
			if answer.ContentLength != int64(len(body)) || len(answer.TransferEncoding) > 0 {
				t.Errorf("Content-Length %d, Transfer-Encoding %q", answer.ContentLength, answer.TransferEncoding)
			}
		})
	}
}
