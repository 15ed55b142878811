package config

// Patterns of the values of scs.yaml.
const (
	repositoryPattern = `^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$` // OCI distribution 1.1, "Pulling manifests"
	methodPattern     = `^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`
	revokedPattern    = `^(sha256:)?[0-9a-f]{64}$`
)

func repositoryRule(doc string) rule {
	return rule{Doc: doc, Pattern: repositoryPattern, Expected: "a registry and repository such as registry.example.com/shop/stock"}
}

// systemRules are the rules of scs.yaml.
func systemRules() map[string]rule {
	return map[string]rule{
		"System.apiVersion":   {Doc: "Version of this file's schema.", Enum: []string{APIVersion}, Default: APIVersion},
		"System.kind":         {Doc: "What the file describes.", Enum: []string{"System"}, Default: "System"},
		"System.name":         label("Name of the system. Default: the name of the folder."),
		"System.registry":     repositoryRule("The system's own repository: tested combinations, and copies of their bundles, go there."),
		"System.branch":       {Doc: "Protected branch that the lock goes to and that trust is read from.", Pattern: branchPattern, Expected: "the name of a branch", Default: "main"},
		"System.services":     {Doc: "The services of the system."},
		"System.external":     {Doc: "Protobuf services that somebody outside of the system offers.", Pattern: methodPattern, Expected: "the full name of a protobuf service such as google.pubsub.v1.Publisher"},
		"System.require":      stageName("Stages of which every bundle has to have a signed verdict. Default: unit, container, module, integration."),
		"System.suite":        text(`Folder of the acceptance tests. Default: acceptance.`),
		"System.values":       text("File with the values of the charts, by service. Default: values.yaml when it is there."),
		"System.ready":        {Doc: "Time for everything to become ready.", Default: "2m"},
		"System.timeout":      {Doc: "Time for the test of one combination.", Default: "10m"},
		"System.valid":        {Doc: "For how long a verdict of the acceptance tests holds.", Default: "2160h"},
		"System.environments": {Doc: "Where the system runs, in the order of promotion."},
		"System.cluster":      {Doc: "Where combinations are tested."},
		"System.search":       {Doc: "How it is found out who broke a combination."},
		"System.trust":        text("Files of the public keys whose signatures count, relative to this file."),
		"System.revoked":      {Doc: "Key ids and digests of statements that are not believed any more.", Pattern: revokedPattern, Expected: "64 hex digits, of a statement with sha256: in front"},

		"SystemService.name":   label("Name of the service, as its own pipeline.yaml has it."),
		"SystemService.source": repositoryRule("Repository that the service is released to."),
		"SystemService.range":  text("Versions that may be taken, such as >=1.2.0 <2.0.0 or ^1.2. Default: every release."),

		"Environment.name":      label("Name of the environment."),
		"Environment.after":     label("Environment that a combination has to have been in before."),
		"Environment.approve":   {Doc: "How many people have to sign their consent.", Max: 20, Expected: "a number from 0 to 20"},
		"Environment.approvers": text("Files of the public keys of those who may. Default: trust."),
		"Environment.values":    text("File with values of the charts, by service, laid over those of the system."),
		"Environment.namespace": label("Namespace that it is installed in. Default: SYSTEM-ENVIRONMENT."),
		"Environment.context":   text("Context of the kubeconfig. Default: the cluster in which combinations are tested."),

		"Search.parallel": {Doc: "How many combinations are tested at once.", Min: 1, Max: 32, Expected: "a number from 1 to 32", Default: 2},
		"Search.votes":    {Doc: "How often an answer that decides is asked for at most before the majority counts.", Min: 1, Max: 9, Expected: "a number from 1 to 9", Default: 3},
	}
}
