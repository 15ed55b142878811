package stock_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

func TestItemRules(t *testing.T) {
	t.Parallel()
	base := stock.Item{SKU: "a", OnHand: 10, Reserved: 4, Revision: 7}
	settle := func(outcome stock.State) func(stock.Item) (stock.Item, error) {
		return func(i stock.Item) (stock.Item, error) { return i.Settle(3, outcome), nil }
	}
	tests := []struct {
		name string
		rule func(stock.Item) (stock.Item, error)
		want stock.Item
		err  error
	}{
		{"put more", func(i stock.Item) (stock.Item, error) { return i.Put(12) }, stock.Item{SKU: "a", OnHand: 12, Reserved: 4, Revision: 8}, nil},
		{"put what is reserved", func(i stock.Item) (stock.Item, error) { return i.Put(4) }, stock.Item{SKU: "a", OnHand: 4, Reserved: 4, Revision: 8}, nil},
		{"put the same", func(i stock.Item) (stock.Item, error) { return i.Put(10) }, base, nil},
		{"put less than reserved", func(i stock.Item) (stock.Item, error) { return i.Put(3) }, base, stock.ErrInsufficient},
		{"reserve all", func(i stock.Item) (stock.Item, error) { return i.Reserve(6) }, stock.Item{SKU: "a", OnHand: 10, Reserved: 10, Revision: 8}, nil},
		{"reserve too many", func(i stock.Item) (stock.Item, error) { return i.Reserve(7) }, base, stock.ErrInsufficient},
		{"release", settle(stock.Released), stock.Item{SKU: "a", OnHand: 10, Reserved: 1, Revision: 8}, nil},
		{"commit", settle(stock.Committed), stock.Item{SKU: "a", OnHand: 7, Reserved: 1, Revision: 8}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.rule(base)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("item (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPutOfNothingCreatesTheItem(t *testing.T) {
	t.Parallel()
	got, err := stock.Item{SKU: "a"}.Put(0)
	if err != nil || got.Revision != 1 {
		t.Errorf("got %+v, %v; want revision 1", got, err)
	}
}

func TestReservationStates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		state, outcome stock.State
		err            error
	}{
		{stock.Held, stock.Released, nil},
		{stock.Held, stock.Committed, nil},
		{stock.Released, stock.Released, nil},
		{stock.Committed, stock.Committed, nil},
		{stock.Released, stock.Committed, stock.ErrSettled},
		{stock.Committed, stock.Released, stock.ErrSettled},
	}
	for _, test := range tests {
		got, err := stock.Reservation{State: test.state}.Settle(test.outcome)
		if !errors.Is(err, test.err) {
			t.Errorf("%d to %d: error %v, want %v", test.state, test.outcome, err, test.err)
		}
		if err == nil && got.State != test.outcome {
			t.Errorf("%d to %d: state %d", test.state, test.outcome, got.State)
		}
	}
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	a, b := stock.Line{SKU: "a", Quantity: 1}, stock.Line{SKU: "b", Quantity: 2}
	stored := stock.NewReservation("k", []stock.Line{a, b}, time.Unix(1, 0))
	released, _ := stored.Settle(stock.Released)
	tests := []struct {
		name   string
		stored stock.Reservation
		lines  []stock.Line
		err    error
	}{
		{"same", stored, []stock.Line{a, b}, nil},
		{"other order", stored, []stock.Line{b, a}, nil},
		{"other lines", stored, []stock.Line{a}, stock.ErrKeyReused},
		{"settled", released, []stock.Line{a, b}, stock.ErrSettled},
	}
	for _, test := range tests {
		err := test.stored.Repeat(stock.NewReservation("k", test.lines, time.Unix(2, 0)))
		if !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.err)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	many := make([]stock.Line, stock.MaxLines+1)
	for i := range many {
		many[i] = stock.Line{SKU: fmt.Sprint(i), Quantity: 1}
	}
	tests := []struct {
		name  string
		err   error
		field string // empty: no error
	}{
		{"name", stock.CheckName("sku", "A-z.0_9"), ""},
		{"longest name", stock.CheckName("sku", strings.Repeat("x", 64)), ""},
		{"empty name", stock.CheckName("sku", ""), "sku"},
		{"long name", stock.CheckName("sku", strings.Repeat("x", 65)), "sku"},
		{"space inside", stock.CheckName("sku", "a b"), "sku"},
		{"not ASCII", stock.CheckName("sku", "größe"), "sku"},
		{"least quantity", stock.CheckQuantity("q", 0, 0), ""},
		{"most quantity", stock.CheckQuantity("q", stock.MaxQuantity, 0), ""},
		{"small quantity", stock.CheckQuantity("q", 0, 1), "q"},
		{"large quantity", stock.CheckQuantity("q", stock.MaxQuantity+1, 0), "q"},
		{"most lines", stock.CheckLines(many[1:]), ""},
		{"no line", stock.CheckLines(nil), "lines"},
		{"many lines", stock.CheckLines(many), "lines"},
		{"line without SKU", stock.CheckLines([]stock.Line{{Quantity: 1}}), "lines[0].sku"},
		{"line of nothing", stock.CheckLines([]stock.Line{{SKU: "a"}}), "lines[0].quantity"},
		{"SKU twice", stock.CheckLines([]stock.Line{{"a", 1}, {"b", 1}, {"a", 2}}), "lines[2].sku"},
	}
	for _, test := range tests {
		var invalid *stock.InvalidError
		field := ""
		if errors.As(test.err, &invalid) {
			field = invalid.Field
		}
		if field != test.field {
			t.Errorf("%s: field %q (%v), want %q", test.name, field, test.err, test.field)
		}
	}
}
