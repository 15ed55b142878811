package gitlabtest

import (
	_ "embed" // the table of errors
	"fmt"
	"net/http"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed testdata/errors.yaml
var errorTable string

// errorRow is one documented way to refuse.
type errorRow struct {
	ID        string `yaml:"id"`
	Endpoint  string `yaml:"endpoint"` // method and path, or * for all
	Condition string `yaml:"condition"`
	Status    int    `yaml:"status"`
	Field     string `yaml:"field"`
	Message   string `yaml:"message"`
	Source    string `yaml:"source"`
}

func loadErrors() (map[string]errorRow, error) {
	decoder := yaml.NewDecoder(strings.NewReader(errorTable))
	decoder.KnownFields(true)
	var rows []errorRow
	if err := decoder.Decode(&rows); err != nil {
		return nil, fmt.Errorf("testdata/errors.yaml: %w", err)
	}
	table := map[string]errorRow{}
	for _, row := range rows {
		if _, twice := table[row.ID]; twice || row.ID == "" || row.Source == "" || row.Condition == "" || http.StatusText(row.Status) == "" {
			return nil, fmt.Errorf("testdata/errors.yaml: row %q is twice there or incomplete", row.ID)
		}
		if row.Field == "" {
			row.Field = "message"
		}
		table[row.ID] = row
	}
	return table, nil
}

// fail answers with a row of the table. An id without a row is a fault of the
// double and panics.
func (c *call) fail(id string, args ...any) {
	row, ok := c.d.errors[id]
	if !ok {
		panic("gitlabtest: testdata/errors.yaml has no row " + id)
	}
	message := row.Message
	if len(args) > 0 {
		message = fmt.Sprintf(message, args...)
	}
	body := object{row.Field: message}
	switch id {
	case "scope":
		body["error_description"] = "The request requires higher privileges than provided by the access token."
		body["scope"] = "api read_api"
	case "token_revoked":
		body["error_description"] = "Token was revoked. You have to re-authorize from the user."
	case "request_exists", "request_branch", "link_taken", "link_path":
		body[row.Field] = []string{message}
	}
	c.answer(row.Status, body)
}
