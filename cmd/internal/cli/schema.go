package cli

import (
	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

func newSchema(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of pipeline.yaml, for editors",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := s.out.Write(config.Schema())
			return err
		},
	}
}
