package gitlabtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

// call is one request while it is answered, under the lock of the double.
type call struct {
	d       *Double
	r       *http.Request
	route   route
	segment map[string]string
	params  object // query, then body
	body    []byte // as sent, for uploads
	user    *User  // nil: nobody is signed in
	token   *Token
	project *Project

	status int
	header http.Header
	out    []byte
	write  bool   // something changed
	inside func() // a race within the handler; nil: none
}

// serveAPI reads the request, lets the faults that wait for it happen, and
// answers. Nothing is written to the client before the effect is on disk.
func (d *Double) serveAPI(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c := &call{d: d, r: r, body: body, header: http.Header{}}
	escaped := trimAPI(r)
	route, segment, known := d.find(r.Method, escaped)
	c.route, c.segment = route, segment
	e := Event{Method: r.Method, Pattern: route.pattern, Path: escaped, User: r.Header.Get("User-Agent"), Length: r.ContentLength}
	fault := d.faults.next(e)
	c.inside = fault.Inside
	if fault.before(c, w) {
		return
	}
	d.faults.observe(e, false)
	if known {
		d.handle(c)
	} else {
		c.fail("unknown_route", r.Method+" "+escaped)
	}
	e.Status, e.Changed = c.status, c.write
	d.faults.observe(e, true)
	if fault.after(c, w) {
		return
	}
	c.send(w)
}

// handle answers under the lock, and keeps what has changed.
func (d *Double) handle(c *call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.run()
	if !c.write {
		return
	}
	if err := d.save(); err != nil {
		panic(fmt.Sprintf("gitlabtest: the state cannot be kept: %v", err))
	}
}

// trimAPI is the escaped path below the API's root.
func trimAPI(r *http.Request) string { return strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4") }

func (c *call) send(w http.ResponseWriter) {
	for key, values := range c.header {
		w.Header()[key] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(c.out)))
	w.WriteHeader(c.status)
	if c.r.Method != http.MethodHead {
		_, _ = w.Write(c.out) // the client may have gone
	}
}

// run goes through the checks in GitLab's order, then to the handler.
func (c *call) run() {
	if !c.authenticate() || !c.readParams() {
		return
	}
	id, ofProject := c.segment["id"]
	switch {
	case ofProject && !c.enter(id):
		return
	case !ofProject && c.user == nil && c.route.pattern != "/version":
		c.fail("anonymous")
		return
	}
	c.route.serve(c)
}

// enter finds the project and checks the right to do this in it.
func (c *call) enter(id string) bool {
	reads := c.r.Method == http.MethodGet || c.r.Method == http.MethodHead
	p := c.d.state.find(id)
	if p == nil || (!p.Settings.Public && p.role(c.user) == NoAccess) {
		c.fail(c.notFound(p))
		return false
	}
	if c.token != nil && c.token.Kind == JobToken && c.user != nil && !p.letsIn(c.token) {
		c.fail("allowlist")
		return false
	}
	c.project = p
	role := p.role(c.user)
	switch {
	case !reads && c.user == nil:
		c.fail("anonymous")
	case role < c.route.least && (!reads || !p.Settings.Public || c.route.least > Reporter):
		c.fail("role")
	case c.route.code && role < Reporter && !p.Settings.Public:
		c.fail("role")
	case !reads && p.Settings.Archived:
		c.fail("archived")
	case p.Settings.NoReleases && strings.Contains(c.route.pattern, "/releases"):
		c.fail("releases_off")
	default:
		return true
	}
	return false
}

// notFound tells why a project is hidden; GitLab's answer is the same.
func (c *call) notFound(p *Project) string {
	if p != nil && c.token != nil && c.token.Kind == JobToken && c.user == nil {
		return "job_token_route"
	}
	return "project"
}

func (p *Project) letsIn(t *Token) bool {
	if t.Project == p.ID {
		return true
	}
	for _, id := range p.Allowlist {
		if id == t.Project {
			return true
		}
	}
	return false
}

func (c *call) readParams() bool {
	c.params = object{}
	for key, values := range c.r.URL.Query() {
		c.params[key] = values[len(values)-1]
	}
	kind, media, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch {
	case len(c.body) == 0:
	case kind == "application/json" && !strings.Contains(c.route.pattern, "/generic/"):
		decoder := json.NewDecoder(bytes.NewReader(c.body))
		decoder.UseNumber()
		if err := decoder.Decode(&c.params); err != nil {
			c.answer(http.StatusBadRequest, object{"error": "invalid JSON: " + err.Error()})
			return false
		}
	case kind == "application/x-www-form-urlencoded":
		form, _ := url.ParseQuery(string(c.body))
		for key, values := range form {
			c.params[key] = values[len(values)-1]
		}
	case kind == "multipart/form-data":
		return c.readForm(multipart.NewReader(bytes.NewReader(c.body), media["boundary"]))
	}
	return true
}

// readForm takes the part "file" for the body, as GitLab's workhorse does.
func (c *call) readForm(form *multipart.Reader) bool {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return true
		}
		var data []byte
		if err == nil {
			data, err = io.ReadAll(part)
		}
		if err != nil {
			c.answer(http.StatusBadRequest, object{"error": "invalid form: " + err.Error()})
			return false
		}
		if part.FormName() == "file" {
			c.body = data
		} else {
			c.params[part.FormName()] = string(data)
		}
	}
}

// str returns a parameter as text; "" where it is absent.
func (c *call) str(name string) string {
	switch v := c.params[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// need is str for a required parameter; it answers where that is missing.
func (c *call) need(names ...string) bool {
	for _, name := range names {
		if c.str(name) == "" {
			c.fail("missing", name)
			return false
		}
	}
	return true
}

// number returns the value of a segment as an id; 0 where it is none.
func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.segment[name], 10, 64)
	return n
}

func (c *call) answer(status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("gitlabtest: %v", err))
	}
	c.status, c.out = status, data
	c.header.Set("Content-Type", "application/json")
}

// changed is answer after an effect.
func (c *call) changed(status int, body any) {
	c.write = true
	c.answer(status, body)
}

// page answers with one page of a list and the headers of offset pagination.
// Source: doc/api/rest/_index.md, pagination.
func page[T any](c *call, list []T, show func(T) object) {
	per, at := c.count("per_page", defaultPages), c.count("page", 1)
	per = min(per, maxPageSize)
	from := min((at-1)*per, len(list))
	to := min(from+per, len(list))
	items := []object{}
	for _, item := range list[from:to] {
		items = append(items, show(item))
	}
	next := ""
	if to < len(list) {
		next = strconv.Itoa(at + 1)
	}
	for key, value := range map[string]string{
		"X-Page": strconv.Itoa(at), "X-Per-Page": strconv.Itoa(per), "X-Next-Page": next,
		"X-Total": strconv.Itoa(len(list)), "X-Total-Pages": strconv.Itoa((len(list) + per - 1) / per),
	} {
		c.header.Set(key, value)
	}
	c.answer(http.StatusOK, items)
}

func (c *call) count(name string, otherwise int) int {
	if n, err := strconv.Atoi(c.str(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
