package kindtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ChartError tells that a chart is wrong. Nothing was created, unless it is the
// API server that refuses one of its objects.
type ChartError struct {
	Chart  string // its path or name
	File   string // the template, relative to the chart's folder; may be empty
	Line   int    // in File; 0 when Helm does not say
	Column int    // 0 when Helm does not say
	Msg    string
	Err    error // Helm's own error
}

func (e *ChartError) Error() string {
	where := e.Chart
	if e.File != "" {
		where += "/" + e.File
	}
	if e.Line > 0 {
		where += ":" + strconv.Itoa(e.Line)
	}
	if e.Column > 0 {
		where += ":" + strconv.Itoa(e.Column)
	}
	return fmt.Sprintf("%s: %s", where, e.Msg)
}

func (e *ChartError) Unwrap() error { return e.Err }

// newChartError finds the place in Helm's message, which comes in these forms
// (helm.sh/helm/v3/pkg/engine and pkg/releaseutil):
//
//	parse error at (app/templates/x.yaml:12): unexpected ...
//	execution error at (app/templates/x.yaml:5:3): ...
//	template: app/templates/x.yaml:3:14: executing "..." at <...>: ...
//	YAML parse error on app/templates/x.yaml: error converting YAML ...: line 7: ...
func newChartError(chart string, err error) *ChartError {
	e := &ChartError{Chart: chart, Msg: err.Error(), Err: err}
	place := regexp.MustCompile(`^(?:parse error at \(|execution error at \(|template: |YAML parse error on )([^\s:()]+)(?::(\d+))?(?::(\d+))?\)?: `)
	if m := place.FindStringSubmatch(e.Msg); m != nil {
		// The first element is the chart's name, or a parent's for a subchart.
		_, e.File, _ = strings.Cut(m[1], "/")
		e.Line, _ = strconv.Atoi(m[2])
		e.Column, _ = strconv.Atoi(m[3])
		e.Msg = e.Msg[len(m[0]):]
	}
	// A message about the rendered text has a line of that, not of the file.
	if strings.HasPrefix(err.Error(), "YAML parse error") {
		e.Msg += " (in the rendered text)"
	}
	return e
}

// installError tells a chart that describes impossible objects from a cluster
// that refuses. Of kinds that the cluster does not know Helm says so in the
// text only; objects with unknown fields or impossible values come back from
// the API server as such.
func (l *Lease) installError(chart string, err error) error {
	impossible := apierrors.IsBadRequest(err) || apierrors.IsInvalid(err)
	if impossible || strings.HasPrefix(err.Error(), "unable to build kubernetes objects") {
		return newChartError(chart, err)
	}
	if apierrors.IsForbidden(err) {
		return l.cluster.apiError("install chart "+chart, err)
	}
	return fmt.Errorf("install chart %s in namespace %s: %w", chart, l.Namespace, err)
}
