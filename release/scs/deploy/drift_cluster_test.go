//go:build cluster

package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	autoscaling "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/release/scs/deploy"
)

// testDrift changes a namespace in one way after the other; each is found and
// named, and deploying again undoes it.
func (w *world) testDrift(t *testing.T) {
	d := w.fresh(t, "cart", "stock", "web")
	// Server-side apply refuses what web's pods have.
	d.Members[2].Values = append(d.Members[2].Values, map[string]any{"twice": true})
	w.apply(t, d)
	w.noDrift(t, d)
	ctx, client := t.Context(), w.cluster.Client()

	w.patch(t, d, "stock", "kubectl-scale", `{"spec":{"replicas":2}}`)
	w.drifts(t, d, "scaled stock deployment/stock spec.replicas: want 1, have 2")
	scaler, err := client.AutoscalingV2().HorizontalPodAutoscalers(d.Namespace).Create(ctx, &autoscaling.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "stock"},
		Spec:       autoscaling.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscaling.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "stock"}, MaxReplicas: 3},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.drifts(t, d) // an autoscaler may
	if err := client.AutoscalingV2().HorizontalPodAutoscalers(d.Namespace).Delete(ctx, scaler.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}

	w.patch(t, d, "cart", "kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"app","args":["unready"],"env":[{"name":"DEBUG","value":"1"}]}]}}}}`)
	w.patch(t, d, "web", "kubectl-edit", `{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"ANSWER","value":"forty"},{"name":"DEBUG","value":"1"}]}]}}}}`)
	w.patch(t, d, "cart", "kubectl-rollout", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01"}}}}}`)
	if err := client.CoreV1().Services(d.Namespace).Delete(ctx, "stock", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.drifts(t, d,
		`added cart deployment/cart spec.template.spec.containers[name="app"].env[name="DEBUG"]: want (none), have set by kubectl-edit`,
		`added web deployment/web spec.template.spec.containers[name="app"].env[name="DEBUG"]: want (none), have set by kubectl-edit`,
		`edited cart deployment/cart spec.template.spec.containers[app].args[0]: want serve, have unready`,
		`edited web deployment/web spec.template.spec.containers[app].env[ANSWER].value: want 0.1.0, have forty`,
		`deleted stock service/stock: want there, have not there`,
		`scaled stock deployment/stock spec.replicas: want 1, have 2`)

	p := w.apply(t, d)
	if p.Changes[0].Action != deploy.Repair || p.Changes[1].Action != deploy.Repair {
		t.Errorf("plan: %s", p.Text())
	}
	w.drifts(t, d, "added web", `added cart deployment/cart spec.template.spec.containers[name="app"].env[name="DEBUG"]: want (none), have set by kubectl-edit`)
	if p := w.apply(t, d); !p.Nothing {
		t.Errorf("what cannot be undone is tried again: %s", p.Text())
	}

	w.byHelm(t, d)
	w.drifts(t, d, "helm cart: want a revision of pipeline, have revision 3, which another helm made", "added cart", "added web")
	other := w.member(t, "old", "0.0.1")
	space := w.cluster.Space(d.Namespace, d.System, d.Environment)
	_, err = space.Install(ctx, kindtest.Chart{Release: "old", Archive: other.Chart, Values: map[string]any{
		"mode": "serve", "image": map[string]any{"repository": "pipeline.local/deploy", "tag": w.image.Ref[strings.LastIndex(w.image.Ref, ":")+1:], "pullPolicy": "IfNotPresent"},
	}}, kindtest.ReleaseOptions{Labels: map[string]string{kindtest.SystemLabel: d.System, kindtest.EnvironmentLabel: d.Environment, "pipeline.selfcontained/version": "0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := space.Uninstall(ctx, "stock"); err != nil {
		t.Fatal(err)
	}
	w.drifts(t, d, "helm cart", "added cart", "added web", "extra old: want nothing, have 0.0.1", "missing stock: want 0.1.0, have nothing")
	w.apply(t, d)
	w.drifts(t, d, "added cart", "added web")
	w.wantRevisions(t, d, "cart 4 deployed", "stock 1 deployed", "web 2 deployed")
	w.testWanted(t, d)
}

// testWanted changes what the environment wants instead of what runs.
func (w *world) testWanted(t *testing.T, d deploy.Deployment) {
	wanted := d
	wanted.Members = slices.Clone(d.Members)
	wanted.Members[1].Values = []map[string]any{{"mode": "serve", "answer": "another"}}
	w.drifts(t, wanted, "values stock", "added cart", "added web")
	wanted.Members[1] = w.member(t, "stock", "0.2.0")
	w.drifts(t, wanted, "version stock: want 0.2.0 (", "added cart", "added web")

	// The bundle behind the reference is another one.
	wanted.Members = slices.Clone(d.Members)
	wanted.Members[1].Image.Digest, wanted.Members[1].Image.Config = string(d.ID), string(d.ID)
	w.drifts(t, wanted, "image stock pod/stock-", "added cart", "added web")
}

// byHelm upgrades cart as a person does with a helm of his own, who sees our
// history.
func (w *world) byHelm(t *testing.T, d deploy.Deployment) {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &w.cluster.Kubeconfig, &d.Namespace
	config := &action.Configuration{}
	if err := config.Init(flags, d.Namespace, "", t.Logf); err != nil {
		t.Fatal(err)
	}
	list, err := action.NewList(config).Run()
	if err != nil || len(list) != 3 || list[0].Name != "cart" || list[0].Version != 2 {
		t.Fatalf("helm list: %v, %v", list, err)
	}
	history, err := action.NewHistory(config).Run("cart")
	if err != nil || len(history) != 2 {
		t.Fatalf("helm history: %v, %v", history, err)
	}
	upgrade := action.NewUpgrade(config)
	upgrade.Namespace, upgrade.ReuseValues, upgrade.DisableOpenAPIValidation = d.Namespace, true, true
	if _, err := upgrade.Run("cart", list[0].Chart, map[string]any{}); err != nil {
		t.Fatal(err)
	}
}

// drifts checks that the drift has exactly the lines that begin with want, in
// whatever order. Pods that are on their way do not count.
func (w *world) drifts(t *testing.T, d deploy.Deployment, want ...string) {
	t.Helper()
	s := w.look(t, d)
	var got []string
	for _, drift := range s.Drift {
		if drift.Kind != deploy.NotReady {
			got = append(got, drift.String())
		}
	}
	ok := len(got) == len(want)
	for _, line := range want {
		ok = ok && slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, line) })
	}
	if !ok {
		t.Errorf("drift:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// kindsTemplate has objects of many kinds, written as people do: quantities in
// other notations, defaults left out, null fields, text for a secret.
const kindsTemplate = `apiVersion: v1
kind: ServiceAccount
metadata: {name: kinds, annotations: null}
---
apiVersion: v1
kind: Secret
metadata: {name: kinds}
stringData: {password: "secret"}
data: {token: c2VjcmV0Cg==}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kinds}
data: {"app.conf": "a = 1\n"}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kinds}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1048576Ki}}}
---
apiVersion: v1
kind: Service
metadata: {name: kinds}
spec:
  type: NodePort
  selector: {app: kinds}
  ports: [{name: a, port: 80, targetPort: http}, {name: b, port: 80, protocol: UDP}, {name: c, port: 81}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: kinds}
spec:
  replicas: 0
  serviceName: kinds
  selector: {matchLabels: {app: kinds}}
  template:
    metadata: {labels: {app: kinds}}
    spec:
      tolerations: [{key: a, operator: Exists}]
      containers:
      - name: app
        image: {{ .Values.image.repository }}:{{ .Values.image.tag }}
        command: []
        resources: {requests: {cpu: "0.5", memory: 1024Mi}, limits: {memory: 1.5G}}
        livenessProbe: {tcpSocket: {port: 80}}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: kinds}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "none.local/a:1"}]}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: kinds}
spec: {minAvailable: 1, selector: {matchLabels: {app: kinds}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: kinds}
spec: {podSelector: {}, ingress: [{ports: [{port: 80}], from: [{podSelector: {}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: kinds}
spec: {rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: kinds, port: {number: 80}}}}]}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: kinds}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: kinds}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: kinds}
subjects: [{kind: ServiceAccount, name: kinds}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: kinds}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: kinds}
  maxReplicas: 2
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: kinds}
spec: {hard: {requests.cpu: 4000m}}
`

// testKinds looks for false alarms with objects of many kinds, and that no secret
// is shown.
func (w *world) testKinds(t *testing.T) {
	d := w.fresh(t, "kinds")
	d.Members[0].Chart = archive(t, "0.1.0", kindsTemplate)
	w.apply(t, d)
	w.noDrift(t, d)
	client := w.cluster.Client().CoreV1()
	if _, err := client.Secrets(d.Namespace).Patch(t.Context(), "kinds", types.MergePatchType, []byte(`{"data":{"password":"b3RoZXI="}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ConfigMaps(d.Namespace).Patch(t.Context(), "kinds", types.MergePatchType, []byte(`{"data":{"app.conf":"a = 2"}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	w.drifts(t, d, `edited kinds configmap/kinds data[app.conf]: want "a = 1\n", have a = 2`, "edited kinds secret/kinds data.password: want (hidden), have (hidden, another one)")
	if p := w.apply(t, d); p.Changes[0].Action != deploy.Repair {
		t.Errorf("plan: %s", p.Text())
	}
	w.noDrift(t, d)
}
