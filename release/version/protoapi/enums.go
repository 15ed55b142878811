package protoapi

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// compareEnum compares an enum. Values are the same when they have the same
// number; one number may have several names.
func (r *report) compareEnum(old, new enum) {
	where := new.place()
	r.same("ENUM_SAME_TYPE", where, "the enum", old.features.enum, new.features.enum)
	if old.features.json == descriptorpb.FeatureSet_ALLOW && new.features.json != old.features.json {
		r.add(version.Major, "ENUM_SAME_JSON_FORMAT", where, "is not sure to be written as JSON any more")
	}
	r.deprecates("ENUM", where, old.desc.GetOptions().GetDeprecated(), new.desc.GetOptions().GetDeprecated())
	r.compareValues(old, new)
	r.compareFirst(old, new)
	r.reserved("RESERVED_ENUM_NO_DELETE", where, "numbers", reservedValues(old.desc), reservedValues(new.desc))
	r.reservedNames("RESERVED_ENUM_NO_DELETE", where, old.desc.GetReservedName(), new.desc.GetReservedName())
}

func (r *report) compareValues(old, new enum) {
	was, is := old.values(), new.values()
	for number, names := range was {
		where := old.place() + "." + firstKey(names)
		switch now := is[number]; {
		case now == nil:
			r.add(version.Major, "ENUM_VALUE_NO_DELETE", where, "value %d was removed", number)
		case !subset(names, now):
			r.add(version.Major, "ENUM_VALUE_SAME_NAME", where, "value %d was called %s and is called %s", number, list(names), list(now))
		}
	}
	for number, names := range is {
		for name, v := range names {
			where := new.place() + "." + name
			o, had := was[number][name]
			switch {
			case had:
				r.deprecates("ENUM_VALUE", where, o.GetOptions().GetDeprecated(), v.GetOptions().GetDeprecated())
			case was[number] == nil || subset(was[number], names):
				r.add(version.Minor, "ENUM_VALUE_ADDED", where, "value %d was added", number)
			}
		}
	}
}

// compareFirst: the first value of a closed enum is what a field has that is
// not set. (That of an open one is 0.)
func (r *report) compareFirst(old, new enum) {
	o, n := old.desc.GetValue(), new.desc.GetValue()
	if len(o) > 0 && len(n) > 0 && new.features.enum == descriptorpb.FeatureSet_CLOSED {
		r.same("FIELD_SAME_DEFAULT", new.place(), "the first value, which fields have that are not set,", o[0].GetNumber(), n[0].GetNumber())
	}
}

// values returns the values by number and name.
func (e enum) values() map[int32]map[string]*descriptorpb.EnumValueDescriptorProto {
	values := map[int32]map[string]*descriptorpb.EnumValueDescriptorProto{}
	for _, v := range e.desc.GetValue() {
		if values[v.GetNumber()] == nil {
			values[v.GetNumber()] = map[string]*descriptorpb.EnumValueDescriptorProto{}
		}
		values[v.GetNumber()][v.GetName()] = v
	}
	return values
}

func subset[V any](a, b map[string]V) bool {
	for k := range a {
		if _, ok := b[k]; !ok {
			return false
		}
	}
	return true
}

func firstKey[V any](m map[string]V) string { return sortedKeys(m)[0] }

func list[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
