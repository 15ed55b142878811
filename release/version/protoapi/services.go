package protoapi

import (
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"

	"gitlab.com/selfcontained/pipeline/release/version"
)

func (r *report) compareService(old, new service) {
	r.deprecates("SERVICE", new.place(), old.desc.GetOptions().GetDeprecated(), new.desc.GetOptions().GetDeprecated())
	was, is := old.methods(), new.methods()
	for _, name := range sortedKeys(was) {
		if n := is[name]; n != nil {
			r.compareMethod(new.place()+"."+name, was[name], n)
			continue
		}
		r.add(version.Major, "RPC_NO_DELETE", old.place()+"."+name, "was removed")
	}
	for _, name := range sortedKeys(is) {
		if was[name] == nil {
			r.add(version.Minor, "RPC_ADDED", new.place()+"."+name, "was added")
		}
	}
}

func (s service) methods() map[string]*descriptorpb.MethodDescriptorProto {
	methods := map[string]*descriptorpb.MethodDescriptorProto{}
	for _, m := range s.desc.GetMethod() {
		if m != nil {
			methods[m.GetName()] = m
		}
	}
	return methods
}

func (r *report) compareMethod(where string, old, new *descriptorpb.MethodDescriptorProto) {
	r.same("RPC_SAME_REQUEST_TYPE", where, "the request", strings.TrimPrefix(old.GetInputType(), "."), strings.TrimPrefix(new.GetInputType(), "."))
	r.same("RPC_SAME_RESPONSE_TYPE", where, "the response", strings.TrimPrefix(old.GetOutputType(), "."), strings.TrimPrefix(new.GetOutputType(), "."))
	r.same("RPC_SAME_CLIENT_STREAMING", where, "streaming by the client", old.GetClientStreaming(), new.GetClientStreaming())
	r.same("RPC_SAME_SERVER_STREAMING", where, "streaming by the server", old.GetServerStreaming(), new.GetServerStreaming())
	r.same("RPC_SAME_IDEMPOTENCY_LEVEL", where, "the idempotency", old.GetOptions().GetIdempotencyLevel(), new.GetOptions().GetIdempotencyLevel())
	r.deprecates("RPC", where, old.GetOptions().GetDeprecated(), new.GetOptions().GetDeprecated())
}
