package interfaces_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// schema makes random interfaces of edition 2023, which has the rules of all
// syntaxes as settings of single fields.
type schema struct{ *rand.Rand }

const (
	randomMessages = 4
	randomFields   = 5
)

func (s schema) file() *descriptorpb.FileDescriptorProto {
	f := &descriptorpb.FileDescriptorProto{
		Name: proto.String("shop.proto"), Package: proto.String("shop"), Syntax: proto.String("editions"),
		Edition: descriptorpb.Edition_EDITION_2023.Enum(), EnumType: []*descriptorpb.EnumDescriptorProto{s.enum("E"), s.enum("F")},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Stock"), Method: []*descriptorpb.MethodDescriptorProto{{
			Name: proto.String("Get"), InputType: proto.String(".shop.M0"), OutputType: proto.String(".shop.M1"),
		}}}},
	}
	for i := range randomMessages {
		m := &descriptorpb.DescriptorProto{
			Name: proto.String(fmt.Sprintf("M%d", i)), NestedType: []*descriptorpb.DescriptorProto{s.entry(fmt.Sprintf("M%d", i))},
		}
		for n := range 1 + s.IntN(randomFields) {
			m.Field = append(m.Field, s.field(i, int32(n+1)))
		}
		f.MessageType = append(f.MessageType, m)
	}
	return f
}

// entry is that of a map.
func (s schema) entry(message string) *descriptorpb.DescriptorProto {
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	kinds := []descriptorpb.FieldDescriptorProto_Type{descriptorpb.FieldDescriptorProto_TYPE_INT32, descriptorpb.FieldDescriptorProto_TYPE_INT64, descriptorpb.FieldDescriptorProto_TYPE_STRING}
	return &descriptorpb.DescriptorProto{
		Name: proto.String("MapEntry"), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
		Field: []*descriptorpb.FieldDescriptorProto{field("key", 1, kinds[s.IntN(3)]), field("value", 2, kinds[s.IntN(3)])},
	}
}

func (s schema) enum(name string) *descriptorpb.EnumDescriptorProto {
	e := &descriptorpb.EnumDescriptorProto{Name: proto.String(name)}
	for i := range 1 + s.IntN(4) {
		e.Value = append(e.Value, &descriptorpb.EnumValueDescriptorProto{Name: proto.String(fmt.Sprintf("%s_%d", name, i)), Number: proto.Int32(int32(i))})
	}
	if s.IntN(3) == 0 {
		e.Options = &descriptorpb.EnumOptions{Features: &descriptorpb.FeatureSet{EnumType: descriptorpb.FeatureSet_CLOSED.Enum()}}
	}
	return e
}

// field is one of message i.
func (s schema) field(i int, number int32) *descriptorpb.FieldDescriptorProto {
	f := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(fmt.Sprintf("f%d", number)), Number: proto.Int32(number), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		Type: s.kind().Enum(), Options: &descriptorpb.FieldOptions{Features: &descriptorpb.FeatureSet{}},
	}
	switch f.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_GROUP, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE:
		f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		f.TypeName = proto.String(fmt.Sprintf(".shop.M%d", s.IntN(randomMessages)))
		if s.IntN(4) == 0 {
			f.Options.Features.MessageEncoding = descriptorpb.FeatureSet_DELIMITED.Enum()
		}
	case descriptorpb.FieldDescriptorProto_TYPE_ENUM:
		f.TypeName = proto.String([]string{".shop.E", ".shop.F"}[s.IntN(2)])
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		if s.IntN(3) == 0 {
			f.Options.Features.Utf8Validation = descriptorpb.FeatureSet_NONE.Enum()
		}
	}
	s.label(f, i)
	return f
}

// kind returns any type, the most frequent ones more often.
func (s schema) kind() descriptorpb.FieldDescriptorProto_Type {
	switch s.IntN(6) {
	case 0:
		return descriptorpb.FieldDescriptorProto_TYPE_INT32
	case 1:
		return descriptorpb.FieldDescriptorProto_TYPE_STRING
	}
	return descriptorpb.FieldDescriptorProto_Type(1 + s.IntN(18))
}

