//go:build race

package interfaces_test

// slower is how much longer things may take with the race detector.
const slower = 3
