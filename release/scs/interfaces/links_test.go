package interfaces_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/release/scs/interfaces"
)

// service is a file with one service, which may import others.
func service(name string, imports ...string) string {
	text := "syntax = \"proto3\"; package " + name + ";\n"
	for _, i := range imports {
		text += "import \"" + i + ".proto\";\n"
	}
	return text + "message M {} service S { rpc Get(M) returns (M); }"
}

// file is the descriptor of a service alone, or with those that it imports.
func file(t testing.TB, name string, imports ...string) bundle.API {
	t.Helper()
	files := map[string]string{name + ".proto": service(name, imports...)}
	for _, i := range imports {
		files[i+".proto"] = service(i)
	}
	api := compile(t, files)
	api.Title = name + ".binpb"
	return api
}

func apis(list ...bundle.API) []bundle.API { return list }

// Who uses whom, who offers what, and by which technology.
func TestLinks(t *testing.T) {
	t.Parallel()
	type member = interfaces.Member
	broken := bundle.API{Title: "bad.binpb", MediaType: "application/protobuf", Data: []byte("x")}
	for name, c := range map[string]struct {
		members        []member
		external       []string
		edges, problem string // of all edges, and the beginning of each problem
	}{
		"a chain": {
			[]member{{Service: "a", Uses: apis(file(t, "b"))}, {Service: "b", Provides: apis(file(t, "b")), Uses: apis(file(t, "c"))}, {Service: "c", Provides: apis(file(t, "c"))}},
			nil, "a -> b (gRPC), b -> c (gRPC)", "",
		},
		"provided by nobody": {[]member{{Service: "a", Uses: apis(file(t, "b"))}}, nil, "", "a: b.S: is provided by no member"},
		"external":           {[]member{{Service: "a", Uses: apis(file(t, "b"))}}, []string{"b.S"}, "", ""},
		"provided twice": {
			[]member{{Service: "a", Uses: apis(file(t, "b"))}, {Service: "b1", Provides: apis(file(t, "b"))}, {Service: "b2", Provides: apis(file(t, "b"))}},
			nil, "a -> b1 (gRPC)", "b1, b2: b.S: is provided by b1 and b2",
		},
		"an imported file is not what one provides": {
			[]member{{Service: "b", Provides: apis(file(t, "b"))}, {Service: "c", Provides: apis(file(t, "c", "b"))}}, nil, "", "",
		},
		"an imported file is provided by its only member": {
			[]member{{Service: "a", Uses: apis(file(t, "b"))}, {Service: "c", Provides: apis(file(t, "c", "b"))}}, nil, "a -> c (gRPC)", "",
		},
		"an imported file is not what one uses": {
			[]member{{Service: "a", Uses: apis(file(t, "b", "c"))}, {Service: "b", Provides: apis(file(t, "b", "c"))}, {Service: "c", Provides: apis(file(t, "c"))}},
			nil, "a -> b (gRPC)", "",
		},
		"one's own service":  {[]member{{Service: "a", Uses: apis(file(t, "a")), Provides: apis(file(t, "a"))}}, nil, "", ""},
		"health is for all":  {[]member{{Service: "a", Provides: apis(file(t, "grpc.health.v1"))}, {Service: "b", Provides: apis(file(t, "grpc.health.v1")), Uses: apis(file(t, "grpc.health.v1"))}}, nil, "", ""},
		"broken descriptors": {[]member{{Service: "a", Provides: apis(broken)}, {Service: "b", Uses: apis(broken)}}, nil, "", "a: bad.binpb: it is no FileDescriptorSet; b: bad.binpb: it is no FileDescriptorSet"},
		"unknown type":       {[]member{{Service: "a", Provides: apis(bundle.API{Title: "x", MediaType: "text/plain"})}}, nil, "", `a: x: it has the unknown type "text/plain"`},
		"no title":           {[]member{{Service: "a", Provides: apis(bundle.API{Title: "x", MediaType: "application/vnd.oai.openapi+json", Data: []byte("{}")})}}, nil, "", "a: x: it is an OpenAPI document without info.title"},
		"OpenAPI to the outside": {
			[]member{{Service: "a", Uses: apis(openAPI("Pay", "GET /x"))}, {Service: "web", Provides: apis(openAPI("Web", "GET /"))}}, nil, "", "",
		},
		"OpenAPI alone": {
			[]member{{Service: "a", Uses: apis(openAPI("Web", "GET /carts/{id}", "PUT /x"))}, {Service: "web", Provides: apis(openAPI("Web", "GET /carts/{name}"))}},
			nil, "a -> web (OpenAPI)", "a -> web: Web: PUT /x: web does not offer this operation",
		},
		"two technologies": {
			[]member{
				{Service: "a", Uses: apis(file(t, "b"), openAPI("Web"))}, {Service: "b", Provides: apis(file(t, "b")), Uses: apis(openAPI("Web"))},
				{Service: "web", Provides: apis(openAPI("Web")), Uses: apis(openAPI("Pay"))},
			},
			nil, "a -> b (gRPC), a -> web (OpenAPI), b -> web (OpenAPI)", "system: a -> b: the members talk gRPC here, and OpenAPI on 2 other edges",
		},
		"gRPC is kept": {
			[]member{{Service: "a", Uses: apis(file(t, "b"), openAPI("B"))}, {Service: "b", Provides: apis(file(t, "b"), openAPI("B"))}},
			nil, "a -> b (OpenAPI), a -> b (gRPC)", "system: a -> b: the members talk OpenAPI here",
		},
		"a title twice": {
			[]member{{Service: "a", Uses: apis(openAPI("B"))}, {Service: "b", Provides: apis(openAPI("B"))}, {Service: "c", Provides: apis(openAPI("B"))}},
			nil, "a -> b (OpenAPI)", "a: B: is the title of the documents of b and c",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := interfaces.Check(interfaces.Input{Members: c.members, External: c.external})
			var edges []string
			for _, e := range r.Edges {
				edges = append(edges, e.String())
			}
			if diff := cmp.Diff(c.edges, strings.Join(edges, ", ")); diff != "" {
				t.Error(diff)
			}
			var want []string
			if c.problem != "" {
				want = strings.Split(c.problem, "; ")
			}
			if len(want) != len(r.Problems) {
				t.Fatalf("%d problems; expected %d:\n%s", len(r.Problems), len(want), lines(r.Problems))
			}
			for i, p := range r.Problems {
				if !strings.HasPrefix(p.String(), want[i]) || p.Remedy == "" {
					t.Errorf("%v; expected %s", p, want[i])
				}
			}
			members := slices.Clone(c.members)
			slices.Reverse(members)
			if diff := cmp.Diff(r, interfaces.Check(interfaces.Input{Members: members, External: c.external})); diff != "" {
				t.Errorf("another order of the members: %s", diff)
			}
		})
	}
}

