package scs

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// An environment of a system is the branch BranchPrefix + NAME of the system's
// repository. The tree of its tip has the files below and the lock (LockName),
// and says by itself what the environment is on and why that was allowed: the
// passport of the combination can be verified without a server.
const (
	BranchPrefix = "env/"
	// PromotionName is the DSSE envelope of the promotion (sign.Promotion) that
	// moved the environment there: its subject is the combination.
	PromotionName = "promotion.json"
	// EvidenceFolder has a file for each member, SERVICE.jsonl, with the envelopes
	// about its bundle, and SystemEvidence with those about the combination: the
	// verdict of the suite, consents, and the promotion to the environment that
	// comes before. One envelope in each line, sorted, each once.
	EvidenceFolder = "evidence/"
	SystemEvidence = EvidenceFolder + ".system.jsonl"
)

// EvidenceName is the file with the evidence about a member.
func EvidenceName(service string) string { return EvidenceFolder + service + ".jsonl" }

// JoinEvidence writes envelopes as an evidence file.
func JoinEvidence(envelopes [][]byte) []byte {
	lines := make([]string, len(envelopes))
	for i, e := range envelopes {
		lines[i] = string(bytes.TrimSpace(e)) + "\n"
	}
	slices.Sort(lines)
	return []byte(strings.Join(slices.Compact(lines), ""))
}

// SplitEvidence returns the envelopes of an evidence file. A file that
// JoinEvidence would write in another way is an error.
func SplitEvidence(file string, data []byte) ([][]byte, error) {
	var envelopes [][]byte
	for line := range bytes.Lines(data) {
		envelopes = append(envelopes, bytes.TrimSuffix(line, []byte("\n")))
	}
	if !bytes.Equal(JoinEvidence(envelopes), data) {
		return nil, fmt.Errorf("%s: expected one envelope in each line, sorted, each once", file)
	}
	return envelopes, nil
}

// EvidenceDigest is the digest of all evidence files among the files of an
// environment: what a promotion is bound to.
func EvidenceDigest(files map[string][]byte) evidence.Digest {
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, EvidenceFolder) {
			fmt.Fprintf(&list, "%s %s\n", evidence.Sum(files[name]), name)
		}
	}
	return evidence.Sum([]byte(list.String()))
}
