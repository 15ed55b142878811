package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
	"gitlab.com/selfcontained/shop/cart/internal/store"
)

// add puts one piece into a cart.
func add(c cart.Cart) (cart.Cart, error) { return c.Set(cart.Line{SKU: "a", Quantity: c.Pieces() + 1}) }

// empty takes everything out of it.
func empty(c cart.Cart) (cart.Cart, error) { return c.Set(cart.Line{SKU: "a"}) }

func begin(c cart.Cart) (cart.Cart, error) { return c.Begin("order") }

func finish(c cart.Cart) (cart.Cart, error) { return c.Finish(time.Now()), nil }

// update makes changes one after the other.
func update(t testing.TB, m *store.Memory, id string, changes ...func(cart.Cart) (cart.Cart, error)) {
	t.Helper()
	for _, change := range changes {
		if _, err := m.Update(t.Context(), id, change); err != nil {
			t.Fatal(err)
		}
	}
}

// pieces is what a cart holds; looking counts as touching it.
func pieces(t testing.TB, m *store.Memory, id string) int32 {
	t.Helper()
	c, err := m.Cart(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c.Pieces()
}

// want checks how many pieces the carts hold; 0: the cart is forgotten.
func want(t testing.TB, m *store.Memory, carts map[string]int32) {
	t.Helper()
	for id, n := range carts {
		if got := pieces(t, m, id); got != n {
			t.Errorf("cart %s has %d pieces, want %d", id, got, n)
		}
	}
}

func TestUpdateKeepsWhatItReturns(t *testing.T) {
	t.Parallel()
	m := store.New(10, time.Hour)
	made, err := m.Update(t.Context(), "c", add)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := m.Cart(t.Context(), "c")
	if diff := cmp.Diff(made, kept); diff != "" || err != nil || made.Pieces() != 1 {
		t.Errorf("%d pieces, error %v (-returned +kept):\n%s", made.Pieces(), err, diff)
	}
}

func TestAFailedUpdateChangesNothing(t *testing.T) {
	t.Parallel()
	m, failure := store.New(10, time.Hour), errors.New("no")
	update(t, m, "c", add)
	for id, n := range map[string]int32{"c": 1, "new": 0} {
		_, err := m.Update(t.Context(), id, func(c cart.Cart) (cart.Cart, error) {
			c, _ = add(c)
			return c, failure
		})
		if !errors.Is(err, failure) {
			t.Errorf("error %v, want %v", err, failure)
		}
		want(t, m, map[string]int32{id: n})
	}
}

func TestIdleCartsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := store.New(10, time.Hour)
		update(t, m, "open", add)
		update(t, m, "ordering", add, begin)
		update(t, m, "ordered", add, begin, finish)
		update(t, m, "read", add)
		update(t, m, "changed", add)
		time.Sleep(time.Hour - time.Nanosecond)
		pieces(t, m, "read")
		update(t, m, "changed", add)
		time.Sleep(time.Nanosecond)
		want(t, m, map[string]int32{"open": 0, "ordering": 0, "ordered": 0, "read": 1, "changed": 2})
		time.Sleep(time.Hour)
		want(t, m, map[string]int32{"read": 0, "changed": 0})
	})
}

func TestAFullStoreForgetsTheCartThatWasIdleForLongest(t *testing.T) {
	t.Parallel()
	m := store.New(3, time.Hour)
	update(t, m, "ordered", add, begin, finish)
	update(t, m, "a", add)
	update(t, m, "b", add)
	pieces(t, m, "a")
	update(t, m, "b", empty) // no cart any more: makes room without a victim
	update(t, m, "c", add)
	update(t, m, "d", add) // in the place of a
	want(t, m, map[string]int32{"ordered": 1, "a": 0, "c": 1, "d": 1})
}

func TestOrdersMakeNoRoom(t *testing.T) {
	t.Parallel()
	m := store.New(2, time.Hour)
	update(t, m, "a", add, begin)
	update(t, m, "b", add, begin, finish)
	if _, err := m.Update(t.Context(), "c", add); !errors.Is(err, cart.ErrTooMany) {
		t.Errorf("error %v, want %v", err, cart.ErrTooMany)
	}
	update(t, m, "c", empty)  // needs no room
	update(t, m, "a", finish) // has its room
	want(t, m, map[string]int32{"a": 1, "b": 1, "c": 0})
}

func TestManyClients(t *testing.T) {
	t.Parallel()
	const clients, carts, times = 8, 5, 100
	m := store.New(carts, time.Hour)
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for i := range times {
				id := fmt.Sprint(i % carts)
				if _, err := m.Update(t.Context(), id, add); err != nil {
					t.Error(err)
				}
				pieces(t, m, id)
			}
		})
	}
	group.Wait()
	for i := range carts {
		want(t, m, map[string]int32{fmt.Sprint(i): clients * times / carts})
	}
}

func BenchmarkUpdate(b *testing.B) {
	const carts = 1000
	m := store.New(carts, time.Hour)
	ids := make([]string, 2*carts) // all but the first updates meet a full store
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	line := cart.Line{SKU: "a", Quantity: 1}
	set := func(c cart.Cart) (cart.Cart, error) { return c.Set(line) }
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := m.Update(b.Context(), ids[i%len(ids)], set); err != nil {
			b.Fatal(err)
		}
	}
}
