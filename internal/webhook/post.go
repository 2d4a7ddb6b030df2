package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// ReadKey reads the key, and anew when it has been replaced. When it cannot be read the old one goes on being used.
func (w *Webhook) ReadKey() error {
	file, err := os.Open(w.cfg.KeyFile)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, keyMax+1))
	if err != nil {
		return err
	}
	key := bytes.TrimSpace(text)
	if len(key) < KeyBytesMin || len(text) > keyMax {
		return fmt.Errorf("the key has %d to %d bytes", KeyBytesMin, keyMax)
	}
	w.key.Store(&key)
	return nil
}

// post makes one request. why is empty when the receiver has the records; final says that trying again is of no use.
func (w *Webhook) post(delivery string, body []byte) (why string, final bool) {
	w.requests.Add(1)
	request, err := http.NewRequestWithContext(w.queue.Context(), http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return "the URL cannot be asked", true
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "viaduct")
	request.Header.Set("Viaduct-Delivery", delivery)
	request.Header.Set("Viaduct-Signature", sign(*w.key.Load(), time.Now(), body))
	answer, err := w.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which may hold a secret
		}
		return reason(err), false
	}
	defer answer.Body.Close()
	io.CopyN(io.Discard, answer.Body, answerMax)
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return "", false
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return "status " + strconv.Itoa(code), false
	default:
		return "status " + strconv.Itoa(code), true
	}
}

// reason is the text of an error, never empty, cut at its bound.
func reason(err error) string {
	text := err.Error()
	if text == "" {
		text = "the request failed"
	}
	return strings.ToValidUTF8(text[:min(len(text), whyMax)], "")
}

// sign makes the value of Viaduct-Signature.
func sign(key []byte, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return strings.Join([]string{"t=" + stamp, "v1=" + hex.EncodeToString(mac.Sum(nil))}, ",")
}
