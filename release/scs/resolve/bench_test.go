package resolve_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve/content"
)

// The promise: 50 services with 20 versions each, in seconds.
const (
	coldPromise = 3 * time.Second
	warmPromise = 500 * time.Millisecond
)

// served is a registry that the promise is kept with.
type served struct {
	*synthetic
	host string
}

// kinds starts the registries. To write 26,000 files takes longer than all the
// rest, so the one on the disk may have fewer versions.
func kinds(t testing.TB, signer *sign.Signer, onDisk int) map[string]served {
	s := makeSynthetic(t, signer, manyVersions)
	disk := s
	if onDisk != manyVersions {
		disk = makeSynthetic(t, signer, onDisk)
	}
	return map[string]served{
		"loopback":          {disk, disk.onDisk(t)},
		"with referrers":    {s, s.inMemory(t, true)},
		"without referrers": {s, s.inMemory(t, false)},
	}
}

// system is the synthetic system as a new process sees it.
func (s served) system(t testing.TB, cache string, key *sign.PublicKey) resolve.Input {
	t.Helper()
	in := resolve.Input{System: "shop", Require: manyStages(), Now: now(), Trust: sign.Trust{Keys: []*sign.PublicKey{key}}}
	transport := content.Transport(cache, nil)
	for i := range manyServices {
		repo, err := repository.Open(s.host+"/"+serviceName(i), repository.Options{Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		in.Services = append(in.Services, resolve.Service{Name: serviceName(i), Source: repo, Range: "^1", Current: &s.current[i]})
	}
	return in
}

// newest resolves and checks that it is the newest version of each.
func (s served) newest(t testing.TB, in resolve.Input) *resolve.Result {
	t.Helper()
	r, err := resolve.Resolve(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Choices {
		if want := fmt.Sprintf("1.%d.0", s.versions-1); shown(c) != want || len(c.Newest.Envelopes) != 7 || len(c.Newest.Uses) != 2 {
			t.Fatalf("%s: %s; expected %s", c.Service, shown(c), want)
		}
	}
	return r
}

// TestPromise is generous where the race detector makes everything slow. On a
// machine that others use as well, the time counts that the processors would
// have needed alone; that of the registry is in it.
func TestPromise(t *testing.T) {
	signer := signtest.Signer(t)
	for name, s := range kinds(t, signer, min(3, manyVersions)) {
		cache := t.TempDir()
		for _, c := range []struct {
			name    string
			promise time.Duration
		}{{"cold", coldPromise}, {"warm", warmPromise}} {
			in := s.system(t, cache, signer.Public())
			spent := measure(func() any { return s.newest(t, in) })
			t.Logf("%s, %s: %d services of %d versions: %v", name, c.name, manyServices, s.versions, spent)
			if took := min(spent.passed, spent.processor/time.Duration(runtime.GOMAXPROCS(0))); took > slower*c.promise {
				t.Errorf("%s, %s: %v; promised are %v", name, c.name, took, slower*c.promise)
			}
		}
	}
}

// spent is what something took.
type spent struct {
	passed, processor time.Duration
	allocated, kept   int64 // bytes; kept are those that live on with the result
}

func (s spent) String() string {
	return fmt.Sprintf("%v (%v of processors), %.1f MB allocated, %.1f MB kept",
		s.passed.Round(time.Millisecond), s.processor.Round(time.Millisecond), float64(s.allocated)/1e6, float64(s.kept)/1e6)
}

func measure(do func() any) spent {
	var before, after, kept runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start, used := time.Now(), processorTime()
	result := do()
	s := spent{passed: time.Since(start), processor: processorTime() - used}
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&kept)
	runtime.KeepAlive(result)
	s.allocated, s.kept = int64(after.TotalAlloc-before.TotalAlloc), int64(kept.HeapAlloc)-int64(before.HeapAlloc)
	return s
}

// processorTime is that of this process so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // a process may always ask for itself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkResolve(b *testing.B) {
	signer := signtest.Signer(b)
	for name, s := range kinds(b, signer, manyVersions) {
		b.Run(name+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.newest(b, s.system(b, b.TempDir(), signer.Public()))
			}
		})
		b.Run(name+"/warm", func(b *testing.B) {
			b.ReportAllocs()
			cache := b.TempDir()
			s.newest(b, s.system(b, cache, signer.Public()))
			for b.Loop() {
				s.newest(b, s.system(b, cache, signer.Public()))
			}
		})
		b.Run(name+"/all versions", func(b *testing.B) {
			b.ReportAllocs()
			cache := b.TempDir()
			for b.Loop() {
				for _, c := range s.newest(b, s.system(b, cache, signer.Public())).Choices {
					older, _, err := c.Older(b.Context())
					if err != nil || len(older) != s.versions-1 {
						b.Fatal(len(older), err)
					}
				}
			}
		})
	}
}
