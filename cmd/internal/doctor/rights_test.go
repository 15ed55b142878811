package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

// apiServer answers as much of the Kubernetes API as the checks of rights ask:
// its user lacks what is refused. Its clock is an hour behind.
func apiServer(t *testing.T, refused ...string) *kindtest.Cluster {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`)
	})
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", func(w http.ResponseWriter, r *http.Request) {
		review := readReview(t, r.Body)
		a := review.Spec.ResourceAttributes
		review.Status.Allowed = true
		for _, right := range refused {
			if right == (accessRight{verb: a.Verb, group: a.Group, resource: a.Resource, sub: a.Subresource}).String() {
				review.Status.Allowed = false
			}
		}
		review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
		_ = json.NewEncoder(w).Encode(review)
	})
	mux.HandleFunc("GET /api/v1/nodes", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"n"},"spec":{"providerID":"cloud://n"}}]}`)
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	writeFile(t, file, fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: c, cluster: {server: %q}}]\ncontexts: [{name: a, context: {cluster: c}}]\n", server.URL))
	cluster, err := kindtest.Open(t.Context(), "test", file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return cluster
}

// readReview reads what the client sends: "k8s", a zero, and a
// runtime.Unknown around the object, in protobuf.
func readReview(t *testing.T, body io.Reader) (review authorizationv1.SelfSubjectAccessReview) {
	t.Helper()
	data, err := io.ReadAll(body)
	var envelope runtime.Unknown
	if err == nil {
		err = envelope.Unmarshal(bytes.TrimPrefix(data, []byte("k8s\x00")))
	}
	if err == nil {
		err = review.Unmarshal(envelope.Raw)
	}
	if err != nil || review.Spec.ResourceAttributes == nil {
		t.Errorf("%v: %+v", err, review)
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{}
	}
	return review
}

func TestRights(t *testing.T) {
	t.Parallel()
	p := newTestPatient(t, "stock")
	c := p.clusters()[0]
	if l := c.rights(t.Context(), apiServer(t)); l.State != OK {
		t.Errorf("%+v", l)
	}
	l := c.rights(t.Context(), apiServer(t, "create namespaces", "get pods/log"))
	if l.State != Problem || l.Found != "not allowed: create namespaces, get pods/log" || !cmp.Equal(l.NotTested, []string{"stock/integration"}) || l.Remedy == "" {
		t.Errorf("%+v", l)
	}
	l = c.rights(t.Context(), apiServer(t, "create deployments.apps"))
	if l.State != Warning || !strings.Contains(l.Consequence, "unless the cluster grants this") {
		t.Errorf("%+v", l)
	}
}

func TestExistingCluster(t *testing.T) {
	t.Parallel()
	p := newTestPatient(t, "stock")
	c := p.clusters()[0]
	cluster := apiServer(t)
	if l := c.imagesLine(t.Context(), cluster); l.State != Problem || !strings.Contains(l.Remedy, "integration.cluster.registry") {
		t.Errorf("%+v", l)
	}
	c.choice.Registry = "registry.example.com/ci"
	if l := c.imagesLine(t.Context(), cluster); l.State != OK {
		t.Errorf("%+v", l)
	}
	lines := clockLines(t.Context(), cluster)
	if len(lines) != 1 || lines[0].State != Warning || !strings.Contains(lines[0].Found, "ahead of") {
		t.Errorf("%+v", lines)
	}
}

func TestClusterVersion(t *testing.T) {
	t.Parallel()
	c := &clusterCheck{patient: newTestPatient(t)}
	for version, want := range map[string]State{"v1.36.9": OK, "v1.30.1": Warning} {
		if l := c.versionLine(Finding{State: OK}, version); l.State != want || (l.Remedy == "") != (want == OK) {
			t.Errorf("%s: %+v", version, l)
		}
	}
}
