package passport

import (
	"bytes"
	"encoding/json"
	"testing"

	"gitlab.com/selfcontained/pipeline/release/scs"
)

// Whatever lies on an environment's branch, the only files that are accepted are
// those that were promoted, and a passport can always be printed.
func FuzzPointer(f *testing.F) {
	w := newWorld(f, 2, 1)
	w.rules.Require = []string{"unit"}
	tips, older := w.environment(2)
	good := tips[1].Files
	names := []string{scs.LockName, scs.PromotionName, scs.SystemEvidence, scs.EvidenceName("cart00"), scs.EvidenceName("pay01")}
	f.Add(good[names[0]], good[names[1]], good[names[2]], good[names[3]], good[names[4]], older[0], "")
	f.Add(good[names[0]], good[names[1]], good[names[2]], good[names[3]], good[names[4]], older[0], "README.md")
	f.Add(tips[0].Files[names[0]], tips[0].Files[names[1]], good[names[2]], good[names[3]], good[names[4]], older[0], "evidence/")
	f.Add([]byte("{}"), []byte("{}"), []byte("\n"), []byte("{}\n"), []byte("[]\n"), []byte(nil), "")
	f.Fuzz(func(t *testing.T, lock, promotion, system, cart, pay, below []byte, extra string) {
		files := map[string][]byte{}
		same := extra == ""
		for i, data := range [][]byte{lock, promotion, system, cart, pay} {
			files[names[i]] = data
			same = same && bytes.Equal(data, good[names[i]])
		}
		if extra != "" {
			files[extra] = below
			same = len(files) == len(names) && bytes.Equal(files[extra], good[extra])
		}
		same = same && bytes.Equal(below, older[0])
		p := Pointer("production", State{Files: files}, [][]byte{below}, Seen{}, w.rules, now())
		if p.Valid() && !same {
			t.Errorf("accepted: %q", files)
		}
		if _, err := json.Marshal(p); err != nil || p.Text() == "" {
			t.Errorf("it cannot be printed: %v", err)
		}
	})
}

// A claim is read from anything without a panic, and what is canonical is what
// its reading writes.
func FuzzClaim(f *testing.F) {
	w := newWorld(f, 1, 0)
	l := w.lock(1)
	for _, e := range w.evidence(l)[l.ID()] {
		f.Add(e)
	}
	f.Add([]byte(`{"payload":"e30="}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = claimOf(data).String()
		if isCanonical(data) && !json.Valid(data) {
			t.Errorf("%q is canonical and no JSON", data)
		}
	})
}
