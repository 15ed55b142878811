package main

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// cut returns the JSON document with its process object cut down to the
// limits, and whether anything had to be changed. Fields that it does not know
// keep their value. key is where the process object lies; "" is the document
// itself.
func (l limits) cut(raw []byte, key string) (out []byte, changed bool, err error) {
	doc, err := decode(raw)
	if err != nil {
		return nil, false, err
	}
	process := doc
	if key != "" {
		// A bundle without a process is legal: runc can create it, not start it.
		if process, _ = doc[key].(map[string]any); process == nil {
			return raw, false, nil
		}
	}
	changed = l.cutCapabilities(process)
	if !l.has(capSysResource) {
		changed = l.cutScore(process) || changed
		changed = l.cutRlimits(process) || changed
	}
	if !changed {
		return raw, false, nil
	}
	out, err = encode(doc)
	return out, true, err
}

// decode keeps numbers as they are written: rlimits reach 2^64-1, which no
// float64 holds.
func decode(raw []byte) (map[string]any, error) {
	var doc map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return doc, dec.Decode(&doc)
}

func encode(doc map[string]any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(doc)
	return b.Bytes(), err
}

func (l limits) cutCapabilities(process map[string]any) (changed bool) {
	sets, _ := process["capabilities"].(map[string]any)
	for name, v := range sets {
		wanted, ok := v.([]any)
		if !ok {
			continue
		}
		kept := make([]any, 0, len(wanted))
		for _, c := range wanted {
			if s, ok := c.(string); ok && l.hasNamed(s) {
				kept = append(kept, s)
			}
		}
		if len(kept) != len(wanted) {
			sets[name], changed = kept, true
		}
	}
	return changed
}

func (l limits) cutScore(process map[string]any) (changed bool) {
	n, ok := process["oomScoreAdj"].(json.Number)
	if !ok {
		return false
	}
	v, err := n.Int64()
	if err != nil || v >= int64(l.oomScoreAdj) {
		return false
	}
	process["oomScoreAdj"] = l.oomScoreAdj
	return true
}

func (l limits) cutRlimits(process map[string]any) (changed bool) {
	list, _ := process["rlimits"].([]any)
	for _, entry := range list {
		rlimit, _ := entry.(map[string]any)
		name, _ := rlimit["type"].(string)
		hard, known := l.hard[name]
		if !known {
			continue
		}
		for _, k := range []string{"hard", "soft"} {
			n, _ := rlimit[k].(json.Number)
			if v, err := strconv.ParseUint(n.String(), 10, 64); err == nil && v > hard {
				rlimit[k], changed = hard, true
			}
		}
	}
	return changed
}
