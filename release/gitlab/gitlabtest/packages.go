package gitlabtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// putGeneric stores a file of a generic package. A second file of the same
// name is added beside the first, unless the group forbids duplicates.
// Source: lib/api/generic_packages.rb, app/services/packages/generic.
func (c *call) putGeneric() {
	p, name := c.project, c.segment["package_name"]
	k := p.pkg(name, c.segment["package_version"])
	switch {
	case !c.namesFit():
		return
	case p.Settings.NoPackages:
		c.fail("packages_off")
	case p.Settings.MaxPackageFile > 0 && len(c.body) > p.Settings.MaxPackageFile:
		c.fail("package_size")
	case slices.Contains(p.ProtectedPkgs, name) && p.role(c.user) < Maintainer:
		c.fail("package_protected")
	case p.Settings.NoDuplicatePackages && k != nil && k.newest(c.segment["file_name"]) != nil:
		c.fail("package_duplicate")
	default:
		c.storeGeneric(k)
	}
}

func (c *call) storeGeneric(k *pkg) {
	sum := sha256.Sum256(c.body)
	digest := hex.EncodeToString(sum[:])
	if err := c.d.write(filepath.Join("blobs", digest), c.body); err != nil {
		panic(err)
	}
	if k == nil {
		k = &pkg{ID: c.d.state.id(), Name: c.segment["package_name"], Version: c.segment["package_version"], CreatedAt: c.d.state.tick()}
		c.project.Packages = append(c.project.Packages, k)
	}
	f := &pkgFile{ID: c.d.state.id(), Name: c.segment["file_name"], Size: int64(len(c.body)), SHA256: digest, CreatedAt: c.d.state.tick()}
	k.Files = append(k.Files, f)
	if c.str("select") != "package_file" {
		c.changed(http.StatusCreated, object{"message": "201 Created"})
		return
	}
	o := c.showFile(k, f)
	o["file"] = object{"url": c.web("package_files", fmt.Sprint(f.ID), "download")}
	o["status"] = "default"
	c.changed(http.StatusCreated, o)
}

// namesFit has the characters that GitLab allows.
// Source: lib/gitlab/regex/packages.rb, in a simpler form.
func (c *call) namesFit() bool {
	name := regexp.MustCompile(`^[A-Za-z0-9._+-]+$`)
	file := regexp.MustCompile(`^[A-Za-z0-9._+-][A-Za-z0-9._+~@-]*$`)
	for key, allowed := range map[string]*regexp.Regexp{"package_name": name, "package_version": name, "file_name": file} {
		if !allowed.MatchString(c.segment[key]) {
			c.fail("package_name", key)
			return false
		}
	}
	return true
}

func (p *Project) pkg(name, version string) *pkg {
	for _, k := range p.Packages {
		if k.Name == name && k.Version == version {
			return k
		}
	}
	return nil
}

func (k *pkg) newest(file string) *pkgFile {
	for _, f := range slices.Backward(k.Files) {
		if f.Name == file {
			return f
		}
	}
	return nil
}

// getGeneric serves the newest file of a name, with its checksum in a header.
func (c *call) getGeneric() {
	k := c.project.pkg(c.segment["package_name"], c.segment["package_version"])
	if k == nil || k.newest(c.segment["file_name"]) == nil {
		c.fail("package_none")
		return
	}
	f := k.newest(c.segment["file_name"])
	data, err := os.ReadFile(filepath.Join(c.d.dir, "blobs", f.SHA256))
	if err != nil {
		panic(err)
	}
	c.status, c.out = http.StatusOK, data
	c.header.Set("Content-Type", "application/octet-stream")
	c.header.Set("X-Checksum-SHA256", f.SHA256)
}

func (c *call) listPackages() {
	if c.project.Settings.NoPackages {
		c.fail("packages_off")
		return
	}
	fits := func(param, value string) bool { return c.str(param) == "" || c.str(param) == value }
	var found []*pkg
	for _, k := range c.project.Packages {
		if len(k.Files) > 0 && fits("package_type", "generic") && fits("package_name", k.Name) && fits("package_version", k.Version) {
			found = append(found, k)
		}
	}
	page(c, found, c.showPackage)
}

func (c *call) thePackage() *pkg {
	for _, k := range c.project.Packages {
		if k.ID == c.number("package_id") {
			return k
		}
	}
	c.fail("package_id")
	return nil
}

func (c *call) listPackageFiles() {
	if k := c.thePackage(); k != nil {
		page(c, k.Files, func(f *pkgFile) object { return c.showFile(k, f) })
	}
}

func (c *call) deletePackageFile() {
	k := c.thePackage()
	if k == nil {
		return
	}
	before := len(k.Files)
	k.Files = slices.DeleteFunc(k.Files, func(f *pkgFile) bool { return f.ID == c.number("package_file_id") })
	if len(k.Files) == before {
		c.fail("package_file_id")
		return
	}
	c.changed(http.StatusNoContent, nil)
}
