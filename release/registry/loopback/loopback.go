// Package loopback serves a container registry from a folder, for those who
// have no other: releases, systems and tests on one machine.
//
// Uploads and blobs are handled by go-containerregistry's registry. Its
// manifests live in memory, so manifests, tags and referrers are handled here,
// straight on the disk: the folder is all the state there is, and a registry
// that was killed continues where it was. Every file is written under a
// temporary name, synced and renamed before the client gets an answer. One
// process at a time holds the folder; another one is told who.
//
// There are no users and no passwords. That is why it listens on loopback only
// and answers only requests that name loopback, so that no web page reaches it
// under a name of its own.
package loopback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// Registry is an http.Handler.
type Registry struct {
	dir   string
	lock  *os.File
	blobs http.Handler

	repository, tag *regexp.Regexp
}

// Holder is the process that holds a folder.
type Holder struct {
	PID     int    `json:"pid"`
	Address string `json:"address"` // host:port that it listens on
}

// InUse says that another process holds the folder.
type InUse struct {
	Dir string
	Holder
}

func (e *InUse) Error() string {
	return fmt.Sprintf("the registry in %s is served by process %d at %s; use that one", e.Dir, e.PID, e.Address)
}

// Serve serves the registry in dir until ctx ends, and returns nil then. The
// folder is made if need be. The listener is closed in any case; it has to be
// on loopback.
func Serve(ctx context.Context, dir string, l net.Listener) error {
	defer l.Close()
	if !isLoopback(l.Addr().String()) {
		return fmt.Errorf("a registry without passwords on %s; listen on 127.0.0.1", l.Addr())
	}
	r, err := Open(dir, l.Addr().String())
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Serve(ctx, l)
}

// Serve answers on the listener, which has to be on loopback, until ctx ends,
// and returns nil then. The listener is closed; the folder stays taken.
func (r *Registry) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		// Requests under way are answered, but nobody is waited for long: a
		// connection that never sends anything looks busy, too.
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	})
	if err := server.Serve(l); stop() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the registry in %s: %w", r.dir, err)
	}
	<-stopped
	return nil
}

// shutdownPatience is how long requests may take to end when the registry does.
const shutdownPatience = 2 * time.Second

// Open takes the folder for this process, or returns InUse. address is told to
// others who want it.
func Open(dir, address string) (*Registry, error) {
	for _, sub := range []string{"blobs/sha256", "repositories", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(sub)), 0o755); err != nil {
			return nil, fmt.Errorf("registry folder: %w", err)
		}
	}
	lock, err := take(dir, address)
	if err != nil {
		return nil, err
	}
	r := &Registry{
		dir: dir, lock: lock,
		// OCI distribution specification 1.1, "Pulling manifests".
		repository: regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`),
		tag:        regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`),
	}
	r.blobs = ggcr.New(ggcr.WithBlobHandler(&blobs{r}), ggcr.Logger(log.New(io.Discard, "", 0)))
	return r, r.clean()
}

// clean removes what a killed process left half written.
func (r *Registry) clean() error {
	tmp := filepath.Join(r.dir, "tmp")
	left, err := os.ReadDir(tmp)
	for _, e := range left {
		err = errors.Join(err, os.Remove(filepath.Join(tmp, e.Name())))
	}
	return err
}

// Close lets the next process have the folder. The lock is given up by its name:
// a child that is about to be executed may still have the open file.
func (r *Registry) Close() error {
	return errors.Join(syscall.Flock(int(r.lock.Fd()), syscall.LOCK_UN), r.lock.Close())
}

// take locks the folder. The kernel frees the lock when the process ends.
func take(dir, address string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("registry folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the registry folder %s: %w", dir, err)
		}
		used := &InUse{Dir: dir}
		_ = json.NewDecoder(f).Decode(&used.Holder) // it may just be writing it
		return nil, used
	}
	me, err := json.Marshal(Holder{PID: os.Getpid(), Address: address})
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, me))
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("registry folder: %w", err)
	}
	return f, nil
}

func writeAt(f *os.File, data []byte) error {
	_, err := f.WriteAt(append(data, '\n'), 0)
	return err
}

func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
