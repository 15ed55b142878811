package protoapi

import (
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// compareMessage compares a message without what is nested in it. Fields are
// the same when they have the same number: that is what is on the wire.
func (r *report) compareMessage(old, new message) {
	where := new.place()
	oo, no := old.desc.GetOptions(), new.desc.GetOptions()
	r.same("MESSAGE_SAME_MESSAGE_SET_WIRE_FORMAT", where, "message_set_wire_format", oo.GetMessageSetWireFormat(), no.GetMessageSetWireFormat())
	r.same("MESSAGE_SAME_GO_API_LEVEL", where, "the level of the Go interface", old.features.goAPI, new.features.goAPI)
	if no.GetNoStandardDescriptorAccessor() && !oo.GetNoStandardDescriptorAccessor() {
		r.add(version.Major, "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR", where, "has no accessor of its descriptor any more")
	}
	if old.features.json == descriptorpb.FeatureSet_ALLOW && new.features.json != old.features.json {
		r.add(version.Major, "MESSAGE_SAME_JSON_FORMAT", where, "is not sure to be written as JSON any more")
	}
	r.deprecates("MESSAGE", where, oo.GetDeprecated(), no.GetDeprecated())
	r.compareFields(old, new)
	r.compareOneofs(old, new)
	r.reserved("RESERVED_MESSAGE_NO_DELETE", where, "numbers", reservedNumbers(old.desc), reservedNumbers(new.desc))
	r.reservedNames("RESERVED_MESSAGE_NO_DELETE", where, old.desc.GetReservedName(), new.desc.GetReservedName())
	r.reserved("EXTENSION_MESSAGE_NO_DELETE", where, "numbers for extensions", extensionNumbers(old.desc), extensionNumbers(new.desc))
}

func (r *report) compareFields(old, new message) {
	for number, o := range old.fields {
		n, ok := new.fields[number]
		if ok {
			r.compareField(o, n)
			continue
		}
		r.add(version.Major, "FIELD_NO_DELETE", o.place(), "field %d was removed", number)
		if o.cardinality() == required {
			r.add(version.Major, "MESSAGE_SAME_REQUIRED_FIELDS", o.place(), "who has the old version requires field %d", number)
		}
	}
	for number, n := range new.fields {
		switch _, had := old.fields[number]; {
		case had:
		case n.cardinality() == required:
			r.add(version.Major, "MESSAGE_SAME_REQUIRED_FIELDS", n.place(), "field %d was added and is required", number)
		default:
			r.add(version.Minor, "FIELD_ADDED", n.place(), "field %d was added", number)
		}
	}
}

func (r *report) compareField(old, new field) {
	where := new.place()
	o, n := old.desc, new.desc
	r.same("FIELD_SAME_NAME", where, "the name", o.GetName(), n.GetName())
	r.same("FIELD_SAME_JSON_NAME", where, "the name in JSON", jsonName(o), jsonName(n))
	r.same("FIELD_SAME_CARDINALITY", where, "the cardinality", old.cardinality(), new.cardinality())
	r.same("FIELD_SAME_ONEOF", where, "the oneof", old.oneof, new.oneof)
	r.same("FIELD_SAME_DEFAULT", where, "the default", o.GetDefaultValue(), n.GetDefaultValue())
	r.same("FIELD_SAME_JSTYPE", where, "jstype", o.GetOptions().GetJstype(), n.GetOptions().GetJstype())
	r.same("FIELD_SAME_CPP_STRING_TYPE", where, "ctype", o.GetOptions().GetCtype(), n.GetOptions().GetCtype())
	if !old.isMap || !new.isMap { // the types of a map are those of its entry
		r.same("FIELD_SAME_TYPE", where, "the type", old.typeText(), new.typeText())
	}
	if o.GetType() == descriptorpb.FieldDescriptorProto_TYPE_STRING && n.GetType() == o.GetType() {
		r.same("FIELD_SAME_UTF8_VALIDATION", where, "the check for UTF-8", old.features.utf8, new.features.utf8)
	}
	r.deprecates("FIELD", where, o.GetOptions().GetDeprecated(), n.GetOptions().GetDeprecated())
}

// jsonName returns the name in JSON, which a compiler may leave to the reader
// (protobuf.dev/programming-guides/json: lowerCamelCase).
func jsonName(f *descriptorpb.FieldDescriptorProto) string {
	if f.JsonName != nil || f.GetExtendee() != "" {
		return f.GetJsonName()
	}
	var b strings.Builder
	for i, part := range strings.Split(f.GetName(), "_") {
		if i > 0 && part != "" {
			part = strings.ToUpper(part[:1]) + part[1:]
		}
		b.WriteString(part)
	}
	return b.String()
}

// How often a field is there, and whether one sees that it is not.
const (
	isMap    = "map"
	repeated = "repeated"
	required = "required"
	explicit = "optional with presence"
	implicit = "optional without presence"
)

func (f field) cardinality() string {
	d := f.desc
	composite := d.GetType() == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE || d.GetType() == descriptorpb.FieldDescriptorProto_TYPE_GROUP
	switch {
	case f.isMap:
		return isMap
	case d.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED:
		return repeated
	case d.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REQUIRED, f.features.presence == descriptorpb.FeatureSet_LEGACY_REQUIRED:
		return required
	case composite, f.oneof != "", d.GetProto3Optional(), d.GetExtendee() != "", f.features.presence == descriptorpb.FeatureSet_EXPLICIT:
		return explicit
	}
	return implicit
}

// typeText returns the type and, for messages, their form on the wire.
func (f field) typeText() string {
	t := strings.ToLower(strings.TrimPrefix(f.desc.GetType().String(), "TYPE_"))
	switch f.desc.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_GROUP:
		t = "delimited message"
	case descriptorpb.FieldDescriptorProto_TYPE_MESSAGE:
		if f.features.encoding == descriptorpb.FeatureSet_DELIMITED && !f.isMap {
			t = "delimited message"
		}
	}
	if f.desc.GetTypeName() == "" {
		return t
	}
	return t + " " + strings.TrimPrefix(f.desc.GetTypeName(), ".")
}

// compareOneofs: that of a proto3 optional field is none.
func (r *report) compareOneofs(old, new message) {
	was, is := oneofs(old), oneofs(new)
	for name := range was {
		if !is[name] {
			r.add(version.Major, "ONEOF_NO_DELETE", old.place()+"."+name, "the oneof was removed")
		}
	}
	for name := range is {
		if !was[name] {
			r.add(version.Minor, "ONEOF_ADDED", new.place()+"."+name, "the oneof was added")
		}
	}
}

func oneofs(m message) map[string]bool {
	names := map[string]bool{}
	for _, f := range m.fields {
		if f.oneof != "" {
			names[f.oneof] = true
		}
	}
	return names
}
