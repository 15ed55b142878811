package interfaces

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
)

// The media types of descriptors.
const (
	protobufType = "application/protobuf"
	openAPIType  = "application/vnd.oai.openapi"
)

// descriptor is an interface that was read: one of the first three.
type descriptor struct {
	proto    *fileSet
	document *document
	err      error

	title string
}

// fileSet is a FileDescriptorSet.
type fileSet struct {
	digest   evidence.Digest
	services []service // in the order of the files
	// extensions are the fields that extensions add to messages, by full name.
	extensions map[protoreflect.FullName][]protoreflect.FieldDescriptor
}

// service is a protobuf service of a file set.
type service struct {
	protoreflect.ServiceDescriptor
	// imported says that its file is there because another one imports it:
	// perhaps for a message only.
	imported bool
}

// sides are the descriptors of a member.
type sides struct{ provides, uses []descriptor }

// readAll reads the descriptors of all members: equal ones once, because many
// members have a copy of the same interface.
func readAll(members []Member) []sides {
	r := &reader{known: map[string]func() descriptor{}}
	all := make([]sides, len(members))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, m := range members {
		group.Go(func() error {
			all[i] = sides{r.list(m.Provides), r.list(m.Uses)}
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails
	return all
}

type reader struct {
	mu    sync.Mutex
	known map[string]func() descriptor // by media type and digest
}

func (r *reader) list(apis []bundle.API) []descriptor {
	var list []descriptor
	for _, api := range apis {
		d := r.once(api)()
		d.title = api.Title
		list = append(list, d)
	}
	return list
}

func (r *reader) once(api bundle.API) func() descriptor {
	key := api.MediaType + " " + string(evidence.Sum(api.Data))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[key] == nil {
		r.known[key] = sync.OnceValue(func() descriptor { return read(api) })
	}
	return r.known[key]
}

func read(api bundle.API) (d descriptor) {
	switch {
	case api.MediaType == protobufType:
		d.proto, d.err = readFileSet(api.Data)
	case strings.HasPrefix(api.MediaType, openAPIType):
		d.document, d.err = readDocument(api.Data)
	default:
		d.err = fmt.Errorf("it has the unknown type %q", api.MediaType)
	}
	return d
}

// readFileSet reads a FileDescriptorSet. Types of files that are not in it are
// placeholders, which matter only where they are used.
func readFileSet(data []byte) (*fileSet, error) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("it is no FileDescriptorSet: %w", err)
	}
	if len(set.GetFile()) == 0 {
		return nil, errors.New("it is a FileDescriptorSet without files")
	}
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("it is a FileDescriptorSet that does not fit together: %w", err)
	}
	imported := map[string]bool{}
	for _, f := range set.GetFile() {
		for _, dependency := range f.GetDependency() {
			imported[dependency] = true
		}
	}
	s := &fileSet{digest: evidence.Sum(data), extensions: map[protoreflect.FullName][]protoreflect.FieldDescriptor{}}
	for _, f := range set.GetFile() {
		file, err := files.FindFileByPath(f.GetName())
		if err != nil {
			return nil, err
		}
		for i := range file.Services().Len() {
			s.services = append(s.services, service{file.Services().Get(i), imported[f.GetName()]})
		}
		s.extend(file)
	}
	return s, nil
}

// declares is what extensions can stand in: a file or a message.
type declares interface {
	Extensions() protoreflect.ExtensionDescriptors
	Messages() protoreflect.MessageDescriptors
}

func (s *fileSet) extend(in declares) {
	for i := range in.Extensions().Len() {
		x := in.Extensions().Get(i)
		name := x.ContainingMessage().FullName()
		s.extensions[name] = append(s.extensions[name], x)
	}
	for i := range in.Messages().Len() {
		s.extend(in.Messages().Get(i))
	}
}

// each calls do for the fields of a message, those of extensions included.
func (s *fileSet) each(m protoreflect.MessageDescriptor, do func(protoreflect.FieldDescriptor)) {
	for i := range m.Fields().Len() {
		do(m.Fields().Get(i))
	}
	for _, x := range s.extensions[m.FullName()] {
		do(x)
	}
}

// field returns the field of a message with a number, or nil.
func (s *fileSet) field(m protoreflect.MessageDescriptor, number protoreflect.FieldNumber) protoreflect.FieldDescriptor {
	if f := m.Fields().ByNumber(number); f != nil {
		return f
	}
	for _, x := range s.extensions[m.FullName()] {
		if x.Number() == number {
			return x
		}
	}
	return nil
}
