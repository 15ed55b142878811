package gitlab_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

func asset(content string) gitlab.Asset {
	return gitlab.Asset{Package: "app", Version: "1.0.0+build.1", Name: "app_linux_amd64.tar.gz", Content: []byte(content)}
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func TestAssetTwice(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	want := gitlab.AssetResult{
		URL:    f.URL + "/api/v4/projects/group%2Fsub%2Fapp/packages/generic/app/1.0.0+build.1/app_linux_amd64.tar.gz",
		SHA256: sum("bytes"), Outcome: gitlab.Created,
	}
	got, err := f.c.EnsureAsset(t.Context(), asset("bytes"))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	want.Outcome = gitlab.Found
	got, err = f.c.EnsureAsset(t.Context(), asset("bytes"))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	if f.writes()[onGeneric] != 1 {
		t.Errorf("writes: %v", f.writes())
	}
	if body := f.download(t, got.URL); body != "bytes" {
		t.Errorf("the address serves %q", body)
	}
}

func (f *forge) download(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Private-Token", f.AccessToken("maria", "read_api"))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAssetFromAFile(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	a := asset("")
	a.Content, a.Path = nil, filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(a.Path, []byte("from disk"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.SHA256 = sum("other")
	if _, err := f.c.EnsureAsset(t.Context(), a); err == nil || !strings.Contains(err.Error(), "changed since") || len(f.Journal()) > 0 {
		t.Errorf("wrong checksum: %v", err)
	}
	a.SHA256 = sum("from disk")
	if got, err := f.c.EnsureAsset(t.Context(), a); err != nil || got.Outcome != gitlab.Created {
		t.Errorf("%+v, %v", got, err)
	}
	for _, e := range f.Journal() {
		if e.On() == onGeneric && e.Length != int64(len("from disk")) {
			t.Errorf("the upload was sent with length %d", e.Length)
		}
	}
}

func TestAssetWithOtherBytes(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.p.Upload("app", "1.0.0+build.1", "app_linux_amd64.tar.gz", "theirs")
	before := f.dump(t)
	_, err := f.c.EnsureAsset(t.Context(), asset("ours"))
	var conflict *gitlab.AssetConflictError
	if !errors.As(err, &conflict) || conflict.Got != sum("theirs") || conflict.Want != sum("ours") {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(before, f.dump(t)); diff != "" {
		t.Error(diff)
	}
}

// GitLab keeps both files and serves the newer one.
func TestTwoUploadsAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		theirs string
		before bool // they upload before ours, not after
		err    bool
	}{
		"same bytes, they are first":  {"ours", true, false},
		"same bytes, we are first":    {"ours", false, false},
		"other bytes, they are first": {"theirs", true, true},
		"other bytes, we are first":   {"theirs", false, true}, // they do not withdraw here
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			upload := func() { f.p.Upload("app", "1.0.0+build.1", "app_linux_amd64.tar.gz", test.theirs) }
			if test.before {
				f.Fault(gitlabtest.Fault{On: onGeneric, Race: upload})
			} else {
				f.Fault(gitlabtest.Fault{On: "GET /projects/:id/packages", Skip: 1, Race: upload})
			}
			_, err := f.c.EnsureAsset(t.Context(), asset("ours"))
			var conflict *gitlab.AssetConflictError
			if errors.As(err, &conflict) != test.err {
				t.Fatalf("got %v", err)
			}
			files := len(f.p.Files("app", "1.0.0+build.1"))
			if want := map[bool]int{true: 2, false: 1}[test.err && !test.before]; files != want {
				t.Errorf("%d files, want %d", files, want)
			}
		})
	}
}

func TestManyUploadsAtOnce(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			c := f.as(t, gitlab.KindJob, f.p.JobToken("maria"))
			if got, err := c.EnsureAsset(t.Context(), asset("bytes")); err != nil || got.Extra > 0 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	group.Wait()
	if files := f.p.Files("app", "1.0.0+build.1"); len(files) != 1 {
		t.Errorf("files: %v", files)
	}
}

