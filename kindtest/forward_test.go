package kindtest

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"k8s.io/streaming/pkg/httpstream"
)

// silent is a connection on which the other side never answers.
type silent struct {
	httpstream.Connection
	asked, over chan struct{}
}

func (s *silent) CreateStream(http.Header) (httpstream.Stream, error) {
	close(s.asked)
	<-s.over
	return nil, errors.New("the test is over")
}

func TestClosingAForwardDoesNotWaitForAStreamThatIsBeingMade(t *testing.T) {
	t.Parallel()
	conn := &silent{asked: make(chan struct{}), over: make(chan struct{})}
	defer close(conn.over)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-conn.asked; cancel() }()
	if _, err := openUntil(ctx, conn, 80, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