// label chooses how often the field is there. What does not fit together is
// refused when the descriptors are read.
func (s schema) label(f *descriptorpb.FieldDescriptorProto, i int) {
	switch s.IntN(8) {
	case 0:
		f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	case 1:
		if f.TypeName == nil {
			f.Options.Features.FieldPresence = descriptorpb.FeatureSet_IMPLICIT.Enum()
		}
	case 2:
		if f.TypeName == nil { // a message that requires itself cannot be written
			f.Options.Features.FieldPresence = descriptorpb.FeatureSet_LEGACY_REQUIRED.Enum()
		}
	case 3, 4:
		f.OneofIndex = proto.Int32(0)
	case 5:
		f.Label, f.Type = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(), descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		f.Name, f.TypeName, f.Options.Features = proto.String("map"), proto.String(fmt.Sprintf(".shop.M%d.MapEntry", i)), nil
	case 6:
		if f.GetType() == descriptorpb.FieldDescriptorProto_TYPE_INT32 {
			f.DefaultValue = proto.String("7")
		}
	}
}

// change makes another version of an interface.
func (s schema) change(old *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	f := proto.CloneOf(old)
	for range 1 + s.IntN(2) {
		i := s.IntN(randomMessages)
		m := f.MessageType[i]
		at := s.IntN(len(m.Field))
		switch s.IntN(7) {
		case 0:
			m.Field = append(m.Field, s.field(i, int32(10+s.IntN(5))))
		case 1:
			m.Field[at] = s.field(i, m.Field[at].GetNumber())
		case 2:
			again := s.field(i, m.Field[at].GetNumber())
			if m.Field[at].GetOptions().GetFeatures().GetFieldPresence() != descriptorpb.FeatureSet_LEGACY_REQUIRED {
				m.Field[at].Type, m.Field[at].TypeName, m.Field[at].DefaultValue = again.Type, again.TypeName, nil
			}
		case 3:
			which := s.IntN(2)
			f.EnumType[which] = s.enum([]string{"E", "F"}[which])
		case 4:
			m.NestedType[0] = s.entry(m.GetName())
		case 5:
			if len(m.Field) > 1 {
				m.Field = append(m.Field[:at:at], m.Field[at+1:]...)
			}
		case 6:
			m.Field[at].OneofIndex = []*int32{nil, proto.Int32(0)}[s.IntN(2)]
		}
	}
	return f
}

// read returns the descriptor, if it is one. The fields of a oneof have to stand
// together, and one without fields must not be there.
func read(f *descriptorpb.FileDescriptorProto) (protoreflect.FileDescriptor, error) {
	inOneof := func(f *descriptorpb.FieldDescriptorProto) bool { return f.OneofIndex != nil }
	for _, m := range f.MessageType {
		slices.SortStableFunc(m.Field, func(a, b *descriptorpb.FieldDescriptorProto) int {
			return strings.Compare(fmt.Sprint(inOneof(a)), fmt.Sprint(inOneof(b)))
		})
		m.OneofDecl = nil
		if slices.ContainsFunc(m.Field, inOneof) {
			m.OneofDecl = []*descriptorpb.OneofDescriptorProto{{Name: proto.String("choice")}}
		}
	}
	return protodesc.NewFile(f, nil)
}

// Whatever the check calls compatible is: messages that one side writes, the
// other one reads, and finds the same in all that both know.
func TestWire(t *testing.T) {
	t.Parallel()
	s := schema{rand.New(rand.NewPCG(5, 50))}
	const pairs, messages = 3000, 4
	valid, fits, wire := 0, 0, 0
	refused := map[string]int{}
	for range pairs {
		old := s.file()
		client, err1 := read(old)
		newer := s.change(old)
		server, err2 := read(newer)
		if err1 != nil || err2 != nil {
			continue
		}
		valid++
		r := pair(
			encode(t, "old", &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{old}}),
			encode(t, "new", &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{newer}}))
		for _, p := range r.Problems {
			refused[p.Rule]++
		}
		if len(r.Problems) > 0 {
			continue
		}
		fits++
		for range messages {
			wire++
			request := s.message(client.Messages().Get(0), 0)
			got := transfer(t, request, server.Messages().Get(0))
			sameFields(t, request, got)
			response := s.message(server.Messages().Get(1), 0)
			got = transfer(t, response, client.Messages().Get(1))
			sameFields(t, got, response)
		}
		if t.Failed() {
			t.Fatalf("client\n%v\nserver\n%v", old, newer)
		}
	}
	t.Logf("%d of %d pairs fit, %d messages each way; refused: %v", fits, valid, wire, refused)
	if fits < 500 || len(refused) < 9 {
		t.Errorf("%d pairs fit, %d rules were broken: the pairs prove too little", fits, len(refused))
	}
}

