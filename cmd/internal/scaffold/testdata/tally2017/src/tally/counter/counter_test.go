package counter

import (
	"strconv"
	"sync"
	"testing"
)

func TestAdd(t *testing.T) {
	c := New(1)
	for want := 1; want <= 3; want++ {
		if got, err := c.Add("a"); got != want || err != nil {
			t.Errorf("got %d, %v; want %d", got, err, want)
		}
	}
	if _, err := c.Add("b"); err != ErrFull {
		t.Errorf("got %v, want %v", err, ErrFull)
	}
}

func TestManyAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	c := New(100)
	var wg sync.WaitGroup
	for i := 0; i < 100; i++ {
		wg.Add(1)
		go func(name string) {
			defer wg.Done()
			for j := 0; j < 1000; j++ {
				c.Add(name)
			}
		}(strconv.Itoa(i % 10))
	}
	wg.Wait()
	if got := c.Sum("3"); got != 10000 {
		t.Errorf("got %d, want 10000", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	c := New(1)
	for i := 0; i < b.N; i++ {
		c.Add("a")
	}
}
