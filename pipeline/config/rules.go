package config

import "fmt"

// Patterns of values; the JSON Schema has the same.
const (
	labelPattern    = `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$` // RFC 1123, section 2.1
	platformPattern = `^(linux/(386|amd64|arm64|arm(/v[5-7])?|loong64|mips64le|ppc64le|riscv64|s390x)|darwin/(amd64|arm64))$`
	stampPattern    = `^[^\s=]*[^\s=.]\.[A-Za-z_][A-Za-z0-9_]*$`
	userPattern     = `^[0-9]{1,10}(:[0-9]{1,10})?$`
	variablePattern = `^[A-Za-z_][A-Za-z0-9_]*$`
	absolutePattern = `^/`
	readyPattern    = `^(grpc|tcp|http:/[!-~]*)$`
	durationPattern = `^\+?([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$`
	datePattern     = `^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2}))?$`
	benchPattern    = `^([0-9]*[1-9][0-9]*x|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`
	anyPattern      = `\S`
	referencePat    = `^\S+$`
	tagPattern      = `^([A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_-]*$`
	branchPattern   = `^[A-Za-z0-9_][A-Za-z0-9_./-]*$`
)

// rule is what a key demands of its value beyond the Go type, and what it is
// for. For lists and mappings it speaks of the elements.
type rule struct {
	Doc      string // for people, in the JSON Schema
	Pattern  string
	Enum     []string
	Min, Max float64 // when Max is not 0
	Expected string  // how the demand reads behind "expected"
	Default  any

	KeyPattern, KeyExpected string // of a mapping
}

func (r rule) allows(v float64) bool { return r.Max == 0 || r.Min <= v && v <= r.Max }

func (r rule) expected() string {
	switch {
	case r.Expected != "":
		return r.Expected
	case len(r.Enum) > 0:
		return list(r.Enum)
	case r.Max != 0:
		return fmt.Sprintf("a number from %v to %v", r.Min, r.Max)
	default:
		return "other text"
	}
}

func label(doc string) rule {
	return rule{Doc: doc, Pattern: labelPattern, Expected: "a DNS label: at most 63 lower-case letters, digits and -"}
}

func text(doc string) rule {
	return rule{Doc: doc, Pattern: anyPattern, Expected: "some text"}
}

func stageName(doc string) rule {
	return rule{Doc: doc, Pattern: anyPattern, Expected: "the name of a stage"}
}

func variables(doc string) rule {
	return rule{Doc: doc, KeyPattern: variablePattern, KeyExpected: "the name of an environment variable"}
}

// rules returns the rule of each key, by type and key: "Service.name".
func rules() map[string]rule {
	all := serviceRules()
	for name, r := range stageRules() {
		all[name] = r
	}
	for name, r := range integrationRules() {
		all[name] = r
	}
	for name, r := range systemRules() {
		all[name] = r
	}
	return all
}

