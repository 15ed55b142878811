package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

func newExplain(s *streams) *cobra.Command {
	f := &runFlags{}
	all := false
	cmd := &cobra.Command{
		Use:   "explain STAGE",
		Short: "Say which input of a stage has changed since its last verdict",
		Args:  usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			decisions, sess, err := decide(cmd.Context(), s, f, args)
			if err != nil {
				return err
			}
			for _, d := range decisions {
				if slices.Contains(args, d.Node.Kind) || slices.Contains(args, d.Node.Name) {
					explain(s.out, d, sess, all)
				}
			}
			return nil
		},
	}
	f.selection.addFlags(cmd)
	f.clusterFlags.addFlags(cmd)
	cmd.Flags().StringVar(&f.runtime, "runtime", "", "runtime of the module stage: sandbox, docker or podman")
	cmd.Flags().BoolVar(&all, "inputs", false, "list every input with its digest")
	return cmd
}

func explain(w io.Writer, d pipeline.Decision, sess *session, all bool) {
	fmt.Fprintf(w, "%s: %s\n", d.Node.Name, action(d))
	if d.UpToDate {
		v := d.Verdict
		fmt.Fprintf(w, "  %s by run %s on %s: %s\n", v.Status, v.Run, v.Started.Format("2006-01-02 15:04:05"), v.Summary)
	} else {
		explainRun(w, d, sess)
	}
	if d.Inputs == nil || !all {
		return
	}
	fmt.Fprintf(w, "  key %s\n", d.Inputs.Key())
	for _, i := range d.Inputs.List() {
		fmt.Fprintf(w, "  %s  %s\n", i.Digest.Short(), i.Label)
	}
}

func explainRun(w io.Writer, d pipeline.Decision, sess *session) {
	if len(d.Changes) == 0 {
		fmt.Fprintf(w, "  %s\n", d.Reason)
	}
	for _, c := range d.Changes {
		fmt.Fprintf(w, "  %s\n", c)
	}
	if last := sess.checkout.Verdict(d.Node.Name); last != nil && len(d.Changes) > 0 {
		fmt.Fprintf(w, "  since the verdict of run %s on %s\n", last.Run, last.Started.Format("2006-01-02 15:04:05"))
	}
}
