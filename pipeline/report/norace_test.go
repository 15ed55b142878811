//go:build !race

package report

// lighter is by how much the largest run is smaller: with the race detector it
// would take half a minute.
const lighter = 1
