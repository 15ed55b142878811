package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

func isNotEmpty(err error) bool {
	return errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST)
}

// Stamps remembers for the files of a folder which content they were found to
// have, so that they need not be read again while the file system says that
// they have not changed.
type Stamps map[string]Stamped

// Stamped is a file as it was when it was read.
type Stamped struct {
	Stamp
	Digest Digest `json:"digest"`
}

// ReadStamps reads a stamps file; what cannot be read is empty.
func ReadStamps(name string) Stamps {
	var s Stamps
	if data, err := os.ReadFile(name); err == nil {
		_ = json.Unmarshal(data, &s)
	}
	return s
}

// WriteStamps writes a stamps file.
func WriteStamps(name string, s Stamps) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return WriteFile(name, data)
}

// Verify checks that dir holds exactly the given outputs, reading those files
// whose stamp is not known. It returns the stamps of now and whether they
// differ from the known ones.
func Verify(dir string, outputs []Output, known Stamps) (Stamps, bool, error) {
	want := make(map[string]Output, len(outputs))
	for _, o := range outputs {
		want[o.Path] = o
	}
	now, fresh := Stamps{}, len(known) != len(outputs)
	err := walkOutputs(dir, func(rel, name string, info fs.FileInfo) error {
		o, ok := want[rel]
		if !ok {
			return fmt.Errorf("%s does not belong there", rel)
		}
		delete(want, rel)
		st := StampOf(info)
		now[rel] = Stamped{st, o.Digest}
		if k := known[rel]; st.Same(k.Stamp) && k.Digest == o.Digest {
			return nil
		}
		fresh = true
		return o.check(name, info)
	})
	for rel := range want {
		if err == nil {
			err = fmt.Errorf("%s is missing", rel)
		}
	}
	return now, fresh, err
}

func (o Output) check(name string, info fs.FileInfo) error {
	if info.Size() != o.Size {
		return fmt.Errorf("%s has %d bytes, expected %d", o.Path, info.Size(), o.Size)
	}
	if got := info.Mode()&0o111 != 0; got != o.Executable {
		return fmt.Errorf("%s: executable is %v, expected %v", o.Path, got, o.Executable)
	}
	d, err := SumFile(name)
	if err != nil {
		return err
	}
	if d != o.Digest {
		return fmt.Errorf("%s has changed", o.Path)
	}
	return nil
}
