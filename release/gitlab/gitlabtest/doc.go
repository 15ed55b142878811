// Package gitlabtest is an in-process GitLab for tests.
//
// It answers the part of GitLab's REST API that a release, a review gate and a
// promotion need, over a real bare git repository, so that tags, commits and
// merges are true. It remembers projects, members, tokens of each kind with
// their rights, releases, links, generic packages, merge requests, approvals
// and notes, on disk, so that a killed client can be followed by another.
//
// What it answers is checked three ways: requests against GitLab's OpenAPI
// (New does it for each test), statuses against the documented ones, shapes
// against the official Go client. Errors are data: testdata/errors.yaml names
// each with its condition, status, message and source, the handlers answer
// from that table and a test walks all of it.
//
// Faults are what it is for: another actor between a look and a deed, a 502
// after the effect, a connection cut before or after it, 429, a merge request
// that is still checking, approvals that vanish late. It is no GitLab: what it
// does not know it answers with 501, which no client can mistake.
package gitlabtest
