package sandbox

import (
	"testing"
)

// An init that ends while a request of the parent is under way has still said
// how the program ended.
func TestLastWordsBesideAnUnreadRequest(t *testing.T) {
	t.Parallel()
	parent, file, err := controlPair()
	if err != nil {
		t.Fatal(err)
	}
	defer parent.conn.Close()
	child, err := newControl(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.send(request{Dial: 1}, -1); err != nil {
		t.Fatal(err)
	}
	if err := child.send(event{Kind: exited, Code: 7}, -1); err != nil {
		t.Fatal(err)
	}
	child.conn.Close()
	var e event
	if _, err := parent.receive(&e); err != nil || e.Kind != exited || e.Code != 7 {
		t.Errorf("received %+v, %v; want exited with 7", e, err)
	}
	if _, err := parent.receive(&e); err == nil {
		t.Error("after the last words: no end")
	}
}
