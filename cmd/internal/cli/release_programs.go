package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/release/gitlab"
	"gitlab.com/selfcontained/pipeline/stages/build/dist"
)

// checkPrograms refuses programs that would go nowhere.
func (f *releaseFlags) checkPrograms(svc *service, t *releaseTarget) error {
	if !svc.Release.Programs || t.forge != nil || f.out != "" {
		return nil
	}
	return &usageError{fmt.Errorf("release.programs of %s is true, and no forge takes the archives; expected --out FOLDER", svc.Name)}
}

// programAssets packs the programs of the build that the verdicts speak of.
func (facts *releaseFacts) programAssets(ctx context.Context, p *releasePlan, svc *service, t *releaseTarget) ([]gitlab.Asset, error) {
	if !svc.Release.Programs {
		return nil, nil
	}
	if facts.programs == "" {
		return nil, &pipeline.NotTested{Why: "the programs of " + svc.Name + " are not here", Remedy: "`pipeline run build` makes them"}
	}
	documents, err := facts.documents(ctx, svc, t)
	if err != nil {
		return nil, err
	}
	if p.temp, err = os.MkdirTemp("", "pipeline-release-"); err != nil {
		return nil, err
	}
	archives, err := dist.Pack(ctx, dist.Options{
		Dir: facts.programs, Into: p.temp, Name: svc.Name, Version: p.Draft.Version, Documents: documents,
	})
	var list []gitlab.Asset
	for _, a := range archives {
		list = append(list, gitlab.Asset{
			Package: svc.Name, Version: p.Draft.Version, Name: a.Name, SHA256: a.SHA256, Path: filepath.Join(p.temp, a.Name),
		})
	}
	return list, err
}

// maxDocument bounds what is read of a document, in bytes.
const maxDocument = 4 << 20

// documents are what lies beside the program in an archive: licence and
// description, those of the service or else of the repository. They are read
// from the commit that is released and not from the working copy: a release is
// finished with the same bytes, even when commits have followed.
func (facts *releaseFacts) documents(ctx context.Context, svc *service, t *releaseTarget) ([]dist.Document, error) {
	below, err := filepath.Rel(t.repo.Root, svc.Dir)
	if err != nil {
		return nil, err
	}
	var list []dist.Document
	for _, name := range []string{"LICENSE", "LICENSE.md", "LICENSE.txt", "COPYING", "NOTICE", "README.md"} {
		content, err := facts.read(ctx, t, path.Join(filepath.ToSlash(below), name))
		if err == nil && content == nil {
			content, err = facts.read(ctx, t, name)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s of commit %.12s: %w", name, facts.commit, err)
		}
		if content != nil && name != svc.Name {
			list = append(list, dist.Document{Name: name, Content: content})
		}
	}
	return list, nil
}

// read returns a file of the commit, nil when there is none.
func (facts *releaseFacts) read(ctx context.Context, t *releaseTarget, name string) ([]byte, error) {
	versions, err := t.repo.LogFile(ctx, facts.commit, name, 1, maxDocument)
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, errors.New("no such commit")
	}
	return versions[0].Content, nil
}
