// Package lint is the stage of static analysis: go vet and staticcheck.
//
// Nothing needs to be installed. A module that pins staticcheck with a tool
// directive in its go.mod is checked by that version; for every other one the
// release that this package names ([StaticcheckVersion]) is downloaded through
// the module proxy and built once into a cache folder, by version of
// staticcheck and of Go. Code is looked at three times: as it is, with the tag
// "module" and with the tag "integration", so that every test is read.
//
// A finding is an issue with a severity; whether one fails the stage depends on
// that alone: style (ST...) is minor and only reported, everything else is at
// least major. Generated files are left out by staticcheck itself.
package lint
