package interfaces

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// field compares a field that both sides have.
func (c *comparison) field(w, r protoreflect.FieldDescriptor, request bool) {
	client, server := parties(request, w, r)
	if client.Name() != server.Name() {
		c.add(RuleName, client.FullName(), "never give the number of a field to another one; if it is the same, give it its name back",
			"field %d is called %s by %s and %s by %s: it may mean something else", client.Number(), client.Name(), c.client, server.Name(), c.server)
	}
	if cardinality(client) != cardinality(server) {
		c.add(RuleCardinality, client.FullName(), c.renew(), "is %s for %s and %s for %s", cardinality(client), c.client, cardinality(server), c.server)
		return
	}
	if w.IsMap() {
		c.key(client, server)
		w, r = w.MapValue(), r.MapValue()
	} else {
		c.presence(w, r, request)
	}
	c.value(client, w, r, request)
}

// cardinality is how many values there may be.
func cardinality(f protoreflect.FieldDescriptor) string {
	switch {
	case f.IsMap():
		return "a map"
	case f.IsList():
		return "repeated"
	}
	return "a single value"
}

func (c *comparison) key(client, server protoreflect.FieldDescriptor) {
	if was, is := client.MapKey().Kind(), server.MapKey().Kind(); was != is {
		c.add(RuleType, client.FullName(), c.renew(), "the keys are %s for %s and %s for %s", was, c.client, is, c.server)
	}
}

// presence compares what it means that a field is not set.
func (c *comparison) presence(w, r protoreflect.FieldDescriptor, request bool) {
	client, server := parties(request, w, r)
	if r.Cardinality() == protoreflect.Required && w.Cardinality() != protoreflect.Required {
		writer, reader := c.names(request)
		c.add(RuleRequired, client.FullName(), c.renew(), "%s requires what %s may leave out", reader, writer)
	}
	if w.IsList() || isMessage(w) || isMessage(r) {
		return
	}
	if client.HasPresence() != server.HasPresence() {
		can, cannot := c.client, c.server
		if server.HasPresence() {
			can, cannot = cannot, can
		}
		c.add(RulePresence, client.FullName(), c.renew(), "%s tells \"not set\" from the zero value, %s does not", can, cannot)
		return
	}
	if was, is := defaultOf(client), defaultOf(server); was != is && client.HasPresence() && fits(w.Kind(), r.Kind()) {
		c.add(RuleDefault, client.FullName(), c.renew(), "not set means %s for %s and %s for %s", was, c.client, is, c.server)
	}
}

