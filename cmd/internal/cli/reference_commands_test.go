package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const commandsIntroduction = `# Commands

Generated from the help of the program; ` + "`pipeline COMMAND --help`" + ` prints the same.

stdout carries results only; progress and errors go to stderr. The meaning of exit codes: [exit codes](exit-codes.md). Where a command
prints data, ` + "`--json`" + ` prints it for programs. Where it changes something outside of the checkout, ` + "`--dry-run`" + ` says what it would do.
`

// commandReference describes all commands that can be called, as Markdown.
func commandReference(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString(commandsIntroduction)
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" {
			return
		}
		if c != root {
			describeCommand(&b, c)
		}
		for _, child := range c.Commands() {
			visit(child)
		}
	}
	visit(root)
	return b.Bytes()
}

func describeCommand(b *bytes.Buffer, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n", c.CommandPath(), plain(text))
	if len(c.Commands()) > 0 && len(flagRows(c)) == 0 {
		return // a group
	}
	fmt.Fprintf(b, "\n```text\n%s\n```\n", c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(c.Example), "\n  ", "\n"))
	}
	if rows := flagRows(c); len(rows) > 0 {
		fmt.Fprintf(b, "\n| flag | meaning |\n|---|---|\n%s", strings.Join(rows, ""))
	}
}

// flagRows are the rows of the table of flags, without --help.
func flagRows(c *cobra.Command) []string {
	var rows []string
	c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if value != "" {
			name += " " + value
		}
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		switch f.DefValue {
		case "", "false", "[]", "0":
		default:
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", name, cell(usage)))
	})
	return rows
}

// plain makes Markdown of a text of the help: what is marked up there by its
// capitals or quotes stays as it is, what Markdown would swallow is escaped.
func plain(text string) string {
	return strings.NewReplacer("<", `\<`, "*", `\*`, "_", `\_`).Replace(text)
}

// cell makes the text fit into one cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(plain(strings.Join(strings.Fields(text), " ")), "|", `\|`)
}
