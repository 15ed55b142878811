package gitlab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// Asset is a file for the generic package registry. Its bytes are Content, or
// those of the file at Path.
type Asset struct {
	Package string // letters, digits and . _ + -
	Version string // likewise
	Name    string // likewise, and ~ @ in the middle
	SHA256  string // hexadecimal; "" is taken from the bytes
	Path    string
	Content []byte
}

// AssetResult tells where the file is.
type AssetResult struct {
	URL     string // for a download with a token, or by anybody in a public project
	SHA256  string
	Outcome Outcome // Created or Found
	// Extra is how many further files of this name with the same bytes could
	// not be removed, which takes the role Maintainer. They do no harm.
	Extra int
}

// EnsureAsset uploads a file unless it is there. If other bytes are there under
// its name nothing is changed and the error is an *AssetConflictError. Of two
// uploads in one moment one stays: the later one withdraws itself.
func (c *Client) EnsureAsset(ctx context.Context, a Asset) (AssetResult, error) {
	content, err := a.open()
	if err != nil {
		return AssetResult{}, err
	}
	defer content.Close()
	if a.SHA256, err = a.sum(content); err != nil {
		return AssetResult{}, err
	}
	result := AssetResult{URL: c.assetURL(a), SHA256: a.SHA256, Outcome: Found}
	for n := range attempts {
		var done bool
		if done, err = c.tryAsset(ctx, a, content, &result); done {
			return result, err
		}
		// The look right after an upload needs no pause.
		if err == nil {
			continue
		}
		if stop := c.wait(ctx, n); stop != nil {
			return result, stop
		}
	}
	return result, err
}

// tryAsset looks and does once. After an upload it is not done: only a look
// tells whether somebody else uploaded in the same moment.
func (c *Client) tryAsset(ctx context.Context, a Asset, content io.ReadSeeker, result *AssetResult) (done bool, err error) {
	files, err := c.assetFiles(ctx, a)
	if err != nil {
		return true, hinted(err, c.hintPackages())
	}
	if len(files) > 0 {
		return c.keepFirst(ctx, a, files, result)
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return true, fmt.Errorf("read %s: %w", a.Name, err)
	}
	result.Outcome = Created
	_, err = c.upload(ctx, a, content)
	switch {
	case err == nil:
		return false, nil
	case open(err), status(err) == http.StatusBadRequest && c.there(ctx, a):
		return false, err // also: the group forbids duplicates and somebody was faster
	default:
		return true, hinted(err, c.hintPackages())
	}
}

func (c *Client) there(ctx context.Context, a Asset) bool {
	files, err := c.assetFiles(ctx, a)
	return err == nil && len(files) > 0
}

func (c *Client) upload(ctx context.Context, a Asset, content io.Reader) (*api.GenericPackagesFile, error) {
	one := api.SelectPackageFile
	file, _, err := c.api.GenericPackages.PublishPackageFile(c.project, a.Package, a.Version, a.Name, content,
		&api.PublishPackageFileOptions{Select: &one}, api.WithContext(ctx), api.WithHeader("Content-Type", "application/octet-stream"))
	return file, c.failed("upload "+a.Name+" of version "+a.Version, err)
}

// keepFirst decides about the files of a name: the first one stays. Bytes that
// are not ours are never removed; ours are where they came second.
func (c *Client) keepFirst(ctx context.Context, a Asset, files []assetFile, result *AssetResult) (done bool, err error) {
	result.Extra = 0
	var other *assetFile
	first := files[0].SHA256 == a.SHA256
	for i, f := range files {
		switch {
		case f.SHA256 != a.SHA256:
			other = &files[i]
		case i > 0 || !first:
			if removed, err := c.remove(ctx, a, f); err != nil {
				return !open(err), err
			} else if !removed {
				result.Extra++
			}
		}
	}
	if other == nil {
		return true, nil
	}
	conflict := &AssetConflictError{File: a.Name, Version: a.Version, URL: result.URL, Want: a.SHA256, Got: other.SHA256}
	// Ours is the first: whoever came second may be about to withdraw.
	return !first, conflict
}

// remove deletes a file of ours; that it is gone, or that the token may not, is
// no error.
func (c *Client) remove(ctx context.Context, a Asset, f assetFile) (removed bool, err error) {
	_, err = c.api.Packages.DeletePackageFile(c.project, f.Package, f.ID, api.WithContext(ctx))
	err = c.failed("remove the second upload of "+a.Name, err)
	switch status(err) {
	case http.StatusNotFound:
		return true, nil
	case http.StatusForbidden, http.StatusUnauthorized:
		return false, nil
	}
	return err == nil, err
}

