package protoapi

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/release/version"
)

var update = flag.Bool("update", false, "write the golden files; builds the real buf, which takes minutes")

// oracle is the buf whose answers are kept in the archives. Building it takes
// nearly three minutes from nothing, so the tests do not.
const oracle = "github.com/bufbuild/buf/cmd/buf@v1.75.0"

// sources returns the files below a folder of an archive.
func sources(a *txtar.Archive, folder string) map[string]string {
	files := map[string]string{}
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, folder+"/"); ok {
			files[name] = string(f.Data)
		}
	}
	return files
}

// compile returns the descriptors of sources, without those that they import.
func compile(t testing.TB, files map[string]string) *descriptorpb.FileDescriptorSet {
	t.Helper()
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(files)}),
	}
	compiled, err := compiler.Compile(context.Background(), sortedKeys(files)...)
	if err != nil {
		t.Fatal(err)
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, f := range compiled {
		set.File = append(set.File, protoutil.ProtoFromFileDescriptor(f))
	}
	return set
}

func lines(changes []version.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%v %v\n", c.Bump, c)
	}
	return b.String()
}

func archives(t testing.TB) map[string]*txtar.Archive {
	t.Helper()
	names, err := filepath.Glob("testdata/compare/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	list := map[string]*txtar.Archive{}
	for _, name := range names {
		if list[name], err = txtar.ParseFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// Each archive has old and new sources, the rules that the real buf names, and
// the changes between them. The first line of one may name rules about which
// the two differ; the rest says why.
func TestCompare(t *testing.T) {
	t.Parallel()
	for name, a := range archives(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			old, new := compile(t, sources(a, "old")), compile(t, sources(a, "new"))
			changes := Compare(old, new)
			n := len(a.Files)
			buf, want := &a.Files[n-2], &a.Files[n-1]
			if *update {
				buf.Data, want.Data = askBuf(t, a), []byte(lines(changes))
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), lines(changes)); diff != "" {
				t.Error(diff)
			}
			compareWithBuf(t, a, strings.Fields(string(buf.Data)), changes)
			for _, same := range []*descriptorpb.FileDescriptorSet{old, new} {
				if changes := Compare(same, same); len(changes) > 0 {
					t.Errorf("compared with itself:\n%s", lines(changes))
				}
			}
		})
	}
}

// compareWithBuf wants both to break the same rules, but for those of the
// archive's first line.
func compareWithBuf(t *testing.T, a *txtar.Archive, buf []string, changes []version.Change) {
	t.Helper()
	first, _, _ := strings.Cut(string(a.Comment), "\n")
	except := strings.Fields(strings.TrimPrefix(first, "differs:"))
	theirs, ours := map[string]bool{}, map[string]bool{}
	for _, rule := range buf {
		if rule = ourName(rule); rule != "" {
			theirs[rule] = true
		}
	}
	for _, c := range changes {
		if c.Bump == version.Major {
			ours[c.Rule] = true
		}
	}
	for _, rule := range except {
		if theirs[rule] == ours[rule] {
			t.Errorf("%s is said to differ, and does not", rule)
		}
		delete(theirs, rule)
		delete(ours, rule)
	}
	if diff := cmp.Diff(sortedKeys(theirs), sortedKeys(ours)); diff != "" {
		t.Errorf("buf (-) and we (+) do not name the same rules:\n%s", diff)
	}
}

// ourName maps a rule of buf's file category to that of its package category,
// and those that we do not have to nothing. (That of Java comes with
// FIELD_SAME_UTF8_VALIDATION.)
func ourName(rule string) string {
	switch rule {
	case "FILE_NO_DELETE", "FILE_SAME_SYNTAX", "FIELD_SAME_JAVA_UTF8_VALIDATION":
		return ""
	case "MESSAGE_NO_DELETE", "ENUM_NO_DELETE", "SERVICE_NO_DELETE", "EXTENSION_NO_DELETE":
		return "PACKAGE_" + rule
	}
	return rule
}

// askBuf returns the rules that buf's categories FILE and PACKAGE name.
func askBuf(t *testing.T, a *txtar.Archive) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, f := range a.Files {
		full := filepath.Join(dir, f.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, f.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "run", oracle, "breaking", filepath.Join(dir, "new"), "--against", filepath.Join(dir, "old"),
		"--error-format=json", `--config={"version":"v2","breaking":{"use":["FILE","PACKAGE"]}}`)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	rules := []string{}
	for line := range strings.Lines(string(out)) {
		var finding struct{ Type string }
		if err := json.Unmarshal([]byte(line), &finding); err != nil || finding.Type == "" || finding.Type == "COMPILE" {
			t.Fatalf("buf says %s%v", line, err)
		}
		rules = append(rules, finding.Type)
	}
	slices.Sort(rules)
	if rules = slices.Compact(rules); len(rules) == 0 {
		return nil
	}
	return []byte(strings.Join(rules, "\n") + "\n")
}
