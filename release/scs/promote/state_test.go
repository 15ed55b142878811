package promote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/gitrepo"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/passport"
	"gitlab.com/selfcontained/pipeline/release/scs/promote"
)

// state is everything that a promotion leaves behind, as text.
func (w *world) state(t testing.TB) string {
	t.Helper()
	forge, err := w.double.Dump()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%s\n%s", files(t, w.dirs[0]), forge, git(t, w.Clone, "for-each-ref"))
}

// files lists the files of a registry with their digests.
func files(t testing.TB, dir string) string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		data, err := os.ReadFile(name)
		lines = append(lines, strings.TrimPrefix(name, dir)+" "+evidence.Sum(data).Hex())
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// look reads an environment as somebody who deploys it would, and says what is
// wrong with it. It returns the version; "" before the first promotion.
func (w *world) look(ctx context.Context, clone, env string) (string, error) {
	rules, _, err := w.rules()
	if err != nil {
		return "", err
	}
	e, err := promote.ReadEnvironment(ctx, &gitrepo.Repo{Root: clone}, w.Remote, env)
	if err != nil || e.Tip == "" {
		return "", err
	}
	if p := e.Judge(passport.Seen{}, rules, w.Now); !p.Valid() {
		return "", fmt.Errorf("commit %s: %+v", e.Tip, p.Refusals)
	}
	lock, err := scs.ParseLock(scs.LockName, e.Files[scs.LockName])
	if err != nil {
		return "", err
	}
	system, err := repository.Open(w.Registry+"/shop/system", repository.Options{})
	if err != nil {
		return "", err
	}
	return lock.Version, complete(ctx, system, lock.ID())
}

// complete reads a manifest and all that it names.
func complete(ctx context.Context, in *repository.Repository, digest evidence.Digest) error {
	m, err := in.Manifest(ctx, string(digest))
	if err == nil && m == nil {
		err = fmt.Errorf("%s is not there", digest)
	}
	if err != nil {
		return err
	}
	var named struct {
		Manifests, Layers []struct{ Digest evidence.Digest }
	}
	if err := json.Unmarshal(m.Raw, &named); err != nil {
		return err
	}
	for _, child := range named.Manifests {
		if err := complete(ctx, in, child.Digest); err != nil {
			return err
		}
	}
	for _, blob := range named.Layers {
		hash := strings.TrimPrefix(string(blob.Digest), "sha256:")
		resp, err := http.Get("http://" + in.Registry() + "/v2/shop/system/blobs/sha256:" + hash)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("blob %s: %s", hash, resp.Status)
		}
	}
	return nil
}

func copyBody(w http.ResponseWriter, resp *http.Response) (int64, error) {
	return io.Copy(w, resp.Body)
}
