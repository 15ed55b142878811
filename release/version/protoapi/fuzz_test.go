package protoapi

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/release/version"
)

// Whatever a descriptor set says, comparing does not panic; a set does not
// differ from itself; and what is removed one way round is added the other.
func FuzzCompare(f *testing.F) {
	for _, a := range archives(f) {
		for _, folder := range []string{"old", "new"} {
			data, err := proto.Marshal(compile(f, sources(a, folder)))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data, []byte{3, 1, 4, 1, 5, 9, 2, 6})
		}
	}
	f.Fuzz(func(t *testing.T, data, edits []byte) {
		old := &descriptorpb.FileDescriptorSet{}
		if proto.Unmarshal(data, old) != nil {
			return
		}
		new := proto.CloneOf(old)
		for len(edits) > 1 {
			var more bool
			if edits, more = mutate(new.ProtoReflect(), edits, 0); !more {
				break
			}
		}
		for _, set := range []*descriptorpb.FileDescriptorSet{old, new} {
			if changes := Compare(set, proto.CloneOf(set)); len(changes) > 0 {
				t.Errorf("compared with itself:\n%s", lines(changes))
			}
		}
		forth, back := Compare(old, new), Compare(new, old)
		for _, rule := range []string{"MESSAGE", "ENUM", "SERVICE", "EXTENSION"} {
			if count(forth, rule+"_ADDED") != count(back, "PACKAGE_"+rule+"_NO_DELETE") {
				t.Errorf("%s: one way\n%sthe other\n%s", rule, lines(forth), lines(back))
			}
		}
	})
}

func count(changes []version.Change, rule string) int {
	return len(changes) - len(slices.DeleteFunc(slices.Clone(changes), func(c version.Change) bool { return c.Rule == rule }))
}

// mutate walks down to a field that the edits choose, and changes it.
func mutate(m protoreflect.Message, edits []byte, depth int) ([]byte, bool) {
	var set []protoreflect.FieldDescriptor
	m.Range(func(d protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		set = append(set, d)
		return true
	})
	if len(set) == 0 || len(edits) < 2 || depth > 20 {
		return edits, false
	}
	slices.SortFunc(set, func(a, b protoreflect.FieldDescriptor) int { return int(a.Number() - b.Number()) })
	d, action := set[int(edits[0])%len(set)], edits[1]
	edits = edits[2:]
	v := m.Get(d)
	switch {
	case action%7 == 0:
		m.Clear(d)
	case d.IsList() && d.Message() != nil && v.List().Len() > 0:
		return mutate(v.List().Get(int(action)%v.List().Len()).Message(), edits, depth+1)
	case d.Message() != nil && !d.IsList():
		return mutate(m.Mutable(d).Message(), edits, depth+1)
	case d.Kind() == protoreflect.BoolKind:
		m.Set(d, protoreflect.ValueOfBool(!v.Bool()))
	case d.Kind() == protoreflect.Int32Kind && !d.IsList():
		m.Set(d, protoreflect.ValueOfInt32(int32(int8(action))))
	case d.Kind() == protoreflect.EnumKind && !d.IsList():
		m.Set(d, protoreflect.ValueOfEnum(protoreflect.EnumNumber(action%20)))
	case d.Kind() == protoreflect.StringKind && !d.IsList():
		m.Set(d, protoreflect.ValueOfString(string(rune('a'+action%4))))
	}
	return edits, true
}

// The promise: an interface of 40 files, 1,200 messages and enums in all, is
// compared in less than 200 ms.
func BenchmarkCompare(b *testing.B) {
	set := &descriptorpb.FileDescriptorSet{}
	for i := range 40 {
		f := protodesc.ToFileDescriptorProto(descriptorpb.File_google_protobuf_descriptor_proto)
		f.Name, f.Package = proto.String(fmt.Sprintf("%d.proto", i)), proto.String(fmt.Sprintf("p%d", i))
		set.File = append(set.File, f)
	}
	for b.Loop() {
		if changes := Compare(set, set); len(changes) > 0 {
			b.Fatal(lines(changes))
		}
	}
}
