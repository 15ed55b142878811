package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline"
)

func newPlan(s *streams) *cobra.Command {
	var f struct {
		runFlags
		dot bool
	}
	cmd := &cobra.Command{
		Use:   "plan [STAGE...]",
		Short: "Say what would run, and why",
		RunE: func(cmd *cobra.Command, args []string) error {
			decisions, sess, err := decide(cmd.Context(), s, &f.runFlags, args)
			if err != nil {
				return err
			}
			switch {
			case f.asJSON:
				return planJSON(s.out, decisions)
			case f.dot:
				return planDOT(s.out, decisions)
			}
			return planText(s.out, decisions, sess.single())
		},
	}
	f.selection.addFlags(cmd)
	f.clusterFlags.addFlags(cmd)
	cmd.Flags().StringVar(&f.runtime, "runtime", "", "runtime of the module stage: sandbox, docker or podman")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&f.dot, "dot", false, "print a graph in the DOT language of Graphviz")
	cmd.MarkFlagsMutuallyExclusive("json", "dot")
	return cmd
}

// decide says what a run with these flags would do.
func decide(ctx context.Context, s *streams, f *runFlags, names []string) ([]pipeline.Decision, *session, error) {
	sess, err := openSession(ctx, &f.selection)
	if err != nil {
		return nil, nil, err
	}
	e, err := sess.engine(s, &f.clusterFlags, f.runtime)
	if err != nil {
		return nil, nil, err
	}
	if e.Plan, err = sess.selected(e.Plan, names); err != nil {
		return nil, nil, err
	}
	decisions, err := e.Decide(ctx)
	return decisions, sess, err
}

// action is one word for a decision.
func action(d pipeline.Decision) string {
	switch {
	case d.UpToDate:
		return "up to date"
	case d.Pending:
		return "open"
	}
	return "run"
}

func planText(w io.Writer, decisions []pipeline.Decision, single bool) error {
	view := &plainView{single: single}
	width := 0
	for _, d := range decisions {
		width = max(width, len(view.name(d.Node.Name)))
	}
	for _, d := range decisions {
		why := d.Reason
		if d.UpToDate {
			why = d.Verdict.Summary
		}
		if _, err := fmt.Fprintf(w, "%-*s  %-10s  %s\n", width, view.name(d.Node.Name), action(d), why); err != nil {
			return err
		}
	}
	return nil
}

// plannedStage is the JSON form of a decision.
type plannedStage struct {
	Name    string   `json:"name"`
	Service string   `json:"service"`
	Stage   string   `json:"stage"`
	Needs   []string `json:"needs,omitempty"`
	After   []string `json:"after,omitempty"`
	Beside  []string `json:"beside,omitempty"`
	Action  string   `json:"action"`
	Reason  string   `json:"reason,omitempty"`
	Key     string   `json:"key,omitempty"`
	Changes []string `json:"changes,omitempty"`
}

func planJSON(w io.Writer, decisions []pipeline.Decision) error {
	list := []plannedStage{}
	for _, d := range decisions {
		p := plannedStage{
			Name: d.Node.Name, Service: d.Node.Service, Stage: d.Node.Kind,
			Needs: d.Node.Needs, After: d.Node.After, Beside: d.Node.Beside, Action: action(d), Reason: d.Reason,
		}
		if d.Inputs != nil {
			p.Key = string(d.Inputs.Key())
		}
		for _, c := range d.Changes {
			p.Changes = append(p.Changes, c.String())
		}
		list = append(list, p)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

func planDOT(w io.Writer, decisions []pipeline.Decision) error {
	fmt.Fprintln(w, "digraph plan {\n  rankdir=LR; node [shape=box];")
	for _, d := range decisions {
		fmt.Fprintf(w, "  %q [label=%q];\n", d.Node.Name, d.Node.Name+"\n"+action(d))
		for _, n := range d.Node.Needs {
			fmt.Fprintf(w, "  %q -> %q;\n", n, d.Node.Name)
		}
		for _, n := range slices.Concat(d.Node.After, d.Node.Beside) {
			fmt.Fprintf(w, "  %q -> %q [style=dashed];\n", n, d.Node.Name)
		}
	}
	_, err := fmt.Fprintln(w, "}")
	return err
}