// Providers come first; members of a cycle come together and are told.
func TestOrder(t *testing.T) {
	t.Parallel()
	for uses, want := range map[string]string{
		"a:":                         "[[a]] []",
		"a:b b:c c:":                 "[[c] [b] [a]] []",
		"a: b: c:":                   "[[a b c]] []",
		"a:b,c b:d c:d d:":           "[[d] [b c] [a]] []",
		"a:b b:a":                    "[[a b]] [[a b]]",
		"a:b b:c c:b,d d: e:a":       "[[d] [b c] [a] [e]] [[b c]]",
		"a:b b:a c:d d:c e:a,c":      "[[a b c d] [e]] [[a b] [c d]]",
		"web:cart cart:stock stock:": "[[stock] [cart] [web]] []",
	} {
		t.Run(uses, func(t *testing.T) {
			t.Parallel()
			var in interfaces.Input
			for _, word := range strings.Fields(uses) {
				name, list, _ := strings.Cut(word, ":")
				m := interfaces.Member{Service: name, Provides: apis(file(t, name))}
				for _, used := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
					m.Uses = append(m.Uses, file(t, used))
				}
				in.Members = append(in.Members, m)
			}
			r := interfaces.Check(in)
			got := fmt.Sprint(r.Waves, r.Cycles)
			if got != want || len(r.Problems) > 0 {
				t.Errorf("%s; expected %s\n%s", got, want, lines(r.Problems))
			}
		})
	}
}

// The services of the example understand each other.
func TestShop(t *testing.T) {
	t.Parallel()
	read := func(name string) bundle.API {
		data, err := os.ReadFile("../../../examples/shop/" + name)
		if err != nil {
			t.Fatal(err)
		}
		api := bundle.API{Title: name, MediaType: "application/protobuf", Data: data}
		if strings.HasSuffix(name, ".yaml") {
			api.MediaType = "application/vnd.oai.openapi"
		}
		return api
	}
	r := interfaces.Check(interfaces.Input{Members: []interfaces.Member{
		{Service: "web", Provides: apis(read("web/api/web.openapi.yaml")), Uses: apis(rewritten(read("web/api/cart.binpb")))},
		{Service: "stock", Provides: apis(read("stock/api/stock.binpb"))},
		{Service: "cart", Provides: apis(read("cart/api/cart.binpb")), Uses: apis(rewritten(read("cart/api/stock.binpb")))},
	}})
	want := &interfaces.Report{
		Problems: []interfaces.Problem{},
		Edges: []interfaces.Edge{
			{Client: "cart", Server: "stock", Technology: interfaces.GRPC, Interfaces: []string{"shop.stock.v1.StockService"}},
			{Client: "web", Server: "cart", Technology: interfaces.GRPC, Interfaces: []string{"shop.cart.v1.CartService"}},
		},
		Waves: [][]string{{"stock"}, {"cart"}, {"web"}},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}
