package server

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	stockv1 "gitlab.com/selfcontained/shop/stock/gen/stock/v1"
	"gitlab.com/selfcontained/shop/stock/internal/stock"
)

func protoItem(i stock.Item) *stockv1.Item {
	return &stockv1.Item{
		Sku:       i.SKU,
		OnHand:    i.OnHand,
		Reserved:  i.Reserved,
		Available: i.Available(),
		Revision:  i.Revision,
	}
}

func protoItems(items []stock.Item) []*stockv1.Item {
	result := make([]*stockv1.Item, len(items))
	for i, item := range items {
		result[i] = protoItem(item)
	}
	return result
}

func protoReservation(r stock.Reservation) *stockv1.Reservation {
	return &stockv1.Reservation{
		IdempotencyKey: r.Key,
		Lines:          protoLines(r.Lines),
		State:          protoState(r.State),
		CreateTime:     timestamppb.New(r.Created),
	}
}

func protoLines(lines []stock.Line) []*stockv1.Line {
	result := make([]*stockv1.Line, len(lines))
	for i, line := range lines {
		result[i] = &stockv1.Line{Sku: line.SKU, Quantity: line.Quantity}
	}
	return result
}

// protoState is written out although the numbers agree: one side is the
// database's format, the other the API's.
func protoState(s stock.State) stockv1.Reservation_State {
	switch s {
	case stock.Held:
		return stockv1.Reservation_STATE_HELD
	case stock.Released:
		return stockv1.Reservation_STATE_RELEASED
	case stock.Committed:
		return stockv1.Reservation_STATE_COMMITTED
	}
	return stockv1.Reservation_STATE_UNSPECIFIED
}

func stockLines(lines []*stockv1.Line) []stock.Line {
	result := make([]stock.Line, len(lines))
	for i, line := range lines {
		result[i] = stock.Line{SKU: line.GetSku(), Quantity: line.GetQuantity()}
	}
	return result
}
