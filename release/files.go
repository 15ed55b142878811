package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

// FileTakenError says that a file of the release's name has other bytes.
type FileTakenError struct{ Path string }

func (e *FileTakenError) Error() string {
	return fmt.Sprintf("%s is there and is another file than that of this release; move it away, or name another folder", e.Path)
}

// files writes the assets to a folder: for whoever has no GitLab, and for what
// comes after a release.
func (p *Plan) files() Step {
	return Step{
		Name: "files", What: fmt.Sprintf("write %d files to %s", len(p.Assets), p.Folder),
		Look: func(ctx context.Context) (bool, error) {
			missing, err := p.missingFiles(ctx)
			return len(missing) == 0, err
		},
		Do: func(ctx context.Context) error {
			missing, err := p.missingFiles(ctx)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(p.Folder, 0o755); err != nil {
				return err
			}
			for _, a := range missing {
				if err := writeAsset(a, p.Folder); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// missingFiles are the assets that are not in the folder yet.
func (p *Plan) missingFiles(ctx context.Context) ([]gitlab.Asset, error) {
	var missing []gitlab.Asset
	for _, a := range p.Assets {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		name := filepath.Join(p.Folder, a.Name)
		sum, err := evidence.SumFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, a)
		case err != nil:
			return nil, err
		case sum.Hex() != a.SHA256:
			return nil, &FileTakenError{name}
		}
	}
	return missing, nil
}

// writeAsset writes a file under a temporary name first: one that has its name
// is whole.
func writeAsset(a gitlab.Asset, dir string) (err error) {
	content, err := a.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	f, err := os.CreateTemp(dir, ".release-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", a.Name, err), os.Remove(f.Name()))
		}
	}()
	_, err = io.Copy(f, content)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, a.Name))
}