func serviceRules() map[string]rule {
	return map[string]rule{
		"Service.apiVersion": {Doc: "Version of this file's schema.", Enum: []string{APIVersion}, Default: APIVersion},
		"Service.kind":       {Doc: "What the file describes.", Enum: []string{"Service"}, Default: "Service"},
		"Service.name":       label("Name of the service. Default: the last element of the module path."),
		"Service.main":       {Doc: "Package of the program, ./cmd/stock. Default: the root, then cmd/NAME, then the only main package. Empty for a library."},
		"Service.platforms": {
			Doc: "Platforms to build for; the image is for those of Linux, of which there is at least one. Default: linux on this machine's architecture.", Pattern: platformPattern,
			Expected: "a platform such as linux/amd64, linux/arm64, linux/arm/v7 or darwin/arm64",
		},
		"Service.api":         {Doc: "Descriptors of the interfaces that the service offers and uses: binary FileDescriptorSets or OpenAPI documents."},
		"Service.image":       {Doc: "What the image consists of beside the program."},
		"Service.chart":       {Doc: "Folder of the Helm chart. Default: deploy/chart, then chart, when it is there. Empty, as manifests are, for what is installed nowhere."},
		"Service.manifests":   {Doc: "Folder of Kubernetes manifests. Default: deploy/k8s when it is there and no chart."},
		"Service.stages":      {Doc: "Settings of the stages, and stages of your own.", KeyPattern: labelPattern, KeyExpected: "a DNS label as the stage's name"},
		"Service.integration": {Doc: "What the service is installed with for the integration stage."},
		"Service.release":     {Doc: "Where and how the service is released."},
		"Service.trust":       text("Files of the public keys whose signatures count, relative to this file."),

		"API.provides": text("Descriptors of what the service offers."),
		"API.uses":     text("Descriptors of what the service calls."),

		"Image.base":    {Doc: "Reference of the base image, or path of an OCI layout beginning with ./ or ../. Default: scratch with /etc/passwd, CA certificates, /tmp and /data.", Pattern: referencePat, Expected: "an image reference or a path"},
		"Image.files":   {Doc: "Paths in the image and the files or folders of the service that go there.", Pattern: anyPattern, Expected: "a path", KeyPattern: absolutePattern, KeyExpected: "an absolute path in the image"},
		"Image.user":    {Doc: "Numeric user of the process, with or without group.", Pattern: userPattern, Expected: `a numeric user such as "65532:65532"`, Default: "65532:65532"},
		"Image.env":     variables("Added to the environment of the process."),
		"Image.ports":   {Doc: "Ports that the image exposes.", Min: 1, Max: 65535, Expected: "a port from 1 to 65535"},
		"Image.builder": {Doc: "Command that writes an OCI layout to $PIPELINE_OUT/oci instead of the built-in builder."},

		"Release.branch":    {Doc: "Branch that releases are made from.", Pattern: branchPattern, Expected: "the name of a branch", Default: "main"},
		"Release.tagPrefix": {Doc: `What stands before the version in a tag. Default: "v", or "NAME/v" below the repository's root.`, Pattern: tagPattern, Expected: "the beginning of a git tag such as v or stock/v"},
		"Release.registry":  {Doc: "Registry and repository that the bundle goes to; the service's name is added behind a slash at the end.", Pattern: referencePat, Expected: "a registry and repository such as registry.example.com/group/stock"},
		"Release.forge":     {Doc: "Where releases are published.", Enum: []string{"gitlab", "none"}},
		"Release.require":   stageName("Stages without which nothing is released. Default: all but bench."),
		"Release.programs":  {Doc: "Whether an archive of the program for each platform is a part of the release, which then requires the stage build.", Default: false},
		"Release.approvals": {Doc: "How many people other than the author have to approve the merge request.", Min: 0, Max: 20, Expected: "a number from 0 to 20"},
		"Release.checklist": text("Items of the manual tests that somebody signs with pipeline attest manual. Default: no manual tests are asked for."),
	}
}

