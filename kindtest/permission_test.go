package kindtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAPIError(t *testing.T) {
	t.Parallel()
	c := &Cluster{Name: "shop"}
	forbidden := func(why string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "x"}, "y", errors.New(why))
	}
	for _, x := range []struct {
		name, right, says string
		err               error
	}{
		{"core", "create namespaces", "ask for the right to create namespaces", forbidden(`User "me" cannot create resource "namespaces" in API group "" at the cluster scope`)},
		{"group", "patch deployments.apps", "right to patch deployments.apps", fmt.Errorf("helm: %w", forbidden(`User "me" cannot patch resource "deployments" in API group "apps" in the namespace "n"`))},
		{"subresource", "get pods/log", "right to get pods/log", forbidden(`User "me" cannot get resource "pods/log" in API group "" in the namespace "n"`)},
		{"other rule", "", "ask for a ClusterRole", forbidden("exceeded quota: small")},
		{"expired", "", "log in again", apierrors.NewUnauthorized("Unauthorized")},
	} {
		err := c.apiError("do it", x.err)
		var e *PermissionError
		if !errors.As(err, &e) || e.Right != x.right || !strings.Contains(e.Remedy, x.says) || !strings.HasPrefix(err.Error(), "not allowed to do it in cluster shop: ") || !errors.Is(err, x.err) {
			t.Errorf("%s: %+v", x.name, err)
		}
	}
}

func TestAPIErrorBlamesTheEnvironment(t *testing.T) {
	t.Parallel()
	c := &Cluster{Name: "shop"}
	for _, x := range []struct {
		err  error
		want bool
	}{
		{errors.New("connection refused"), true},
		{apierrors.NewInternalError(errors.New("etcd is full")), true},
		{apierrors.NewServiceUnavailable("starting"), true},
		{apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, "stock"), false},
		{context.Canceled, false},
	} {
		err := c.apiError("do it", x.err)
		var e *EnvironmentError
		if got := errors.As(err, &e); got != x.want || !errors.Is(err, x.err) {
			t.Errorf("%v: environment %v, want %v", err, got, x.want)
		}
	}
}
