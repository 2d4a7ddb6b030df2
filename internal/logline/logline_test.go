package logline_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/logline"
)

// both lets both handlers write one record.
func both(t *testing.T, r slog.Record, with func(slog.Handler) slog.Handler) (got, want string) {
	t.Helper()
	write := func(handler func(io.Writer) slog.Handler) string {
		var b bytes.Buffer
		if err := with(handler(&b)).Handle(context.Background(), r.Clone()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	return write(func(w io.Writer) slog.Handler { return logline.New(w, slog.LevelInfo) }),
		write(func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) })
}

func same(h slog.Handler) slog.Handler { return h }

func TestLinesAreThoseOfJSONHandler(t *testing.T) {
	at := time.Date(2026, 11, 22, 17, 0, 0, 123456000, time.FixedZone("", 3600))
	for name, attrs := range map[string][]slog.Attr{
		"none":     nil,
		"request":  {slog.String("method", "POST"), slog.Int("status", 201), slog.Float64("took_ms", 0.217), slog.String("spc", "1234"), slog.String("peer", "192.0.2.1:443"), slog.Bool("x", true)},
		"escapes":  {slog.String("a", "\"\\\n<>&\x7fä\u2028"), slog.String("\"", "b")},
		"invalid":  {slog.String("a", "\xff")},
		"floats":   {slog.Float64("a", 0), slog.Float64("b", math.Copysign(0, -1)), slog.Float64("c", -1), slog.Float64("d", 1e21), slog.Float64("e", 1e-7), slog.Float64("f", 123456789.125)},
		"no float": {slog.Float64("a", math.NaN()), slog.Float64("b", math.Inf(1))},
		"others":   {slog.Duration("a", time.Second), slog.Time("b", at), slog.Any("c", errors.New("x")), slog.Any("d", nil), slog.Uint64("e", math.MaxUint64)},
		"groups":   {slog.Group("g", slog.String("a", "b")), slog.Group("", slog.Int("c", 1)), slog.Group("e")},
		"empty":    {{}, slog.String("", "a"), slog.String("b", "")},
	} {
		for _, level := range []slog.Level{slog.LevelInfo, slog.LevelError, slog.LevelWarn + 1} {
			r := slog.NewRecord(at, level, "request", 0)
			r.AddAttrs(attrs...)
			if got, want := both(t, r, same); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	for name, r := range map[string]slog.Record{
		"no time": slog.NewRecord(time.Time{}, slog.LevelInfo, "x", 0), "message": slog.NewRecord(at, slog.LevelInfo, "\"\n", 0),
	} {
		if got, want := both(t, r, same); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r := slog.NewRecord(at, slog.LevelInfo, "x", 0)
	r.AddAttrs(slog.Int("b", 1))
	got, want := both(t, r, func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("g") })
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestLevel(t *testing.T) {
	h := logline.New(io.Discard, slog.LevelWarn)
	if h.Enabled(t.Context(), slog.LevelInfo) || !h.Enabled(t.Context(), slog.LevelWarn) {
		t.Error("the wrong levels are written")
	}
}

// FuzzLine wants of every record the line of slog.JSONHandler.
func FuzzLine(f *testing.F) {
	f.Add("request", "method", "POST", int64(201), 0.217, int64(1763830000123456789))
	f.Add("a\"b", "", "\\", int64(-1), -1e-9, int64(0))
	f.Fuzz(func(t *testing.T, message, key, text string, n int64, x float64, at int64) {
		r := slog.NewRecord(time.Unix(0, at).UTC(), slog.Level(n%16), message, 0)
		r.AddAttrs(slog.String(key, text), slog.Int64("n", n), slog.Float64(key, x), slog.String("t", text))
		if got, want := both(t, r, same); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	for name, h := range map[string]slog.Handler{"logline": logline.New(io.Discard, slog.LevelInfo), "slog": slog.NewJSONHandler(io.Discard, nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
				r.AddAttrs(slog.String("method", "POST"), slog.String("resource", "/passports/{spc}/{dest}/{orig}"), slog.Int("status", 201),
					slog.Float64("took_ms", 0.217), slog.String("spc", "1234"), slog.String("peer", "192.0.2.1:443"))
				_ = h.Handle(context.Background(), r)
			}
		})
	}
}
