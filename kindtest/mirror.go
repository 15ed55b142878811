package kindtest

import (
	"context"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// watched is one kind of object to keep a copy of.
type watched struct {
	client    cache.Getter
	resource  string
	namespace string
	object    runtime.Object
	optional  bool // not being allowed to see it is no error
}

// mirror keeps copies of some kinds of objects up to date by watching them.
// There are shared informers for this in client-go; they insist on a handler
// per event and report errors to a log only, while here one channel says that
// something changed and another that the API refuses.
type mirror struct {
	stores  map[string]*mirrorStore
	changed chan struct{} // has room for one: "look again"
	refused chan error
	done    sync.WaitGroup
}

// mirrorStore is a cache.Store that announces every change.
type mirrorStore struct {
	cache.Store
	synced func()
	notify func()
}

func (s *mirrorStore) Add(o any) error    { defer s.notify(); return s.Store.Add(trim(o)) }
func (s *mirrorStore) Update(o any) error { defer s.notify(); return s.Store.Update(trim(o)) }
func (s *mirrorStore) Delete(o any) error { defer s.notify(); return s.Store.Delete(o) }

func (s *mirrorStore) Replace(list []any, version string) error {
	defer s.notify()
	defer s.synced()
	for _, o := range list {
		trim(o)
	}
	return s.Store.Replace(list, version)
}

// trim drops what nobody here reads.
func trim(o any) any {
	if m, ok := o.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return o
}

// newMirror returns when all kinds have been listed once. The mirror lives
// until ctx ends; after that wait returns.
func newMirror(ctx context.Context, kinds []watched) (*mirror, error) {
	m := &mirror{stores: make(map[string]*mirrorStore), changed: make(chan struct{}, 1), refused: make(chan error, len(kinds))}
	// client-go would write to stderr what is returned as an error here.
	ctx = quiet(ctx)
	var listed sync.WaitGroup
	for _, k := range kinds {
		listed.Add(1)
		m.start(ctx, k, sync.OnceFunc(listed.Done))
	}
	all := make(chan struct{})
	go func() { listed.Wait(); close(all) }()
	select {
	case <-all:
		return m, nil
	case err := <-m.refused:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (m *mirror) start(ctx context.Context, k watched, synced func()) {
	store := &mirrorStore{Store: cache.NewStore(cache.MetaNamespaceKeyFunc), synced: synced, notify: m.notify}
	m.stores[k.resource] = store
	lw := cache.NewListWatchFromClient(k.client, k.resource, k.namespace, fields.Everything())
	list := lw.ListWithContextFunc
	ctx, stop := context.WithCancel(ctx)
	lw.ListWithContextFunc = func(c context.Context, o metav1.ListOptions) (runtime.Object, error) {
		l, err := list(c, o)
		if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			stop()
			if k.optional {
				synced()
			} else {
				m.refused <- err
			}
		}
		return l, err
	}
	r := cache.NewReflectorWithOptions(plainList{lw}, k.object, store, cache.ReflectorOptions{Name: k.resource})
	m.done.Go(func() { defer stop(); r.RunWithContext(ctx) })
	context.AfterFunc(ctx, synced)
}

func (m *mirror) notify() {
	select {
	case m.changed <- struct{}{}:
	default: // somebody is told already
	}
}

func (m *mirror) wait() { m.done.Wait() }

// await calls done after every change until it returns true or an error.
func (m *mirror) await(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-m.changed:
		case err := <-m.refused:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// objects returns what the mirror holds of one kind.
func objects[T any](m *mirror, resource string) []T {
	var out []T
	if s := m.stores[resource]; s != nil {
		for _, o := range s.List() {
			out = append(out, o.(T))
		}
	}
	return out
}

// plainList hides that the client could stream the first list: then all
// refusals come through the list function, where they are seen.
type plainList struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is asked for by client-go's reflector.
func (plainList) IsWatchListSemanticsUnSupported() bool { return true }