func stageRules() map[string]rule {
	return map[string]rule{
		"Stage.timeout":   {Doc: "Time after which the stage is ended, as a Go duration."},
		"Stage.waive":     {Doc: "Lets the stage be red until a date."},
		"Stage.command":   {Doc: "Command and arguments: replaces a built-in stage, or makes a new one."},
		"Stage.inputs":    text("Globs of the files that the result depends on, relative to the service. Default: everything."),
		"Stage.outputs":   text("Paths below $PIPELINE_OUT that must be there afterwards."),
		"Stage.needs":     stageName("Stages whose outputs this one reads: STAGE, or SERVICE/STAGE of another service."),
		"Stage.after":     stageName("Stages that must have passed before, whose outputs do not matter."),
		"Stage.env":       variables("Added to the environment of the stage's commands."),
		"Stage.reports":   {Doc: "Reports that the command writes."},
		"Stage.coverage":  {Doc: "Least statement coverage in percent.", Max: 100, Expected: "a percentage from 0 to 100"},
		"Stage.coverpkg":  text("Packages whose statements count as covered whichever package's tests reach them, as for go test -coverpkg: \"./...\" for all. Default: each package by its own tests, which lets Go reuse the results of the others."),
		"Stage.checks":    text("Checks of staticcheck. Default: its own choice."),
		"Stage.race":      {Doc: "Whether the tests run with the race detector; it needs cgo.", Default: false},
		"Stage.generate":  {Doc: "Whether go generate must leave no difference.", Default: true},
		"Stage.stamp":     {Doc: "Variable of the program that gets the version.", Pattern: stampPattern, Expected: "a package and a variable such as main.version or example.com/stock/internal/app.version", Default: "main.version"},
		"Stage.args":      {Doc: "Arguments of the program."},
		"Stage.port":      {Doc: "Port that the program listens on.", Min: 1, Max: 65535, Expected: "a port from 1 to 65535"},
		"Stage.ready":     {Doc: "How to tell that the program is ready.", Pattern: readyPattern, Expected: "grpc, tcp or http:/PATH"},
		"Stage.stop":      {Doc: "Time in which the program must end after SIGTERM.", Default: "10s"},
		"Stage.runtime":   {Doc: "What the image runs in. Default: the first that works.", Enum: []string{"sandbox", "docker", "podman"}},
		"Stage.dryRun":    {Doc: "Arguments of the dry run. Default: --dry-run where --help names it."},
		"Stage.count":     {Doc: "Runs of each benchmark.", Min: 1, Max: 1000, Expected: "a whole number from 1 to 1000", Default: 1},
		"Stage.benchtime": {Doc: "Time or number of iterations of each benchmark, as go test -benchtime has it.", Pattern: benchPattern, Expected: "a duration or a count such as 1s or 100x", Default: "1s"},

		"Reports.junit":       text("JUnit files below $PIPELINE_OUT."),
		"Reports.cobertura":   text("Cobertura files below $PIPELINE_OUT."),
		"Reports.codequality": text("Code Quality files of GitLab below $PIPELINE_OUT."),
		"Waive.reason":        text("Why the stage may be red."),
		"Waive.until":         {Doc: "When it must be green again: 2026-12-31 (the beginning of the day in UTC) or a date with time as in RFC 3339."},
	}
}

func integrationRules() map[string]rule {
	return map[string]rule{
		"Integration.with":    {Doc: "Installed before the service, in this order."},
		"Integration.data":    text("Manifests or commands applied after everything is ready."),
		"Integration.values":  {Doc: "Values for the service's chart."},
		"Integration.cluster": {Doc: "Where the integration stage runs."},
		"Integration.ready":   {Doc: "Time for everything to become ready.", Default: "2m"},

		"With.chart":     text(`A chart: a folder, an archive, or a reference with "://".`),
		"With.manifests": text("A folder or file of manifests."),
		"With.service":   label("The name of a sibling service."),
		"With.name":      label("Name of the release. Default: the last path element."),
		"With.values":    {Doc: "Values for the chart."},

		"Cluster.provider":  {Doc: "A cluster of its own by kind, or an existing one.", Enum: []string{"kind", "existing"}, Default: "kind"},
		"Cluster.name":      label(`Name of the cluster of kind. Default: "pipeline".`),
		"Cluster.nodeImage": {Doc: "Image of the node of kind.", Pattern: referencePat, Expected: "an image reference"},
		"Cluster.context":   text("Context of the kubeconfig of an existing cluster."),
		"Cluster.registry":  {Doc: "Where an existing cluster pulls images from.", Pattern: referencePat, Expected: "a registry and repository"},
	}
}

// Builtin returns the names of the built-in stages in the order in which they
// are shown.
func Builtin() []string {
	return []string{"build", "unit", "lint", "container", "module", "integration", "bench"}
}
