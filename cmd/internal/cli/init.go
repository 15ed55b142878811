package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"gitlab.com/selfcontained/pipeline/cmd/internal/scaffold"
)

// initFlags are the flags of `pipeline init`.
type initFlags struct {
	dir, service, module string
	dryRun, asJSON       bool
}

func newInit(s *streams) *cobra.Command {
	f := &initFlags{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a repository ready for the pipeline, or make a new service",
		Long: `Look at a repository (Go code, Makefile, Dockerfile, manifests, chart) and write
what is missing: pipeline.yaml, .gitlab-ci.yml and, where nothing says how the
service gets into a cluster, a chart. What was found, what was not and what
follows from it is shown.

With --service make a new microservice that passes all stages at once: in the
folder itself when that holds nothing but a README and the like, otherwise in
one of its name below.

Nothing that is there is ever overwritten, and either all files are written or
none. --dry-run writes nothing and shows a diff that git apply takes.

With --json it is one document: {"dir", "files": [{"path", "mode", "content" or,
of what is no text, "base64"}...], "kept": [PATH...], "found": [TEXT...],
"missing": [{"what", "means"}...], "include": LINES, "next": [COMMAND...]}.

Exit codes: 0 done, also when there was nothing to do; 2 nothing can be made of
the folder or the names; 3 a file cannot be read or written.`,
		Example: "  pipeline init --dry-run\n  pipeline init --service orders",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("service") && f.service == "" {
				return &usageError{errors.New("--service is empty; expected the name of the new service")}
			}
			return f.run(cmd.Context(), s)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.dir, "dir", "C", ".", "folder of the repository")
	flags.StringVar(&f.service, "service", "", "make a new service with this name")
	flags.StringVar(&f.module, "module", "", "Go module path of the new service (default: from its neighbours or the git remote)")
	flags.BoolVarP(&f.dryRun, "dry-run", "n", false, "write nothing, show the diff")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *initFlags) run(ctx context.Context, s *streams) error {
	p, err := f.decide(ctx)
	if err != nil {
		return err
	}
	if !f.dryRun {
		if err := scaffold.Write(p, p.Dir); err != nil {
			return fmt.Errorf("pipeline init in %s: %w", p.Dir, err)
		}
	}
	if f.asJSON {
		return printJSON(s.out, p)
	}
	_, err = io.WriteString(s.out, harmless(f.text(p)))
	return err
}

// decide looks at the folder and makes the plan. A folder that is none is a
// *usageError, as everything is that the plan refuses.
func (f *initFlags) decide(ctx context.Context) (*scaffold.Plan, error) {
	facts, err := scaffold.Look(ctx, f.dir)
	var p *scaffold.Plan
	if err == nil {
		p, err = scaffold.Decide(facts, scaffold.Options{Service: f.service, Module: f.module})
	}
	var usage *scaffold.UsageError
	if errors.As(err, &usage) || errors.Is(err, fs.ErrNotExist) {
		return nil, &usageError{err}
	}
	return p, err
}

// text shows a plan: what was found, what not, and what was or would be done.
func (f *initFlags) text(p *scaffold.Plan) string {
	var b strings.Builder
	for _, found := range p.Found {
		entry(&b, "found", found)
	}
	for _, m := range p.Missing {
		entry(&b, "missing", m.What+": "+m.Means)
	}
	for _, kept := range p.Kept {
		fmt.Fprintf(&b, "kept     %s\n", kept)
	}
	if f.dryRun {
		b.WriteString(p.Diff())
	} else {
		for _, file := range p.Files {
			fmt.Fprintf(&b, "wrote    %s\n", file.Path)
		}
	}
	if p.Empty() {
		b.WriteString("there is nothing to write\n")
	}
	if p.Include != "" {
		fmt.Fprintf(&b, "these lines are for .gitlab-ci.yml:\n%s\n", indent(p.Include, "  "))
	}
	if !f.dryRun {
		for _, next := range p.Next {
			fmt.Fprintf(&b, "next     %s\n", next)
		}
	}
	return b.String()
}

// entryWidth is where a line of an entry ends, in bytes.
const entryWidth = 100

// entry writes a title and a sentence behind it, in lines that can be read.
func entry(b *strings.Builder, title, text string) {
	fmt.Fprintf(b, "%-8s", title)
	width := 8
	for _, word := range strings.Fields(text) {
		if width > 8 && width+1+len(word) > entryWidth {
			b.WriteString("\n        ")
			width = 8
		}
		b.WriteString(" " + word)
		width += 1 + len(word)
	}
	b.WriteString("\n")
}
