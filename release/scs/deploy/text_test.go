package deploy

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/kindtest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	d := deployment("cart 0.1.0", "stock 0.1.1")
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	record := Record{System: "shop", Environment: "staging",
		Installed: &Installed{Version: "1.1.0", ID: "sha256:0123456789abcdef", Sequence: 2, By: "ann", At: at,
			Members: []Placed{{Service: "cart", Version: "0.1.0", Bundle: d.Members[0].Bundle, Ref: "pipeline.local/cart:0.1.0"}}},
		Deploying: &Attempt{Version: d.Version, ID: d.ID, Sequence: d.Sequence, Before: map[string]int{"cart": 1}, By: "job 7", Since: at},
	}
	s := &Status{System: d.System, Environment: d.Environment, Namespace: d.Namespace, Cluster: "kind-pipeline", Version: d.Version, ID: d.ID, Sequence: d.Sequence, Record: record}
	s.Drift = append(recordDrift(d, &record),
		Drift{Service: "cart", Kind: Scaled, Object: "deployment/cart", Field: "spec.replicas", Want: "1", Have: "3"},
		Drift{Service: "stock", Kind: Missing, Want: "0.1.1", Have: "nothing"})
	golden(t, "status.txt", []byte(s.Text()))
	golden(t, "status.json", s.JSON())
	none := &Status{System: d.System, Environment: d.Environment, Namespace: d.Namespace, Cluster: "kind-pipeline", Version: d.Version}
	golden(t, "none.txt", []byte(none.Text()))

	old := placed(d, "stock 0.1.0", "s")
	p, err := decide(d, nil, &state{releases: []kindtest.Release{old, placed(d, "mail 0.3.0", "m")}}, false)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", []byte(p.Text()))
	failed := &FailedError{System: "shop", Version: "1.2.0", Environment: "staging", Back: []string{"cart", "stock"},
		Err: &kindtest.NotReadyError{Hopeless: true, Diagnosis: kindtest.Diagnosis{Namespace: "shop-staging",
			Problems: []kindtest.Problem{{Workload: "deployment/cart 0/1 ready", Container: "cart", Reason: "CrashLoopBackOff", Message: "exited with code 7"}}}}}
	golden(t, "failed.txt", []byte(failed.Error()+"\n"))
}
