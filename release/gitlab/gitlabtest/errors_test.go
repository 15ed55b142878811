package gitlabtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"gitlab.com/selfcontained/pipeline/release/gitlab/gitlabtest"
)

// world is a project with one of everything that can go wrong.
type world struct {
	*gitlabtest.Server
	t      *testing.T
	p      *gitlabtest.Project
	head   string
	token  string // of maria, a Maintainer
	header string // in which it is sent
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Server: gitlabtest.New(t), t: t, header: "Private-Token"}
	w.p = w.MustProject("g/p")
	w.head = w.MustCommit(w.p, "main", "feat: two")
	w.p.Member("maria", gitlabtest.Maintainer)
	w.token = w.AccessToken("maria", "api")
	return w
}

func (w *world) member(role gitlabtest.Role) {
	w.p.Member("other", role)
	w.token = w.AccessToken("other", "api")
}

func (w *world) job(token string) { w.token, w.header = token, "Job-Token" }

// wrong marks a request that no client should send.
type wrong string

func (w *world) send(method, path string, body any) (int, map[string]any) {
	w.t.Helper()
	invalid, isInvalid := body.(wrong)
	var text string
	switch b := body.(type) {
	case wrong:
		text = string(invalid)
	case string:
		text = b
	case nil:
	default:
		data, err := json.Marshal(b)
		if err != nil {
			w.t.Fatal(err)
		}
		text = string(data)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+"/api/v4"+path, strings.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.token != "" {
		r.Header.Set(w.header, w.token)
	}
	if text != "" && !strings.Contains(path, "/generic/") {
		r.Header.Set("Content-Type", "application/json")
	}
	if isInvalid {
		r.Header.Set("Gitlabtest-Unchecked", "wrong on purpose")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	answer := map[string]any{}
	_ = json.Unmarshal(data, &answer) // a list has no message
	return resp.StatusCode, answer
}

type m = map[string]any

func (w *world) release() {
	w.t.Helper()
	if status, answer := w.send("POST", "/projects/g%2Fp/releases", m{"tag_name": "v1", "ref": "main"}); status != 201 {
		w.t.Fatal(status, answer)
	}
}

func (w *world) link() string {
	w.t.Helper()
	w.release()
	status, answer := w.send("POST", "/projects/g%2Fp/releases/v1/assets/links", m{"name": "a", "url": "https://x/a"})
	if status != 201 {
		w.t.Fatal(status, answer)
	}
	return fmt.Sprintf("/projects/g%%2Fp/releases/v1/assets/links/%v", answer["id"])
}

func (w *world) request() int64 {
	w.t.Helper()
	if _, err := w.p.Commit("topic", "anna", "feat: topic", map[string]string{"t": "1"}); err != nil {
		w.t.Fatal(err)
	}
	return w.p.Request("anna", "topic", "topic", "main")
}

// Every row of the table is provoked; a row without a scenario, or a scenario
// without a row, fails.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	var rows []struct {
		ID, Endpoint, Field, Message string
		Status                       int
	}
	data, err := os.ReadFile("testdata/errors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	all := scenarios()
	for _, row := range rows {
		scenario := all[row.ID]
		delete(all, row.ID)
		if scenario == nil {
			t.Errorf("row %s has no scenario", row.ID)
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			status, answer := scenario(w)
			field := row.Field
			if field == "" {
				field = "message"
			}
			got := fmt.Sprint(answer[field])
			want, _, _ := strings.Cut(row.Message, "%")
			if status != row.Status || !strings.Contains(got, want) {
				t.Errorf("%d %v, want %d %s", status, answer, row.Status, row.Message)
			}
			journal := w.Journal()
			if on := journal[len(journal)-1].On(); row.Endpoint != "*" && on != row.Endpoint {
				t.Errorf("asked %s, the row is about %s", on, row.Endpoint)
			}
		})
	}
	if len(all) > 0 {
		t.Errorf("scenarios without a row: %v", slices.Sorted(maps.Keys(all)))
	}
}
