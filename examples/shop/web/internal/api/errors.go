package api

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"gitlab.com/selfcontained/shop/web/internal/problem"
)

// kindOf is the table of the cart service's codes; all others are internal.
var kindOf = map[codes.Code]problem.Kind{
	codes.InvalidArgument:    problem.InvalidArgument,
	codes.NotFound:           problem.NotFound,
	codes.FailedPrecondition: problem.Conflict,
	codes.ResourceExhausted:  problem.TooMany,
	codes.Unavailable:        problem.Unavailable,
	codes.DeadlineExceeded:   problem.Timeout,
}

// fieldOf names a field of the cart service's requests as this API does. The
// others have the same name.
var fieldOf = map[string]string{"cart_id": "cart"}

// problemOf converts any error into the problem that the client may see. The
// cart service's words are passed on only where they are about the request.
func problemOf(err error) *problem.Problem {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	s := status.Convert(err)
	kind, known := kindOf[s.Code()]
	if !known {
		return &problem.Problem{Kind: problem.Internal}
	}
	p := &problem.Problem{Kind: kind}
	switch kind {
	case problem.InvalidArgument, problem.NotFound, problem.Conflict:
		p.Detail = s.Message()
	}
	addDetails(p, s.Details())
	return p
}

// addDetails takes over the details that the cart service promises:
// google.rpc.BadRequest and google.rpc.PreconditionFailure.
func addDetails(p *problem.Problem, details []any) {
	for _, detail := range details {
		switch d := detail.(type) {
		case *errdetails.BadRequest:
			addField(p, d.GetFieldViolations())
		case *errdetails.PreconditionFailure:
			for _, violation := range d.GetViolations() {
				p.SKUs = append(p.SKUs, violation.GetSubject())
			}
		}
	}
}

// addField takes over the first violation. Its description has the advantage
// over the status's text that it does not name the field as gRPC does.
func addField(p *problem.Problem, violations []*errdetails.BadRequest_FieldViolation) {
	if len(violations) == 0 {
		return
	}
	p.Field = fieldName(violations[0].GetField())
	if text := violations[0].GetDescription(); text != "" {
		p.Detail = text
	}
}

func fieldName(field string) string {
	if name, ok := fieldOf[field]; ok {
		return name
	}
	return field
}