// assetFile is one upload of a file name.
type assetFile struct {
	Package, ID int64
	SHA256      string
}

// assetFiles lists the uploads of a name, oldest first.
func (c *Client) assetFiles(ctx context.Context, a Asset) ([]assetFile, error) {
	generic := "generic"
	list := &api.ListProjectPackagesOptions{PackageType: &generic, PackageName: &a.Package, PackageVersion: &a.Version}
	list.PerPage = 100
	packages, err := api.ScanAndCollect(func(p api.PaginationOptionFunc) ([]*api.Package, *api.Response, error) {
		return c.api.Packages.ListProjectPackages(c.project, list, p, api.WithContext(ctx))
	})
	if err != nil {
		return nil, c.failed("list the packages of "+c.project, err)
	}
	var files []assetFile
	for _, k := range packages {
		if k.Name != a.Package || k.Version != a.Version { // the filter takes parts of names too
			continue
		}
		options := &api.ListPackageFilesOptions{}
		options.PerPage = 100
		found, err := api.ScanAndCollect(func(p api.PaginationOptionFunc) ([]*api.PackageFile, *api.Response, error) {
			return c.api.Packages.ListPackageFiles(c.project, k.ID, options, p, api.WithContext(ctx))
		})
		if err != nil {
			return nil, c.failed(fmt.Sprintf("list the files of package %s %s", a.Package, a.Version), err)
		}
		for _, f := range found {
			if f.FileName == a.Name {
				files = append(files, assetFile{k.ID, f.ID, f.FileSHA256})
			}
		}
	}
	return files, nil
}

// assetURL is where GitLab serves a file of a generic package.
// Source: doc/user/packages/generic_packages.
func (c *Client) assetURL(a Asset) string {
	e := url.PathEscape
	return fmt.Sprintf("%s/api/v4/projects/%s/packages/generic/%s/%s/%s", c.server, e(c.project), e(a.Package), e(a.Version), e(a.Name))
}

// Open opens the bytes.
func (a Asset) Open() (io.ReadCloser, error) { return a.open() }

// open checks the names, which GitLab would refuse only at the upload, and
// opens the bytes.
func (a Asset) open() (content readSeekCloser, err error) {
	names := regexp.MustCompile(`^[A-Za-z0-9._+-]+$`)
	file := regexp.MustCompile(`^[A-Za-z0-9._+-]([A-Za-z0-9._+~@-]*[A-Za-z0-9._+-])?$`)
	for _, name := range []string{a.Package, a.Version} {
		if !names.MatchString(name) {
			return nil, fmt.Errorf("package %q, version %q: GitLab takes letters, digits and . _ + - alone", a.Package, a.Version)
		}
	}
	switch {
	case !file.MatchString(a.Name) || a.Name == "." || a.Name == "..":
		return nil, fmt.Errorf("file name %q: GitLab takes letters, digits and . _ + - alone, and ~ @ in the middle", a.Name)
	case a.Path != "":
		return openFile(a.Path)
	case a.Content != nil:
		return sized{noCloser{bytes.NewReader(a.Content)}, len(a.Content)}, nil
	}
	return nil, fmt.Errorf("asset %s: neither a path nor contents are given", a.Name)
}

func openFile(name string) (readSeekCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return sized{f, int(info.Size())}, nil
}

type readSeekCloser interface {
	io.ReadSeeker
	io.Closer
}

// sized tells the HTTP layer how long the body is; without that it is sent in
// chunks, which not every proxy ahead of GitLab takes.
type sized struct {
	readSeekCloser
	size int
}

func (s sized) Len() int { return s.size }

type noCloser struct{ io.ReadSeeker }

func (noCloser) Close() error { return nil }

// sum is the checksum of the bytes, which must be the one that was given.
func (a Asset) sum(content io.Reader) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", fmt.Errorf("read asset %s: %w", a.Name, err)
	}
	got := hex.EncodeToString(hash.Sum(nil))
	if a.SHA256 != "" && a.SHA256 != got {
		return "", errors.New("asset " + a.Name + " has sha256 " + got + ", not " + a.SHA256 + " as recorded; it was changed since it was made")
	}
	return got, nil
}

func (c *Client) hintPackages() string {
	return "the token needs the role Developer (" + settingMember + "), and the package registry must be on (" + settingPackages + ")"
}
