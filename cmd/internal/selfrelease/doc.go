// Package selfrelease holds the test that the tool builds, tests and releases
// itself.
//
// A copy of the working tree becomes a repository of its own. The program of
// this commit runs the stages that make and start its image, releases it to a
// GitLab and a registry of the test, and then the test does what somebody does
// who wants the program: it downloads the files of the release, checks them with
// sha256sum and with the signed statement, unpacks the archive for this machine,
// and runs what was in it.
//
// What differs from the pipeline.yaml at the top is edited in the copy and named
// in the test: the base image, which nothing can pull here, the platforms, which
// would be compiled one by one for minutes, and the stages whose work the other
// tests do.
package selfrelease
