package interfaces

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// comparison compares a client's copy of a service with what the server offers.
type comparison struct {
	link
	done      map[flow]bool
	doneEnums map[enumFlow]bool
	problems  []Problem
}

// flow is a message on its way: in a request the client writes it.
type flow struct {
	writer, reader protoreflect.MessageDescriptor
	request        bool
}

// parties returns a pair of the writer and the reader as client and server.
func parties[T any](request bool, writer, reader T) (client, server T) {
	if request {
		return writer, reader
	}
	return reader, writer
}

func (c *comparison) add(rule string, where protoreflect.FullName, remedy, format string, args ...any) {
	c.problems = append(c.problems, Problem{
		Client: c.client, Server: c.server, Rule: rule, Where: string(where), Text: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// renew is what helps in most cases: the client is to follow the server, or the
// server has to be one that knows what the client does.
func (c *comparison) renew() string {
	return fmt.Sprintf("renew the copy of the interface in %s, or take a version of %s that has it", c.client, c.server)
}

// compareService looks for each method of the copy: what the client may call.
func (c *comparison) compareService() {
	for i := range c.copied.Methods().Len() {
		want := c.copied.Methods().Get(i)
		has := c.offered.Methods().ByName(want.Name())
		if has == nil {
			c.add(RuleMethod, want.FullName(), c.renew(), "%s does not offer this method", c.server)
			continue
		}
		c.streaming(want, "the client", want.IsStreamingClient(), has.IsStreamingClient())
		c.streaming(want, "the server", want.IsStreamingServer(), has.IsStreamingServer())
		c.message(flow{want.Input(), has.Input(), true})
		c.message(flow{has.Output(), want.Output(), false})
	}
}

func (c *comparison) streaming(m protoreflect.MethodDescriptor, who string, copied, offered bool) {
	if copied != offered {
		c.add(RuleStreaming, m.FullName(), c.renew(), "%s sends %s in the copy of %s, and %s in %s",
			who, streams(copied), c.client, streams(offered), c.server)
	}
}

func streams(yes bool) string {
	if yes {
		return "a stream"
	}
	return "one message"
}

// message compares what is in a message, each pair once in each direction.
func (c *comparison) message(f flow) {
	if c.done[f] {
		return
	}
	c.done[f] = true
	client, server := parties(f.request, f.writer, f.reader)
	if isWellKnown(client.FullName()) && client.FullName() == server.FullName() {
		return
	}
	if client.IsPlaceholder() || server.IsPlaceholder() {
		c.incomplete(client, server)
		return
	}
	c.copySet.each(client, func(want protoreflect.FieldDescriptor) {
		has := c.offerSet.field(server, want.Number())
		if has == nil {
			c.missing(want, server)
			return
		}
		writer, reader := parties(f.request, want, has)
		c.field(writer, reader, f.request)
	})
	if f.request {
		c.required(client, server)
	}
	c.oneofs(f)
}

// required looks for what a server insists on and the client has never heard of.
func (c *comparison) required(client, server protoreflect.MessageDescriptor) {
	if server.RequiredNumbers().Len() == 0 {
		return
	}
	c.offerSet.each(server, func(has protoreflect.FieldDescriptor) {
		if has.Cardinality() == protoreflect.Required && c.copySet.field(client, has.Number()) == nil {
			c.add(RuleRequired, client.FullName(), c.renew(), "%s requires field %d, %s, which %s does not know",
				c.server, has.Number(), has.Name(), c.client)
		}
	})
}

// isWellKnown reports whether a type is one that all implementations have.
func isWellKnown(name protoreflect.FullName) bool {
	return strings.HasPrefix(string(name), "google.protobuf.")
}

// incomplete: of two types that are not in the descriptors only the name is
// known.
func (c *comparison) incomplete(client, server protoreflect.Descriptor) {
	who := c.client
	if server.IsPlaceholder() {
		who = c.server
	}
	c.add(RuleIncomplete, client.FullName(), "write the descriptors with all imports (`buf build -o`, or `protoc --include_imports -o`)",
		"the type is not in the descriptors of %s, so that it cannot be compared", who)
}

func (c *comparison) missing(field protoreflect.FieldDescriptor, server protoreflect.MessageDescriptor) {
	text := "does not have field %d (%s)"
	if server.ReservedRanges().Has(field.Number()) {
		text = "has removed field %d (%s) and reserved its number"
	}
	c.add(RuleField, field.FullName(), c.renew(), "%s "+text+": what is sent in it gets lost", c.server, field.Number(), field.Name())
}

// oneofs wants the writer to set at most one of the fields that exclude each
// other for the reader.
func (c *comparison) oneofs(f flow) {
	sent, _ := parties(f.request, c.copySet, c.offerSet)
	for i := range f.reader.Oneofs().Len() {
		oneof := f.reader.Oneofs().Get(i)
		if oneof.IsSynthetic() {
			continue
		}
		var first protoreflect.FieldDescriptor
		for j := range oneof.Fields().Len() {
			field := sent.field(f.writer, oneof.Fields().Get(j).Number())
			switch {
			case field == nil:
			case first == nil:
				first = field
			case first.ContainingOneof() == nil || first.ContainingOneof() != field.ContainingOneof():
				writer, reader := c.names(f.request)
				client, _ := parties(f.request, f.writer, f.reader)
				c.add(RuleOneof, client.FullName(), c.renew(), "%s may send both %s and %s, of which %s takes only one (oneof %s)",
					writer, first.Name(), field.Name(), reader, oneof.Name())
			}
		}
	}
}

// names returns who writes and who reads.
func (c *comparison) names(request bool) (writer, reader string) {
	if request {
		return c.client, c.server
	}
	return c.server, c.client
}