// defaultOf writes the default of a field that is no message.
func defaultOf(f protoreflect.FieldDescriptor) string {
	if f.Enum() != nil && f.Enum().IsPlaceholder() {
		return ""
	}
	v := f.Default()
	if f.Kind() == protoreflect.BytesKind {
		return fmt.Sprintf("%q", v.Bytes())
	}
	if f.Kind() == protoreflect.StringKind {
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(v.Interface())
}

func isMessage(f protoreflect.FieldDescriptor) bool { return f.Message() != nil }

// value compares the type of a single value, of the elements of a list or of the
// values of a map. at is the field as the client has it.
func (c *comparison) value(at, w, r protoreflect.FieldDescriptor, request bool) {
	if !fits(w.Kind(), r.Kind()) || otherMeaning(w, r) {
		client, server := parties(request, w, r)
		c.add(RuleType, at.FullName(), c.renew(), "is %s for %s and %s for %s", kindText(client), c.client, kindText(server), c.server)
		return
	}
	switch {
	case isMessage(w):
		c.message(flow{w.Message(), r.Message(), request})
	case w.Enum() != nil:
		c.enum(enumFlow{w.Enum(), r.Enum(), request})
	case r.Kind() == protoreflect.StringKind && checksUTF8(r) && !checksUTF8(w):
		writer, reader := c.names(request)
		c.add(RuleUTF8, at.FullName(), c.renew(), "%s may send text that is not UTF-8, which %s refuses", writer, reader)
	}
}

// otherMeaning reports whether one of two messages is of those that everybody
// knows by name: a duration has the fields of a point in time.
func otherMeaning(w, r protoreflect.FieldDescriptor) bool {
	if !isMessage(w) || !isMessage(r) {
		return false
	}
	one, other := w.Message().FullName(), r.Message().FullName()
	return one != other && (isWellKnown(one) || isWellKnown(other))
}

// kindText is the type as one writes it.
func kindText(f protoreflect.FieldDescriptor) string {
	switch {
	case f.Enum() != nil:
		return "enum " + string(f.Enum().FullName())
	case f.Kind() == protoreflect.GroupKind:
		return "a delimited message"
	case isMessage(f):
		return "message " + string(f.Message().FullName())
	}
	return f.Kind().String()
}

// fits reports whether each value that is written as one kind is read as the
// same value of the other (protobuf.dev/programming-guides/encoding). Groups and
// messages do not fit each other.
func fits(writer, reader protoreflect.Kind) bool {
	if writer == reader {
		return true
	}
	var wider []protoreflect.Kind
	switch writer {
	case protoreflect.Int32Kind:
		wider = []protoreflect.Kind{protoreflect.Int64Kind}
	case protoreflect.Uint32Kind:
		wider = []protoreflect.Kind{protoreflect.Uint64Kind, protoreflect.Int64Kind}
	case protoreflect.Sint32Kind:
		wider = []protoreflect.Kind{protoreflect.Sint64Kind}
	case protoreflect.StringKind:
		wider = []protoreflect.Kind{protoreflect.BytesKind}
	}
	return slices.Contains(wider, reader)
}

// checksUTF8 reports whether a text that is not UTF-8 is refused.
func checksUTF8(f protoreflect.FieldDescriptor) bool {
	if f, ok := f.(interface{ EnforceUTF8() bool }); ok {
		return f.EnforceUTF8()
	}
	return f.ParentFile().Syntax() == protoreflect.Proto3
}

// enumFlow is a value of an enum on its way.
type enumFlow struct {
	writer, reader protoreflect.EnumDescriptor
	request        bool
}

// enum compares the values that may be sent with those that are understood.
func (c *comparison) enum(f enumFlow) {
	if c.doneEnums[f] {
		return
	}
	c.doneEnums[f] = true
	client, server := parties(f.request, f.writer, f.reader)
	if isWellKnown(client.FullName()) && client.FullName() == server.FullName() {
		return
	}
	if client.IsPlaceholder() || server.IsPlaceholder() {
		c.incomplete(client, server)
		return
	}
	written, read := valuesOf(f.writer), valuesOf(f.reader)
	for number, sent := range written {
		understood := read[number]
		switch {
		case len(understood) == 0:
			c.unknownValue(f, sent)
		case !slices.ContainsFunc(sent, func(name protoreflect.Name) bool { return slices.Contains(understood, name) }):
			was, is := parties(f.request, sent, understood)
			c.add(RuleName, client.FullName(), "never give the number of a value to another one; if it is the same, give it its name back",
				"value %d is called %s by %s and %s by %s: it may mean something else", number, list(was), c.client, list(is), c.server)
		}
	}
}

// unknownValue: a server cannot do what it does not know. A client gets along
// with a value that is newer than its copy, unless its enum is closed: then the
// field looks as if it were not set.
func (c *comparison) unknownValue(f enumFlow, names []protoreflect.Name) {
	switch {
	case f.request:
		c.add(RuleEnumValue, f.writer.FullName(), c.renew(), "%s does not know the value %s", c.server, list(names))
	case f.reader.IsClosed():
		c.add(RuleEnumValue, f.reader.FullName(), c.renew(), "%s may send the value %s, which %s drops: its enum is closed", c.server, list(names), c.client)
	}
}

func valuesOf(e protoreflect.EnumDescriptor) map[protoreflect.EnumNumber][]protoreflect.Name {
	values := make(map[protoreflect.EnumNumber][]protoreflect.Name, e.Values().Len())
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		values[v.Number()] = append(values[v.Number()], v.Name())
	}
	return values
}

func list(names []protoreflect.Name) string {
	var texts []string
	for _, n := range names {
		texts = append(texts, string(n))
	}
	return strings.Join(texts, ", ")
}
