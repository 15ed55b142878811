// Package cart is the root of the cart service's module. It holds no code: the
// program is cmd/cart, its API is described in proto/cart/v1.
//
// The folder proto/stock/v1 holds a copy of the neighbour's description, byte by
// byte as the stock service publishes it (proto/stock/v1/stock.proto of
// gitlab.com/selfcontained/shop/stock). The code for it is generated here, for
// this module; the neighbour's Go code is not used.
//
// Generated code is committed. "go generate ./..." makes it anew with the
// generators that go.mod pins by its tool directives; it needs no protoc.
package cart

//go:generate go tool protogen -descriptors api/cart.binpb cart/v1/cart.proto
//go:generate go tool protogen -descriptors api/stock.binpb -package stock/v1/stock.proto=gitlab.com/selfcontained/shop/cart/gen/stock/v1;stockv1 stock/v1/stock.proto
//go:generate go tool mockgen -source internal/shop/shop.go -destination internal/shop/mock_shop_test.go -package shop_test
//go:generate go tool mockgen -source internal/server/service.go -destination internal/server/mock_service_test.go -package server_test
//go:generate go tool mockgen -source gen/stock/v1/stock_grpc.pb.go -exclude_interfaces StockServiceServer,UnsafeStockServiceServer -destination internal/warehouse/mock_stock_test.go -package warehouse_test
