package jws_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

func TestMemo_IsBounded(t *testing.T) {
	var m jws.Memo[int]
	if _, ok := m.Get("a"); ok {
		t.Error("something is known from the beginning")
	}
	m.Put(strings.Repeat("a", 1025), 1)
	if _, ok := m.Get(strings.Repeat("a", 1025)); ok {
		t.Error("a text of 1025 bytes is remembered")
	}
	for i := range 20_000 {
		text := strconv.Itoa(i)
		m.Put(text, i)
		if got, ok := m.Get(text); !ok || got != i {
			t.Fatalf("%d became %d, %v", i, got, ok)
		}
	}
	if _, ok := m.Get("0"); ok {
		t.Error("20,000 texts are remembered")
	}
}
