package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// stamped is set when a release is built; a build from source takes what Go
// knows of the module.
var stamped string

func newVersion(s *streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of pipeline",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				_, err := fmt.Fprintf(s.out, "pipeline %s %s/%s %s\n", ownVersion(), runtime.GOOS, runtime.GOARCH, runtime.Version())
				return err
			}
			return json.NewEncoder(s.out).Encode(map[string]string{
				"version": ownVersion(), "os": runtime.GOOS, "arch": runtime.GOARCH, "go": runtime.Version(),
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func ownVersion() string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return unversioned
}

// unversioned is what Go calls a build that it knows no version of.
const unversioned = "(devel)"

// releasedVersion is ownVersion, or empty when that says nothing.
func releasedVersion() string {
	if v := ownVersion(); v != unversioned {
		return v
	}
	return ""
}
