package evidence

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func inputs(pairs ...string) *Inputs {
	in := &Inputs{}
	for i := 0; i < len(pairs); i += 2 {
		in.Value(pairs[i], pairs[i+1])
	}
	return in
}

func TestKeyDependsOnContentAndNotOnOrder(t *testing.T) {
	t.Parallel()
	a := inputs("x", "1", "y", "2").Key()
	if b := inputs("y", "2", "x", "1").Key(); a != b {
		t.Error("the order of the inputs counts")
	}
	for name, other := range map[string]*Inputs{
		"value": inputs("x", "1", "y", "3"), "label": inputs("x", "1", "z", "2"), "fewer": inputs("x", "1"), "swapped": inputs("x", "2", "y", "1"),
	} {
		if other.Key() == a {
			t.Errorf("%s: the key is the same", name)
		}
	}
	withTool := inputs("x", "1", "y", "2")
	withTool.Tool("go", "go1.26")
	if withTool.Key() != a {
		t.Error("a tool is part of the key")
	}
}

func TestDiffNamesWhatChanged(t *testing.T) {
	t.Parallel()
	now := inputs("setting port", "2", "file new.go", "n")
	now.File("a.go", Sum([]byte("long")))
	then := inputs("setting port", "1", "file old.go", "o")
	then.File("a.go", Sum([]byte("gone")))
	var got []string
	for _, c := range Diff(then.List(), now.List()) {
		got = append(got, c.String())
	}
	want := []string{"file a.go changed", "file new.go is new", `setting port changed from "1" to "2"`, "file old.go is gone"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestRestoreRefusesDamagedContent(t *testing.T) {
	t.Parallel()
	s, dir := Open(t.TempDir()), t.TempDir()
	out := filepath.Join(dir, "out")
	if err := os.MkdirAll(filepath.Join(out, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"a": 0o644, "sub/b": 0o755} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	outputs, err := ListOutputs(out)
	if err != nil {
		t.Fatal(err)
	}
	v := &Verdict{Stage: "a/x", Key: Sum([]byte("key")), Status: "passed", Outputs: outputs}
	if err := s.Put(v, out); err != nil {
		t.Fatal(err)
	}
	found := s.Find(v.Key)
	if diff := cmp.Diff(v, found); diff != "" {
		t.Fatalf("verdict (-put +found):\n%s", diff)
	}
	to := filepath.Join(dir, "restored")
	if err := s.Restore(found, to); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(to, outputs, nil); err != nil {
		t.Errorf("restored: %v", err)
	}
	blob := s.blobFile(outputs[0].Digest)
	if err := os.Chmod(blob, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob, []byte("X"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(found, to); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("restore from a damaged store: %v", err)
	}
	if _, _, err := Verify(to, outputs, nil); err != nil {
		t.Errorf("the failed restore touched the folder: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFindIgnoresWhatIsNoVerdictForTheKey(t *testing.T) {
	t.Parallel()
	s := Open(t.TempDir())
	key, other := Sum([]byte("1")), Sum([]byte("2"))
	if err := s.Put(&Verdict{Key: key}, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(s.verdictFile(key))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"of another key": string(data), "cut off": string(data[:len(data)/2]), "empty": "", "other schema": `{"schema": 99}`} {
		if err := WriteFile(s.verdictFile(other), []byte(text)); err != nil {
			t.Fatal(err)
		}
		if v := s.Find(other); v != nil {
			t.Errorf("%s: found %+v", name, v)
		}
	}
}

func TestOutputsThatAreNoFilesAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := ListOutputs(dir); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("ListOutputs with a link: %v", err)
	}
}

func TestVerifyTrustsAStampOnlyWhileTheFileIsUntouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	if err := os.WriteFile(name, []byte("good"), 0o644); err != nil {
		t.Fatal(err)
	}
	outputs, err := ListOutputs(dir)
	if err != nil {
		t.Fatal(err)
	}
	stamps, fresh, err := Verify(dir, outputs, nil)
	if err != nil || !fresh {
		t.Fatalf("first: fresh %v, %v", fresh, err)
	}
	if _, fresh, err = Verify(dir, outputs, stamps); err != nil || fresh {
		t.Errorf("second: fresh %v, %v", fresh, err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("evil"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if _, _, err = Verify(dir, outputs, stamps); err == nil {
		t.Error("an edit that keeps size and time was not seen")
	}
}
