package deploy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Deployment is what an environment has to run, and where.
type Deployment struct {
	System      string
	Environment string
	Namespace   string
	// Version, ID and Sequence are those of the promotion that the environment is
	// on.
	Version  string
	ID       evidence.Digest
	Sequence int64
	// Members are those of the combination.
	Members []Member
	// Waves are services that may be changed at the same time, those first that
	// others need; the next wave begins when all of one are ready. Members that are
	// in none come last, together. So nil is one wave.
	Waves [][]string
}

// Member is a member of the combination with what it takes to install it.
type Member struct {
	scs.Member
	// Chart is the archive (.tgz) of the Helm chart in the bundle. Look can do
	// without it, and compares no values then.
	Chart []byte
	// Values are laid over the chart's own, each over those before: the system's,
	// the environment's.
	Values []map[string]any
	// Image is the bundle as the cluster can run it: what Cluster.Load returned, or
	// a reference by digest, which needs Ref and Digest only. Look takes it from
	// the record when it is empty.
	Image kindtest.Loaded
}

// Options say how to deploy. The zero value is usable.
type Options struct {
	// By is who deploys, for others to read: name, address or job.
	By string
	// Wait is for how long another run on the namespace is waited for; then a
	// *kindtest.LockedError says who it is.
	Wait time.Duration
	// Ready bounds the wait for a wave and for a rollback; 2 minutes if zero.
	Ready time.Duration
	// Older lets a deployment with a lower sequence than the installed one pass.
	Older bool
	// DevTLS makes the Secret TLSSecret when charts need it and it is missing.
	DevTLS bool
	// Tell, if set, is told each step before (done is false) and after it, and
	// Progress in one line what is waited for; neither is called twice at once.
	Tell     func(s release.Step, done bool)
	Progress func(string)
}

// TLSSecret is the name of the secret that DevTLS makes, with a certificate for
// the services of all charts that nobody but they themselves trusts.
const TLSSecret = "pipeline-tls"

// maxName is the length of the longest name of a Helm release
// (helm.sh/helm/v3/pkg/chartutil, validate_name.go).
const maxName = 53

// check says what is wrong with the deployment itself.
func (d *Deployment) check() error {
	if d.System == "" || d.Environment == "" || d.Namespace == "" || d.Sequence < 1 || len(d.Members) == 0 {
		return fmt.Errorf("deployment of system %q to environment %q: it needs a namespace (%q), a sequence (%d) and members (%d)",
			d.System, d.Environment, d.Namespace, d.Sequence, len(d.Members))
	}
	known := make(map[string]bool)
	for _, m := range d.Members {
		if len(m.Service) > maxName {
			return fmt.Errorf("service %s: its name has %d letters; a Helm release has at most %d", m.Service, len(m.Service), maxName)
		}
		if known[m.Service] {
			return fmt.Errorf("service %s is a member twice", m.Service)
		}
		known[m.Service] = true
	}
	for _, service := range slices.Concat(d.Waves...) {
		if !known[service] {
			return fmt.Errorf("the waves name service %s, which is no member or is in two of them", service)
		}
		delete(known, service)
	}
	return nil
}

// complete says which members lack what it takes to install them.
func (d *Deployment) complete() error {
	var errs []error
	for _, m := range d.Members {
		if m.Chart == nil || m.Image.Ref == "" {
			errs = append(errs, fmt.Errorf("service %s %s: its bundle has no chart (%d bytes) or no image (%q)", m.Service, m.Version, len(m.Chart), m.Image.Ref))
		}
	}
	return errors.Join(errs...)
}

// waves are the members in the order of their change.
func (d *Deployment) waves() [][]*Member {
	rest := make(map[string]*Member)
	for i := range d.Members {
		rest[d.Members[i].Service] = &d.Members[i]
	}
	var waves [][]*Member
	for _, names := range d.Waves {
		var wave []*Member
		for _, name := range names {
			wave = append(wave, rest[name])
			delete(rest, name)
		}
		waves = append(waves, wave)
	}
	var last []*Member
	for i := range d.Members {
		if m := &d.Members[i]; rest[m.Service] != nil {
			last = append(last, m)
		}
	}
	return append(waves, last)
}

func (d *Deployment) member(service string) *Member {
	for i := range d.Members {
		if d.Members[i].Service == service {
			return &d.Members[i]
		}
	}
	return nil
}

func (d *Deployment) space(c *kindtest.Cluster) *kindtest.Space {
	return c.Space(d.Namespace, d.System, d.Environment)
}

// chart is the member's chart with all values.
func (m *Member) chart() kindtest.Chart {
	values := map[string]any{}
	for _, layer := range m.Values {
		values = merge(values, layer)
	}
	return kindtest.Chart{Release: m.Service, Archive: m.Chart, Values: merge(values, imageValues(m.Image.Ref))}
}

func (o Options) tell(s release.Step, done bool) {
	if o.Tell != nil {
		o.Tell(s, done)
	}
}
