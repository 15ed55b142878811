package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/interfaces"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve"
)

func newSystemResolve(s *streams) *cobra.Command {
	f := &systemFlags{}
	cmd := &cobra.Command{
		Use:   "resolve",
		Short: "Say which versions may be taken, which not and why, and whether their interfaces fit",
		Long: `Look for the newest version of each service in its range that was released and has
the signed verdicts that the system asks for, and compare the interfaces of those
versions. Nothing is changed and no cluster is needed.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSystemResolve(cmd.Context(), s, f)
		},
	}
	f.addFlags(cmd)
	return cmd
}

// resolveResult is the JSON form of a resolution.
type resolveResult struct {
	System string `json:"system"`
	// ID is that of the candidate, empty when some service has none.
	ID       evidence.Digest      `json:"id,omitempty"`
	Services []resolvedService    `json:"services"`
	Problems []interfaces.Problem `json:"problems"`
	Edges    []interfaces.Edge    `json:"edges"`
	// Trust says where the trusted keys were read.
	Trust string `json:"trust"`
}

// resolvedService is what was found for a service.
type resolvedService struct {
	Name    string            `json:"name"`
	Current string            `json:"current,omitempty"`
	Newest  *scs.Member       `json:"newest,omitempty"`
	Gate    []policy.Finding  `json:"gate,omitempty"`
	Refused []resolve.Refusal `json:"refused,omitempty"`
	Why     string            `json:"why,omitempty"` // there is no candidate
}

func runSystemResolve(ctx context.Context, s *streams, f *systemFlags) error {
	sess, err := openSystem(ctx, f)
	if err != nil {
		return err
	}
	r, err := sess.rules(ctx, true)
	if err != nil {
		return err
	}
	found, err := sess.resolve(ctx, r)
	if err != nil {
		return err
	}
	result := found.result(r)
	if f.asJSON {
		err = printJSON(s.out, result)
	} else {
		_, err = io.WriteString(s.out, harmless(result.text()))
	}
	if err != nil {
		return err
	}
	if err := found.complete(); err != nil {
		return err
	}
	if len(found.Report.Problems) > 0 {
		return &gateError{fmt.Sprintf("the interfaces of these versions do not fit together (%s)", count(len(found.Report.Problems), "problem"))}
	}
	return nil
}

// result is what is printed. The id is that of the combination without what it
// is tested with where the acceptance tests cannot be read.
func (r *resolution) result(from *rules) *resolveResult {
	result := &resolveResult{System: r.Candidate.System, Problems: r.Report.Problems, Edges: r.Report.Edges, Trust: from.From}
	for _, c := range r.Choices {
		svc := resolvedService{Name: c.Service, Refused: c.Refused, Why: c.Why()}
		if r.sess.lock != nil {
			if m := r.sess.lock.Member(c.Service); m != nil {
				svc.Current = m.Version
			}
		}
		if c.Newest != nil {
			svc.Newest, svc.Gate = &c.Newest.Member, c.Newest.Findings
		}
		result.Services = append(result.Services, svc)
	}
	return result
}

func (r *resolveResult) text() string {
	var b textTable
	for _, svc := range r.Services {
		switch {
		case svc.Newest == nil:
			b.row(svc.Name, "none", svc.Why)
		case svc.Current == svc.Newest.Version:
			b.row(svc.Name, svc.Current, "as in the lock")
		case svc.Current == "":
			b.row(svc.Name, svc.Newest.Version, "new")
		default:
			b.row(svc.Name, svc.Newest.Version, "the lock has "+svc.Current)
		}
		for _, refused := range svc.Refused {
			b.row("", "", fmt.Sprintf("%s is no candidate: %s", refused.Version, refused.Why))
		}
	}
	for _, p := range r.Problems {
		b.row("interface", p.Rule, p.String()+"; "+p.Remedy)
	}
	if len(r.Problems) == 0 {
		b.row("interfaces", "fit", count(len(r.Edges), "use")+" inside of the system")
	}
	b.row("trust", "", "keys from "+r.Trust)
	return b.String()
}

// printJSON prints a value as indented JSON.
func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
