package main

import "testing"

func TestDouble(t *testing.T) {
	if got := double(21); got != 42 {
		t.Errorf("double(21) = %d, want 42", got)
	}
}
