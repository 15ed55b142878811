package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gitlab.com/selfcontained/pipeline/kindtest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// RecordName is the name of the ConfigMap with the record, recordKey that of the
// file in it.
const (
	RecordName = "pipeline-system"
	recordKey  = "system.json"
)

// Record says what a namespace runs. It is for readers; whether it is true is
// what Look finds out.
type Record struct {
	System      string `json:"system"`
	Environment string `json:"environment"`
	// Installed is the last deployment that was completed; nil before the first.
	Installed *Installed `json:"installed,omitempty"`
	// Deploying is there while a deployment is going on, and after one that died.
	Deploying *Attempt `json:"deploying,omitempty"`
	// Failed is the last deployment if it failed; then Installed runs, or nothing
	// when Deploying is there as well.
	Failed *Failure `json:"failed,omitempty"`
}

// Installed is a complete deployment.
type Installed struct {
	Version  string          `json:"version"`
	ID       evidence.Digest `json:"id"`
	Sequence int64           `json:"sequence"`
	Members  []Placed        `json:"members"`
	By       string          `json:"by,omitempty"`
	At       time.Time       `json:"at"`
}

// Placed is a member that is installed.
type Placed struct {
	Service string          `json:"service"`
	Version string          `json:"version"`
	Bundle  evidence.Digest `json:"bundle"`
	// Ref is what its pods pull, Config the digest of the image's configuration
	// where that is known.
	Ref    string `json:"ref"`
	Config string `json:"config,omitempty"`
}

// Attempt is a deployment that has not ended.
type Attempt struct {
	Version  string          `json:"version"`
	ID       evidence.Digest `json:"id"`
	Sequence int64           `json:"sequence"`
	// Before are the revisions of the last complete deployment, 0 for services
	// that it did not have.
	Before map[string]int `json:"before"`
	By     string         `json:"by,omitempty"`
	Since  time.Time      `json:"since"`
}

// Failure is a deployment that failed.
type Failure struct {
	Version  string          `json:"version"`
	ID       evidence.Digest `json:"id"`
	Sequence int64           `json:"sequence"`
	Why      string          `json:"why"`
	At       time.Time       `json:"at"`
}

// sequence is the highest that was begun.
func (r *Record) sequence() (sequence int64, id evidence.Digest) {
	if r.Installed != nil {
		sequence, id = r.Installed.Sequence, r.Installed.ID
	}
	if r.Deploying != nil && r.Deploying.Sequence > sequence {
		sequence, id = r.Deploying.Sequence, r.Deploying.ID
	}
	return sequence, id
}

func (r *Record) state() string {
	switch {
	case r.Deploying != nil:
		return "deploying"
	case r.Installed != nil:
		return "installed"
	}
	return "empty"
}

// store is the record as it was read last.
type store struct {
	space  *kindtest.Space
	note   *kindtest.Note
	record Record
}

// readRecord reads the record of a space; a namespace without one has an empty
// record. One of another environment is a *kindtest.ForeignError.
func readRecord(ctx context.Context, space *kindtest.Space) (*store, error) {
	note, err := space.Note(ctx, RecordName)
	if err != nil {
		return nil, err
	}
	s := &store{space: space, note: note, record: Record{System: space.System, Environment: space.Environment}}
	text := note.Data[recordKey]
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s.record); err != nil {
		return nil, fmt.Errorf("config map %s/%s: %s: %w; if the namespace is to be deployed anew, delete the config map", space.Namespace, RecordName, recordKey, err)
	}
	if s.record.System != space.System || s.record.Environment != space.Environment {
		return nil, &kindtest.ForeignError{
			Object: "namespace " + space.Namespace,
			Owner:  fmt.Sprintf("environment %s of system %s", s.record.Environment, s.record.System),
			Remedy: "choose another one with the setting namespace of the environment",
		}
	}
	return s, nil
}

// write writes the record unless somebody else did since it was read.
func (s *store) write(ctx context.Context) error {
	text, err := json.MarshalIndent(s.record, "", "  ")
	if err != nil {
		return err
	}
	s.note.Data = map[string]string{recordKey: string(text) + "\n"}
	s.note.Labels = map[string]string{stateLabel: s.record.state()}
	if s.record.Installed != nil {
		s.note.Labels[versionLabel] = labelVersion(s.record.Installed.Version)
	}
	return s.space.PutNote(ctx, RecordName, s.note)
}
