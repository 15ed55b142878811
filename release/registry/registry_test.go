package registry

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, kind := range registries() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			host, step := kind.Start(t), 1
			if kind.Name == "docker-registry" {
				step = 5 // it takes its time
			}
			for name, test := range map[string]func(*testing.T, string){
				"released twice":      releasedTwice,
				"only what is new":    onlyWhatIsNew,
				"moving tags":         movingTags,
				"a taken version":     takenVersion,
				"an unknown tag":      unknownTag,
				"two at once":         twoAtOnce,
				"overtaken":           overtaken,
				"killed at any point": func(t *testing.T, ref string) { killedAtAnyPoint(t, ref, step) },
				"promoted":            promoted,
				"preflight":           preflight,
			} {
				t.Run(name, func(t *testing.T) { test(t, host+"/"+strings.ReplaceAll(name, " ", "-")+"/stock") })
			}
		})
	}
}

func releasedTwice(t *testing.T, ref string) {
	b := aBundle(t, "1.4.2")
	if err := release(t, ref, b, "1.4.2", nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]evidence.Digest{"1.4.2": b.Digest(), "1.4": b.Digest(), "1": b.Digest()}
	if diff := cmp.Diff(want, tagsOf(t, ref)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]evidence.Digest{"1.4.2": b.chart}, tagsOf(t, ref+"/charts/stock")); diff != "" {
		t.Errorf("tags of the chart (-want +got):\n%s", diff)
	}
	var seen recorder
	if err := release(t, ref, b, "1.4.2", seen.journal); err != nil || len(seen.effects) > 0 {
		t.Errorf("released again: %v, %v", seen.effects, err)
	}
}

// The second version has one layer, two configurations and the archive of the
// chart anew; the base is there.
func onlyWhatIsNew(t *testing.T, ref string) {
	var first, second recorder
	if err := release(t, ref, aBundle(t, "1.0.0"), "1.0.0", first.journal); err != nil {
		t.Fatal(err)
	}
	b := aBundle(t, "1.0.1")
	if err := release(t, ref, b, "1.0.1", second.journal); err != nil {
		t.Fatal(err)
	}
	count := func(effects []string) (blobs int) {
		for _, e := range effects {
			if strings.HasPrefix(e, "blob ") && !strings.Contains(e, "/charts/") {
				blobs++
			}
		}
		return blobs
	}
	if count(first.effects) != 5 || count(second.effects) != 4 {
		t.Errorf("first:\n%s\nsecond:\n%s", strings.Join(first.effects, "\n"), strings.Join(second.effects, "\n"))
	}
	_, path, _ := strings.Cut(ref, "/")
	last := second.effects[len(second.effects)-1]
	if want := "tag " + path + "/charts/stock:1.0.1"; last != want {
		t.Errorf("the last effect is %s; expected %s", last, want)
	}
}

func movingTags(t *testing.T, ref string) {
	digests := map[evidence.Digest]string{}
	for _, step := range []struct{ version, want string }{
		{"1.4.2", "1=1.4.2 1.4=1.4.2 1.4.2=1.4.2"},
		{"1.4.10", "1=1.4.10 1.4=1.4.10 1.4.10=1.4.10 1.4.2=1.4.2"},
		{"1.3.9", "1=1.4.10 1.3=1.3.9 1.3.9=1.3.9 1.4=1.4.10 1.4.10=1.4.10 1.4.2=1.4.2"},
		{"2.0.0-rc.1", "1=1.4.10 1.3=1.3.9 1.3.9=1.3.9 1.4=1.4.10 1.4.10=1.4.10 1.4.2=1.4.2 2.0.0-rc.1=2.0.0-rc.1"},
		{"1.4.3", "1=1.4.10 1.3=1.3.9 1.3.9=1.3.9 1.4=1.4.10 1.4.10=1.4.10 1.4.2=1.4.2 1.4.3=1.4.3 2.0.0-rc.1=2.0.0-rc.1"},
	} {
		b := aBundle(t, step.version)
		digests[b.Digest()] = step.version
		to := open(t, ref, repository.Options{})
		if err := Push(t.Context(), to, b, b.Digest()); err != nil {
			t.Fatal(err)
		}
		if err := Tag(t.Context(), to, b.Digest(), step.version); err != nil {
			t.Fatal(err)
		}
		if got := describe(tagsOf(t, ref), digests); got != step.want {
			t.Errorf("after %s: %s; expected %s", step.version, got, step.want)
		}
	}
}

