package container_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages/container"
	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// pemKey is the shape of a key and none.
var pemKey = "-----BEGIN " + "RSA PRIVATE KEY-----\n" + strings.Repeat("MIIEowIBAAKCAQEA", 4) + "\n"

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(t *testing.T, dir string, s *config.Service)
		want   string // in the cause
	}{
		"missing file": {
			func(t *testing.T, dir string, s *config.Service) { s.Image.Files = map[string]string{"/a": "nowhere"} },
			`pipeline.yaml: image.files["/a"]: nowhere: file does not exist`,
		},
		"relative target": {
			func(t *testing.T, dir string, s *config.Service) { s.Image.Files = map[string]string{"a": "web"} },
			`image.files["a"]: expected an absolute path`,
		},
		"outside": {
			func(t *testing.T, dir string, s *config.Service) { s.Image.Files = map[string]string{"/a": "../x"} },
			"../x lies outside of the service",
		},
		"link out of the folder": {
			func(t *testing.T, dir string, s *config.Service) { link(t, "../config/default.conf", dir, "web/link") },
			"web/link is a symbolic link to ../config/default.conf, outside of web",
		},
		"absolute link": {
			func(t *testing.T, dir string, s *config.Service) { link(t, "/etc/passwd", dir, "web/link") },
			"web/link is a symbolic link to /etc/passwd",
		},
		"named link out of the service": {
			func(t *testing.T, dir string, s *config.Service) {
				link(t, "/etc/passwd", dir, "users")
				s.Image.Files = map[string]string{"/a": "users"}
			},
			`image.files["/a"]: users: `,
		},
		"over the program": {
			func(t *testing.T, dir string, s *config.Service) {
				s.Image.Files = map[string]string{"/shop": "config/default.conf"}
			},
			"/shop is in the image already",
		},
		"below a file": {
			func(t *testing.T, dir string, s *config.Service) {
				s.Image.Files = map[string]string{"/a": "config/default.conf", "/a/b": "web"}
			},
			"lies below /a, which is a file",
		},
		"user by name": {
			func(t *testing.T, dir string, s *config.Service) { s.Image.User = "nobody" },
			`image.user: "nobody"; expected numbers`,
		},
		"broken chart": {
			func(t *testing.T, dir string, s *config.Service) {
				write(t, filepath.Join(dir, "chart/templates/x.yaml"), "a: 1\nb: {{ if }}\n")
				write(t, filepath.Join(dir, "chart/Chart.yaml"), "apiVersion: v1\nname: shop\nversion: 1.0.0\n")
			},
			"chart/Chart.yaml:1: apiVersion is \"v1\"; expected v2\nchart/templates/x.yaml:2: template: missing value for if",
		},
		"broken dependency": {
			func(t *testing.T, dir string, s *config.Service) {
				write(t, filepath.Join(dir, "chart/charts/db-1.0.0.tgz"), "no archive")
			},
			"chart/charts/db-1.0.0.tgz: read layer",
		},
		"no chart": {
			func(t *testing.T, dir string, s *config.Service) { s.Chart = "deploy" },
			"deploy: there is no such folder",
		},
		"missing descriptor": {
			func(t *testing.T, dir string, s *config.Service) { s.API.Uses = []string{"api/gone.binpb"} },
			"pipeline.yaml: api.uses[0]: ",
		},
		"no descriptor": {
			func(t *testing.T, dir string, s *config.Service) {
				write(t, filepath.Join(dir, "api/x.binpb"), "not a descriptor")
				s.API.Provides = []string{"api/x.binpb"}
			},
			"api.provides[0]: api/x.binpb is not a FileDescriptorSet",
		},
		"no OpenAPI": {
			func(t *testing.T, dir string, s *config.Service) { s.API.Provides = []string{"chart/values.yaml"} },
			"it has no `openapi` version",
		},
		"base without layout": {
			func(t *testing.T, dir string, s *config.Service) { s.Image.Base = "./web" },
			"image.base: ./web is not an OCI image layout",
		},
		"base that is no reference": {
			func(t *testing.T, dir string, s *config.Service) { s.Image.Base = "UPPER CASE" },
			"image.base: could not parse reference",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, service := shop(t)
			test.change(t, dir, &service)
			job, err := run(t, service, two(t))
			var failure *pipeline.Failure
			if !errors.As(err, &failure) {
				t.Fatalf("got %v, want a failure", err)
			}
			if !strings.Contains(failure.Cause, test.want) {
				t.Errorf("cause\n%s\nwant\n%s", failure.Cause, test.want)
			}
			if _, err := os.Stat(filepath.Join(job.Out, "oci")); !os.IsNotExist(err) {
				t.Errorf("a half-written layout is left: %v", err)
			}
		})
	}
}

func link(t *testing.T, target, dir, name string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestSecretsFail(t *testing.T) {
	t.Parallel()
	// Joined at run time: TestRealProgramHasNoSecrets looks at this binary.
	token := strings.Join([]string{"glpat", "aB3dE5gH7jK9mN1pQ3sT"}, "-")
	dir, service := shop(t)
	write(t, filepath.Join(dir, "web/key.pem"), pemKey)
	write(t, filepath.Join(dir, "web/.netrc"), "machine x login y password z\n")
	write(t, filepath.Join(dir, "chart/values.yaml"), "token: "+token+"\n")
	service.Image.Env["TOKEN"] = token
	_, err := run(t, service, built(t, "shop", map[string]string{"linux/amd64": "\x7fELF const glpat-golanggoroothashes" + pemKey}))
	var failure *pipeline.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	want := "/shop: private key\n" +
		"/srv/web/.netrc: credentials of curl and git (netrc)\n" +
		"/srv/web/key.pem: private key\n" +
		"chart/values.yaml: GitLab token\n" +
		"variable TOKEN: GitLab token\n"
	if !strings.HasPrefix(failure.Cause, want) {
		t.Errorf("cause\n%s\nwant\n%s", failure.Cause, want)
	}
	if strings.Contains(failure.Cause+failure.Summary, token[6:]) {
		t.Error("the failure shows the token")
	}
}

func TestSecretsOfALayout(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	_, out := mustRun(t, service, two(t))
	found, err := container.Secrets(filepath.Join(out, "oci"))
	if err != nil || len(found) > 0 {
		t.Errorf("got %v, %v", found, err)
	}
}

// TestRealProgramHasNoSecrets looks at this test's own binary: it links TLS and
// the scanner itself, with all the words that a scanner could stumble over.
func TestRealProgramHasNoSecrets(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found, err := secrets.Scan("/self", f)
	if err != nil || len(found) > 0 {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestMissingBuild(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	_, err := run(t, service, "")
	var untested *pipeline.NotTested
	if !errors.As(err, &untested) {
		t.Errorf("got %v", err)
	}
}

func TestChangedBinary(t *testing.T) {
	t.Parallel()
	_, service := shop(t)
	build := two(t)
	write(t, filepath.Join(build, "linux_amd64/shop"), "another")
	if _, err := run(t, service, build); err == nil || !strings.Contains(err.Error(), "is not the file that build.json names") {
		t.Errorf("got %v", err)
	}
}
