// Package build is the stage that turns sources into programs.
//
// It checks what every later stage relies on: the files parse, go.mod and
// go.sum are tidy and agree with the module cache, generated code is what its
// generators make of the sources, and everything compiles and passes go vet
// with the tags of every level of tests. Each check fails with its own cause;
// a syntax error is found by reading the files and fails alone.
//
// The programs are static, one for each platform, and their bytes depend on
// sources, version and Go alone: paths, HOME, umask, date and the user's Go
// settings leave no trace. Beside them lie build.json ([Manifest]) and
// modules.json ([Module]), which the container stage makes the image and its
// list of ingredients from.
//
// Generators run in a private copy of the sources, so that a stale file is
// reported and not silently repaired.
package build
