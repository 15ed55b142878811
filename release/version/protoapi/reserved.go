package protoapi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// span is a range of numbers, both ends included.
type span struct{ first, last int64 }

func (s span) String() string {
	if s.first == s.last {
		return strconv.FormatInt(s.first, 10)
	}
	return fmt.Sprintf("%d to %d", s.first, s.last)
}

func reservedNumbers(m *descriptorpb.DescriptorProto) []span {
	var list []span
	for _, s := range m.GetReservedRange() {
		list = append(list, span{int64(s.GetStart()), int64(s.GetEnd()) - 1})
	}
	return joined(list)
}

func extensionNumbers(m *descriptorpb.DescriptorProto) []span {
	var list []span
	for _, s := range m.GetExtensionRange() {
		list = append(list, span{int64(s.GetStart()), int64(s.GetEnd()) - 1})
	}
	return joined(list)
}

// reservedValues: those of enums include both ends.
func reservedValues(e *descriptorpb.EnumDescriptorProto) []span {
	var list []span
	for _, s := range e.GetReservedRange() {
		list = append(list, span{int64(s.GetStart()), int64(s.GetEnd())})
	}
	return joined(list)
}

// joined returns spans in order; those that touch become one.
func joined(list []span) []span {
	list = slices.DeleteFunc(list, func(s span) bool { return s.last < s.first })
	slices.SortFunc(list, func(a, b span) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	var out []span
	for _, s := range list {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// reserved reports numbers that were set aside and are not any more.
func (r *report) reserved(rule, where, what string, old, new []span) {
	for _, o := range old {
		if !slices.ContainsFunc(new, func(n span) bool { return n.first <= o.first && o.last <= n.last }) {
			r.add(version.Major, rule, where, "of the %s %v, some are not reserved any more", what, o)
		}
	}
}

func (r *report) reservedNames(rule, where string, old, new []string) {
	for _, name := range old {
		if !slices.Contains(new, name) {
			r.add(version.Major, rule, where, "the name %q is not reserved any more", name)
		}
	}
}
