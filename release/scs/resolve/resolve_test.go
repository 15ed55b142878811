package resolve_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gitlab.com/selfcontained/pipeline/pipeline/bundle"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/registrytest"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/attach/repository"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign/signtest"
	"gitlab.com/selfcontained/pipeline/release/scs"
	"gitlab.com/selfcontained/pipeline/release/scs/resolve"
)

// The newest verified version comes with all that the next steps need, from
// every kind of registry.
func TestNewest(t *testing.T) {
	t.Parallel()
	for _, kind := range registrytest.All() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind.Start(t))
			w.put("0.9.0")
			newest := w.put("0.10.0")
			c := w.choose()
			if got := shown(c); got != "0.10.0" {
				t.Fatal(got)
			}
			want := scs.Member{Service: "stock", Version: "0.10.0", Bundle: newest.digest, Size: c.Newest.Size, Source: w.repo.String()}
			if diff := cmp.Diff(want, c.Newest.Member); diff != "" || c.Newest.Size == 0 {
				t.Errorf("%s (size %d)", diff, c.Newest.Size)
			}
			api := []bundle.API{{Title: "api/stock.binpb", MediaType: "application/protobuf", Data: []byte("0.10.0")}}
			if diff := cmp.Diff(api, c.Newest.Provides); diff != "" {
				t.Error(diff)
			}
			for _, envelope := range c.Newest.Envelopes {
				if _, err := sign.Verify(envelope, w.in.Trust, newest.digest, now()); err != nil {
					t.Error(err)
				}
			}
			if len(c.Newest.Envelopes) != 3 || c.Newest.Release.Notes != "- notes of 0.10.0" || c.Why() != "" {
				t.Errorf("%d envelopes, notes %q, why %q", len(c.Newest.Envelopes), c.Newest.Release.Notes, c.Why())
			}
		})
	}
}

// Each way in which a version can fail to be a candidate has its reason, and the
// version before it is taken.
func TestRefused(t *testing.T) {
	t.Parallel()
	stranger := signtest.Signer(t)
	firstVerdict := func(change func(*sign.Verdict)) func(*released) {
		return func(r *released) { change(&r.verdicts[0]) }
	}
	for name, c := range map[string]struct {
		change func(*released)
		after  func(w *world, r *released)
		want   resolve.Reason
		why    string
	}{
		"no release statement": {change: func(r *released) { r.release = nil }, want: resolve.NotReleased, why: "nobody has signed"},
		"release expired":      {change: func(r *released) { r.release.Expires = now().Add(-time.Minute) }, want: resolve.Expired, why: "expired"},
		"release of another version": {
			change: func(r *released) { r.release.Version = "0.9.9" }, want: resolve.Disagree, why: "released as 0.9.9",
		},
		"released without a key": {change: func(r *released) { r.release.Unsigned = true }, want: resolve.Unsigned, why: "no key"},
		"unknown key":            {change: func(r *released) { r.signer = stranger }, want: resolve.UnknownKey, why: "trusted key"},
		"tag of another version": {change: func(r *released) { r.bundle.Version = "0.9.9" }, want: resolve.Disagree, why: "0.9.9"},
		"another service":        {change: func(r *released) { r.bundle.Name = "cart" }, want: resolve.Disagree, why: "service cart"},
		"no verdict":             {change: func(r *released) { r.verdicts = r.verdicts[1:] }, want: resolve.NotVerified, why: "stage unit: no verdict"},
		"failed":                 {change: firstVerdict(func(v *sign.Verdict) { v.Status = "failed" }), want: resolve.NotVerified, why: "stage unit: failed"},
		"not tested":             {change: firstVerdict(func(v *sign.Verdict) { v.Status = "not tested" }), want: resolve.NotVerified, why: "not tested"},
		"verdict expired": {
			change: firstVerdict(func(v *sign.Verdict) { v.Expires = now() }), want: resolve.Expired, why: "stage unit",
		},
		"verdict from the future": {
			change: firstVerdict(func(v *sign.Verdict) { v.Issued = now().Add(time.Hour) }), want: resolve.NotYetValid, why: "clocks",
		},
		"verdict of another system": {
			change: firstVerdict(func(v *sign.Verdict) { v.System = "bank" }), want: resolve.NotOurs, why: "system bank",
		},
		"verdict for one environment": {
			change: firstVerdict(func(v *sign.Verdict) { v.Environment = "staging" }), want: resolve.NotOurs, why: "environment staging",
		},
		"verdict of another service": {
			change: firstVerdict(func(v *sign.Verdict) { v.Stage = "cart/unit" }), want: resolve.NotVerified, why: "stage unit",
		},
		"verdict by an unknown key": {
			change: func(r *released) { r.verdicts = r.verdicts[1:] },
			after: func(w *world, r *released) {
				v := r.verdicts[0]
				v.Stage = "stock/unit"
				w.attach(stranger, r.digest, v)
			},
			want: resolve.UnknownKey, why: "stage unit",
		},
		"verdict revoked": {
			change: func(r *released) { r.verdicts = r.verdicts[1:] },
			after: func(w *world, r *released) {
				v := r.verdicts[0]
				v.Stage = "stock/unit"
				w.in.Trust.Revoked = []string{string(w.attach(w.signer, r.digest, v))}
			},
			want: resolve.Revoked, why: "stage unit",
		},
		"an override does not help": {
			change: func(r *released) { r.verdicts = r.verdicts[1:] },
			after: func(w *world, r *released) {
				w.attach(w.signer, r.digest, sign.Override{
					Terms: r.release.Terms, Rule: "stage unit", Reason: "hurry", By: "me", At: now().Add(-time.Minute), Until: now().Add(time.Hour),
				})
			},
			want: resolve.NotVerified, why: "stage unit",
		},
		"waiver ended": {
			change: firstVerdict(func(v *sign.Verdict) {
				v.Status, v.Waiver = "waived", &sign.Waiver{Reason: "flaky", Until: now().Add(-time.Minute)}
			}), want: resolve.NotVerified, why: "waiver ended",
		},
		"out of range": {
			after: func(w *world, _ *released) { w.in.Services[0].Range = "<1.1.0" }, want: resolve.OutOfRange, why: "<1.1.0",
		},
		"tag moved": {
			after: func(w *world, r *released) {
				w.current(&released{tag: r.tag, digest: evidence.Sum(nil)})
				w.in.Services[0].Range = "*"
			}, want: resolve.TagMoved, why: "names",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, registrytest.InProcess(t, true))
			w.put("1.0.0")
			if c.change == nil {
				c.change = func(*released) {}
			}
			r := w.put("1.1.0", c.change)
			if c.after != nil {
				c.after(w, r)
			}
			choice := w.choose()
			want := "1.0.0; 1.1.0 " + string(c.want)
			if c.want == resolve.TagMoved { // nobody goes back by himself
				want = "none; 1.1.0 tag moved"
			}
			if got := shown(choice); got != want {
				t.Fatalf("%s; expected %s (%+v)", got, want, choice.Refused)
			}
			if refusal := choice.Refused[0]; !strings.Contains(refusal.Why, c.why) {
				t.Errorf("%q does not say %q", refusal.Why, c.why)
			}
		})
	}
}

