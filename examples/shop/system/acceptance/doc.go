// Package acceptance tests the shop as its customers meet it: through HTTPS, at
// the one door that it has. It knows addresses and JSON, and nothing of the
// services behind the door; so it stays the same while they change, and tells
// whether a combination of their versions is a shop.
//
// The tests have the build tag acceptance. They run side by side, in any order,
// and again in the same namespace: each buys articles of its own, which
// values.yaml puts into the stock, and looks at differences. They use nothing
// but the standard library, so that they link in no time: whoever looks for the
// version that broke the shop runs them many times.
package acceptance
