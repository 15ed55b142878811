package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/config"
	"gitlab.com/selfcontained/pipeline/stages"
)

// newCompletion replaces cobra's own command, whose texts say less.
func newCompletion(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion",
		Short: "Print the script that lets a shell complete commands, stages and services",
		Long: `Print the script that lets a shell complete pipeline's commands and flags, and
the names of this project's stages and services, of clusters and of runtimes.
The help of each shell's command says how to install the script.`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, sh := range shells() {
		cmd.AddCommand(&cobra.Command{
			Use: sh.name, Short: "Print the script for " + sh.name, Long: sh.help,
			Args: usageArgs(cobra.NoArgs), ValidArgsFunction: cobra.NoFileCompletions,
			DisableFlagsInUseLine: true,
			RunE:                  func(cmd *cobra.Command, _ []string) error { return sh.write(cmd.Root(), s) },
		})
	}
	return cmd
}

// shell is one that cobra can write a script for.
type shell struct {
	name, help string
	write      func(root *cobra.Command, s *streams) error
}

func shells() []shell {
	return []shell{
		{"bash", `Print the completion script for bash. It needs the package bash-completion.

In this session:

	source <(pipeline completion bash)

In every session from now on, without root:

	mkdir -p ~/.local/share/bash-completion/completions
	pipeline completion bash > ~/.local/share/bash-completion/completions/pipeline

For all users of a Linux machine:

	pipeline completion bash | sudo tee /etc/bash_completion.d/pipeline > /dev/null

On macOS, whose own bash is too old (brew install bash bash-completion@2):

	pipeline completion bash > "$(brew --prefix)/etc/bash_completion.d/pipeline"
`, func(root *cobra.Command, s *streams) error { return root.GenBashCompletionV2(s.out, true) }},
		{"zsh", `Print the completion script for zsh.

In this session, where compinit has been called:

	source <(pipeline completion zsh)

In every session from now on, with these two lines in ~/.zshrc in this order:

	fpath=(~/.zfunc $fpath)
	autoload -Uz compinit && compinit

	mkdir -p ~/.zfunc
	pipeline completion zsh > ~/.zfunc/_pipeline
`, func(root *cobra.Command, s *streams) error { return root.GenZshCompletion(s.out) }},
		{"fish", `Print the completion script for fish.

In this session:

	pipeline completion fish | source

In every session from now on:

	pipeline completion fish > ~/.config/fish/completions/pipeline.fish
`, func(root *cobra.Command, s *streams) error { return root.GenFishCompletion(s.out, true) }},
		{"powershell", `Print the completion script for PowerShell.

In this session:

	pipeline completion powershell | Out-String | Invoke-Expression

In every session from now on: the same line in the file that $PROFILE names.
`, func(root *cobra.Command, s *streams) error { return root.GenPowerShellCompletionWithDesc(s.out) }},
	}
}

// addCompletions lets the commands below root complete what only a project or a
// machine knows. Candidates come from reading files: no process is started,
// nothing is written, and where something is wrong there are none.
func addCompletions(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		addCompletions(cmd)
		addFlagCompletions(cmd)
		switch cmd.Name() {
		case "run", "plan":
			cmd.ValidArgsFunction = completeStages
		case "explain":
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return completeStages(cmd, args, prefix)
			}
		default:
			if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
				cmd.ValidArgsFunction = cobra.NoFileCompletions
			}
		}
	}
}

func addFlagCompletions(cmd *cobra.Command) {
	fixed := cobra.FixedCompletions
	for name, complete := range map[string]cobra.CompletionFunc{
		"service":          completeServices,
		"runtime":          fixed([]string{"sandbox", "docker", "podman"}, cobra.ShellCompDirectiveNoFileComp),
		"engine":           fixed([]string{"docker", "podman"}, cobra.ShellCompDirectiveNoFileComp),
		"cluster":          completeClusters,
		"kube-context":     completeContexts,
		"dir":              fixed(nil, cobra.ShellCompDirectiveFilterDirs),
		"version":          cobra.NoFileCompletions,
		"jobs":             cobra.NoFileCompletions,
		"node-image":       cobra.NoFileCompletions,
		"cluster-registry": cobra.NoFileCompletions,
	} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Value.Type() != "bool" {
			// It fails only for a flag that has a function already.
			_ = cmd.RegisterFlagCompletionFunc(name, complete)
		}
	}
}

