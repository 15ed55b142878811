package cart_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

// filled returns an open cart with lines of one piece each.
func filled(skus ...string) cart.Cart {
	c := cart.New("c")
	for _, sku := range skus {
		c.Lines = append(c.Lines, cart.Line{SKU: sku, Quantity: 1})
	}
	return c
}

func begun(t *testing.T, skus ...string) cart.Cart {
	t.Helper()
	c, err := filled(skus...).Begin("order")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSet(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range cart.MaxLines {
		many = append(many, fmt.Sprintf("a%02d", i))
	}
	full := filled(many...)
	tests := []struct {
		name string
		cart cart.Cart
		line cart.Line
		want string // SKUs and quantities
		err  error
	}{
		{"first", cart.New("c"), cart.Line{SKU: "b", Quantity: 2}, "b=2", nil},
		{"before", filled("b"), cart.Line{SKU: "a", Quantity: 2}, "a=2 b=1", nil},
		{"between", filled("a", "c"), cart.Line{SKU: "b", Quantity: 2}, "a=1 b=2 c=1", nil},
		{"in place", filled("a", "b", "c"), cart.Line{SKU: "b", Quantity: 2}, "a=1 b=2 c=1", nil},
		{"out", filled("a", "b"), cart.Line{SKU: "a"}, "b=1", nil},
		{"the last one out", filled("a"), cart.Line{SKU: "a"}, "", nil},
		{"out what is not in", filled("a"), cart.Line{SKU: "b"}, "a=1", nil},
		{"too many", full, cart.Line{SKU: "b", Quantity: 1}, text(full), cart.ErrFull},
		{"in place of a full cart", full, cart.Line{SKU: "a00", Quantity: 2}, strings.Replace(text(full), "1", "2", 1), nil},
		{"being ordered", begun(t, "a"), cart.Line{SKU: "a", Quantity: 2}, "a=1", cart.ErrClosed},
		{"ordered", begun(t, "a").Finish(time.Unix(1, 0)), cart.Line{SKU: "a"}, "a=1", cart.ErrClosed},
	}
	for _, test := range tests {
		before := text(test.cart)
		got, err := test.cart.Set(test.line)
		if text(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %q, error %v; want %q, %v", test.name, text(got), err, test.want, test.err)
		}
		if text(test.cart) != before {
			t.Errorf("%s: the cart before has become %q", test.name, text(test.cart))
		}
	}
}

// text shows the lines of a cart.
func text(c cart.Cart) string {
	texts := make([]string, len(c.Lines))
	for i, line := range c.Lines {
		texts[i] = fmt.Sprintf("%s=%d", line.SKU, line.Quantity)
	}
	return strings.Join(texts, " ")
}

func TestTheWayToAnOrder(t *testing.T) {
	t.Parallel()
	if _, err := cart.New("c").Begin("order"); !errors.Is(err, cart.ErrEmpty) {
		t.Errorf("empty cart: error %v, want %v", err, cart.ErrEmpty)
	}
	ordering, ordered := begun(t, "a", "b"), time.Unix(1, 0)
	lines := ordering.Lines
	tests := []struct {
		name string
		got  cart.Cart
		want cart.Cart
	}{
		{"begin", ordering, cart.Cart{ID: "c", Lines: lines, State: cart.Ordering, Order: "order"}},
		{"hold", ordering.Hold(), cart.Cart{ID: "c", Lines: lines, State: cart.Ordering, Order: "order", Held: true}},
		{"lose", ordering.Hold().Lose(), ordering},
		{"reopen", ordering.Hold().Reopen(), cart.Cart{ID: "c", Lines: lines, State: cart.Open}},
		{"finish", ordering.Hold().Finish(ordered), cart.Cart{ID: "c", Lines: lines, State: cart.Ordered, Order: "order", Held: true, OrderTime: ordered}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	for _, c := range []cart.Cart{ordering, ordering.Finish(ordered)} {
		again, err := c.Begin("another")
		if diff := cmp.Diff(c, again); diff != "" || err != nil {
			t.Errorf("begin again: error %v (-want +got):\n%s", err, diff)
		}
	}
}

func TestReservationKeysAreKeysForTheStock(t *testing.T) {
	t.Parallel()
	c := cart.Cart{ID: strings.Repeat("x", cart.MaxID), Order: strings.Repeat("A", cart.OrderLength)}
	if key := c.Reservation(); len(key) != 64 {
		t.Errorf("the longest key is %d characters long, want 64", len(key))
	}
	if key := (cart.Cart{ID: "c", Order: "O"}).Reservation(); key != "cart-c-O" {
		t.Errorf("key %q", key)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cart      cart.Cart
		pieces    int32
		untouched bool
	}{
		{cart.New("c"), 0, true},
		{filled("a", "b"), 2, false},
		{begun(t, "a"), 1, false},
	} {
		if got := test.cart.Pieces(); got != test.pieces {
			t.Errorf("%q: %d pieces, want %d", text(test.cart), got, test.pieces)
		}
		if got := test.cart.Untouched(); got != test.untouched {
			t.Errorf("%q: untouched %v", text(test.cart), got)
		}
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		err   error
		field string // empty: no error
	}{
		{"id", cart.CheckID("A-z.0_9"), ""},
		{"longest id", cart.CheckID(strings.Repeat("x", 48)), ""},
		{"long id", cart.CheckID(strings.Repeat("x", 49)), "cart_id"},
		{"empty id", cart.CheckID(""), "cart_id"},
		{"space inside", cart.CheckID("a b"), "cart_id"},
		{"not ASCII", cart.CheckID("größe"), "cart_id"},
		{"no piece", cart.CheckLine(cart.Line{SKU: strings.Repeat("x", 64)}), ""},
		{"most pieces", cart.CheckLine(cart.Line{SKU: "a", Quantity: 99}), ""},
		{"too many pieces", cart.CheckLine(cart.Line{SKU: "a", Quantity: 100}), "quantity"},
		{"less than none", cart.CheckLine(cart.Line{SKU: "a", Quantity: -1}), "quantity"},
		{"long SKU", cart.CheckLine(cart.Line{SKU: strings.Repeat("x", 65)}), "sku"},
		{"no SKU", cart.CheckLine(cart.Line{Quantity: 1}), "sku"},
	}
	for _, test := range tests {
		var invalid *cart.InvalidError
		field := ""
		if errors.As(test.err, &invalid) {
			field = invalid.Field
		}
		if field != test.field || field != "" && !strings.HasPrefix(test.err.Error(), field+": expected ") {
			t.Errorf("%s: field %q (%v), want %q", test.name, field, test.err, test.field)
		}
	}
}

func TestShortErrorNamesAll(t *testing.T) {
	t.Parallel()
	err := &cart.ShortError{Shortages: []cart.Shortage{{SKU: "a", Reason: "gone"}, {SKU: "b", Reason: "too few"}}}
	if got := err.Error(); got != "a: gone; b: too few" {
		t.Errorf("error %q", got)
	}
}
