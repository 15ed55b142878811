package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"gitlab.com/selfcontained/shop/web/internal/problem"
)

// maxBody is many times what the largest good body needs.
const maxBody = 4 << 10

// pageSize reads the parameter page_size; what is negative is for the cart
// service to refuse.
func pageSize(r *http.Request) (int32, error) {
	text := r.URL.Query().Get("page_size")
	if text == "" {
		return 0, nil
	}
	size, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, invalid("page_size", "page_size must be a whole number")
	}
	return int32(size), nil
}

// readQuantity reads a body of the form {"quantity": 3}, and no other.
func readQuantity(r *http.Request) (int32, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return 0, &problem.Problem{Kind: problem.UnsupportedMediaType, Detail: "The body must be of type application/json."}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, bodyError(err)
	}
	// A map, because decoding into a struct would take "Quantity" as well.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return 0, malformed("The body must be one JSON object.")
	}
	text, found := members["quantity"]
	if !found || len(members) != 1 {
		return 0, malformed(`The body must have the member "quantity" and no other.`)
	}
	var quantity *int32
	if err := json.Unmarshal(text, &quantity); err != nil || quantity == nil {
		return 0, invalid("quantity", "quantity must be a whole number of pieces")
	}
	return *quantity, nil
}

// noBody refuses a body where nothing would be done with it: whoever sends one
// expects something of it.
func noBody(r *http.Request) error {
	switch _, err := io.ReadFull(r.Body, make([]byte, 1)); {
	case err == nil:
		return malformed("This request must have no body.")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return bodyError(err)
	}
}

func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &problem.Problem{
			Kind:   problem.BodyTooLarge,
			Detail: "The body must have at most " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes.",
		}
	}
	return malformed("The body ended too early.")
}

func malformed(detail string) error {
	return &problem.Problem{Kind: problem.MalformedBody, Detail: detail}
}

func invalid(field, detail string) error {
	return &problem.Problem{Kind: problem.InvalidArgument, Field: field, Detail: detail}
}
