package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ReadManifest reads the build.json in the outputs of a build. It may come from
// a command in the place of this stage: the path of a binary may be absent and
// is then OS_ARCH/NAME, and digest and size may be absent too. Paths do not
// leave the folder.
func ReadManifest(dir string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		return nil, fmt.Errorf("outputs of the build stage: %w", err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("outputs of the build stage: %s: %w", ManifestFile, err)
	}
	for i := range m.Binaries {
		if err := m.complete(&m.Binaries[i]); err != nil {
			return nil, fmt.Errorf("outputs of the build stage: %s: %w", ManifestFile, err)
		}
	}
	return m, nil
}

func (m *Manifest) complete(b *Binary) error {
	system, machine, ok := strings.Cut(b.Platform, "/")
	if !ok || system == "" || machine == "" {
		return fmt.Errorf("platform %q; expected OS/ARCH", b.Platform)
	}
	if b.Path == "" {
		machine, _, _ = strings.Cut(machine, "/")
		b.Path = path.Join(system+"_"+machine, m.Name)
	}
	if !filepath.IsLocal(filepath.FromSlash(b.Path)) {
		return fmt.Errorf("path %q leaves the folder", b.Path)
	}
	b.SHA256 = strings.TrimPrefix(b.SHA256, "sha256:")
	return nil
}
