package rootfs

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// User is the numeric user and group of the image's process.
type User struct{ UID, GID int }

// maxID is the largest id that the kernel takes.
const maxID = 1<<32 - 2

// UserOf returns the user that an image's config names: "", "65532",
// "65532:65532", "nobody", "nobody:users" (OCI image specification, config.md,
// "User"). Names are looked up in the image's /etc/passwd and /etc/group.
func UserOf(img v1.Image) (User, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return User{}, fmt.Errorf("read the image's config: %w", err)
	}
	spec := config.Config.User
	if spec == "" {
		return User{}, nil
	}
	name, group, hasGroup := strings.Cut(spec, ":")
	u := User{}
	var numeric, groupNumeric bool
	u.UID, numeric = parseID(name)
	u.GID, groupNumeric = parseID(group)
	if !numeric || !hasGroup {
		entry, err := lookup(img, "etc/passwd", name)
		switch {
		case err == nil:
			u.UID, u.GID = entry.id, entry.group
		case !numeric:
			return User{}, fmt.Errorf("user %q of the image: %w", spec, err)
		}
	}
	switch {
	case hasGroup && groupNumeric:
		u.GID, _ = parseID(group)
	case hasGroup:
		entry, err := lookup(img, "etc/group", group)
		if err != nil {
			return User{}, fmt.Errorf("group of user %q of the image: %w", spec, err)
		}
		u.GID = entry.id
	}
	return u, nil
}

func parseID(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil && n <= maxID
}

// account is a line of passwd(5) or group(5).
type account struct{ id, group int }

func lookup(img v1.Image, file, name string) (account, error) {
	data, err := topFile(img, file)
	if err != nil {
		return account{}, err
	}
	for scan := bufio.NewScanner(strings.NewReader(data)); scan.Scan(); {
		f := strings.Split(scan.Text(), ":")
		if len(f) < 3 || f[0] != name && f[2] != name {
			continue
		}
		id, ok := parseID(f[2])
		group := 0
		if len(f) > 3 {
			group, _ = parseID(f[3])
		}
		if ok {
			return account{id, group}, nil
		}
	}
	return account{}, fmt.Errorf("no %q in the image's /%s", name, file)
}

// maxAccounts bounds the size of the files that names are looked up in.
const maxAccounts = 1 << 20

// topFile returns a regular file as the uppermost layer that has it.
func topFile(img v1.Image, name string) (string, error) {
	layers, err := img.Layers()
	if err != nil {
		return "", err
	}
	for i := len(layers) - 1; i >= 0; i-- {
		data, err := fileOf(layers[i], name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return "", fmt.Errorf("the image has no /%s: %w", name, fs.ErrNotExist)
}

func fileOf(layer v1.Layer, name string) (string, error) {
	r, err := layer.Uncompressed()
	if err != nil {
		return "", err
	}
	defer r.Close()
	for tr := tar.NewReader(r); ; {
		hdr, err := tr.Next()
		if err == io.EOF {
			return "", fs.ErrNotExist
		}
		if err != nil {
			return "", err
		}
		if path.Clean("/" + hdr.Name)[1:] == name && hdr.Typeflag == tar.TypeReg {
			data, err := io.ReadAll(io.LimitReader(tr, maxAccounts))
			return string(data), err
		}
	}
}

// fold gives the owner of a file the rights that u has to it when it belongs
// to uid and gid: the file will belong to the one user there is.
func (u User) fold(mode fs.FileMode, uid, gid int) fs.FileMode {
	rights := mode.Perm()
	switch {
	case u.UID == 0, u.UID == uid:
		return mode
	case u.GID == gid:
		rights = rights >> 3 & 7
	default:
		rights &= 7
	}
	return mode&^0o700 | rights<<6
}
