// Package story has no code: its tests tell the whole story of a self-contained
// system in a real cluster, with a real registry and real git repositories. It is
// a package of its own so that it is tested beside the others.
package story
