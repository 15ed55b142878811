package providertest

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

// openAs returns the suite's cluster as a new service account sees it, which
// has the rules and no other rights. It lives in l.
func (s *suite) openAs(t *testing.T, l *kindtest.Lease, rules ...rbacv1.PolicyRule) *kindtest.Cluster {
	t.Helper()
	client, ctx := s.cluster.Client(), t.Context()
	account, err := client.CoreV1().ServiceAccounts(l.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "tester"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) > 0 {
		s.grant(t, account, rules)
	}
	token, err := client.CoreV1().ServiceAccounts(l.Namespace).CreateToken(ctx, account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	admin := s.cluster.Config()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: admin.Host, CertificateAuthorityData: admin.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	c, err := kindtest.Open(ctx, s.cluster.Name, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *suite) grant(t *testing.T, account *corev1.ServiceAccount, rules []rbacv1.PolicyRule) {
	t.Helper()
	rbac := s.cluster.Client().RbacV1()
	meta := metav1.ObjectMeta{Name: account.Namespace}
	t.Cleanup(func() {
		_ = rbac.ClusterRoleBindings().Delete(context(), meta.Name, metav1.DeleteOptions{})
		_ = rbac.ClusterRoles().Delete(context(), meta.Name, metav1.DeleteOptions{})
	})
	_, err := rbac.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err == nil {
		_, err = rbac.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *suite) testNoRights(t *testing.T) {
	c := s.openAs(t, s.lease(t))
	_, err := c.Lease(t.Context(), kindtest.LeaseOptions{Prefix: "kt"})
	lacks(t, err, "create namespaces")
	t.Log(err)
	_, err = c.Leases(t.Context())
	lacks(t, err, "list namespaces")
	_, err = c.Sweep(t.Context())
	lacks(t, err, "list namespaces")
}

// testFewRights lets somebody make namespaces who may do nothing in them.
func (s *suite) testFewRights(t *testing.T) {
	ctx := t.Context()
	c := s.openAs(t, s.lease(t), rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "create"}})
	l := leaseOnceGranted(t, c)
	t.Cleanup(func() { // with the rights of whoever runs the tests
		_ = s.cluster.Client().CoreV1().Namespaces().Delete(context(), l.Namespace, metav1.DeleteOptions{})
	})
	lacks(t, l.Apply(ctx, "app.yaml", []byte(pod("web", s.loaded.Ref, "serve"))), "patch pods")
	lacks(t, l.InstallChart(ctx, kindtest.Chart{Release: "answer", Path: chartPath(t), Values: map[string]any{"image": s.loaded.Ref}}), "list secrets", "create secrets", "get services", "get deployments.apps")
	lacks(t, l.WaitReady(ctx, kindtest.ReadyOptions{}), "list pods", "list deployments.apps")
	_, err := l.TLS(ctx, "web-tls", []string{"web"})
	lacks(t, err, "create secrets")
	_, err = l.Images(ctx)
	lacks(t, err, "list pods")
	_, err = l.Services(ctx)
	lacks(t, err, "list services")
	_, err = l.Forward(ctx, "answer", "")
	lacks(t, err, "get services")
	lacks(t, l.Release(ctx), "delete namespaces")
}

// leaseOnceGranted tries until the API server knows of the grant, which it
// learns of a moment later.
func leaseOnceGranted(t *testing.T, c *kindtest.Cluster) *kindtest.Lease {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		l, err := c.Lease(t.Context(), kindtest.LeaseOptions{Prefix: "kt", RunID: "suite"})
		if err == nil {
			return l
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// lacks checks that err names one of the rights, and what to do.
func lacks(t *testing.T, err error, rights ...string) {
	t.Helper()
	var e *kindtest.PermissionError
	if !errors.As(err, &e) {
		t.Errorf("error: %v (%T), want one that names %q", err, err, rights)
		return
	}
	for _, r := range rights {
		if e.Right == r && strings.Contains(e.Remedy, "ask for the right to "+r) {
			return
		}
	}
	t.Errorf("right %q, want one of %q: %v", e.Right, rights, err)
}
