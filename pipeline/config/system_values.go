package config

import "slices"

// ParseValues reads a file with values of charts from data: a mapping of
// services to mappings. A service that is not among the known ones is a problem.
// Every error is Problems.
func ParseValues(file string, data []byte, services []string) (map[string]map[string]any, error) {
	name := display(file)
	root, problem := parseYAML(name, data)
	if problem != nil {
		return nil, Problems{*problem}
	}
	all := map[string]map[string]any{}
	if root == nil {
		return all, nil
	}
	d := newDecoder(name)
	values, _ := d.plainValue(root).(map[string]any)
	if values == nil {
		d.problem(root, "%s; expected a mapping of services to their values", describe(resolved(root)))
	}
	for key, value := range values {
		node := valueOf(resolved(root), key)
		if !slices.Contains(services, key) {
			d.problem(node, "values for %q, which is no service of the system; expected %s", key, list(services))
			continue
		}
		m, ok := value.(map[string]any)
		if !ok && value != nil {
			d.problem(node, "%s; expected a mapping with values of the chart", describe(resolved(node)))
		}
		all[key] = m
	}
	if problems := d.problems.sorted(); len(problems) > 0 {
		return nil, problems
	}
	return all, nil
}
