package server

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

// codeOf is the table of errors and their codes; the API's description names
// the codes of each method.
var codeOf = []struct {
	err  error
	code codes.Code
}{
	{stock.ErrNotFound, codes.NotFound},
	{stock.ErrInsufficient, codes.FailedPrecondition},
	{stock.ErrSettled, codes.FailedPrecondition},
	{stock.ErrRevision, codes.Aborted},
	{stock.ErrKeyReused, codes.AlreadyExists},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
	{context.Canceled, codes.Canceled},
}

// toStatus converts any error into the status that the client may see. The
// text of an unexpected error stays inside: it may name files or data.
func toStatus(err error) *status.Status {
	var invalid *stock.InvalidError
	if errors.As(err, &invalid) {
		return invalidStatus(invalid)
	}
	for _, known := range codeOf {
		if errors.Is(err, known.err) {
			return status.New(known.code, err.Error())
		}
	}
	if s, ok := status.FromError(err); ok {
		return s
	}
	return status.New(codes.Internal, "internal error")
}

func invalidStatus(invalid *stock.InvalidError) *status.Status {
	plain := status.New(codes.InvalidArgument, invalid.Error())
	detailed, err := plain.WithDetails(&errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: invalid.Field, Description: invalid.Reason},
		},
	})
	if err != nil {
		return plain
	}
	return detailed
}
