package passport

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"path"
	"strings"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
)

// claim is what an envelope says of itself. Nothing of it is verified: it only
// serves to explain why a gate is closed. The exception is past, which hands its
// time and subject to sign.Verify.
type claim struct {
	Type    string
	Subject evidence.Digest
	claimed
}

// claimed are the fields of the predicates that explanations need.
type claimed struct {
	System      string    `json:"system"`
	Environment string    `json:"environment"`
	Issued      time.Time `json:"issued"`
	Expires     time.Time `json:"expires"`
	Stage       string    `json:"stage"`
	Status      string    `json:"status"`
	Version     string    `json:"version"`
	Rule        string    `json:"rule"`
	By          string    `json:"by"`
}

// envelope is the JSON form of DSSE (dsse/envelope.md).
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   string `json:"sig"`
}

// claimOf reads what can be read; what cannot is empty.
func claimOf(data []byte) claim {
	var e envelope
	if len(data) > sign.MaxEnvelope || json.Unmarshal(data, &e) != nil {
		return claim{}
	}
	payload, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil {
		return claim{}
	}
	var s struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
	}
	if json.Unmarshal(payload, &s) != nil {
		return claim{}
	}
	c := claim{Type: s.PredicateType}
	if len(s.Subject) == 1 {
		c.Subject = evidence.Digest("sha256:" + s.Subject[0].Digest["sha256"])
	}
	if json.Unmarshal(s.Predicate, &c.claimed) != nil {
		c.claimed = claimed{}
	}
	return c
}

// String says it in words: "verdict stock/unit passed".
func (c claim) String() string {
	if c.Type == "" {
		return ""
	}
	kind := c.Type
	if parent := path.Dir(c.Type); path.Base(c.Type) == "v1" {
		kind = path.Base(parent)
	}
	words := []string{kind}
	for _, w := range []string{c.Stage, c.Status, c.Rule, c.Version, c.System, c.Environment, c.By} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// isCanonical reports whether an envelope is written exactly as sign writes it,
// with one signature. JSON can be written in many ways, and the files of an
// environment only in one.
func isCanonical(data []byte) bool {
	var e envelope
	if json.Unmarshal(data, &e) != nil || len(e.Signatures) != 1 || e.Signatures[0].KeyID != "" {
		return false
	}
	again, err := marshal(e)
	return err == nil && bytes.Equal(again, data)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
