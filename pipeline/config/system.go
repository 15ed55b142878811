package config

import "time"

// System is the content of an scs.yaml, with defaults filled in: a
// self-contained system, tested and deployed as a whole.
type System struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"` // "System"
	// Name is the system's name: a DNS label. Default: the name of the folder.
	Name string `yaml:"name"`
	// Registry is the repository that is the system's own: tested combinations
	// and copies of their bundles go there.
	Registry string `yaml:"registry"`
	// Branch is the protected branch that trust is read from and that the lock
	// goes to. Default "main".
	Branch   string          `yaml:"branch"`
	Services []SystemService `yaml:"services"`
	// External are the protobuf services that somebody outside of the system
	// offers: "google.pubsub.v1.Publisher".
	External []string `yaml:"external"`
	// Require are the stages of which every bundle has to have a verdict that is
	// signed by a trusted key. Default: unit, container, module, integration.
	Require []string `yaml:"require"`
	// Suite is the folder of the acceptance tests, relative to the file. Default
	// "acceptance".
	Suite string `yaml:"suite"`
	// Values is a file with the values of the charts, by service. Default
	// "values.yaml" when it is there.
	Values string `yaml:"values"`
	// Ready bounds the wait for readiness, Timeout a run of the suite. Default 2m
	// and 10m.
	Ready   time.Duration `yaml:"ready"`
	Timeout time.Duration `yaml:"timeout"`
	// Valid is for how long a verdict of the suite holds. Default 2160h (90 days).
	Valid        time.Duration `yaml:"valid"`
	Environments []Environment `yaml:"environments"`
	Cluster      Cluster       `yaml:"cluster"` // where combinations are tested
	Search       Search        `yaml:"search"`
	// Trust are files of public keys, relative to the file; Revoked are key ids
	// and digests of statements that are not believed any more.
	Trust   []string `yaml:"trust"`
	Revoked []string `yaml:"revoked"`

	// Dir is the absolute path of the system's folder, File that of the file.
	Dir  string `yaml:"-"`
	File string `yaml:"-"`
}

// SystemService is a service of a system.
type SystemService struct {
	Name string `yaml:"name"`
	// Source is the repository that the service is released to:
	// "registry.example.com/shop/stock".
	Source string `yaml:"source"`
	// Range are the versions that may be taken, as Masterminds/semver reads
	// them: ">=0.1.0 <1.0.0", "^1.2". Default: any release.
	Range string `yaml:"range"`
}

// Environment is a place where a system runs.
type Environment struct {
	Name string `yaml:"name"`
	// After is the environment that a combination has to have been in before.
	After string `yaml:"after"`
	// Approve is how many people have to sign their consent, and Approvers are
	// the files of their public keys. Default of the latter: trust.
	Approve   int      `yaml:"approve"`
	Approvers []string `yaml:"approvers"`
	// Values is a file with more values of the charts, by service, laid over those
	// of the system.
	Values string `yaml:"values"`
	// Namespace and Context say where `scs deploy` installs it. Default of the
	// namespace: SYSTEM-ENVIRONMENT.
	Namespace string `yaml:"namespace"`
	Context   string `yaml:"context"`
}

// Search tells how a culprit is looked for.
type Search struct {
	// Parallel is how many combinations are tested at once. Default 2.
	Parallel int `yaml:"parallel"`
	// Votes is how often an answer that decides is asked for at most before the
	// majority counts. Default 3.
	Votes int `yaml:"votes"`
}
