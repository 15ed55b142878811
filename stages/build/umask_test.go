package build

import (
	"syscall"
	"testing"
)

// withUmask sets the umask of this process for the rest of the test, which
// must not be parallel.
func withUmask(t *testing.T, mask int) {
	t.Helper()
	old := syscall.Umask(mask)
	t.Cleanup(func() { syscall.Umask(old) })
}
