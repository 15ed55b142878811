package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
	"gitlab.com/selfcontained/shop/stock/internal/store"
)

func open(t testing.TB, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func put(t testing.TB, db *store.DB, sku string, onHand int64) {
	t.Helper()
	if _, err := db.Put(t.Context(), sku, onHand, nil); err != nil {
		t.Fatal(err)
	}
}

// want checks pieces on hand and reserved.
func want(t testing.TB, db *store.DB, sku string, onHand, reserved int64) {
	t.Helper()
	item, err := db.Item(t.Context(), sku)
	if err != nil {
		t.Fatal(err)
	}
	if item.OnHand != onHand || item.Reserved != reserved {
		t.Errorf("%s: %d on hand, %d reserved; want %d, %d", sku, item.OnHand, item.Reserved, onHand, reserved)
	}
}

func request(key string, lines ...stock.Line) stock.Reservation {
	return stock.NewReservation(key, lines, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
}

func TestDataSurvivesRestart(t *testing.T) {
	t.Parallel()
	dir, made := t.TempDir(), request("k", stock.Line{SKU: "a", Quantity: 3})
	db, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "a", 10)
	if _, err := db.Reserve(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir)
	want(t, db, "a", 10, 3)
	again, err := db.Reserve(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made, again); diff != "" {
		t.Errorf("reservation (-want +got):\n%s", diff)
	}
	want(t, db, "a", 10, 3)
}

func TestPutExpectedRevision(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	for i, step := range []struct {
		onHand, expected int64
		err              error
		revision         int64
	}{
		{5, 1, stock.ErrRevision, 0},
		{5, 0, nil, 1},
		{6, 0, stock.ErrRevision, 0},
		{6, 1, nil, 2},
		{6, 2, nil, 2},
	} {
		item, err := db.Put(t.Context(), "a", step.onHand, &step.expected)
		if !errors.Is(err, step.err) || item.Revision != step.revision {
			t.Errorf("step %d: revision %d, error %v; want %d, %v", i, item.Revision, err, step.revision, step.err)
		}
	}
}

func TestItems(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	for _, sku := range []string{"b", "a", "a.1", "c"} {
		put(t, db, sku, 1)
	}
	tests := []struct {
		after string
		limit int
		want  []string
	}{
		{"", 10, []string{"a", "a.1", "b", "c"}},
		{"", 2, []string{"a", "a.1"}},
		{"a", 2, []string{"a.1", "b"}},
		{"aa", 2, []string{"b", "c"}},
		{"c", 2, nil},
	}
	for _, test := range tests {
		items, err := db.Items(t.Context(), test.after, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, item := range items {
			got = append(got, item.SKU)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("after %q, limit %d (-want +got):\n%s", test.after, test.limit, diff)
		}
	}
}

func TestReserveIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	put(t, db, "a", 10)
	put(t, db, "b", 1)
	a := stock.Line{SKU: "a", Quantity: 4}
	for name, test := range map[string]struct {
		line stock.Line
		err  error
	}{
		"too few":    {stock.Line{SKU: "b", Quantity: 2}, stock.ErrInsufficient},
		"no article": {stock.Line{SKU: "z", Quantity: 1}, stock.ErrNotFound},
	} {
		if _, err := db.Reserve(t.Context(), request("k", a, test.line)); !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", name, err, test.err)
		}
		want(t, db, "a", 10, 0)
	}
	// A refused request leaves no trace: its key can still be used.
	if _, err := db.Reserve(t.Context(), request("k", a)); err != nil {
		t.Error(err)
	}
}

func TestReservationLifecycle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		outcome, other  stock.State
		onHand, reserve int64
	}{
		{"release", stock.Released, stock.Committed, 10, 0},
		{"commit", stock.Committed, stock.Released, 6, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := open(t, t.TempDir())
			put(t, db, "a", 10)
			held := request("k", stock.Line{SKU: "a", Quantity: 4})
			for range 2 {
				if _, err := db.Reserve(t.Context(), held); err != nil {
					t.Fatal(err)
				}
				want(t, db, "a", 10, 4)
			}
			for range 2 {
				got, err := db.Settle(t.Context(), "k", test.outcome)
				if err != nil || got.State != test.outcome {
					t.Fatalf("state %d, error %v", got.State, err)
				}
				want(t, db, "a", test.onHand, test.reserve)
			}
			if _, err := db.Settle(t.Context(), "k", test.other); !errors.Is(err, stock.ErrSettled) {
				t.Errorf("other outcome: error %v", err)
			}
			if _, err := db.Reserve(t.Context(), held); !errors.Is(err, stock.ErrSettled) {
				t.Errorf("late repetition: error %v", err)
			}
			want(t, db, "a", test.onHand, test.reserve)
		})
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	if _, err := db.Item(t.Context(), "a"); !errors.Is(err, stock.ErrNotFound) {
		t.Errorf("item: error %v", err)
	}
	if _, err := db.Settle(t.Context(), "k", stock.Released); !errors.Is(err, stock.ErrNotFound) {
		t.Errorf("reservation: error %v", err)
	}
}

func TestConcurrentReservationsNeverOversell(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	const pieces, clients = 20, 50
	put(t, db, "a", pieces)
	var group sync.WaitGroup
	var sold atomic.Int64
	for i := range clients {
		group.Go(func() {
			_, err := db.Reserve(t.Context(), request(fmt.Sprint("k", i), stock.Line{SKU: "a", Quantity: 1}))
			switch {
			case err == nil:
				sold.Add(1)
			case !errors.Is(err, stock.ErrInsufficient):
				t.Error(err)
			}
		})
	}
	group.Wait()
	if sold.Load() != pieces {
		t.Errorf("sold %d of %d", sold.Load(), pieces)
	}
	want(t, db, "a", pieces, pieces)
}

func TestNothingHappensAfterTheDeadline(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	put(t, db, "a", 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Put(ctx, "a", 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("write: error %v", err)
	}
	if _, err := db.Item(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("read: error %v", err)
	}
	want(t, db, "a", 1, 0)
}

func TestSeedCreatesWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir())
	put(t, db, "a", 1)
	seed := stock.Seed{"a": 10, "b": 0, "c": 30}
	for _, created := range []int{2, 0} {
		if got, err := db.Seed(t.Context(), seed); got != created || err != nil {
			t.Errorf("created %d, error %v; want %d", got, err, created)
		}
		want(t, db, "a", 1, 0)
		want(t, db, "b", 0, 0)
		want(t, db, "c", 30, 0)
	}
}
