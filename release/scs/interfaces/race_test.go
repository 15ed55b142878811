//go:build race

package interfaces_test

// slower is how much longer things may take with the race detector.
const slower = 3

// manyServices is how many services the large system has: what checks them is
// eight times slower with the race detector.
const manyServices = 12
