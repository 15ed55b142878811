// Package templates is what the program knows of the CI/CD components that call
// it, templates/service and templates/scs.
//
// A component is a thin caller: it names commands and flags of the program, and
// files that one job hands to the next. Both are part of the program's interface
// and change with its major version alone. A pipeline takes the component from
// one place and the program from another, an image, so they can come apart; then
// a job must end before it does something else than its author saw. Each job of
// a component therefore says which major version it was written for.
package templates

import (
	"fmt"
	"strconv"

	"github.com/Masterminds/semver/v3"
)

// Variable is the name of the environment variable in which a component says
// its major version.
const Variable = "PIPELINE_TEMPLATE"

// Major is the major version of the components beside this program.
const Major = "0"

// Check refuses to be called by a component of another major version. Value is
// that of Variable, "" when no component calls; version is the program's, as
// `pipeline version` prints it. A program that was built from source and knows
// no version takes the components beside it, those of Major.
func Check(value, version string) error {
	if value == "" {
		return nil
	}
	own := Major
	if v, err := semver.NewVersion(version); err == nil {
		own = strconv.FormatUint(v.Major(), 10)
	}
	switch _, err := strconv.ParseUint(value, 10, 32); {
	case err != nil:
		return fmt.Errorf("%s=%q: expected a major version, such as %s; only the component of the program sets it, so remove it from the variables of the project", Variable, value, own)
	case value != own:
		return fmt.Errorf("the included component is that of version %s, and this is pipeline %s: give both the same major version, in `include` or in the input `image`", value, version)
	}
	return nil
}
