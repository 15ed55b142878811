package gotool

import "strings"

// Env returns the settings that every go command of a stage gets, "KEY=VALUE".
// They take effect only behind the environment of the process.
//
//   - GOFLAGS must not be empty: an empty one would let the value that the user
//     stored with `go env -w` through. A vendor folder is used without a flag.
//   - GOWORK=off: a go.work above the service is not part of its sources.
//   - GOOS, GOARCH and GOEXPERIMENT are emptied, which means their defaults.
//   - the architecture levels are Go's defaults, so that a binary runs on every
//     machine of its platform.
func Env() []string {
	return []string{
		"GOFLAGS=-buildvcs=false", "GOWORK=off", "GO111MODULE=on", "CGO_ENABLED=0",
		"GOOS=", "GOARCH=", "GOEXPERIMENT=", "GODEBUG=",
		"GOAMD64=v1", "GOARM64=v8.0", "GOARM=7", "GOFIPS140=off",
	}
}

// BuildEnv returns Env for a build of one platform in the form of OCI:
// "linux/amd64", "linux/arm/v7".
func BuildEnv(platform string) []string {
	system, arch, _ := strings.Cut(platform, "/")
	arch, variant, _ := strings.Cut(arch, "/")
	env := append(Env(), "GOOS="+system, "GOARCH="+arch)
	if arch == "arm" && variant != "" {
		env = append(env, "GOARM="+strings.TrimPrefix(variant, "v"))
	}
	return env
}
