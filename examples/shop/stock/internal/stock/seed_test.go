package stock_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

func TestParseSeed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]stock.Seed{
		`{}`:                               {},
		` {"pear": 0, "apple":1000000000}`: {"apple": 1_000_000_000, "pear": 0},
	} {
		got, err := stock.ParseSeed([]byte(text))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v, seed (-want +got):\n%s", text, err, diff)
		}
	}
	if got := (stock.Seed{"b": 1, "a": 2, "a.1": 3}).SKUs(); !cmp.Equal(got, []string{"a", "a.1", "b"}) {
		t.Errorf("SKUs %q", got)
	}
}

func TestParseSeedSaysWhatIsExpected(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                       "unexpected end",
		`null`:                   "null",
		`["apple"]`:              "array",
		`{"apple": "10"}`:        "string",
		`{"apple": 1.5}`:         "1.5",
		`{"apple": null}`:        `"apple": expected a number`,
		`{"apple": -1}`:          `"apple": expected 0 to`,
		`{"": 1}`:                `"": expected 1 to 64 characters`,
		`{"a b": 1}`:             `"a b": expected 1 to 64 characters`,
		`{"apple": 1} {}`:        "after top-level value",
		`{"apple": 10000000000}`: `"apple": expected 0 to`,
	} {
		_, err := stock.ParseSeed([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `{"apple": 10} for instance`) {
			t.Errorf("%s: error %v, want one with %s and an example", text, err, want)
		}
	}
}

// FuzzParseSeed: what is accepted is within the limits.
func FuzzParseSeed(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a": 1}`, `{"a": 1, "a": 2}`, `null`, `{"a": 1e3}`, `{"\u0061": 0}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seed, err := stock.ParseSeed([]byte(text))
		if (err == nil) == (seed == nil) {
			t.Fatalf("seed %v, error %v", seed, err)
		}
		for sku, onHand := range seed {
			if stock.CheckName("sku", sku) != nil || stock.CheckQuantity("on_hand", onHand, 0) != nil {
				t.Errorf("%q: %d", sku, onHand)
			}
		}
	})
}
