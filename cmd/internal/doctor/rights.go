package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

// existingLines are about a cluster that somebody else keeps.
func (c *clusterCheck) existingLines(ctx context.Context, cluster *kindtest.Cluster) []Finding {
	lines := []Finding{c.rights(ctx, cluster), c.imagesLine(ctx, cluster)}
	return append(lines, commonLines(ctx, cluster)...)
}

// accessRight is a right that the integration stage uses.
type accessRight struct {
	verb, group, resource, sub string
	// essential rights are those for namespaces. All others may come with a
	// namespace that one makes, which cannot be asked for beforehand.
	essential bool
}

func (r accessRight) String() string {
	s := r.verb + " " + r.resource
	if r.sub != "" {
		s += "/" + r.sub
	}
	if r.group != "" {
		s += "." + r.group
	}
	return s
}

// accessRights are what a lease, a chart, the tests and the clean-up do.
func accessRights() []accessRight {
	var all []accessRight
	for _, verb := range []string{"create", "get", "delete", "list", "watch"} {
		all = append(all, accessRight{verb: verb, resource: "namespaces", essential: verb == "create" || verb == "get" || verb == "delete"})
	}
	return append(all,
		accessRight{verb: "create", resource: "secrets"},
		accessRight{verb: "list", resource: "secrets"},
		accessRight{verb: "create", resource: "services"},
		accessRight{verb: "create", group: "apps", resource: "deployments"},
		accessRight{verb: "watch", group: "apps", resource: "deployments"},
		accessRight{verb: "patch", resource: "pods"},
		accessRight{verb: "watch", resource: "pods"},
		accessRight{verb: "get", resource: "pods", sub: "log"},
		accessRight{verb: "create", resource: "pods", sub: "portforward"},
	)
}

// rights asks the cluster what its user may do. A review is an answer; nothing
// is kept of it.
func (c *clusterCheck) rights(ctx context.Context, cluster *kindtest.Cluster) Finding {
	wanted := accessRights()
	allowed, errs := make([]bool, len(wanted)), make([]error, len(wanted))
	var wg sync.WaitGroup
	for i, r := range wanted {
		wg.Go(func() { allowed[i], errs[i] = mayI(ctx, cluster, r) })
	}
	wg.Wait()
	l := Finding{Name: "rights", State: OK, Found: "namespaces, what charts contain, logs and port-forward"}
	var missing []string
	essential := false
	for i, r := range wanted {
		if errs[i] != nil {
			l.State, l.Found = Warning, "the cluster does not say what its user may do: "+oneText(errs[i])
			l.Consequence = "nobody knows whether integration can be tested"
			l.Remedy = "see what `kubectl auth can-i --list` says"
			return l
		}
		if !allowed[i] {
			missing, essential = append(missing, r.String()), essential || r.essential
		}
	}
	if len(missing) == 0 {
		return l
	}
	l.State, l.Found = Warning, "not allowed: "+strings.Join(missing, ", ")
	l.Remedy = "ask for a ClusterRole with get, list, watch, create and delete on namespaces, and the ClusterRole admin; or test in a cluster of your own (integration.cluster.provider: kind)"
	if essential {
		return c.patient.blocked(l, c.nodes)
	}
	l.Consequence = "integration is not tested, unless the cluster grants this in the namespaces that one makes"
	return l
}

func mayI(ctx context.Context, cluster *kindtest.Cluster, r accessRight) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.sub},
	}}
	answer, err := cluster.Client().AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}

// imagesLine says how images get into the cluster: kind's nodes take them
// directly, all others pull from a registry.
func (c *clusterCheck) imagesLine(ctx context.Context, cluster *kindtest.Cluster) Finding {
	l := Finding{Name: "images", State: OK}
	if c.choice.Registry != "" {
		l.Found = "through " + c.choice.Registry
		return l
	}
	nodes, err := cluster.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	remedy := "set integration.cluster.registry (or --cluster-registry) to one that this machine can push to and the nodes can pull from"
	if err != nil {
		l.State, l.Found = Warning, "no registry is set, and the nodes cannot be looked at: "+oneText(err)
		l.Consequence, l.Remedy = "integration is not tested, unless kind made the nodes", remedy
		return l
	}
	for _, n := range nodes.Items {
		if !strings.HasPrefix(n.Spec.ProviderID, "kind://") {
			l.Found, l.Remedy = "the cluster's nodes need a registry to pull images from and none is set", remedy
			return c.patient.blocked(l, c.nodes)
		}
	}
	l.Found = "directly into the nodes, which kind made"
	return l
}

// skewAllowed is how much two clocks may differ that agree.
const skewAllowed = 5 * time.Second

// clockLines compare this machine's clock with that of the API server, whose
// answers have a date (RFC 9110, section 6.6.1).
func clockLines(ctx context.Context, cluster *kindtest.Cluster) []Finding {
	theirs, err := clusterTime(ctx, cluster)
	if err != nil {
		return nil // that it does not answer is said elsewhere
	}
	return []Finding{clockLine(time.Since(theirs))}
}

// clockLine judges by how much this machine is ahead.
func clockLine(ahead time.Duration) Finding {
	l := Finding{Name: "clock", State: OK, Found: "agrees with that of the cluster"}
	if ahead.Abs() <= skewAllowed {
		return l
	}
	direction := "ahead of"
	if ahead < 0 {
		direction = "behind"
	}
	l.State, l.Found = Warning, fmt.Sprintf("%v %s that of the cluster", ahead.Abs().Round(time.Second), direction)
	l.Consequence = "certificates and leases may count as not yet valid, or as expired"
	l.Remedy = "`sudo timedatectl set-ntp true`; where the engine runs in a virtual machine, restart it"
	return l
}

// clusterTime is the API server's clock, to the second.
func clusterTime(ctx context.Context, cluster *kindtest.Cluster) (time.Time, error) {
	config := cluster.Config()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	transport := &http.Transport{Proxy: config.Proxy, DisableKeepAlives: true}
	if transport.Proxy == nil {
		transport.Proxy = http.ProxyFromEnvironment
	}
	if len(config.CAData) > 0 || config.Insecure {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: config.ServerName, InsecureSkipVerify: config.Insecure} //nolint:gosec // as the kubeconfig says
	}
	url := config.Host
	if !strings.Contains(url, "://") {
		url = "https://" + url
	}
	// Without credentials, and not followed: also a refusal has a date.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/version", nil)
	if err != nil {
		return time.Time{}, err
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		return time.Time{}, err
	}
	defer answer.Body.Close()
	return http.ParseTime(answer.Header.Get("Date"))
}
