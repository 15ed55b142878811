package interfaces_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
)

// What a client's copy and a server may differ in, and what not: the problem is
// told by rule and place, in this direction.
func TestCompare(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ client, server, want string }{
		"same but for a comment": {`message Ask {} message Answer {}`, `message Ask {} /* here */ message Answer {}`, ""},
		"the server has more": {
			`message Ask { string id = 1; } message Answer { int32 n = 1; }`,
			`message Ask { string id = 1; bool all = 2; } message Answer { int32 n = 1; repeated string tags = 2; }
			 service Stock { rpc Get(Ask) returns (Answer); rpc Put(Ask) returns (Answer); }`, "",
		},
		"a method is missing": {
			`message Ask {} message Answer {} service Stock { rpc Get(Ask) returns (Answer); rpc Put(Ask) returns (Answer); }`,
			`message Ask {} message Answer {}`, "METHOD shop.Stock.Put",
		},
		"streams": {
			`message Ask {} message Answer {} service Stock { rpc Get(Ask) returns (stream Answer); rpc Put(stream Ask) returns (Answer); }`,
			`message Ask {} message Answer {} service Stock { rpc Get(Ask) returns (Answer); rpc Put(Ask) returns (Answer); }`,
			"STREAMING shop.Stock.Get, STREAMING shop.Stock.Put",
		},
		"messages of other names": {
			`message Ask { Item item = 1; } message Item { string id = 1; } message Answer {}`,
			`message Question { Thing item = 1; } message Thing { string id = 1; } message Reply {} service Stock { rpc Get(Question) returns (Reply); }`, "",
		},
		"removed fields": {
			`message Ask { string id = 1; } message Answer { int32 n = 1; }`,
			`message Ask { reserved 1; } message Answer {}`, "FIELD shop.Answer.n, FIELD shop.Ask.id",
		},
		"a number given to another": {
			`message Ask { int64 price = 1; } message Answer {}`, `message Ask { int64 amount = 1; } message Answer {}`, "NAME shop.Ask.price",
		},
		"deep": {
			`message Ask { A a = 1; } message A { map<string, B> b = 1; } message B { repeated C c = 1; } message C { oneof x { D d = 1; } } message D { string id = 1; } message Answer {}`,
			`message Ask { A a = 1; } message A { map<string, B> b = 1; } message B { repeated C c = 1; } message C { oneof x { D d = 1; } } message D { int32 id = 1; } message Answer {}`,
			"TYPE shop.D.id",
		},
		"recursive": {
			`message Ask { Tree t = 1; } message Tree { repeated Tree of = 1; string id = 2; } message Answer {}`,
			`message Ask { Tree t = 1; } message Tree { repeated Tree of = 1; bytes id = 2; } message Answer { Tree t = 1; }`, "",
		},
		"what no method reaches": {
			`message Ask {} message Answer {} message Other { string id = 1; }`, `message Ask {} message Answer {} message Other { int32 id = 1; }`, "",
		},
		"wider for the reader": {
			`message Ask { int32 n = 1; uint32 u = 2; string s = 3; sint32 z = 4; } message Answer { int64 n = 1; uint64 u = 2; bytes s = 3; sint64 z = 4; }`,
			`message Ask { int64 n = 1; int64 u = 2; bytes s = 3; sint64 z = 4; } message Answer { int32 n = 1; uint32 u = 2; string s = 3; sint32 z = 4; }`, "",
		},
		"narrower for the reader": {
			`message Ask { int64 n = 1; bytes s = 2; } message Answer {}`, `message Ask { int32 n = 1; string s = 2; } message Answer {}`,
			"TYPE shop.Ask.n, TYPE shop.Ask.s",
		},
		"other encodings": {
			`message Ask { int32 a = 1; fixed32 b = 2; int32 c = 3; bool d = 4; Answer e = 5; E f = 6; } message Answer {} enum E { E_NONE = 0; }`,
			`message Ask { sint32 a = 1; float b = 2; uint32 c = 3; int32 d = 4; bytes e = 5; int32 f = 6; } message Answer {}`,
			"TYPE shop.Ask.a, TYPE shop.Ask.b, TYPE shop.Ask.c, TYPE shop.Ask.d, TYPE shop.Ask.e, TYPE shop.Ask.f",
		},
		"one and many": {
			`message Ask { string a = 1; repeated string b = 2; map<string, string> c = 3; } message Answer {}`,
			`message Ask { repeated string a = 1; string b = 2; repeated P c = 3; message P { string key = 1; string value = 2; } } message Answer {}`,
			"CARDINALITY shop.Ask.a, CARDINALITY shop.Ask.b, CARDINALITY shop.Ask.c",
		},
		"packed or not": {
			`message Ask { repeated int32 n = 1 [packed = false]; } message Answer {}`, `message Ask { repeated int32 n = 1; } message Answer {}`, "",
		},
		"maps": {
			`message Ask { map<string, int32> a = 1; map<int32, string> b = 2; } message Answer {}`,
			`message Ask { map<string, int64> a = 1; map<int64, string> b = 2; } message Answer {}`, "TYPE shop.Ask.b",
		},
		"presence": {
			`message Ask { int32 n = 1; } message Answer { optional int32 n = 1; }`,
			`message Ask { optional int32 n = 1; } message Answer { int32 n = 1; }`, "PRESENCE shop.Answer.n, PRESENCE shop.Ask.n",
		},
		"a oneof for the reader": {
			`message Ask { optional int32 a = 1; optional int32 b = 2; } message Answer { oneof x { int32 a = 1; int32 b = 2; } }`,
			`message Ask { oneof x { int32 a = 1; int32 b = 2; } } message Answer { optional int32 a = 1; optional int32 b = 2; }`,
			"ONEOF shop.Answer, ONEOF shop.Ask",
		},
		"a oneof for the writer": {
			`message Ask { oneof x { int32 a = 1; int32 b = 2; } } message Answer {}`,
			`message Ask { optional int32 a = 1; optional int32 b = 2; } message Answer {}`, "",
		},
		"a field joins a new oneof": {
			`message Ask { optional int32 a = 1; } message Answer { optional int32 a = 1; }`,
			`message Ask { oneof x { int32 a = 1; int32 b = 2; } } message Answer { oneof x { int32 a = 1; int32 b = 2; } }`, "",
		},
		"a oneof grows": {
			`message Ask { oneof x { int32 a = 1; } } message Answer { oneof x { int32 a = 1; } }`,
			`message Ask { oneof x { int32 a = 1; string b = 2; } } message Answer { oneof x { int32 a = 1; string b = 2; } }`, "",
		},
		"an enum grows": {
			`message Ask { E e = 1; } message Answer { E e = 1; } enum E { NONE = 0; A = 1; }`,
			`message Ask { E e = 1; } message Answer { E e = 1; } enum E { NONE = 0; A = 1; B = 2; }`, "",
		},
		"an enum shrinks": {
			`message Ask { E e = 1; } message Answer { F f = 1; } enum E { NONE = 0; A = 1; } enum F { NO = 0; B = 1; }`,
			`message Ask { E e = 1; } message Answer { F f = 1; } enum E { NONE = 0; reserved 1; } enum F { NO = 0; }`, "ENUM_VALUE shop.E",
		},
		"a closed enum grows": {
			`syntax = "proto2"; message Ask { optional E e = 1; } message Answer { optional E e = 1; } enum E { NONE = 0; A = 1; }`,
			`syntax = "proto2"; message Ask { optional E e = 1; } message Answer { optional E e = 1; } enum E { NONE = 0; A = 1; B = 2; }`, "ENUM_VALUE shop.E",
		},
		"a value given to another": {
			`message Ask { repeated E e = 1; } message Answer {} enum E { NONE = 0; SENT = 1; }`,
			`message Ask { repeated E e = 1; } message Answer {} enum E { NONE = 0; LOST = 1; }`, "NAME shop.E",
		},
		"an alias of a value": {
			`message Ask { E e = 1; } message Answer {} enum E { NONE = 0; SENT = 1; }`,
			`message Ask { E e = 1; } message Answer {} enum E { option allow_alias = true; NONE = 0; GONE = 1; SENT = 1; }`, "",
		},
		"required by the server": {
			`syntax = "proto2"; message Ask { optional int32 a = 1; required int32 b = 2; } message Answer {}`,
			`syntax = "proto2"; message Ask { required int32 a = 1; optional int32 b = 2; required int32 c = 3; } message Answer { required int32 d = 1; }`,
			"REQUIRED shop.Ask, REQUIRED shop.Ask.a",
		},
		"required by the client": {
			`syntax = "proto2"; message Ask {} message Answer { required int32 a = 1; optional int32 b = 2; required int32 c = 3; }`,
			`syntax = "proto2"; message Ask {} message Answer { optional int32 a = 1; required int32 b = 2; }`, "FIELD shop.Answer.c, REQUIRED shop.Answer.a",
		},
		"required by editions": {
			`edition = "2023"; message Ask { int32 a = 1; } message Answer {}`,
			`edition = "2023"; message Ask { int32 a = 1 [features.field_presence = LEGACY_REQUIRED]; } message Answer {}`, "REQUIRED shop.Ask.a",
		},
		"another syntax, the same wire": {
			`syntax = "proto3"; message Ask { optional int32 a = 1; } message Answer { optional string s = 1; }`,
			`edition = "2023"; message Ask { int32 a = 1; } message Answer { string s = 1; }`, "",
		},
		"delimited": {
			`edition = "2023"; message Ask { M m = 1; } message M {} message Answer {}`,
			`edition = "2023"; message Ask { M m = 1 [features.message_encoding = DELIMITED]; } message M {} message Answer {}`, "TYPE shop.Ask.m",
		},
		"defaults": {
			`syntax = "proto2"; message Ask { optional int32 a = 1 [default = 1]; optional E e = 2; } enum E { X = 1; Y = 2; } message Answer {}`,
			`syntax = "proto2"; message Ask { optional int32 a = 1 [default = 2]; optional E e = 2; } enum E { Y = 2; X = 1; } message Answer {}`,
			"DEFAULT shop.Ask.a, DEFAULT shop.Ask.e",
		},
		"text that nobody checks": {
			`syntax = "proto2"; message Ask { optional string s = 1; } message Answer { optional string s = 1; }`,
			`syntax = "proto3"; message Ask { optional string s = 1; } message Answer { optional string s = 1; }`, "UTF8 shop.Ask.s",
		},
		"extensions": {
			`syntax = "proto2"; message Ask { extensions 100 to 200; } extend Ask { optional int32 n = 100; } message Answer {}`,
			`syntax = "proto2"; message Ask { extensions 100 to 200; } extend Ask { optional string n = 100; } message Answer {}`, "TYPE shop.n",
		},
		"well-known types and annotations": {
			`import "google/protobuf/timestamp.proto"; import "google/protobuf/any.proto"; import "google/protobuf/struct.proto";
			 message Ask { google.protobuf.Timestamp at = 1; google.protobuf.NullValue n = 2; } message Answer { google.protobuf.Any a = 1; }`,
			`import "google/protobuf/timestamp.proto"; import "google/protobuf/any.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/descriptor.proto";
			 extend google.protobuf.FieldOptions { string note = 50000; }
			 message Ask { google.protobuf.Timestamp at = 1 [(note) = "x"]; google.protobuf.NullValue n = 2; } message Answer { google.protobuf.Any a = 1; }`, "",
		},
		"another well-known type": {
			`import "google/protobuf/timestamp.proto"; message Ask { google.protobuf.Timestamp at = 1; } message Answer {}`,
			`import "google/protobuf/duration.proto"; message Ask { google.protobuf.Duration at = 1; } message Answer {}`, "TYPE shop.Ask.at",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := stock(t, c.client), stock(t, c.server)
			r := pair(client, server)
			var got []string
			for _, p := range r.Problems {
				got = append(got, p.Rule+" "+p.Where)
				if p.Client != "cart" || p.Server != "stock" || p.Text == "" || p.Remedy == "" {
					t.Errorf("incomplete: %+v", p)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("%s\n%s", diff, lines(r.Problems))
			}
			for _, api := range []bundle.API{client, server} {
				if same := pair(api, rewritten(api)); len(same.Problems) > 0 || len(same.Edges) != 1 {
					t.Errorf("compared with itself:\n%s", lines(same.Problems))
				}
			}
		})
	}
}
