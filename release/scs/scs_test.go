package scs

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
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
		t.Errorf("%s (-want +got; -update accepts):\n%s", name, diff)
	}
}

func digest(text string) evidence.Digest { return evidence.Sum([]byte(text)) }

func member(service, version string) Member {
	return Member{Service: service, Version: version, Bundle: digest(service + version), Size: 512, Source: "registry.example.com/shop/" + service}
}

func shop() Combination {
	return Combination{
		System: "shop", Members: []Member{member("cart", "0.1.2"), member("stock", "0.2.0"), member("web", "1.0.0-rc.1")},
		Suite: digest("suite"), Values: digest("values"),
	}
}

func shopLock() *Lock {
	return &Lock{Version: "0.3.0", Combination: shop(), Held: []Held{
		{Service: "cart", Version: "0.1.3", With: []string{"stock 0.2.0"}, Why: "fails with <stock> & it", Replay: "pipeline scs test --set cart=0.1.3"},
		{Service: "web", Version: "1.0.0", Why: "no signed verdict of module"},
	}}
}

// The forms are fixed: another byte is another combination for everybody who
// has signed the old one.
func TestForms(t *testing.T) {
	t.Parallel()
	golden(t, "index.json", shop().Index())
	golden(t, "scs.lock", shopLock().Encode())
	if id := shop().ID(); id != evidence.Sum(shop().Index()) {
		t.Errorf("id %s", id)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	id := shop().ID()
	for name, change := range map[string]func(*Combination){
		"system":         func(c *Combination) { c.System = "books" },
		"suite":          func(c *Combination) { c.Suite = "" },
		"values":         func(c *Combination) { c.Values = digest("others") },
		"suite, values":  func(c *Combination) { c.Suite, c.Values = c.Values, c.Suite },
		"version":        func(c *Combination) { c.Members[1].Version = "0.2.1" },
		"bundle":         func(c *Combination) { c.Members[1].Bundle = digest("other") },
		"size":           func(c *Combination) { c.Members[1].Size++ },
		"service":        func(c *Combination) { c.Members[1].Service = "stock2" },
		"member less":    func(c *Combination) { *c = c.Without("web") },
		"member more":    func(c *Combination) { *c = c.With(member("pay", "1.0.0")) },
		"member instead": func(c *Combination) { *c = c.With(member("web", "1.0.0")) },
	} {
		c := shop()
		change(&c)
		if c.ID() == id {
			t.Errorf("%s: the id stays", name)
		}
	}
	moved := shop()
	moved.Members[0].Source = "registry.example.org/copy"
	if moved.ID() != id {
		t.Error("where a bundle lies is part of the identity")
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if err := shop().Check(); err != nil {
		t.Fatal(err)
	}
	many := shop()
	many.Members = make([]Member, MaxMembers+1)
	for want, change := range map[string]func(*Combination){
		"system's name":         func(c *Combination) { c.System = "Shop" },
		"expected 1 to 1000":    func(c *Combination) { c.Members = nil },
		"1001 services":         func(c *Combination) { *c = many },
		"service's name":        func(c *Combination) { c.Members[0].Service = "-cart" },
		"sorted by name":        func(c *Combination) { c.Members[0], c.Members[1] = c.Members[1], c.Members[0] },
		"each service once":     func(c *Combination) { c.Members[1] = c.Members[0] },
		`the version "v0.1.2"`:  func(c *Combination) { c.Members[0].Version = "v0.1.2" },
		`the version "0.1"`:     func(c *Combination) { c.Members[0].Version = "0.1" },
		`the version "0.01.2"`:  func(c *Combination) { c.Members[0].Version = "0.01.2" },
		"expected sha256":       func(c *Combination) { c.Members[0].Bundle = c.Members[0].Bundle[:70] },
		"has 0 bytes":           func(c *Combination) { c.Members[0].Size = 0 },
		"has -1 bytes":          func(c *Combination) { c.Members[0].Size = -1 },
		"digest of the suite":   func(c *Combination) { c.Suite = "sha256:" },
		"digest of the values":  func(c *Combination) { c.Values = evidence.Digest(strings.ToUpper(string(c.Values))) },
		`the bundle "sha512:00`: func(c *Combination) { c.Members[0].Bundle = "sha512:00" },
	} {
		c := shop()
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; expected %q", err, want)
		}
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	c := shop()
	if m := c.Member("stock"); m == nil || m.Version != "0.2.0" {
		t.Errorf("stock is %v", m)
	}
	if m := c.Member("pay"); m != nil {
		t.Errorf("pay is %v", m)
	}
	other := c.With(member("pay", "1.0.0")).With(member("web", "1.0.0")).Without("cart")
	other.Members[1].Bundle = digest("rebuilt")
	if err := other.Check(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(shop(), c); diff != "" {
		t.Errorf("the combination changed (-want +got):\n%s", diff)
	}
	var list []string
	for _, change := range Diff(c, other) {
		list = append(list, change.String())
	}
	want := []string{"cart 0.1.2 (gone)", "pay 1.0.0 (new)", "stock 0.2.0 (another bundle)", "web 1.0.0-rc.1 -> 1.0.0"}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if changes := Diff(c, c); changes != nil {
		t.Errorf("it differs from itself: %v", changes)
	}
}

func TestIndexIsReadBack(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*Combination){func(*Combination) {}, func(c *Combination) { c.Suite, c.Values = "", "" }} {
		want := shop()
		change(&want)
		got, err := ReadIndex(want.Index())
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Members {
			want.Members[i].Source = ""
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("index (-want +got):\n%s", diff)
		}
	}
}

func TestOtherIndexesAreNone(t *testing.T) {
	t.Parallel()
	good := string(shop().Index())
	for name, raw := range map[string]string{
		"nothing":          "",
		"space":            good + "\n",
		"another image":    `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`,
		"another type":     strings.Replace(good, ArtifactType, "application/x", 1),
		"another role":     strings.Replace(good, `"system"`, `"bundle"`, 1),
		"another field":    strings.Replace(good, `"schemaVersion":2`, `"schemaVersion":2,"subject":null`, 1),
		"schema 1":         strings.Replace(good, `"schemaVersion":2`, `"schemaVersion":1`, 1),
		"a manifest":       strings.Replace(good, `image.index.v1+json","digest"`, `image.manifest.v1+json","digest"`, 1),
		"escaped":          strings.Replace(good, `"shop"`, `"\u0073hop"`, 1),
		"case of a key":    strings.Replace(good, `"manifests"`, `"Manifests"`, 1),
		"more annotations": strings.Replace(good, `"annotations":{`, `"annotations":{"a":"b",`, 1),
	} {
		if raw == good {
			t.Fatalf("%s changes nothing", name)
		}
		if c, err := ReadIndex([]byte(raw)); err == nil {
			t.Errorf("%s: read as %v", name, c)
		}
	}
}

func TestLockIsReadBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Lock){
		"full": func(*Lock) {}, "nothing held": func(l *Lock) { l.Held = nil }, "no tests": func(l *Lock) { l.Suite, l.Values = "", "" },
	} {
		want := shopLock()
		change(want)
		got, err := ParseLock("scs.lock", want.Encode())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestOtherLocksAreNone(t *testing.T) {
	t.Parallel()
	good := string(shopLock().Encode())
	for name, c := range map[string]struct {
		old, new     string
		want         string
		inconsistent bool
	}{
		"a digest":           {string(digest("cart0.1.2")), string(digest("evil")), "the id is", true},
		"a version":          {`"version": "0.1.2"`, `"version": "0.1.4"`, "the id is", true},
		"a size":             {`"size": 512`, `"size": 513`, "the id is", true},
		"the id":             {`"id": "sha256:`, `"id": "sha256:0`, "the id is", true},
		"a space":            {`"size": 512`, `"size":  512`, "scs.lock:14: it is not written", true},
		"a digit":            {`"size": 512`, `"size": 512.0`, "scs.lock:14", false},
		"a line":             {"}\n", "}\n\n", "it is not written", true},
		"something behind":   {"\n}\n", "\n}\n{}", "it is not written", true},
		"the same twice":     {`"system": "shop"`, "\"system\": \"evil\",\n  \"system\": \"shop\"", "scs.lock:4: it is not written", true},
		"an unknown field":   {`"system"`, `"sytem"`, "unknown field", false},
		"another kind":       {`"Lock"`, `"System"`, "scs.lock:2: ", false},
		"another apiVersion": {"pipeline/v1", "pipeline/v2", "expected pipeline/v1", false},
		"no version":         {`"version": "0.3.0"`, `"version": "latest"`, "expected a semantic version", false},
		"a bad member":       {`"service": "cart"`, `"service": "Cart"`, "service's name", false},
		"a bad order":        {`"service": "cart"`, `"service": "zebra"`, "sorted by name", false},
		"half of it":         {`"services"`, "\x00", "scs.lock:9", false},
	} {
		raw := strings.Replace(good, c.old, c.new, 1)
		if raw == good {
			t.Fatalf("%s changes nothing", name)
		}
		_, err := ParseLock("scs.lock", []byte(raw))
		var e *LockError
		if !errors.As(err, &e) || e.Inconsistent != c.inconsistent || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "pipeline scs update") {
			t.Errorf("%s: %v; expected %q", name, err, c.want)
		}
	}
	if _, err := ParseLock("scs.lock", nil); err == nil {
		t.Error("nothing is a lock")
	}
}

func TestEvidenceFiles(t *testing.T) {
	t.Parallel()
	file := JoinEvidence([][]byte{[]byte("b\n"), []byte("a"), []byte(" b "), []byte("c")})
	if string(file) != "a\nb\nc\n" {
		t.Errorf("%q", file)
	}
	list, err := SplitEvidence("evidence/cart.jsonl", file)
	if diff := cmp.Diff([][]byte{[]byte("a"), []byte("b"), []byte("c")}, list); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if list, err := SplitEvidence("evidence/cart.jsonl", JoinEvidence(nil)); len(list) != 0 || err != nil {
		t.Errorf("of nothing %q, %v", list, err)
	}
	for _, bad := range []string{"b\na\n", "a\na\n", "a", "a\r\n", " a\n", "a\nb"} {
		if _, err := SplitEvidence("evidence/cart.jsonl", []byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "evidence/cart.jsonl: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEvidenceDigest(t *testing.T) {
	t.Parallel()
	files := func() map[string][]byte {
		return map[string][]byte{
			LockName: []byte("lock"), PromotionName: []byte("promotion"),
			EvidenceName("cart"): []byte("a\n"), EvidenceName("stock"): []byte("b\n"), SystemEvidence: nil,
		}
	}
	want := EvidenceDigest(files())
	for name, change := range map[string]func(map[string][]byte){
		"content": func(f map[string][]byte) { f[EvidenceName("cart")] = []byte("c\n") },
		"exchanged": func(f map[string][]byte) {
			f[EvidenceName("cart")], f[EvidenceName("stock")] = []byte("b\n"), []byte("a\n")
		},
		"a file more": func(f map[string][]byte) { f[EvidenceName("web")] = nil },
		"a file less": func(f map[string][]byte) { delete(f, SystemEvidence) },
		"a stranger":  func(f map[string][]byte) { f["evidence/x"] = nil },
		"another name": func(f map[string][]byte) {
			f[EvidenceName("web")] = f[EvidenceName("cart")]
			delete(f, EvidenceName("cart"))
		},
		"moved over line": func(f map[string][]byte) { f[EvidenceName("cart")] = []byte("a\nb\n"); f[EvidenceName("stock")] = nil },
	} {
		changed := files()
		change(changed)
		if EvidenceDigest(changed) == want {
			t.Errorf("%s: the digest stays", name)
		}
	}
	others := files()
	others[LockName], others[PromotionName] = nil, nil
	if EvidenceDigest(others) != want {
		t.Error("lock and promotion are no evidence")
	}
}

// What ParseLock accepts is what Encode writes.
func FuzzParseLock(f *testing.F) {
	f.Add(shopLock().Encode())
	small := &Lock{Version: "0.1.0", Combination: Combination{System: "s", Members: []Member{member("a", "1.0.0")}}}
	f.Add(small.Encode())
	f.Add([]byte(`{"apiVersion":"pipeline/v1","kind":"Lock"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock("scs.lock", data)
		if err != nil {
			var e *LockError
			if !errors.As(err, &e) || e.Line < 0 || e.Line > 2+bytes.Count(data, []byte("\n")) {
				t.Errorf("%v", err)
			}
			return
		}
		if !bytes.Equal(l.Encode(), data) || l.Check() != nil {
			t.Errorf("accepted: %s", data)
		}
	})
}

// What ReadIndex accepts is the canonical form of what it returns.
func FuzzReadIndex(f *testing.F) {
	f.Add(shop().Index())
	f.Add(shop().Without("web").Index())
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{}],"annotations":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ReadIndex(raw)
		if err == nil && (!bytes.Equal(c.Index(), raw) || c.ID() != evidence.Sum(raw) || c.Check() != nil) {
			t.Errorf("accepted: %s", raw)
		}
	})
}

// What SplitEvidence returns is joined to the same file.
func FuzzSplitEvidence(f *testing.F) {
	for _, text := range []string{"", "\n", "a\n", "a\nb\n", "b\na\n", "a", "{}\r\n", "\n\n", "\u0085a\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := SplitEvidence("evidence/a.jsonl", data)
		if err != nil {
			return
		}
		if !bytes.Equal(JoinEvidence(list), data) {
			t.Errorf("%q is joined to %q", data, JoinEvidence(list))
		}
		for i, e := range list {
			if bytes.ContainsAny(e, "\n") || i > 0 && bytes.Compare(list[i-1], e) >= 0 {
				t.Errorf("%q has the envelopes %q", data, list)
			}
		}
	})
}
