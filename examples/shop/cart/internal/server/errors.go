package server

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"gitlab.com/selfcontained/shop/cart/internal/cart"
)

// shortageType is the type of the violations in a google.rpc.PreconditionFailure;
// their subjects are SKUs.
const shortageType = "STOCK"

// codeOf is the table of errors and their codes; the API's description names
// the codes of each method.
var codeOf = []struct {
	err  error
	code codes.Code
}{
	{cart.ErrNoArticle, codes.NotFound},
	{cart.ErrClosed, codes.FailedPrecondition},
	{cart.ErrFull, codes.FailedPrecondition},
	{cart.ErrEmpty, codes.FailedPrecondition},
	{cart.ErrTooMany, codes.ResourceExhausted},
	{cart.ErrUnavailable, codes.Unavailable},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
	{context.Canceled, codes.Canceled},
}

// toStatus converts any error into the status that the client may see: the text
// of a known error without what wraps it, which may name a neighbour's address,
// and nothing of an unexpected one.
func toStatus(err error) *status.Status {
	var invalid *cart.InvalidError
	var short *cart.ShortError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return invalidStatus(invalid)
	case errors.As(err, &short):
		return shortStatus(short)
	}
	for _, known := range codeOf {
		if errors.Is(err, known.err) {
			return status.New(known.code, known.err.Error())
		}
	}
	if own, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return own.GRPCStatus() // the health service's; a neighbour's would be wrapped
	}
	return status.New(codes.Internal, "internal error")
}

func invalidStatus(invalid *cart.InvalidError) *status.Status {
	return detailed(codes.InvalidArgument, invalid, &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: invalid.Field, Description: invalid.Reason},
		},
	})
}

func shortStatus(short *cart.ShortError) *status.Status {
	failure := &errdetails.PreconditionFailure{}
	for _, s := range short.Shortages {
		failure.Violations = append(failure.Violations, &errdetails.PreconditionFailure_Violation{
			Type: shortageType, Subject: s.SKU, Description: s.Reason,
		})
	}
	return detailed(codes.FailedPrecondition, short, failure)
}

func detailed(code codes.Code, err error, detail protoadapt.MessageV1) *status.Status {
	plain := status.New(code, err.Error())
	if full, err := plain.WithDetails(detail); err == nil {
		return full
	}
	return plain
}
