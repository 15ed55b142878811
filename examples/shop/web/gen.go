// Package web is the root of the web service's module. It holds no code: the
// program is cmd/web, its API is described in api/web.openapi.yaml.
//
// proto/cart is a copy of the cart service's API; from it come gen/cart, the
// client, and api/cart.binpb, which says what this service uses. Generated code
// is committed. "go generate ./..." makes it anew with the generators that
// go.mod pins by its tool directives; it needs no protoc.
package web

//go:generate go tool protogen -proto proto -out gen -descriptors api/cart.binpb -opt Mcart/v1/cart.proto=gitlab.com/selfcontained/shop/web/gen/cart/v1;cartv1 cart/v1/cart.proto
//go:generate go tool mockgen -source gen/cart/v1/cart_grpc.pb.go -exclude_interfaces CartServiceServer,UnsafeCartServiceServer -destination internal/api/mock_cart_test.go -package api_test
