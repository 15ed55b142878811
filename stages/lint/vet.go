package lint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline"
	"gitlab.com/selfcontained/pipeline/stages/gotool"
)

// vet runs `go vet -json`, which ends with status 0 unless the code does not
// compile.
func vet(ctx context.Context, job *pipeline.Job, p pass, found *issues) error {
	g := gotool.Go{Job: job, Quiet: true}
	stdout, stderr, err := g.Run(ctx, append([]string{"vet"}, p.args("-json")...)...)
	if err := gotool.Red(err, "the code does not compile", gotool.Complaints(stderr)); err != nil {
		return err
	}
	return parseVet(stdout, found)
}

// parseVet reads the output of `go vet -json`: one object after the other that
// maps packages to analyzers to diagnostics (`go doc
// golang.org/x/tools/go/analysis/unitchecker`).
func parseVet(out string, found *issues) error {
	d := json.NewDecoder(strings.NewReader(out))
	for {
		var packages map[string]map[string]json.RawMessage
		err := d.Decode(&packages)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the output of go vet -json: %w", err)
		}
		for _, analyzers := range packages {
			for name, raw := range analyzers {
				if err := addVet(name, raw, found); err != nil {
					return err
				}
			}
		}
	}
}

// addVet adds the diagnostics of one analyzer, or the error that it ended with.
func addVet(analyzer string, raw json.RawMessage, found *issues) error {
	var list []struct{ Posn, Message string }
	if json.Unmarshal(raw, &list) != nil {
		var failed struct{ Error string }
		if err := json.Unmarshal(raw, &failed); err != nil {
			return fmt.Errorf("read what vet/%s says: %w", analyzer, err)
		}
		return fmt.Errorf("vet/%s could not analyse the code: %s", analyzer, failed.Error)
	}
	for _, d := range list {
		file, line, column := position(d.Posn)
		found.add(file, line, column, "vet/"+analyzer, "major", d.Message)
	}
	return nil
}

// position splits "file:line:column"; line and column may be missing.
func position(s string) (file string, line, column int) {
	rest, last, _ := cutLast(s)
	if f, l, ok := cutLast(rest); ok {
		return f, l, last
	}
	return rest, last, 0
}

// cutLast cuts a number behind the last colon.
func cutLast(s string) (rest string, n int, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, 0, false
	}
	n, err := strconv.Atoi(s[i+1:])
	if err != nil || n < 0 {
		return s, 0, false
	}
	return s[:i], n, true
}
