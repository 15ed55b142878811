package main

import "strings"

// undoRules returns the iptables arguments that take back what docker added
// between two outputs of iptables-save: first its rules, then its chains, then
// the policies it changed. Rules that are not docker's stay.
func undoRules(before, now string) [][]string {
	had := map[string]bool{}
	for _, r := range parseRules(before) {
		had[r.table+r.line] = true
	}
	policies := chainPolicies(before)
	var rules, flushes, chains, restored [][]string
	for _, r := range parseRules(now) {
		if had[r.table+r.line] {
			continue
		}
		switch {
		case strings.HasPrefix(r.line, ":DOCKER"):
			chain := strings.Fields(r.line[1:])[0]
			flushes = append(flushes, []string{"-t", r.table, "-F", chain})
			chains = append(chains, []string{"-t", r.table, "-X", chain})
		case strings.HasPrefix(r.line, ":"):
			name, policy, _ := strings.Cut(r.line[1:], " ")
			if old := policies[r.table+name]; policy == "DROP" && (old == "ACCEPT" || old == "") {
				restored = append(restored, []string{"-t", r.table, "-P", name, "ACCEPT"})
			}
		case strings.HasPrefix(r.line, "-A ") && dockers(r.line):
			args := append([]string{"-t", r.table, "-D"}, splitRule(r.line)[1:]...)
			rules = append(rules, args)
		}
	}
	return append(append(append(rules, flushes...), chains...), restored...)
}

// rule is a line of iptables-save's output in its table. Counters are cut off.
type rule struct{ table, line string }

func parseRules(saved string) []rule {
	var out []rule
	table := ""
	for line := range strings.Lines(saved) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "*"):
			table = line[1:]
		case strings.HasPrefix(line, ":"):
			line, _, _ = strings.Cut(line, " [")
			out = append(out, rule{table, line})
		case strings.HasPrefix(line, "-A "):
			out = append(out, rule{table, line})
		}
	}
	return out
}

func chainPolicies(saved string) map[string]string {
	out := map[string]string{}
	for _, r := range parseRules(saved) {
		if name, policy, ok := strings.Cut(r.line, " "); ok && strings.HasPrefix(name, ":") {
			out[r.table+name[1:]] = policy
		}
	}
	return out
}

// dockers reports whether a rule is one of docker's: it jumps to one of its
// chains, names a bridge of its, or lets a container reach its own published
// port. A rule in a chain of docker's goes with the chain.
func dockers(line string) bool {
	for _, mark := range []string{" DOCKER", " docker0", " br-"} {
		if strings.Contains(line, mark) {
			return !strings.HasPrefix(line, "-A DOCKER")
		}
	}
	return hairpin(splitRule(line))
}

// hairpin matches "-A POSTROUTING -s IP/32 -d IP/32 ... -j MASQUERADE".
func hairpin(f []string) bool {
	return len(f) > 6 && f[1] == "POSTROUTING" && f[2] == "-s" && f[4] == "-d" && f[3] == f[5] &&
		strings.HasSuffix(f[3], "/32") && f[len(f)-1] == "MASQUERADE"
}

// splitRule splits a rule at spaces, keeping what is quoted together.
func splitRule(line string) []string {
	var out []string
	quoted := false
	fields := strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
	for _, f := range fields {
		out = append(out, strings.Trim(f, `"`))
	}
	return out
}
