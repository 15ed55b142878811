package cli

import "gitlab.com/selfcontained/pipeline/stages/module/sandbox"

// innerProcess recognises that the program was started by itself, as the first
// process of a sandbox, and is that.
func innerProcess(args []string) (code int, done bool) {
	if !sandbox.IsInit(args) {
		return 0, false
	}
	return sandbox.Main(), true
}
