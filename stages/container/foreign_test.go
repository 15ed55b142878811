package container_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/container"
)

func TestBuilder(t *testing.T) {
	t.Parallel()
	dir, service := shop(t)
	if _, err := layout.Write(filepath.Join(dir, "made"), indexOf(t, map[string]string{"a": "b"}, "arm64", "amd64")); err != nil {
		t.Fatal(err)
	}
	service.Platforms = []string{"linux/amd64", "linux/arm64"}
	service.Image.Builder = []string{"sh", "-c",
		`test "$PIPELINE_VERSION" = 1.2.3 && test -f "$PIPELINE_NEED_BUILD/build.json" && cp -r made "$PIPELINE_OUT/oci"`}
	bundle, out := mustRun(t, service, two(t))
	if len(bundle.Images) != 2 || bundle.Images[0].Platform != "linux/amd64" {
		t.Errorf("images %v", bundle.Images)
	}
	index, m := open(t, out)
	if got := len(m.Manifests); got != 5 {
		t.Errorf("%d manifests, want two images, chart, api and sbom", got)
	}
	img, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	if found, err := container.Secrets(filepath.Join(out, "oci")); err != nil || len(found) > 0 {
		t.Errorf("got %v, %v", found, err)
	}
	// A build by a command may hand over what only the builder knows.
	service.Image.Builder = []string{"sh", "-c", `cp -r made "$PIPELINE_OUT/oci"`}
	if bundle, _ := mustRun(t, service, t.TempDir()); len(bundle.Images) != 2 {
		t.Errorf("without build.json: images %v", bundle.Images)
	}
}

func TestBuilderFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ script, want string }{
		"exit code": {"echo boom >&2; exit 3", "boom"},
		"nothing":   {"true", "left no OCI image layout in $PIPELINE_OUT/oci"},
		"platform":  {`cp -r made "$PIPELINE_OUT/oci"`, "made no image for linux/arm64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, service := shop(t)
			if _, err := layout.Write(filepath.Join(dir, "made"), indexOf(t, map[string]string{"a": "b"}, "amd64")); err != nil {
				t.Fatal(err)
			}
			service.Platforms = []string{"linux/amd64", "linux/arm64"}
			service.Image.Builder = []string{"sh", "-c", test.script}
			_, err := run(t, service, two(t))
			if !strings.Contains(cause(err), test.want) {
				t.Errorf("got %v\n%s\nwant %q", err, cause(err), test.want)
			}
		})
	}
}

func TestBuilderNotInstalled(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	service.Image.Builder = []string{"no-such-builder"}
	_, err := run(t, service, two(t))
	var untested *pipeline.NotTested
	if !errors.As(err, &untested) {
		t.Errorf("got %v", err)
	}
}