// transfer writes a message and reads it as another type.
func transfer(t *testing.T, m *dynamicpb.Message, as protoreflect.MessageDescriptor) *dynamicpb.Message {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got := dynamicpb.NewMessage(as)
	if err := proto.Unmarshal(data, got); err != nil {
		t.Errorf("%v cannot be read: %v", m, err)
	}
	return got
}

// sameFields compares what the client knows.
func sameFields(t *testing.T, client, server protoreflect.Message) {
	t.Helper()
	for i := range client.Descriptor().Fields().Len() {
		c := client.Descriptor().Fields().Get(i)
		s := server.Descriptor().Fields().ByNumber(c.Number())
		if s == nil {
			t.Errorf("%s is not there", c.FullName())
			continue
		}
		if client.Has(c) != server.Has(s) {
			t.Errorf("%s is set: %v and %v", c.FullName(), client.Has(c), server.Has(s))
			continue
		}
		sameValue(t, c, client.Get(c), server.Get(s))
	}
}

func sameValue(t *testing.T, f protoreflect.FieldDescriptor, client, server protoreflect.Value) {
	t.Helper()
	switch {
	case f.IsMap():
		if client.Map().Len() != server.Map().Len() {
			t.Errorf("%s has %d and %d entries", f.FullName(), client.Map().Len(), server.Map().Len())
			return
		}
		client.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			if !server.Map().Has(k) {
				t.Errorf("%s lacks %v", f.FullName(), k)
				return false
			}
			sameValue(t, f.MapValue(), v, server.Map().Get(k))
			return true
		})
	case f.IsList():
		if client.List().Len() != server.List().Len() {
			t.Errorf("%s has %d and %d elements", f.FullName(), client.List().Len(), server.List().Len())
			return
		}
		for i := range client.List().Len() {
			sameSingle(t, f, client.List().Get(i), server.List().Get(i))
		}
	default:
		sameSingle(t, f, client, server)
	}
}

func sameSingle(t *testing.T, f protoreflect.FieldDescriptor, client, server protoreflect.Value) {
	t.Helper()
	if f.Message() != nil {
		if client.Message().IsValid() && server.Message().IsValid() {
			sameFields(t, client.Message(), server.Message())
		}
		return
	}
	text := func(v protoreflect.Value) string {
		if b, ok := v.Interface().([]byte); ok {
			return string(b)
		}
		return v.String()
	}
	if text(client) != text(server) {
		t.Errorf("%s is %v and %v", f.FullName(), client, server)
	}
}

// message fills a message with what its type allows.
func (s schema) message(d protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	m := dynamicpb.NewMessage(d)
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		must := f.Cardinality() == protoreflect.Required
		switch {
		case !must && (depth > 3 || s.IntN(4) == 0), depth > 12:
		case f.IsMap():
			for range s.IntN(3) {
				m.Mutable(f).Map().Set(s.value(f.MapKey(), depth).MapKey(), s.value(f.MapValue(), depth))
			}
		case f.IsList():
			for range s.IntN(3) {
				m.Mutable(f).List().Append(s.value(f, depth))
			}
		default:
			m.Set(f, s.value(f, depth))
		}
	}
	return m
}

func (s schema) value(f protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	n := s.Uint64() >> s.IntN(64)
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n%2 == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(s.IntN(f.Enum().Values().Len())).Number())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(n)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(n))
	case protoreflect.StringKind:
		if f, ok := f.(interface{ EnforceUTF8() bool }); ok && !f.EnforceUTF8() {
			return protoreflect.ValueOfString(string([]byte{byte(n), byte(n >> 8)}))
		}
		return protoreflect.ValueOfString(fmt.Sprint(n % 100))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{byte(n), byte(n >> 8)})
	}
	return protoreflect.ValueOfMessage(s.message(f.Message(), depth+1))
}
