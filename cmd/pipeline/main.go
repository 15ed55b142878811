// Command pipeline runs the stages of containerised microservices, the same on
// a laptop and in GitLab. See README.md.
package main

import (
	"os"

	"gitlab.com/selfcontained/pipeline/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
