package interfaces_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/release/scs/interfaces"
)

// The promise: 50 services with 10 methods and 100 messages each, each of which
// uses 5 others by an older copy, are checked within a second.
const (
	manyMethods   = 10
	manyMessages  = 100
	manyNeighbors = 5
	promise       = time.Second
)

// large is the interface of service i in a version: a later one has more fields.
func large(t testing.TB, i, version int) bundle.API {
	pkg := fmt.Sprintf("service%02d", i)
	f := &descriptorpb.FileDescriptorProto{Name: proto.String(pkg + ".proto"), Package: proto.String(pkg), Syntax: proto.String("proto3")}
	field := func(n int, kind descriptorpb.FieldDescriptorProto_Type, of string) *descriptorpb.FieldDescriptorProto {
		d := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(fmt.Sprintf("field_%d", n)), Number: proto.Int32(int32(n)), Type: kind.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), JsonName: proto.String(fmt.Sprintf("field%d", n)),
		}
		if of != "" {
			d.TypeName = proto.String(of)
		}
		return d
	}
	name := func(m int) string { return fmt.Sprintf(".%s.Message%d", pkg, m%manyMessages) }
	for m := range manyMessages {
		d := &descriptorpb.DescriptorProto{Name: proto.String(fmt.Sprintf("Message%d", m))}
		for n := range 6 + version {
			d.Field = append(d.Field, field(n+1, descriptorpb.FieldDescriptorProto_TYPE_STRING, ""))
		}
		d.Field = append(d.Field, field(98, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, name(2*m+1)), field(99, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, name(2*m+2)))
		f.MessageType = append(f.MessageType, d)
	}
	svc := &descriptorpb.ServiceDescriptorProto{Name: proto.String("Service")}
	for m := range manyMethods {
		svc.Method = append(svc.Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String(fmt.Sprintf("Method%d", m)), InputType: proto.String(name(10 * m)), OutputType: proto.String(name(10*m + 5)),
		})
	}
	f.Service = append(f.Service, svc)
	return encode(t, pkg, &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{f}})
}

// largeSystem: each copy is of a version of its own.
func largeSystem(t testing.TB) interfaces.Input {
	var in interfaces.Input
	for i := range manyServices {
		m := interfaces.Member{Service: fmt.Sprintf("service-%02d", i), Provides: apis(large(t, i, manyNeighbors+1))}
		for n := range manyNeighbors {
			m.Uses = append(m.Uses, large(t, (i+n+1)%manyServices, n))
		}
		in.Members = append(in.Members, m)
	}
	return in
}

// TestPromise is generous where the race detector makes everything slow. On a
// machine that others use as well, the time counts that the processors would
// have needed alone.
func TestPromise(t *testing.T) {
	in := largeSystem(t)
	start, used := time.Now(), processorTime(t)
	r := interfaces.Check(in)
	passed, processors := time.Since(start), processorTime(t)-used
	took := min(passed, processors/time.Duration(runtime.GOMAXPROCS(0)))
	if len(r.Problems) > 0 || len(r.Edges) != manyServices*manyNeighbors || len(r.Cycles) != 1 {
		t.Fatalf("%d edges, %d cycles\n%s", len(r.Edges), len(r.Cycles), lines(r.Problems))
	}
	t.Logf("%d services, %d edges in %v (%v of processors)", manyServices, len(r.Edges), passed.Round(time.Millisecond), processors.Round(time.Millisecond))
	if took > slower*promise {
		t.Errorf("%v; promised are %v", took, slower*promise)
	}
}

// processorTime is that of this process so far.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCheck(b *testing.B) {
	in := largeSystem(b)
	b.ReportAllocs()
	for b.Loop() {
		if r := interfaces.Check(in); len(r.Problems) > 0 {
			b.Fatal(lines(r.Problems))
		}
	}
}

// Whatever bundles say, checking them neither panics nor hangs, and a member
// always understands itself.
func FuzzCheck(f *testing.F) {
	s := schema{rand.New(rand.NewPCG(1, 2))}
	for range 20 {
		old := s.file()
		read(old)
		newer := s.change(old)
		read(newer)
		f.Add(
			encode(f, "old", &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{old}}).Data,
			encode(f, "new", &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{newer}}).Data)
	}
	f.Add([]byte("openapi: 3.0.0\ninfo: {title: a}"), []byte{})
	f.Fuzz(func(t *testing.T, client, server []byte) {
		for _, mediaType := range []string{"application/protobuf", "application/vnd.oai.openapi"} {
			one, other := bundle.API{MediaType: mediaType, Data: client}, bundle.API{MediaType: mediaType, Data: server}
			pair(one, other)
			if mediaType != "application/protobuf" {
				continue
			}
			for _, p := range pair(one, rewritten(one)).Problems {
				if p.Rule != interfaces.RuleDescriptor && p.Rule != interfaces.RuleProvided && p.Rule != interfaces.RuleIncomplete {
					t.Errorf("compared with itself: %v", p)
				}
			}
		}
	})
}
