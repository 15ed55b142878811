//go:build race

package resolve_test

// slower is how much longer things may take with the race detector.
const slower = 3

// manyVersions is how many versions each service of the synthetic registry has:
// signing and writing all of them takes a minute with the race detector.
const manyVersions = 2
