// Package interfaces checks, before any cluster is asked for, whether the
// members of a combination understand each other. It is pure: the descriptors
// are in the bundles.
//
// A client keeps a copy of the interface that it uses, and generates its code
// from that. The copy comes from some version of the server, mostly an older one.
// So the two are compared by what is on the wire, in the direction in which it
// goes: what the client may send has to mean the same to the server, and what
// the server may answer has to mean the same to the client. What only the server
// knows is no problem, what only the client knows is one. The rules have their
// roots in those of package protoapi, which compares two versions of one
// interface; here only what the methods of a service can reach is looked at, and
// generated code, JSON and files do not count.
//
// Edges are the uses of one member by another. They have one technology, and
// they give the order in which members are deployed.
package interfaces

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
)

// Member is a service of a combination with its interfaces.
type Member struct {
	Service        string
	Provides, Uses []bundle.API
}

// Input is a combination.
type Input struct {
	Members []Member
	// External are the full names of protobuf services that somebody outside of
	// the system offers.
	External []string
}

// Technology is how members talk.
type Technology string

// The technologies.
const (
	GRPC    Technology = "gRPC"
	OpenAPI Technology = "OpenAPI"
)

// Edge is a member that uses another one.
type Edge struct {
	Client     string     `json:"client"`
	Server     string     `json:"server"`
	Technology Technology `json:"technology"`
	// Interfaces are full names of protobuf services or titles of OpenAPI
	// documents, sorted.
	Interfaces []string `json:"interfaces"`
}

// String is "cart -> stock (gRPC)".
func (e Edge) String() string { return fmt.Sprintf("%s -> %s (%s)", e.Client, e.Server, e.Technology) }

// The rules that a problem may break.
const (
	RuleDescriptor  = "DESCRIPTOR"  // an interface cannot be read
	RuleTechnology  = "TECHNOLOGY"  // two technologies inside of the system
	RuleProvided    = "PROVIDED"    // nobody offers a service
	RuleUnique      = "UNIQUE"      // two members offer the same
	RuleMethod      = "METHOD"      // a method is missing
	RuleStreaming   = "STREAMING"   // one message or a stream
	RuleField       = "FIELD"       // a field is missing
	RuleName        = "NAME"        // a number means something else
	RuleType        = "TYPE"        // of a field
	RuleCardinality = "CARDINALITY" // one, many or a map
	RulePresence    = "PRESENCE"    // "not set" and zero are the same to one side only
	RuleRequired    = "REQUIRED"    // one side insists on what the other may leave out
	RuleDefault     = "DEFAULT"     // what is not set means something else
	RuleOneof       = "ONEOF"       // one side lets fields exclude each other
	RuleEnumValue   = "ENUM_VALUE"  // a value is unknown to who gets it
	RuleUTF8        = "UTF8"        // one side refuses text that is not UTF-8
	RuleIncomplete  = "INCOMPLETE"  // a type is not in the descriptors
)

// Problem is a reason why a combination cannot work.
type Problem struct {
	// Client and Server are members; one of them is empty where the problem is
	// about the other alone, both where it is about the system.
	Client string `json:"client,omitempty"`
	Server string `json:"server,omitempty"`
	Rule   string `json:"rule"`
	// Where is the full name of a service, method, field or value in the client's
	// copy, or the file that cannot be read.
	Where  string `json:"where"`
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

// String says it in a line.
func (p Problem) String() string {
	who := p.Client + p.Server
	if p.Client != "" && p.Server != "" {
		who = p.Client + " -> " + p.Server
	}
	return fmt.Sprintf("%s: %s: %s [%s]", cmp.Or(who, "system"), p.Where, p.Text, p.Rule)
}

// Report is what a check finds.
type Report struct {
	// Problems are sorted by client, server, place and rule; none when the
	// combination fits together.
	Problems []Problem `json:"problems"`
	// Edges are sorted by client, server and technology.
	Edges []Edge `json:"edges"`
	// Waves are all members in the order in which they can be deployed: each uses
	// only what is in an earlier wave, or in a cycle with it. Sorted in each wave.
	Waves [][]string `json:"waves"`
	// Cycles are members that use each other, sorted.
	Cycles [][]string `json:"cycles,omitempty"`
}

// Check compares what the members offer and use. Equal inputs give equal
// reports; the order of the members does not matter.
func Check(in Input) *Report {
	members := slices.SortedFunc(slices.Values(in.Members), func(a, b Member) int { return cmp.Compare(a.Service, b.Service) })
	s := &system{offers: map[string][]offer{}, documents: map[string][]document{}}
	read := readAll(members)
	for i, m := range members {
		s.provide(m.Service, read[i])
	}
	s.settle()
	links := make([][]link, len(members))
	for i, m := range members {
		links[i] = s.use(m.Service, read[i], in.External)
	}
	return s.report(members, slices.Concat(links...))
}

// report compares what the links connect, as many as there are processors at
// once.
func (s *system) report(members []Member, links []link) *Report {
	found := make([][]Problem, len(links))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, l := range links {
		group.Go(func() error {
			found[i] = l.compare()
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails
	r := &Report{Problems: []Problem{}, Edges: edgesOf(links)}
	r.Problems = append(append(r.Problems, slices.Concat(found...)...), s.problems...)
	r.Problems = append(r.Problems, oneTechnology(r.Edges)...)
	slices.SortFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Where, b.Where),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Text, b.Text))
	})
	r.Problems = slices.Compact(r.Problems)
	r.Waves, r.Cycles = order(members, r.Edges)
	return r
}

// edgesOf joins the links between the same members.
func edgesOf(links []link) []Edge {
	edges := []Edge{}
	for _, l := range links {
		e := Edge{Client: l.client, Server: l.server, Technology: l.technology(), Interfaces: []string{l.name}}
		at, found := slices.BinarySearchFunc(edges, e, func(a, b Edge) int {
			return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Technology, b.Technology))
		})
		if !found {
			edges = slices.Insert(edges, at, e)
			continue
		}
		edges[at].Interfaces = append(edges[at].Interfaces, l.name)
	}
	for i := range edges {
		slices.Sort(edges[i].Interfaces)
		edges[i].Interfaces = slices.Compact(edges[i].Interfaces)
	}
	return edges
}

// oneTechnology wants all edges to have the same technology, and names those of
// the rarer one. Of two that are equally frequent, gRPC is kept.
func oneTechnology(edges []Edge) []Problem {
	by := map[Technology][]string{}
	for _, e := range edges {
		by[e.Technology] = append(by[e.Technology], e.Client+" -> "+e.Server)
	}
	rare, common := OpenAPI, GRPC
	if len(by[GRPC]) < len(by[OpenAPI]) {
		rare, common = common, rare
	}
	if len(by[rare]) == 0 {
		return nil
	}
	return []Problem{{
		Rule: RuleTechnology, Where: strings.Join(by[rare], ", "),
		Text:   fmt.Sprintf("the members talk %s here, and %s on %d other edges", rare, common, len(by[common])),
		Remedy: fmt.Sprintf("use %s between the members of a system; edges to the outside may have any technology", common),
	}}
}
