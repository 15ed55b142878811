package shop

import (
	"context"
	"errors"
	"sync"
	"testing"
)

func TestTurnsAreTakenOneAtATime(t *testing.T) {
	t.Parallel()
	var all turns
	var group sync.WaitGroup
	working, worked := 0, 0
	for range 20 {
		group.Go(func() {
			done, err := all.take(t.Context(), "c")
			if err != nil {
				t.Error(err)
				return
			}
			defer done()
			if working++; working != 1 { // the race detector watches, too
				t.Error("two at a time")
			}
			working--
			worked++
		})
	}
	group.Wait()
	if worked != 20 || len(all.carts) != 0 {
		t.Errorf("%d worked, %d turns are left", worked, len(all.carts))
	}
}

func TestWhoeverWaitsMayGiveUp(t *testing.T) {
	t.Parallel()
	var all turns
	done, err := all.take(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := all.take(ctx, "c"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	other, err := all.take(t.Context(), "d") // other carts do not wait
	if err != nil {
		t.Fatal(err)
	}
	other()
	done()
	if len(all.carts) != 0 {
		t.Errorf("%d turns are left", len(all.carts))
	}
}
