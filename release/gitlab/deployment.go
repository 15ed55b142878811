package gitlab

import (
	"context"
	"errors"
	"fmt"
	"slices"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// The statuses that a deployment can be given.
const (
	DeploymentRunning  = "running"
	DeploymentSuccess  = "success"
	DeploymentFailed   = "failed"
	DeploymentCanceled = "canceled"
)

// Deployment records that something was brought to an environment.
type Deployment struct {
	Environment string // GitLab makes it where it is not there
	SHA         string // full hash
	Ref         string // the branch, or the tag, that has it
	Tag         bool   // Ref is a tag
	Status      string // one of the constants
	// URL is where the environment can be looked at; "" leaves that as it is.
	URL string
}

// DeploymentResult tells what was done, or with LookDeployment would be.
type DeploymentResult struct {
	ID         int64 // 0 where there is none yet
	Deployment Outcome
	// Environment tells of the URL; Kept where none was given.
	Environment Outcome
}

// Complete reports whether nothing is to be created or updated.
func (r DeploymentResult) Complete() bool {
	return r.Deployment == Found && (r.Environment == Found || r.Environment == Kept)
}

// EnsureDeployment makes the newest deployment of a commit and ref to an
// environment be in a status. One that is not ended is ended so; beside one that
// has ended otherwise a new one is made. The commit and the ref have to be in
// the project.
func (c *Client) EnsureDeployment(ctx context.Context, d Deployment) (DeploymentResult, error) {
	if err := d.check(); err != nil {
		return DeploymentResult{}, err
	}
	var err error
	for n := range attempts {
		var result DeploymentResult
		if result, err = c.tryDeployment(ctx, d); err == nil || !open(err) {
			return result, hinted(err, settingMember)
		}
		if stop := c.wait(ctx, n); stop != nil {
			return DeploymentResult{}, stop
		}
	}
	return DeploymentResult{}, err
}

// LookDeployment tells what EnsureDeployment would do, and does nothing.
func (c *Client) LookDeployment(ctx context.Context, d Deployment) (DeploymentResult, error) {
	if err := d.check(); err != nil {
		return DeploymentResult{}, err
	}
	result := DeploymentResult{Deployment: Created, Environment: Kept}
	there, err := c.deployment(ctx, d)
	if err != nil {
		return DeploymentResult{}, hinted(err, settingMember)
	}
	if there != nil {
		result.ID, result.Deployment = there.ID, d.outcome(there)
	}
	if d.URL != "" {
		e, err := c.environment(ctx, d)
		if err != nil {
			return DeploymentResult{}, hinted(err, settingMember)
		}
		result.Environment = d.outcomeOf(e)
	}
	return result, nil
}

func (d Deployment) check() error {
	known := []string{DeploymentRunning, DeploymentSuccess, DeploymentFailed, DeploymentCanceled}
	switch {
	case d.Environment == "" || d.Ref == "":
		return errors.New("deployment: it needs an environment and a ref")
	case len(d.SHA) != 40 && len(d.SHA) != 64:
		return fmt.Errorf("deployment to %s: %q is no full hash of a commit", d.Environment, d.SHA)
	case !slices.Contains(known, d.Status):
		return fmt.Errorf("deployment to %s: status %q; expected one of %q", d.Environment, d.Status, known)
	}
	return nil
}

func (c *Client) tryDeployment(ctx context.Context, d Deployment) (DeploymentResult, error) {
	there, err := c.deployment(ctx, d)
	if err != nil {
		return DeploymentResult{}, err
	}
	wanted := api.DeploymentStatusValue(d.Status)
	result := DeploymentResult{Deployment: Created, Environment: Kept}
	if there != nil {
		result.Deployment = d.outcome(there)
	}
	switch result.Deployment {
	case Updated:
		op := fmt.Sprintf("end the deployment of %.12s to %s", d.SHA, d.Environment)
		_, _, err = c.api.Deployments.UpdateProjectDeployment(c.project, there.ID, &api.UpdateProjectDeploymentOptions{Status: &wanted}, api.WithContext(ctx))
		err = c.failed(op, err)
	case Created:
		op := fmt.Sprintf("record the deployment of %.12s to %s", d.SHA, d.Environment)
		there, _, err = c.api.Deployments.CreateProjectDeployment(c.project, &api.CreateProjectDeploymentOptions{
			Environment: &d.Environment, SHA: &d.SHA, Ref: &d.Ref, Tag: &d.Tag, Status: &wanted,
		}, api.WithContext(ctx))
		err = c.failed(op, err)
	}
	if err != nil {
		return DeploymentResult{}, err
	}
	result.ID = there.ID
	result.Environment, err = c.tryEnvironment(ctx, d)
	return result, err
}

// outcome is what has to happen to the newest deployment that is there.
func (d Deployment) outcome(there *api.Deployment) Outcome {
	switch there.Status {
	case d.Status:
		return Found
	case DeploymentSuccess, DeploymentFailed, DeploymentCanceled, "skipped":
		return Created
	}
	return Updated
}

// deployment returns the newest one of the commit and the ref, or nil.
func (c *Client) deployment(ctx context.Context, d Deployment) (*api.Deployment, error) {
	by, order := "id", "desc"
	options := &api.ListProjectDeploymentsOptions{Environment: &d.Environment, OrderBy: &by, Sort: &order}
	options.PerPage, options.Page = 100, 1
	for {
		list, resp, err := c.api.Deployments.ListProjectDeployments(c.project, options, api.WithContext(ctx))
		if err != nil {
			return nil, c.failed("list the deployments to "+d.Environment, err)
		}
		for _, there := range list {
			if there.SHA == d.SHA && there.Ref == d.Ref {
				return there, nil
			}
		}
		if options.Page = resp.NextPage; options.Page == 0 {
			return nil, nil
		}
	}
}

// environment returns the environment of a deployment, or nil.
func (c *Client) environment(ctx context.Context, d Deployment) (*api.Environment, error) {
	list, _, err := c.api.Environments.ListEnvironments(c.project, &api.ListEnvironmentsOptions{Name: &d.Environment}, api.WithContext(ctx))
	if err != nil {
		return nil, c.failed("look for the environment "+d.Environment, err)
	}
	for _, e := range list {
		if e.Name == d.Environment {
			return e, nil
		}
	}
	return nil, nil
}

func (d Deployment) outcomeOf(e *api.Environment) Outcome {
	switch {
	case e == nil:
		return Created
	case e.ExternalURL == d.URL:
		return Found
	}
	return Updated
}

// tryEnvironment sets the URL of an environment that is there.
func (c *Client) tryEnvironment(ctx context.Context, d Deployment) (Outcome, error) {
	if d.URL == "" {
		return Kept, nil
	}
	e, err := c.environment(ctx, d)
	if err != nil {
		return "", err
	}
	outcome := d.outcomeOf(e)
	if outcome == Created {
		return "", fmt.Errorf("the environment %s is not there although something was deployed to it", d.Environment)
	}
	if outcome == Updated {
		_, _, err = c.api.Environments.EditEnvironment(c.project, e.ID, &api.EditEnvironmentOptions{ExternalURL: &d.URL}, api.WithContext(ctx))
		err = c.failed("set the address of the environment "+d.Environment, err)
	}
	return outcome, err
}
