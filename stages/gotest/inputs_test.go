package gotest

import (
	"testing"

	"gitlab.com/selfcontained/pipeline/stages/gotool/gotooltest"
)

const linked = `-- go.mod --
module example.com/svc

go 1.24
-- test/a_test.go --
package test

import _ "example.com/svc/lib"
-- lib/lib.go --
package lib

import _ "example.com/svc/deep"

//go:embed data
var data string
-- lib/data/x.txt --
1
-- deep/deep.go --
package deep
-- deep/notes/n.txt --
1
-- other/other.go --
package other
`

func TestBinaryKeyHasAllThatIsLinked(t *testing.T) {
	t.Parallel()
	gotooltest.NeedGo(t)
	dir := gotooltest.Write(t, t.TempDir(), linked)
	key := func(files string, args ...string) string {
		t.Helper()
		dir := gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), linked), files)
		k, ok := binaryKey(dir, "./test", args)
		if !ok {
			t.Fatal("no key")
		}
		return k
	}
	base, ok := binaryKey(dir, "./test", nil)
	if !ok || base != key("") {
		t.Fatalf("the same files in another folder: %q", base)
	}
	for change, same := range map[string]bool{
		"-- test/b_test.go --\npackage test\n":            false,
		"-- deep/deep.go --\npackage deep // changed\n":   false,
		"-- lib/data/x.txt --\n2\n":                       false, // embedded
		"-- go.mod --\nmodule example.com/svc\n\ngo 1.25": false,
		"-- go.sum --\nx\n":                               false,
		"-- other/other.go --\npackage other // changed":  true,
		"-- deep/notes/n.txt --\n2\n":                     true,
	} {
		if got := key(change) == base; got != same {
			t.Errorf("after %q the key is the same: %v, want %v", change, got, same)
		}
	}
	if key("", "-tags=x") == base {
		t.Error("flags are no part of the key")
	}
}

func TestNoBinaryKeyWhereCodeComesFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, files := range []string{
		"-- vendor/modules.txt --\n",
		"-- go.mod --\nmodule example.com/svc\n\ngo 1.24\n\nreplace example.com/a => ../a\n",
		"-- go.mod --\nnonsense\n",
	} {
		if key, ok := binaryKey(gotooltest.Write(t, gotooltest.Write(t, t.TempDir(), linked), files), "./test", nil); ok {
			t.Errorf("with %q: key %s", files, key)
		}
	}
}
