package evidence

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// schema is the version of the verdict files; another one is no verdict.
const schema = 1

// Verdict is what a stage said of exactly the bytes that it looked at.
type Verdict struct {
	Schema int    `json:"schema"`
	Stage  string `json:"stage"` // "stock/build"
	Key    Digest `json:"key"`
	// Status is "passed" or "not applicable": others are not remembered.
	Status   string            `json:"status"`
	Summary  string            `json:"summary,omitempty"`
	Run      string            `json:"run"`
	Started  time.Time         `json:"started"`
	Duration time.Duration     `json:"duration"` // nanoseconds
	Inputs   []Input           `json:"inputs"`
	Tools    map[string]string `json:"tools,omitempty"`
	Outputs  []Output          `json:"outputs,omitempty"`
	// Findings is the digest of the stage's findings in the store.
	Findings Digest `json:"findings,omitempty"`
}

// Output is one file that a stage made.
type Output struct {
	Path       string `json:"path"` // relative to the stage's folder, with slashes
	Digest     Digest `json:"digest"`
	Size       int64  `json:"size"` // bytes
	Executable bool   `json:"executable,omitempty"`
}

// OutputsDigest returns one digest for a list of outputs, sorted by path.
func OutputsDigest(outputs []Output) Digest {
	data, err := json.Marshal(outputs)
	if err != nil {
		panic(err) // plain strings and numbers
	}
	return Sum(data)
}

// Change is a difference between two sets of inputs.
type Change struct {
	Label    string `json:"label"`
	Kind     string `json:"kind"` // "changed", "new", "gone"
	Old, New string `json:"-"`
}

// String says it in words: `file main.go changed`, `setting port: 1 -> 2`.
func (c Change) String() string {
	if c.Kind == "changed" && c.Old != "" && c.New != "" {
		return fmt.Sprintf("%s changed from %q to %q", c.Label, c.Old, c.New)
	}
	if c.Kind == "new" {
		return c.Label + " is new"
	}
	return c.Label + " " + map[string]string{"changed": "changed", "gone": "is gone"}[c.Kind]
}

// Diff returns what differs between the inputs of then and now, in the order
// of their labels.
func Diff(then, now []Input) []Change {
	old := map[string]Input{}
	for _, i := range then {
		old[i.Label] = i
	}
	var changes []Change
	for _, i := range now {
		was, ok := old[i.Label]
		delete(old, i.Label)
		switch {
		case !ok:
			changes = append(changes, Change{Label: i.Label, Kind: "new"})
		case was.Digest != i.Digest:
			changes = append(changes, Change{Label: i.Label, Kind: "changed", Old: was.Value, New: i.Value})
		}
	}
	for _, i := range then {
		if _, gone := old[i.Label]; gone {
			changes = append(changes, Change{Label: i.Label, Kind: "gone"})
		}
	}
	return changes
}

// ToolChanges returns in words which tools differ. A tool that cannot be seen
// on either side differs from nothing.
func ToolChanges(then, now map[string]string) []string {
	var changes []string
	for _, name := range sortedKeys(now) {
		if a, b := then[name], now[name]; a != "" && b != "" && a != b {
			changes = append(changes, fmt.Sprintf("tool %s changed from %s to %s", name, a, b))
		}
	}
	return changes
}

// ReadVerdict reads a verdict file. A file of another schema is an error.
func ReadVerdict(name string) (*Verdict, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var v Verdict
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("verdict %s: %w", name, err)
	}
	if v.Schema != schema {
		return nil, fmt.Errorf("verdict %s: schema %d, expected %d", name, v.Schema, schema)
	}
	return &v, nil
}

// WriteVerdict writes a verdict file, at once or not at all.
func WriteVerdict(name string, v *Verdict) error {
	v.Schema = schema
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return WriteFile(name, append(data, '\n'))
}
