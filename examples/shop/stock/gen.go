// Package stock is the root of the stock service's module. It holds no code:
// the program is cmd/stock, its API is described in proto/stock/v1.
//
// Generated code is committed. "go generate ./..." makes it anew with the
// generators that go.mod pins by its tool directives; it needs no protoc.
package stock

//go:generate go tool protogen -proto proto -out gen -descriptors api/stock.binpb stock/v1/stock.proto
//go:generate go tool mockgen -source internal/server/service.go -destination internal/server/mock_store_test.go -package server_test
