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
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if host, _, err := net.SplitHostPort(listen); err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
				return &usageError{fmt.Errorf("--listen %s: expected a loopback address such as 127.0.0.1:5000, because there are no passwords", listen)}
			}
			cache, err := cacheDir()
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return &usageError{fmt.Errorf("listen on %s: %w", listen, err)}
			}
			dir := filepath.Join(cache, "registry")
			defer l.Close()
			r, err := loopback.Open(dir, l.Addr().String())
			if err != nil {
				return err
			}
			defer r.Close()
			if _, err := fmt.Fprintf(s.out, "%s serves %s\n", l.Addr(), dir); err != nil {
				return err
			}
			return r.Serve(cmd.Context(), l)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "loopback address and port; 0 is a free one")
	return cmd
}
