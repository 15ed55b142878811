package gitlab_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/release/gitlab"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	r := f.release()
	steps := []struct {
		name string
		do   func()
		want gitlab.Outcome
	}{
		{"first", func() {}, gitlab.Created},
		{"same", func() {}, gitlab.Found},
		{"ours from before", func() { r.Notes = "### Added\n\n- more" }, gitlab.Updated},
		{"by hand", func() { f.p.EditNotes("v1.0.0", "### Added\n\n- said better"); r.Notes = "third" }, gitlab.Kept},
		{"by hand, still", func() {}, gitlab.Kept},
	}
	for _, step := range steps {
		step.do()
		got, err := f.c.EnsureRelease(t.Context(), r)
		if err != nil || got.Text != step.want {
			t.Errorf("%s: %q, %v; want %q", step.name, got.Text, err, step.want)
		}
	}
	if dump := f.dump(t); !strings.Contains(dump, "said better") || strings.Contains(dump, "third") {
		t.Errorf("notes by hand were replaced:\n%s", dump)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	r := f.release()
	if _, err := f.c.EnsureRelease(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Links[0].URL = "https://registry.example.com/app@sha256:2"
	r.Links = append(r.Links,
		gitlab.Link{Name: "chart", URL: "https://example.com/chart", Type: gitlab.LinkPackage},
		gitlab.Link{Name: "the sbom", URL: "https://example.com/sbom2.json"})
	r.Links[1].Name, r.Links[1].Path = "bill of materials", ""
	got, err := f.c.EnsureRelease(t.Context(), r)
	want := map[string]gitlab.Outcome{"image": gitlab.Updated, "bill of materials": gitlab.Kept, "chart": gitlab.Created, "the sbom": gitlab.Created}
	if diff := cmp.Diff(want, got.Links); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// What GitLab would refuse after it made the tag is refused before.
func TestReleaseThatCannotBe(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	link := func(l ...gitlab.Link) func(*gitlab.Release) { return func(r *gitlab.Release) { r.Links = l } }
	for name, spoil := range map[string]func(*gitlab.Release){
		"short commit":   func(r *gitlab.Release) { r.Commit = r.Commit[:8] },
		"no tag":         func(r *gitlab.Release) { r.Tag = "" },
		"same name":      link(gitlab.Link{Name: "a", URL: "https://x/1"}, gitlab.Link{Name: "a", URL: "https://x/2"}),
		"same address":   link(gitlab.Link{Name: "a", URL: "https://x/1"}, gitlab.Link{Name: "b", URL: "https://x/1"}),
		"same path":      link(gitlab.Link{Name: "a", URL: "https://x/1", Path: "/p"}, gitlab.Link{Name: "b", URL: "https://x/2", Path: "/p"}),
		"scheme":         link(gitlab.Link{Name: "a", URL: "oci://x/1"}),
		"unknown type":   link(gitlab.Link{Name: "a", URL: "https://x/1", Type: "chart"}),
		"path":           link(gitlab.Link{Name: "a", URL: "https://x/1", Path: "sbom.json"}),
		"nameless":       link(gitlab.Link{URL: "https://x/1"}),
		"path too long":  link(gitlab.Link{Name: "a", URL: "https://x/1", Path: "/" + strings.Repeat("a", 128)}),
		"path ends with": link(gitlab.Link{Name: "a", URL: "https://x/1", Path: "/a/"}),
	} {
		r := f.release()
		spoil(&r)
		if _, err := f.c.EnsureRelease(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(f.Journal()) > 0 {
		t.Errorf("GitLab was asked: %v", f.Journal())
	}
}
