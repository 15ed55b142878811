//go:build acceptance

package acceptance

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestThePageIsThere(t *testing.T) {
	t.Parallel()
	c := enter(t)
	for path, kind := range map[string]string{"/": "text/html", "/static/app.js": "text/javascript"} {
		response, err := c.client.Get(c.url + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(got, kind) {
			t.Errorf("%s: status %d, type %q; want 200, %s", path, response.StatusCode, got, kind)
		}
	}
}

func TestABrowserSeesAllArticlesInOrder(t *testing.T) {
	t.Parallel()
	var skus []string
	for _, a := range enter(t).articles(t) {
		skus = append(skus, a.SKU)
	}
	if want := []string{"apple", "banana", "cherry", "date", "fig", "pear"}; !slices.Equal(skus, want) {
		t.Errorf("the shop shows %q, want %q", skus, want)
	}
}

// Customers come back for what is sold out: it stays on the page.
func TestWhatIsSoldOutIsShownWithNoPieces(t *testing.T) {
	t.Parallel()
	c := enter(t)
	if got := c.available(t, "fig"); got != 0 {
		t.Errorf("%d figs can be had, want none", got)
	}
	var why problem
	c.want(t, http.StatusConflict, http.MethodPut, c.path()+"/lines/fig", `{"quantity":1}`, &why)
	if want := []string{"fig"}; !slices.Equal(why.SKUs, want) {
		t.Errorf("the shop blames %q, want %q", why.SKUs, want)
	}
}

// The journey for which the shop was made: browse, fill the cart, change one's
// mind, order.
func TestFromBrowsingToTheOrder(t *testing.T) {
	t.Parallel()
	c := enter(t)
	before := c.available(t, "apple")
	c.put(t, "apple", 3)
	c.put(t, "pear", 1)
	filled := c.put(t, "apple", 2)
	if want := []line{{"apple", 2}, {"pear", 1}}; filled.State != "open" || !slices.Equal(filled.Lines, want) {
		t.Errorf("the cart is %+v, want it open with %v", filled, want)
	}
	if got := c.available(t, "apple"); got != before {
		t.Errorf("%d apples can be had, want %d: a cart promises nothing", got, before)
	}
	ordered := c.checkout(t)
	if ordered.State != "ordered" || ordered.OrderTime.IsZero() || !slices.Equal(ordered.Lines, filled.Lines) {
		t.Errorf("the order is %+v, want it ordered with %v", ordered, filled.Lines)
	}
	if got := c.available(t, "apple"); got != before-2 {
		t.Errorf("%d apples can be had, want %d: the order took two", got, before-2)
	}
}

// A browser that lost the answer asks again, and may do so twice at a time.
func TestAnOrderThatIsRepeatedIsOneOrder(t *testing.T) {
	t.Parallel()
	c := enter(t)
	before := c.available(t, "banana")
	c.put(t, "banana", 5)
	first := c.checkout(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			status, body, err := c.send(t.Context(), http.MethodPost, c.path()+"/checkout", "")
			if err != nil || status != http.StatusOK {
				t.Errorf("checkout again: status %d, %v: %s", status, err, body)
			}
		})
	}
	group.Wait()
	if again := c.checkout(t); !reflect.DeepEqual(again, first) {
		t.Errorf("the order is %+v, want the first one, %+v", again, first)
	}
	if got := c.available(t, "banana"); got != before-5 {
		t.Errorf("%d bananas can be had, want %d: there was one order of five", got, before-5)
	}
}

func TestManyCustomersAtOnceGetWhatTheyOrdered(t *testing.T) {
	t.Parallel()
	const customers, pieces = 8, 3
	before := enter(t).available(t, "date")
	var group sync.WaitGroup
	for range customers {
		c := enter(t)
		group.Go(func() {
			for _, step := range []struct{ method, path, body string }{
				{http.MethodPut, c.path() + "/lines/date", fmt.Sprintf(`{"quantity":%d}`, pieces)},
				{http.MethodPost, c.path() + "/checkout", ""},
			} {
				status, body, err := c.send(t.Context(), step.method, step.path, step.body)
				if err != nil || status != http.StatusOK {
					t.Errorf("%s %s: status %d, %v: %s", step.method, step.path, status, err, body)
				}
			}
		})
	}
	group.Wait()
	if got, want := enter(t).available(t, "date"), before-customers*pieces; got != want {
		t.Errorf("%d dates can be had, want %d", got, want)
	}
}

// Two want all the cherries and one is quicker. The other is told which article
// is short, takes what is left, and gets that.
func TestWhoComesTooLateCanTakeWhatIsLeft(t *testing.T) {
	t.Parallel()
	quick, late := enter(t), enter(t)
	left := late.available(t, "cherry")
	if left < 2 {
		t.Fatalf("%d cherries are left: this test takes two of the 90 in values.yaml; install the system anew", left)
	}
	late.put(t, "cherry", left)
	quick.put(t, "cherry", 1)
	quick.checkout(t)

	if why := late.refused(t); !strings.HasSuffix(why.Type, "/conflict") || !slices.Equal(why.SKUs, []string{"cherry"}) {
		t.Errorf("the shop refuses because of %q, %q; want a conflict about cherry", why.Type, why.SKUs)
	}
	late.put(t, "cherry", 1)
	if got := late.checkout(t); got.State != "ordered" {
		t.Errorf("the cart is %+v, want it ordered", got)
	}
	if got := late.available(t, "cherry"); got != left-2 {
		t.Errorf("%d cherries can be had, want %d", got, left-2)
	}
}
