package protoapi

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// index holds everything that a set of files declares, by full name.
type index struct {
	packages   map[string]bool
	files      map[string]*descriptorpb.FileDescriptorProto
	messages   map[string]message
	enums      map[string]enum
	services   map[string]service
	extensions map[string]field // by extended message and number
}

// declared is what all declarations have in common.
type declared struct {
	file     *descriptorpb.FileDescriptorProto
	name     string
	features features
}

func (d declared) place() string { return d.file.GetName() + ":" + d.name }
func (d declared) in() string    { return d.file.GetPackage() }
func (d declared) counts() bool  { return true }

type message struct {
	declared
	desc   *descriptorpb.DescriptorProto
	fields map[int32]field
}

// counts: the entry of a map is the business of the map's field.
func (m message) counts() bool { return !m.desc.GetOptions().GetMapEntry() }

type enum struct {
	declared
	desc *descriptorpb.EnumDescriptorProto
}

type service struct {
	declared
	desc *descriptorpb.ServiceDescriptorProto
}

type field struct {
	declared
	desc  *descriptorpb.FieldDescriptorProto
	oneof string // empty outside of one; that of a proto3 optional field is none
	isMap bool
}

func newIndex(set *descriptorpb.FileDescriptorSet) *index {
	x := &index{
		packages: map[string]bool{}, files: map[string]*descriptorpb.FileDescriptorProto{},
		messages: map[string]message{}, enums: map[string]enum{}, services: map[string]service{}, extensions: map[string]field{},
	}
	for _, f := range set.GetFile() {
		if strings.HasPrefix(f.GetName(), "google/protobuf/") {
			continue
		}
		x.files[f.GetName()], x.packages[f.GetPackage()] = f, true
		d := declared{f, f.GetPackage(), fileFeatures(f)}
		for _, m := range f.GetMessageType() {
			x.addMessage(d, m)
		}
		x.addEnums(d, f.GetEnumType())
		x.addExtensions(d, f.GetExtension())
		for _, s := range f.GetService() {
			at := d.child(s.GetName(), s.GetOptions().GetFeatures())
			x.services[at.name] = service{at, s}
		}
	}
	return x
}

// child returns the declaration of a name within d.
func (d declared) child(name string, own *descriptorpb.FeatureSet) declared {
	if d.name != "" {
		name = d.name + "." + name
	}
	return declared{d.file, name, d.features.with(own)}
}

func (x *index) addEnums(d declared, enums []*descriptorpb.EnumDescriptorProto) {
	for _, e := range enums {
		at := d.child(e.GetName(), e.GetOptions().GetFeatures())
		x.enums[at.name] = enum{at, e}
	}
}

func (x *index) addExtensions(d declared, fields []*descriptorpb.FieldDescriptorProto) {
	for _, f := range fields {
		key := fmt.Sprintf("%s/%d", f.GetExtendee(), f.GetNumber())
		x.extensions[key] = field{declared: d.child(f.GetName(), f.GetOptions().GetFeatures()), desc: f}
	}
}

func (x *index) addMessage(d declared, desc *descriptorpb.DescriptorProto) {
	at := d.child(desc.GetName(), desc.GetOptions().GetFeatures())
	m := message{at, desc, map[int32]field{}}
	entries := map[string]bool{}
	for _, n := range desc.GetNestedType() {
		x.addMessage(at, n)
		entries[n.GetName()] = n.GetOptions().GetMapEntry()
	}
	for _, f := range desc.GetField() {
		m.fields[f.GetNumber()] = m.field(f, entries)
	}
	x.messages[at.name] = m
	x.addEnums(at, desc.GetEnumType())
	x.addExtensions(at, desc.GetExtension())
}

// field returns a field of a message, of which the entries of maps are known.
func (m message) field(f *descriptorpb.FieldDescriptorProto, entries map[string]bool) field {
	parent, oneof := m.declared, ""
	if i := int(f.GetOneofIndex()); f.OneofIndex != nil && !f.GetProto3Optional() && i >= 0 && i < len(m.desc.GetOneofDecl()) {
		o := m.desc.GetOneofDecl()[i]
		oneof = o.GetName()
		parent.features = parent.features.with(o.GetOptions().GetFeatures())
	}
	typeName := f.GetTypeName()
	entry, nested := strings.CutPrefix(typeName, "."+m.name+".")
	return field{
		declared: parent.child(f.GetName(), f.GetOptions().GetFeatures()),
		desc:     f, oneof: oneof, isMap: nested && entries[entry],
	}
}