// What is green for the world at large does not hide behind what is not: a
// failed, an expired and a stranger's statement beside good ones change nothing.
func TestNoEvidenceAgainst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, registrytest.InProcess(t, false))
	r := w.put("1.0.0")
	before := w.choose().Newest
	for i, change := range []func(*sign.Verdict){
		func(v *sign.Verdict) { v.Status = "failed" },
		func(v *sign.Verdict) { v.Expires = now() },
		func(v *sign.Verdict) { v.System = "bank" },
	} {
		v := r.verdicts[0]
		v.Sequence = int64(i + 2)
		change(&v)
		w.attach(w.signer, r.digest, v)
	}
	w.attach(signtest.Signer(t), r.digest, r.verdicts[1])
	after := w.choose().Newest
	if after == nil || after.Member != before.Member || len(after.Envelopes) != 4 {
		t.Errorf("%+v; expected the same version with the failed verdict, which holds, as fourth", after)
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, registrytest.InProcess(t, true))
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0-rc.1", "1.2.0-dev.h12345678", "2.0.0"} {
		w.put(v)
	}
	raw, err := w.repo.Manifest(t.Context(), "2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"3", "3.0", "latest", "v4.0.0"} { // these are no full versions
		if err := w.repo.PutTag(t.Context(), tag, raw); err != nil {
			t.Fatal(err)
		}
	}
	for constraint, want := range map[string]string{
		"":                "2.0.0",
		"^1":              "1.1.0; 2.0.0 not in range; 1.2.0-rc.1 not in range; 1.2.0-dev.h12345678 not in range",
		">=1.0.0-0 <2":    "1.2.0-rc.1; 2.0.0 not in range",
		"~1.0":            "1.0.0; 2.0.0 not in range; 1.2.0-rc.1 not in range; 1.2.0-dev.h12345678 not in range; 1.1.0 not in range",
		"<1.1.0 || ^2":    "2.0.0",
		">=5 <6":          "none; 2.0.0 not in range; 1.2.0-rc.1 not in range; 1.2.0-dev.h12345678 not in range; 1.1.0 not in range; 1.0.0 not in range",
		"=1.2.0-rc.1":     "1.2.0-rc.1; 2.0.0 not in range",
		"1.0.0 - 1.0.999": "1.0.0; 2.0.0 not in range; 1.2.0-rc.1 not in range; 1.2.0-dev.h12345678 not in range; 1.1.0 not in range",
	} {
		w.in.Services[0].Range = constraint
		if got := shown(w.choose()); got != want {
			t.Errorf("%q: %s; expected %s", constraint, got, want)
		}
	}
	w.in.Services[0].Range = ">=five"
	if _, err := resolve.Resolve(t.Context(), w.in); err == nil || !strings.Contains(err.Error(), "service stock: range") {
		t.Errorf("%v; expected an error about the range", err)
	}
}