// describe says which version each tag names, sorted by tag.
func describe(tags map[string]evidence.Digest, versions map[evidence.Digest]string) string {
	var words []string
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		words = append(words, tag+"="+versions[tags[tag]])
	}
	return strings.Join(words, " ")
}

func takenVersion(t *testing.T, ref string) {
	first, second := aBundle(t, "1.0.0"), aBundle(t, "1.0.0-other")
	if err := release(t, ref, first, "1.0.0", nil); err != nil {
		t.Fatal(err)
	}
	to := open(t, ref, repository.Options{})
	var taken *TagTaken
	if _, err := PlanTags(t.Context(), to, second.Digest(), "1.0.0"); !errors.As(err, &taken) || taken.Has != first.Digest() {
		t.Errorf("plan: %v", err)
	}
	var seen recorder
	err := release(t, ref, second, "1.0.0", seen.journal)
	if !errors.As(err, &taken) || strings.Contains(strings.Join(seen.effects, "\n"), "tag ") {
		t.Errorf("released as what is taken: %v\n%s", err, strings.Join(seen.effects, "\n"))
	}
	charts, err := ChartRepository(to, "stock")
	if err != nil {
		t.Fatal(err)
	}
	if err := PushChart(t.Context(), charts, second, second.chart, "1.0.0"); !errors.As(err, &taken) {
		t.Errorf("the chart is replaced: %v", err)
	}
	if got := tagsOf(t, ref)["1.0.0"]; got != first.Digest() {
		t.Errorf("1.0.0 is %s", got)
	}
}

// A moving tag that names nobody knows what, or something higher, stays.
func unknownTag(t *testing.T, ref string) {
	to := open(t, ref, repository.Options{})
	for _, c := range []struct{ has, release, want string }{
		{"not a version", "1.4.2", "nobody knows"},
		{"2.9.0", "2.4.0", "backwards"},
		{"3.1.0", "3.4.0", ""},
	} {
		other, b := aBundle(t, c.has), aBundle(t, c.release)
		if err := Push(t.Context(), to, other, other.Digest()); err != nil {
			t.Fatal(err)
		}
		m, err := other.Manifest(t.Context(), string(other.Digest()))
		if err != nil {
			t.Fatal(err)
		}
		if err := to.PutTag(t.Context(), c.release[:1], m); err != nil {
			t.Fatal(err)
		}
		_, err = PlanTags(t.Context(), to, b.Digest(), c.release)
		var taken *TagTaken
		if errors.As(err, &taken) != (c.want != "") || taken != nil && !strings.Contains(taken.Why, c.want) {
			t.Errorf("%s over %s: %v; expected %q", c.release, c.has, err, c.want)
		}
	}
}

func promoted(t *testing.T, ref string) {
	b := aBundle(t, "1.0.0")
	from, to := open(t, ref, repository.Options{}), open(t, ref+"/staging", repository.Options{})
	if err := Push(t.Context(), from, b, b.Digest()); err != nil {
		t.Fatal(err)
	}
	if err := Push(t.Context(), to, from, b.Digest()); err != nil {
		t.Fatal(err)
	}
	g := &graph{from: to, blobs: map[v1.Hash]v1.Descriptor{}, seen: map[evidence.Digest]bool{}}
	if err := g.add(t.Context(), b.Digest()); err != nil || len(g.manifests) != 3 || len(g.blobs) != 5 {
		t.Fatalf("%d manifests, %d blobs, %v", len(g.manifests), len(g.blobs), err)
	}
	for digest := range g.blobs {
		if there, err := to.HasBlob(t.Context(), digest); err != nil || !there {
			t.Errorf("%s: %v, %v", digest, there, err)
		}
	}
}

func preflight(t *testing.T, ref string) {
	if err := open(t, ref, repository.Options{}).Preflight(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestVersionsThatAreNone(t *testing.T) {
	t.Parallel()
	r := open(t, "127.0.0.1:1/stock", repository.Options{})
	for _, version := range []string{"", "v1.2.3", "1.2", "1.2.3+build", "latest"} {
		if _, err := PlanTags(t.Context(), r, "", version); err == nil {
			t.Errorf("%q is a version", version)
		}
	}
}
