package system

import (
	"errors"
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// placedAt returns a deployment of members, "stock 0.1.0", that are loaded.
func placedAt(members ...string) *deployment {
	o := Options{System: "shop"}
	for _, m := range members {
		name, version, _ := strings.Cut(m, " ")
		o.Members = append(o.Members, Member{Name: name, Version: version, Bundle: evidence.Sum([]byte(m))})
	}
	d := newDeployment(New(o), nil, nil)
	for _, m := range d.members {
		m.loaded = kindtest.Loaded{Ref: m.image.Ref(), Digest: string(m.Bundle)}
	}
	return d
}

func TestOnlyTheImagesOfTheCombinationMayRun(t *testing.T) {
	t.Parallel()
	d := placedAt("cart 0.2.0", "stock 0.1.0")
	cart, stock := d.members[0].loaded, d.members[1].loaded
	of := kindtest.Belongings{"pod/cart-1": "cart", "pod/stock-1": "stock", "pod/stock-2": "stock"}
	runs := func(pod string, l kindtest.Loaded) kindtest.PodImage {
		return kindtest.PodImage{Pod: pod, Container: "main", Image: l.Ref, ImageID: "x@" + l.Digest}
	}
	named := func(pod, image string) kindtest.PodImage {
		return kindtest.PodImage{Pod: pod, Container: "beside", Image: image, ImageID: "x@sha256:99"}
	}
	same := func(i kindtest.PodImage, m *placed) bool { return i.ImageID == "x@"+m.loaded.Digest }
	both := []kindtest.PodImage{runs("cart-1", cart), runs("stock-1", stock)}
	for name, c := range map[string]struct {
		images []kindtest.PodImage
		want   string // empty: all is well
	}{
		"the combination":               {both, ""},
		"a sidecar":                     {append(both[:2:2], named("cart-1", "docker.io/library/redis:7")), ""},
		"a pod of an operator":          {append(both[:2:2], runs("stray", stock)), ""},
		"a member is missing":           {both[:1], "no pod of stock 0.1.0 runs the image of its bundle"},
		"chart without values":          {[]kindtest.PodImage{both[0], named("stock-1", "stock")}, "pod stock-1 runs stock, which is not the image of stock 0.1.0"},
		"an image of nobody":            {[]kindtest.PodImage{both[0], named("stock-1", "nginx:1")}, "no pod of stock 0.1.0 runs"},
		"another version":               {append(both[:2:2], named("cart-1", "registry.example.com/shop/stock:0.0.9")), "pod cart-1 runs registry.example.com/shop/stock:0.0.9, which is not the image of stock 0.1.0"},
		"another version by digest":     {append(both[:2:2], named("stock-2", "registry.example.com:5000/shop/stock@sha256:99")), "which is not the image of stock 0.1.0"},
		"another bundle of the version": {append(both[:2:2], named("stock-2", stock.Ref[:len(stock.Ref)-1]+"x")), "which is not the image of stock 0.1.0"},
		"another member's image":        {[]kindtest.PodImage{runs("cart-1", stock), both[1]}, "pod cart-1 of cart 0.2.0 runs the image of stock 0.1.0"},
		"other bytes":                   {[]kindtest.PodImage{both[0], {Pod: "stock-1", Image: stock.Ref, ImageID: "x@sha256:99"}}, "pod stock-1 runs x@sha256:99, expected " + stock.Digest},
	} {
		err := d.judgeImages(c.images, of, same)
		var failure *pipeline.Failure
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.As(err, &failure) || !strings.Contains(failure.Summary, c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestImagesOfPodsThatHaveNotStarted(t *testing.T) {
	t.Parallel()
	d := placedAt("cart 0.2.0", "stock 0.1.0")
	of := kindtest.Belongings{"pod/cart-1": "cart"}
	waiting := []kindtest.PodImage{{Pod: "cart-1", Image: d.members[0].loaded.Ref}}
	if err := d.judgeImages(waiting, of, nil); err != nil {
		t.Errorf("stock has no pods yet, which is no matter of images: %v", err)
	}
	waiting[0].Image = "registry.example.com/old:1"
	if err := d.judgeImages(waiting, of, nil); err == nil || !strings.Contains(err.Error(), "no pod of cart 0.2.0") {
		t.Errorf("got %v", err)
	}
}

func TestNotReadyNamesTheMember(t *testing.T) {
	t.Parallel()
	member := func(workload string) string {
		return map[string]string{"deployment/front 0/1 ready": "web 1.0.0", "deployment/cart 0/1 ready": "cart 0.2.0"}[workload]
	}
	front := kindtest.Problem{Workload: "deployment/front 0/1 ready", Container: "web", Reason: "CrashLoopBackOff", Message: "exited with code 7"}
	cart := kindtest.Problem{Workload: "deployment/cart 0/1 ready", Reason: "NotReady", Message: "it runs"}
	full := kindtest.Problem{Workload: "deployment/cart 0/1 ready", Reason: "Unschedulable", Message: "0/1 nodes are available: 1 Insufficient cpu."}
	unbound := kindtest.Problem{Workload: "deployment/cart 0/1 ready", Reason: "Unschedulable", Message: "0/1 nodes match"}
	var notTested *pipeline.NotTested
	for name, c := range map[string]struct {
		problems []kindtest.Problem
		hopeless bool
		want     string
		target   any
	}{
		"two members":  {[]kindtest.Problem{front, cart}, true, "web 1.0.0 will not become ready: deployment/front 0/1 ready: container web: CrashLoopBackOff: exited with code 7 (not ready either: cart 0.2.0)", new(*pipeline.Failure)},
		"too late":     {[]kindtest.Problem{cart}, false, "cart 0.2.0 is not ready after 5.0 s: deployment/cart", new(*pipeline.Failure)},
		"no room":      {[]kindtest.Problem{full}, true, "the cluster has no room for cart 0.2.0: 0/1 nodes are available", &notTested},
		"no such node": {[]kindtest.Problem{unbound}, true, "cart 0.2.0 will not become ready", new(*pipeline.Failure)},
		"nobody's":     {[]kindtest.Problem{{Workload: "pod/x", Reason: "Error"}}, true, "namespace shop-1 will not become ready: pod/x", new(*kindtest.NotReadyError)},
	} {
		e := &kindtest.NotReadyError{Diagnosis: kindtest.Diagnosis{Namespace: "shop-1", Problems: c.problems}, Hopeless: c.hopeless, After: 5e9}
		err := notReady(e, member)
		if !errors.As(err, c.target) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %T %v\nwant %s", name, err, err, c.want)
		}
	}
}
