package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

// htmlFiles holds the page: templates, one style sheet, one script.
//
//go:embed html/*.tmpl html/style.css html/script.js
var htmlFiles embed.FS

const (
	// maxTestRows bounds the tests that are listed; those that passed are left
	// out first.
	maxTestRows = 20_000
	// maxFailures bounds the failing tests that are shown with their output.
	maxFailures = 200
	// maxTestOutput bounds one output in bytes, maxTestOutputs all together;
	// where that is used up an output keeps minTestOutput.
	maxTestOutput  = 16 << 10
	maxTestOutputs = 1 << 20
	minTestOutput  = 300
	// maxRows bounds the rows of a table of issues or events.
	maxRows = 2000
	// maxLog bounds the log of a stage in bytes, maxLogs all together.
	maxLog  = 256 << 10
	maxLogs = 4 << 20
)

// HTML writes the run as one page for people: verdict, stages, timeline, tests,
// coverage, layers, cluster events, benchmarks, issues, facts and logs. The
// page needs nothing beside it, fetches nothing (its policy forbids it), and
// works without its script. The logs are read from the paths that the stages
// name; one that cannot be read is named and no error. The same run with the
// same logs gives the same bytes. Without stages nothing is written.
func HTML(w io.Writer, run Run) error {
	if len(run.Stages) == 0 {
		return nil
	}
	templates, err := template.ParseFS(htmlFiles, "html/*.tmpl")
	if err != nil {
		return fmt.Errorf("read the templates of the page: %w", err)
	}
	frame, err := newFrame()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	p := run.page()
	p.frame = frame
	if err := templates.ExecuteTemplate(&b, "page", p); err != nil {
		return fmt.Errorf("fill the page: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

// frame is what is the same in every page.
type frame struct {
	Style, Script template.HTML
	// Policy is the Content-Security-Policy (www.w3.org/TR/CSP3): nothing is
	// allowed but this style, this script and images within the page.
	Policy string
}

func newFrame() (frame, error) {
	style, err := htmlFiles.ReadFile("html/style.css")
	if err != nil {
		return frame{}, err
	}
	script, err := htmlFiles.ReadFile("html/script.js")
	if err != nil {
		return frame{}, err
	}
	return frame{
		Style:  template.HTML("<style>" + string(style) + "</style>"),
		Script: template.HTML("<script>" + string(script) + "</script>"),
		Policy: "default-src 'none'; img-src data:; style-src " + sourceHash(style) + "; script-src " + sourceHash(script) +
			"; base-uri 'none'; form-action 'none'",
	}, nil
}

// sourceHash returns the hash-source of a style or a script.
func sourceHash(text []byte) string {
	sum := sha256.Sum256(text)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// favicon returns the small picture of the page: a disc in the colour of the
// status.
func favicon(colour string) template.URL {
	picture := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="` + colour + `"/></svg>`
	return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(picture)))
}