// Older versions are looked at only when asked for, and down to the current one.
func TestOlder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, registrytest.InProcess(t, true))
	w.put("0.9.0")
	current := w.put("1.0.0")
	w.put("1.1.0")
	w.put("1.2.0", func(r *released) { r.verdicts = nil })
	w.put("1.3.0")
	w.put("1.4.0", func(r *released) { r.release = nil })
	w.current(current)
	c := w.choose()
	if got := shown(c); got != "1.3.0; 1.4.0 not released" {
		t.Error(got)
	}
	older, refused, err := c.Older(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var versions []string
	for _, o := range older {
		versions = append(versions, o.Version)
	}
	if diff := cmp.Diff([]string{"1.1.0", "1.0.0"}, versions); diff != "" {
		t.Error(diff)
	}
	if len(refused) != 1 || refused[0].Version != "1.2.0" || refused[0].Reason != resolve.NotVerified {
		t.Errorf("refused %+v", refused)
	}
	notes, err := c.Notes(t.Context(), "1.3.0")
	if err != nil {
		t.Fatal(err)
	}
	want := []resolve.Note{{Version: "1.3.0", Text: "- notes of 1.3.0"}, {Version: "1.2.0", Text: "- notes of 1.2.0"}, {Version: "1.1.0", Text: "- notes of 1.1.0"}}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
	w.in.Services[0].Current = nil
	older, _, err = w.choose().Older(t.Context())
	if err != nil || len(older) != 3 {
		t.Errorf("%d older candidates without a current one (%v); expected 3", len(older), err)
	}
}

// Going back happens only where the range says so.
func TestNeverGoesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, registrytest.InProcess(t, true))
	w.put("1.0.0")
	w.current(w.put("1.1.0", func(r *released) { r.verdicts = nil }))
	c := w.choose()
	if got := shown(c); got != "none; 1.1.0 not verified" || !strings.Contains(c.Why(), "stock 1.1.0: stage unit") {
		t.Errorf("%s: %s", got, c.Why())
	}
	w.in.Services[0].Range = "<1.1.0"
	if got := shown(w.choose()); got != "1.0.0; 1.1.0 not in range" {
		t.Error(got)
	}
}

// An empty repository and one that has no version in range have no candidate; a
// registry that is away, or denies, says nothing about candidates.
func TestNothingThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, registrytest.InProcess(t, true))
	if c := w.choose(); c.Newest != nil || !strings.Contains(c.Why(), "no tag that is a version") {
		t.Errorf("%s", c.Why())
	}
	w.put("1.0.0")
	w.in.Services[0].Range = "^2"
	if c := w.choose(); !strings.Contains(c.Why(), "none of the 1 versions") {
		t.Errorf("%s", c.Why())
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	denies := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer denies.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, host := range map[string]string{"denies": denies.URL, "gone": gone.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, strings.TrimPrefix(host, "http://"))
			_, err := resolve.Resolve(t.Context(), w.in)
			var away *resolve.Unreachable
			if !errors.As(err, &away) || away.Service != "stock" || away.Source != w.repo.String() {
				t.Fatalf("%v; expected an unreachable registry", err)
			}
			for _, part := range []string{"service stock", w.repo.String()} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

// breaking is a transport that ends the connection for some requests.
type breaking struct{ at func(path string) bool }

func (b breaking) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.at(req.URL.Path) {
		return nil, errors.New("connection reset")
	}
	return http.DefaultTransport.RoundTrip(req)
}

// A registry that goes away in the middle is not taken for one without evidence,
// wherever that happens.
func TestGoesAway(t *testing.T) {
	t.Parallel()
	host := registrytest.InProcess(t, true)
	w := newWorld(t, host)
	w.put("1.0.0")
	w.put("1.1.0")
	for request := range 12 {
		n := 0
		repo, err := repository.Open(host+"/shop/stock", repository.Options{Transport: breaking{func(string) bool {
			n++
			return n > request
		}}})
		if err != nil {
			t.Fatal(err)
		}
		in := w.in
		in.Services = []resolve.Service{{Name: "stock", Source: repo}}
		r, err := resolve.Resolve(t.Context(), in)
		var away *resolve.Unreachable
		if !errors.As(err, &away) {
			t.Errorf("after %d requests: %v, %v", request, err, shown(r.Choices[0]))
		}
	}
}
