package interfaces

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// offer is a protobuf service that a member provides.
type offer struct {
	member  string
	service service
	set     *fileSet
}

// system is what all members offer.
type system struct {
	offers    map[string][]offer    // by full name
	documents map[string][]document // by title
	problems  []Problem
}

// link is an interface that a member uses and another one provides: of protobuf,
// or of OpenAPI.
type link struct {
	client, server, name string

	copied, offered   service
	copySet, offerSet *fileSet

	wants, has *document
}

func (l link) technology() Technology {
	if l.wants != nil {
		return OpenAPI
	}
	return GRPC
}

// compare returns what does not fit.
func (l link) compare() []Problem {
	if l.wants != nil {
		return l.compareDocuments()
	}
	if l.copySet.digest == l.offerSet.digest {
		return nil
	}
	c := &comparison{link: l, done: map[flow]bool{}, doneEnums: map[enumFlow]bool{}}
	c.compareService()
	return c.problems
}

// isInfrastructure reports whether a service is one that every server may offer.
func isInfrastructure(name string) bool {
	return strings.HasPrefix(name, "grpc.health.") || strings.HasPrefix(name, "grpc.reflection.")
}

// provide notes what a member offers.
func (s *system) provide(member string, read sides) {
	for _, d := range read.provides {
		switch {
		case d.err != nil:
			s.unreadable(Problem{Server: member}, d)
		case d.document != nil:
			doc := *d.document
			doc.member = member
			s.documents[doc.title] = append(s.documents[doc.title], doc)
		default:
			for _, svc := range d.proto.services {
				if name := string(svc.FullName()); !isInfrastructure(name) {
					s.offers[name] = append(s.offers[name], offer{member, svc, d.proto})
				}
			}
		}
	}
}

func (s *system) unreadable(p Problem, d descriptor) {
	p.Rule, p.Where, p.Text = RuleDescriptor, d.title, d.err.Error()
	p.Remedy = "write it anew (`buf build -o`, or `protoc --include_imports -o`), and release the service"
	s.problems = append(s.problems, p)
}

// settle leaves one offer of each service. A member that only imports the file
// of a service offers it when nobody else does.
func (s *system) settle() {
	for _, name := range slices.Sorted(maps.Keys(s.offers)) {
		list := s.offers[name]
		if own := slices.DeleteFunc(slices.Clone(list), func(o offer) bool { return o.service.imported }); len(own) > 0 {
			list = own
		} else if len(membersOf(list)) > 1 {
			delete(s.offers, name)
			continue
		}
		if members := membersOf(list); len(members) > 1 {
			s.problems = append(s.problems, Problem{
				Server: strings.Join(members, ", "), Rule: RuleUnique, Where: name,
				Text:   fmt.Sprintf("is provided by %s: nobody knows whom to ask", strings.Join(members, " and ")),
				Remedy: "let one of them provide it, or give it another package",
			})
		}
		s.offers[name] = list[:1]
	}
}

func membersOf(list []offer) []string {
	var members []string
	for _, o := range list {
		members = append(members, o.member)
	}
	slices.Sort(members)
	return slices.Compact(members)
}

// use returns the links of a member to others.
func (s *system) use(member string, read sides, external []string) []link {
	var links []link
	for _, d := range read.uses {
		switch {
		case d.err != nil:
			s.unreadable(Problem{Client: member}, d)
		case d.document != nil:
			links = append(links, s.useDocument(member, d.document)...)
		default:
			links = append(links, s.useServices(member, d.proto, external)...)
		}
	}
	return links
}

// useServices links the services of a copy. Those of files that are there only
// because another file imports them count when the same member provides them.
func (s *system) useServices(member string, set *fileSet, external []string) []link {
	var links []link
	asked := map[string]bool{}
	for _, imported := range []bool{false, true} {
		for _, svc := range set.services {
			name := string(svc.FullName())
			if svc.imported != imported || isInfrastructure(name) {
				continue
			}
			offers := s.offers[name]
			switch {
			case len(offers) > 0 && offers[0].member == member, imported && (len(offers) == 0 || !asked[offers[0].member]):
			case len(offers) > 0:
				o := offers[0]
				asked[o.member] = true
				links = append(links, link{
					client: member, server: o.member, name: name, copied: svc, offered: o.service, copySet: set, offerSet: o.set,
				})
			case !slices.Contains(external, name):
				s.problems = append(s.problems, Problem{
					Client: member, Rule: RuleProvided, Where: name, Text: "is provided by no member",
					Remedy: "add the service that provides it to the system, or name it under `external` in scs.yaml",
				})
			}
		}
	}
	return links
}

// useDocument links an OpenAPI document; one that nobody in the system provides
// is of the outside.
func (s *system) useDocument(member string, wants *document) []link {
	providers := slices.DeleteFunc(slices.Clone(s.documents[wants.title]), func(d document) bool { return d.member == member })
	if len(providers) == 0 {
		return nil
	}
	if len(providers) > 1 && providers[0].member != providers[1].member {
		s.problems = append(s.problems, Problem{
			Client: member, Rule: RuleUnique, Where: wants.title,
			Text:   fmt.Sprintf("is the title of the documents of %s and %s: nobody knows whom to ask", providers[0].member, providers[1].member),
			Remedy: "give the documents different titles (info.title)",
		})
	}
	return []link{{client: member, server: providers[0].member, name: wants.title, wants: wants, has: &providers[0]}}
}
