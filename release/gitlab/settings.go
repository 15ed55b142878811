package gitlab

// Where in GitLab a right is granted, in the words of its interface.
const (
	settingMember            = "Manage > Members of the project"
	settingProtectedTags     = "Settings > Repository > Protected tags, \"Allowed to create\""
	settingProtectedBranches = "Settings > Repository > Protected branches, \"Allowed to push and merge\""
	settingAllowlist         = "Settings > CI/CD > Job token permissions of that project, add this one to the allowlist"
	settingJobPush           = "Settings > CI/CD > Job token permissions, \"Allow Git push requests to the repository\""
	settingPackages          = "Settings > General > Visibility, project features, permissions > Package registry"
	settingReleases          = "Settings > General > Visibility, project features, permissions > Releases"
	settingArchived          = "Settings > General > Advanced > Unarchive project"
	settingToken             = "set PIPELINE_GITLAB_TOKEN to an access token with scope api (Settings > Access tokens)"
	settingReadToken         = "set PIPELINE_GITLAB_TOKEN to an access token with scope read_api or api (Settings > Access tokens)"
)
