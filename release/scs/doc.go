// Package scs knows what a self-contained system is: a set of services that is
// tested as a whole and deployed only in the combination of versions that was
// tested.
//
// A Combination maps each service to one bundle, together with the acceptance
// tests and the values that it was tested with. Its canonical form is an OCI
// index of the bundles: what is tested, signed, copied and promoted is named by
// the one digest of that index, and a registry keeps it like any other image. A
// Lock is a combination written down for people and for git, with the version
// of the system and with what was held back.
//
// Whether a combination is verified, by evidence, and whether a person has
// approved of it are two facts; the packages below know them: resolve finds
// candidates, interfaces compares what services offer and use, search finds out
// who broke a combination, passport verifies, promote moves environments.
package scs
