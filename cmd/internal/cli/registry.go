package cli

import (
	"fmt"
	"net"
	"path/filepath"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/release/registry/loopback"
)

func newRegistry(s *streams) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Serve the registry in the cache folder, for releases without another one",
		Long: `Serve the container registry in the cache folder on a loopback address until it
is interrupted. Releases go there when no registry is configured; what is in it
stays there between calls.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return &usageError{fmt.Errorf("listen on %s: %w", listen, err)}
			}
			dir := filepath.Join(cache, "registry")
			if _, err := fmt.Fprintf(s.out, "%s serves %s\n", l.Addr(), dir); err != nil {
				l.Close()
				return err
			}
			return loopback.Serve(cmd.Context(), dir, l)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "loopback address and port; 0 is a free one")
	return cmd
}
