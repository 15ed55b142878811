package cli

import (
	"github.com/spf13/cobra"
)

func newSystem(s *streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "scs",
		Short: "Self-contained systems: resolve, test, update, promote and deploy combinations of services",
		Long: `Work on a self-contained system: the services that scs.yaml names, tested as a
whole and deployed only in the combination of versions that was tested, which
scs.lock has.`,
	},
		newSystemResolve(s), newSystemTest(s), newSystemUpdate(s), newSystemApprove(s), newSystemPromote(s), newSystemDeploy(s), newSystemStatus(s))
}

// systemFlags are the flags of all commands that look at a system.
type systemFlags struct {
	dir    string
	asJSON bool
}

func (f *systemFlags) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.dir, "dir", "C", ".", "folder of the system")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
}
