package cli

import (
	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/config"
)

func newSchema(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:       "schema [service|system]",
		Short:     "Print the JSON schema of pipeline.yaml, or of scs.yaml, for editors",
		Args:      usageArgs(cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{"service", "system"},
		RunE: func(_ *cobra.Command, args []string) error {
			schema := config.Schema()
			if len(args) > 0 && args[0] == "system" {
				schema = config.SystemSchema()
			}
			_, err := s.out.Write(schema)
			return err
		},
	}
}
