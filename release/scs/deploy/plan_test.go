package deploy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/release/scs"
)

func deployment(members ...string) *Deployment {
	d := &Deployment{System: "shop", Environment: "staging", Namespace: "shop-staging", Version: "1.2.0", ID: evidence.Sum([]byte("x")), Sequence: 3}
	for _, m := range members {
		service, version, _ := strings.Cut(m, " ")
		d.Members = append(d.Members, Member{Member: scs.Member{Service: service, Version: version, Bundle: evidence.Sum([]byte(m))}})
	}
	return d
}

// placed is the release of a member as Apply leaves it.
func placed(d *Deployment, member, inputs string) kindtest.Release {
	service, version, _ := strings.Cut(member, " ")
	m := &Member{Member: scs.Member{Service: service, Version: version, Bundle: evidence.Sum([]byte(member))}}
	return kindtest.Release{Name: service, Revision: 4, Status: "deployed", Ours: true, Inputs: inputs, Deployed: 4, Labels: d.labels(m)}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	d := deployment("cart 0.1.0", "stock 0.1.0", "web 0.2.0-dev.h1+x")
	inputs := map[string]string{"cart": "c", "stock": "s", "web": "w"}
	done := Record{Installed: &Installed{Version: d.Version, ID: d.ID, Sequence: d.Sequence}}
	all := []kindtest.Release{placed(d, "cart 0.1.0", "c"), placed(d, "stock 0.1.0", "s"), placed(d, "web 0.2.0-dev.h1+x", "w")}
	with := func(i int, change func(*kindtest.Release)) []kindtest.Release {
		out := append([]kindtest.Release(nil), all...)
		change(&out[i])
		return out
	}
	drift := func(kind string) map[string][]kindtest.ObjectDrift {
		return map[string][]kindtest.ObjectDrift{"stock": {{Kind: kind, Object: "deployment/stock"}}}
	}
	for _, test := range []struct {
		name    string
		state   state
		want    []string // without what is kept
		nothing bool
	}{
		{"nothing there", state{}, []string{"install cart 0.1.0", "install stock 0.1.0", "install web 0.2.0-dev.h1+x"}, false},
		{"all there", state{record: done, releases: all}, nil, true},
		{"not written down", state{releases: all}, nil, false},
		{"another version", state{record: done, releases: with(1, func(r *kindtest.Release) { *r = placed(d, "stock 0.0.9", "o") })}, []string{"upgrade stock 0.0.9 -> 0.1.0"}, false},
		{"other values", state{record: done, releases: with(2, func(r *kindtest.Release) { r.Inputs = "o" })}, []string{"upgrade web 0.2.0-dev.h1+x (other values)"}, false},
		{"died", state{record: done, releases: with(1, func(r *kindtest.Release) { r.Status = "pending-upgrade" })}, []string{"upgrade stock 0.1.0 (revision 4 is pending-upgrade)"}, false},
		{"by hand", state{record: done, releases: with(1, func(r *kindtest.Release) { r.Ours = false })}, []string{"upgrade stock 0.1.0 (revision 4 was made with another helm)"}, false},
		{"gone member", state{record: done, releases: append(with(0, func(*kindtest.Release) {}), placed(d, "old 0.0.1", "o"))}, []string{"remove old 0.0.1"}, false},
		{"foreign release", state{record: done, releases: append(with(0, func(*kindtest.Release) {}), kindtest.Release{Name: "db"})}, nil, true},
		{"scaled", state{record: done, releases: all, drift: drift(kindtest.DriftScaled)}, []string{"repair stock 0.1.0 (deployment/stock is scaled)"}, false},
		{"cannot be undone", state{record: done, releases: all, drift: drift(kindtest.DriftAdded)}, nil, true},
		{"not ready", state{record: done, releases: all, drift: drift(kindtest.DriftNotReady)}, nil, false},
	} {
		p, err := decide(d, inputs, &test.state, false)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var got []string
		for _, c := range p.Changes {
			if c.Action != Keep {
				got = append(got, c.String())
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" || p.Nothing != test.nothing {
			t.Errorf("%s: nothing %v, (-want +got):\n%s", test.name, p.Nothing, diff)
		}
	}
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	d := deployment("stock 0.1.0")
	at := func(sequence int64, id evidence.Digest) Record {
		return Record{Installed: &Installed{Sequence: 1, ID: "old"}, Deploying: &Attempt{Sequence: sequence, ID: id}}
	}
	for _, test := range []struct {
		name  string
		state state
		older bool
		want  string
	}{
		{"newer", state{record: at(4, "y")}, false, "is on sequence 4, which is newer than 3"},
		{"newer, all the same", state{record: at(4, "y")}, true, ""},
		{"same sequence", state{record: at(3, "y")}, true, "another combination under the same sequence 3"},
		{"same", state{record: at(3, d.ID)}, false, ""},
		{"foreign release", state{releases: []kindtest.Release{{Name: "stock"}}}, false, "the Helm release stock in namespace shop-staging belongs to somebody else"},
	} {
		_, err := decide(d, nil, &test.state, test.older)
		if got := errText(err); !strings.Contains(got, test.want) || (test.want == "") != (err == nil) {
			t.Errorf("%s: error %q, want %q", test.name, got, test.want)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWaves(t *testing.T) {
	t.Parallel()
	d := deployment("a 1.0.0", "b 1.0.0", "c 1.0.0", "d 1.0.0")
	d.Waves = [][]string{{"c"}, {"b", "d"}}
	var got []string
	for _, wave := range d.waves() {
		var names []string
		for _, m := range wave {
			names = append(names, m.Service)
		}
		got = append(got, strings.Join(names, " "))
	}
	if diff := cmp.Diff([]string{"c", "b d", "a"}, got); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
	for _, wrong := range [][][]string{{{"c"}, {"c"}}, {{"z"}}} {
		d.Waves = wrong
		if err := d.check(); err == nil {
			t.Errorf("%v was accepted", wrong)
		}
	}
}

func TestImageValues(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]map[string]any{
		"r.example.com:5000/shop/stock@sha256:ab": {"repository": "r.example.com:5000/shop/stock", "tag": "bundle@sha256:ab", "digest": "sha256:ab", "pullPolicy": "IfNotPresent"},
		"pipeline.local/stock:0.1.0-ab":           {"repository": "pipeline.local/stock", "tag": "0.1.0-ab", "digest": "", "pullPolicy": "IfNotPresent"},
		"r.example.com:5000/stock":                {"repository": "r.example.com:5000/stock", "tag": "", "digest": "", "pullPolicy": "IfNotPresent"},
	} {
		if diff := cmp.Diff(map[string]any{"image": want}, imageValues(ref)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ref, diff)
		}
	}
	a := map[string]any{"image": map[string]any{"tag": "1", "pullSecret": "s"}, "n": 1}
	got := merge(a, map[string]any{"image": map[string]any{"tag": "2"}, "n": nil})
	if diff := cmp.Diff(map[string]any{"image": map[string]any{"tag": "2", "pullSecret": "s"}, "n": nil}, got); diff != "" || a["image"].(map[string]any)["tag"] != "1" {
		t.Errorf("merged (-want +got):\n%s\nchanged: %v", diff, a)
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"1.2.3": "1.2.3", "1.2.3-rc.1+build.5": "1.2.3-rc.1_build.5", "1.0.0-" + strings.Repeat("a.", 40): "1.0.0-" + strings.TrimSuffix(strings.Repeat("a.", 29), "."),
	} {
		if got := labelVersion(version); got != want || len(got) > 63 {
			t.Errorf("label of %s: %s", version, got)
		}
	}
	if got := labelDigest(evidence.Sum(nil)); len(got) != 63 || strings.Contains(got, ":") {
		t.Errorf("label: %s", got)
	}
}

func TestRecordDrift(t *testing.T) {
	t.Parallel()
	d := deployment("stock 0.1.0")
	r := &Record{Installed: &Installed{Version: "1.1.0", ID: evidence.Sum(nil), Sequence: 2}, Failed: &Failure{ID: d.ID, Why: "stock did not start"}}
	var got []string
	for _, x := range recordDrift(d, r) {
		got = append(got, x.String())
	}
	want := []string{"other state configmap/pipeline-system: want 1.2.0, sequence 3, " + d.ID.Short() + ", have 1.1.0, sequence 2, " + evidence.Sum(nil).Short() + "; deploying it failed: stock did not start"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.Installed = &Installed{Version: d.Version, ID: d.ID, Sequence: d.Sequence}
	if got := recordDrift(d, r); got != nil {
		t.Errorf("drift: %v", got)
	}
}