// Of uploads with different bytes exactly one wins, and its bytes are served.
func TestDifferentUploadsAtOnce(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	contents := []string{"one", "two", "three", "four"}
	won := make([]bool, len(contents))
	c := f.with(t, func(c *gitlab.Config) { c.Pause = 20 * time.Millisecond }) // time to withdraw
	var group sync.WaitGroup
	for i, content := range contents {
		group.Go(func() {
			_, err := c.EnsureAsset(t.Context(), asset(content))
			var conflict *gitlab.AssetConflictError
			if won[i] = err == nil; err != nil && !errors.As(err, &conflict) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if files := f.p.Files("app", "1.0.0+build.1"); len(files) != 1 {
		t.Errorf("files: %v", files)
	}
	winner, count := "", 0
	for i := range won {
		if won[i] {
			winner, count = contents[i], count+1
		}
	}
	if got := f.download(t, f.URL+"/api/v4/projects/group%2Fsub%2Fapp/packages/generic/app/1.0.0+build.1/app_linux_amd64.tar.gz"); count != 1 || got != winner {
		t.Errorf("%d won, %q is served, the winner has %q", count, got, winner)
	}
}

// A Developer may upload and may not remove.
func TestSecondUploadThatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.p.Member("maria", gitlabtest.Developer)
	f.Fault(gitlabtest.Fault{On: onGeneric, Race: func() { f.p.Upload("app", "1.0.0+build.1", "app_linux_amd64.tar.gz", "ours") }})
	if got, err := f.c.EnsureAsset(t.Context(), asset("ours")); err != nil || got.Extra != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAssetFaults(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]gitlabtest.Fault{
		"502 before": {On: onGeneric, Status: 502},
		"502 after":  {On: onGeneric, Status: 502, After: true},
		"cut before": {On: onGeneric, Cut: true},
		"cut after":  {On: onGeneric, Cut: true, After: true},
		"429":        {On: onGeneric, Status: 429, RetryAfter: "0"},
		"read 500":   {On: "GET /projects/:id/packages", Status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t)
			f.Fault(fault)
			got, err := f.c.EnsureAsset(t.Context(), asset("bytes"))
			if err != nil || got.Outcome != gitlab.Created {
				t.Errorf("%+v, %v", got, err)
			}
			if files := f.p.Files("app", "1.0.0+build.1"); len(files) != 1 {
				t.Errorf("files: %v", files)
			}
		})
	}
}

// Where the group forbids duplicates the second upload is refused with 400.
func TestDuplicatesForbidden(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.p.Set(func(s *gitlabtest.Settings) { s.NoDuplicatePackages = true })
	f.Fault(gitlabtest.Fault{On: onGeneric, Race: func() { f.p.Upload("app", "1.0.0+build.1", "app_linux_amd64.tar.gz", "bytes") }})
	if _, err := f.c.EnsureAsset(t.Context(), asset("bytes")); err != nil {
		t.Error(err)
	}
}

func TestAssetRefused(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.p.Member("maria", gitlabtest.Developer)
	f.p.ProtectPackages("app")
	_, err := f.c.EnsureAsset(t.Context(), asset("bytes"))
	var denied *gitlab.APIError
	if !errors.As(err, &denied) || denied.Status != 403 || !strings.Contains(err.Error(), "Package protected") {
		t.Errorf("got %v", err)
	}
	for name, a := range map[string]gitlab.Asset{
		"name with a space":   {Package: "app", Version: "1", Name: "a b", Content: []byte("x")},
		"name with a slash":   {Package: "app", Version: "1", Name: "a/b", Content: []byte("x")},
		"name begins with ~":  {Package: "app", Version: "1", Name: "~a", Content: []byte("x")},
		"no name":             {Package: "app", Version: "1", Content: []byte("x")},
		"no version":          {Package: "app", Name: "a", Content: []byte("x")},
		"package with a dash": {Package: "a/b", Version: "1", Name: "a", Content: []byte("x")},
		"no bytes":            {Package: "app", Version: "1", Name: "a"},
		"no file":             {Package: "app", Version: "1", Name: "a", Path: filepath.Join(t.TempDir(), "none")},
	} {
		if _, err := f.c.EnsureAsset(t.Context(), a); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
