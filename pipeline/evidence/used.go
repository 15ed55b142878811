package evidence

import (
	"os"
	"time"
)

// usedStep is how exact the time of the last use is: looking something up
// should not write to the disk each time.
const usedStep = time.Hour

// InUse is how long ago the last use that is noted may be of what somebody is
// working with.
const InUse = 2 * usedStep

// Used notes in the modification time of a file or folder of a cache that it is
// in use. What cannot be noted is as if it had not been used.
func Used(name string) {
	if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > usedStep {
		now := time.Now()
		_ = os.Chtimes(name, now, now)
	}
}
