package passport_test

import (
	"crypto"
	"crypto/ecdsa"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
)

// realX5U has the length of the URLs that carriers use.
const realX5U = "https://certificates.example.com/ccid/authn/v2/certs/11475.10001"

// compare measures work against a floor, in turns of a few calls each, so that whatever else the machine does hits both.
// It reports the median of the ratios of neighbouring turns; the shortest time of one call of each; and the ratio of
// these two, which is the better figure on a busy machine: the longer of two works is interrupted more often.
func compare(b *testing.B, floor, work func()) {
	const calls = 16
	turn := func(f func()) float64 {
		began := time.Now()
		for range calls {
			f()
		}
		return float64(time.Since(began).Nanoseconds()) / calls
	}
	var floors, works, ratios []float64
	for b.Loop() {
		f, w := turn(floor), turn(work)
		floors, works, ratios = append(floors, f), append(works, w), append(ratios, w/f)
		w, f = turn(work), turn(floor) // the other way round, so that being first favours neither
		floors, works, ratios = append(floors, f), append(works, w), append(ratios, w/f)
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(slices.Min(works)/slices.Min(floors), "best-ratio")
	b.ReportMetric(slices.Min(floors), "floor-ns")
	b.ReportMetric(slices.Min(works), "work-ns")
	b.ReportMetric(0, "ns/op") // of a whole turn: says nothing
}

// BenchmarkParseVerify compares Parse and Verify of a shaken PASSporT with a bare ecdsa.VerifyASN1; required: ratio ≤ 1.10.
func BenchmarkParseVerify(b *testing.B) {
	key := testKey(b)
	compact, err := passport.Sign(key, passport.Shaken, realX5U, shakenClaims(b))
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256Of(compact[:strings.LastIndex(compact, ".")])
	der, err := key.Sign(nil, digest, crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	compare(b, func() {
		if !ecdsa.VerifyASN1(&key.PublicKey, digest, der) {
			b.Fatal("the floor does not verify")
		}
	}, func() {
		token, err := passport.Parse(compact)
		if err != nil {
			b.Fatal(err)
		}
		if err := token.Verify(&key.PublicKey); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkSign compares Sign of a shaken PASSporT with a bare PrivateKey.Sign.
func BenchmarkSign(b *testing.B) {
	key := testKey(b)
	claims := shakenClaims(b)
	digest := sha256Of(shakenPayload)
	compare(b, func() {
		if _, err := key.Sign(nil, digest, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := passport.Sign(key, passport.Shaken, realX5U, claims); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkParse shows what a shaken PASSporT costs before its signature is looked at, and what the worst costs that a
// hostile sender can make of TokenBytesMax.
func BenchmarkParse(b *testing.B) {
	member := `"%":0,`
	var many strings.Builder
	for i := range 700 { // as many further claims as fit
		many.WriteString(strings.Replace(member, "%", string([]byte{'a' + byte(i%26), 'a' + byte(i/26)}), 1))
	}
	for _, c := range []struct{ name, token string }{
		{"shaken", forge(b, shakenHeader, shakenPayload)},
		{"longest", sized(b, passport.TokenBytesMax)},
		{"members", forge(b, shakenHeader, strings.Replace(shakenPayload, "{", "{"+many.String(), 1))},
		{"escapes", forge(b, shakenHeader, strings.Replace(shakenPayload, testOrigID, strings.Repeat(`\u0041`, 950), 1))},
	} {
		if _, err := passport.Parse(c.token); err != nil {
			b.Fatalf("%s: %v", c.name, err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := passport.Parse(c.token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