// servicesOf reads the services that the flags of a command line choose; none
// where something is wrong.
func servicesOf(cmd *cobra.Command) []*config.Service {
	dir := "."
	if f := cmd.Flag("dir"); f != nil {
		dir = f.Value.String()
	}
	services, err := config.Discover(dir)
	if err != nil {
		return nil
	}
	return services
}

// completeStages offers the stages of the plan that are not named yet: by their
// kind, and where there are several services also as SERVICE/STAGE.
func completeStages(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	names, full := stageCandidates(cmd)
	if strings.Contains(prefix, "/") {
		names = full
	} else if names != nil && len(full) > 0 {
		names = append(names, full...)
	}
	return remaining(names, args, prefix), cobra.ShellCompDirectiveNoFileComp
}

// stageCandidates returns the kinds of stages in plan order, and the names of
// all nodes where several services have them.
func stageCandidates(cmd *cobra.Command) (kinds, full []string) {
	services, chosen := servicesOf(cmd), []string(nil)
	if cmd.Flags().Lookup("service") != nil {
		chosen, _ = cmd.Flags().GetStringSlice("service")
	}
	services, err := choose(services, chosen)
	if err != nil {
		return nil, nil
	}
	var others []config.Service
	for _, c := range services {
		others = append(others, *c)
	}
	var nodes []pipeline.Node
	for _, c := range services {
		nodes = append(nodes, stages.Nodes(stages.Options{Service: *c, Others: others})...)
	}
	plan, err := pipeline.NewPlan(nodes)
	if err != nil {
		return nil, nil
	}
	for _, n := range plan.Nodes() {
		if !slices.Contains(kinds, n.Kind) {
			kinds = append(kinds, n.Kind)
		}
		if len(services) > 1 {
			full = append(full, n.Name)
		}
	}
	return kinds, full
}

// remaining returns the names with the prefix that are not among args.
func remaining(names, args []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return !strings.HasPrefix(n, prefix) || slices.Contains(args, n)
	})
}

func completeServices(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	chosen, _ := cmd.Flags().GetStringSlice("service")
	var names []string
	for _, c := range servicesOf(cmd) {
		if !slices.Contains(chosen, c.Name) {
			names = append(names, fmt.Sprintf("%s\t%s", c.Name, relative(c.Dir)))
		}
	}
	return remaining(names, nil, prefix), cobra.ShellCompDirectiveNoFileComp
}

// completeClusters offers the kind clusters that pipeline has made or used here.
func completeClusters(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	cache, err := cacheDir()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	files, _ := filepath.Glob(filepath.Join(cache, "kube", "*.json"))
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	return remaining(names, nil, prefix), cobra.ShellCompDirectiveNoFileComp
}

// completeContexts offers the contexts of the kubeconfig.
func completeContexts(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	source := cmd.Flag("kubeconfig").Value.String()
	if source == "" {
		source = os.Getenv("KUBECONFIG")
	}
	if home, err := os.UserHomeDir(); source == "" && err == nil {
		source = filepath.Join(home, ".kube", "config")
	}
	var names []string
	for _, file := range filepath.SplitList(source) {
		names = append(names, contextsIn(file)...)
	}
	return remaining(names, nil, prefix), cobra.ShellCompDirectiveNoFileComp
}

// contextsIn reads no more of a kubeconfig than the names.
func contextsIn(file string) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var c struct {
		Contexts []struct{ Name string }
	}
	if yaml.Unmarshal(data, &c) != nil {
		return nil
	}
	var names []string
	for _, context := range c.Contexts {
		names = append(names, context.Name)
	}
	return names
}
