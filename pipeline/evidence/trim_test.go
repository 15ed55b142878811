package evidence

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// aged puts a verdict of a stage with one output, and lets all of it be last
// used so long ago.
func aged(t *testing.T, s *Store, stage, content string, age time.Duration) *Verdict {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "out"), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	outputs, err := ListOutputs(dir)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := s.PutJSON("findings of " + stage)
	if err != nil {
		t.Fatal(err)
	}
	v := &Verdict{Stage: stage, Key: inputs("stage", stage).Key(), Status: "passed", Outputs: outputs, Findings: findings}
	if err := s.Put(v, dir); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	for _, name := range []string{s.verdictFile(v.Key), s.blobFile(outputs[0].Digest), s.blobFile(findings)} {
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// restorable returns the stages whose verdicts are there with all they name.
func restorable(t *testing.T, s *Store, verdicts ...*Verdict) []string {
	t.Helper()
	var stages []string
	for _, v := range verdicts {
		var findings string
		if s.Find(v.Key) != nil && s.Restore(v, filepath.Join(t.TempDir(), "out")) == nil && s.GetJSON(v.Findings, &findings) == nil {
			stages = append(stages, v.Stage)
		}
	}
	return stages
}

func TestTrimKeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		limits Limits
		want   []string
	}{
		"all":             {Limits{100 * day, 1 << 20}, []string{"now", "day", "week", "month"}},
		"unused":          {Limits{3 * day, 1 << 20}, []string{"now", "day"}},
		"size":            {Limits{100 * day, 2500}, []string{"now", "day"}},
		"what is in use":  {Limits{0, 0}, []string{"now"}},
		"shared contents": {Limits{10 * day, 1 << 20}, []string{"now", "day", "week"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Open(t.TempDir())
			all := []*Verdict{
				aged(t, s, "month", strings.Repeat("m", 1000), 30*day),
				aged(t, s, "week", strings.Repeat("w", 1000), 7*day),
				aged(t, s, "day", strings.Repeat("m", 1000), day), // what month made, too
				aged(t, s, "now", strings.Repeat("n", 1000), 0),
			}
			freed, err := s.Trim(t.Context(), test.limits, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, restorable(t, s, all[3], all[2], all[1], all[0])); diff != "" {
				t.Errorf("verdicts that are there (-want +got):\n%s", diff)
			}
			if gone := len(all) - len(test.want); freed.Entries != gone || gone > 0 && freed.Bytes < int64(gone)*100 {
				t.Errorf("freed %+v, want %d verdicts", freed, gone)
			}
		})
	}
}

// TestTrimRemovesWhatNobodyNames leaves contents that are new: their verdict may
// be about to be written.
func TestTrimRemovesWhatNobodyNames(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir())
	var names []string
	for _, content := range []string{"old", "new"} {
		d, err := s.PutJSON(content)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, s.blobFile(d))
	}
	torn := filepath.Join(filepath.Dir(names[0]), ".tmp-1") // of a process that was killed
	if err := os.WriteFile(torn, []byte("ol"), 0o600); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-InUse)
	for _, name := range []string{names[0], torn} {
		if err := os.Chtimes(name, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Trim(t.Context(), Limits{Unused: time.Hour, Bytes: 1 << 20}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{names[0]: false, torn: false, names[1]: true} {
		if _, err := os.Stat(name); (err == nil) != want {
			t.Errorf("%s: there is %v, want %v", filepath.Base(name), err == nil, want)
		}
	}
}

func TestUsedIsNoted(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir())
	v := aged(t, s, "old", "content", 100*time.Hour)
	s.Used(v.Key)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "out"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(&Verdict{Key: inputs("another", "").Key(), Outputs: v.Outputs}, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{s.verdictFile(v.Key), s.blobFile(v.Outputs[0].Digest)} {
		if info, err := os.Stat(name); err != nil || time.Since(info.ModTime()) > time.Hour {
			t.Errorf("%s: the use is not noted (%v)", name, err)
		}
	}
}

// TestTrimLooksAgain: what is used between the look and the removal stays, and
// so does everything when the context has ended.
func TestTrimLooksAgain(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir())
	v := aged(t, s, "old", "content", 100*time.Hour)
	tr := trimming{ctx: t.Context()}
	listed := tr.list(filepath.Join(s.dir, "verdicts"))
	s.Used(v.Key)
	if len(listed) != 1 || tr.remove(listed[0]) || s.Find(v.Key) == nil {
		t.Errorf("a verdict that has just been used is removed (%d listed)", len(listed))
	}
	old := aged(t, s, "older", "other content", 100*time.Hour)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Trim(ended, Limits{}, time.Now()); !errors.Is(err, context.Canceled) || s.Find(old.Key) == nil {
		t.Errorf("with an ended context: %v, the verdict is there: %v", err, s.Find(old.Key) != nil)
	}
}
