package kindtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// forwardPatience is how long a new connection waits for a ready pod.
const forwardPatience = 15 * time.Second

// Forward is a local port behind which a Service is reached. A connection goes
// to a pod that is ready; when that pod is replaced, open connections break and
// the next one goes to its successor.
type Forward struct {
	// Addr is "127.0.0.1:PORT".
	Addr string

	listener net.Listener
	target   *forwardTarget
	cancel   context.CancelFunc
	end      func() // of the watch, where it is the forward's own
	conns    sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	upstream httpstream.Connection
	pod      podPort
	requests int
}

// Forward opens a local port for a port of a Service, which is given by name or
// number; empty means the only one. It returns once a pod behind the Service is
// reachable through it. The port is open until Close or until ctx ends.
func (l *Lease) Forward(ctx context.Context, service, port string) (*Forward, error) {
	svc, err := l.cluster.client.CoreV1().Services(l.Namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return nil, l.cluster.apiError("forward to service "+service+" in namespace "+l.Namespace, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	pods, err := l.mirrorPods(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	end := func() { cancel(); pods.wait() }
	f, err := l.forward(ctx, svc, port, pods)
	if err != nil {
		end()
		return nil, err
	}
	f.end = end
	return f, nil
}

// forward opens the way to svc with the pods of the lease as pods watches them.
func (l *Lease) forward(ctx context.Context, svc *corev1.Service, port string, pods *mirror) (*Forward, error) {
	target, err := l.forwardTarget(svc, port, pods)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Forward{Addr: listener.Addr().String(), listener: listener, target: target, cancel: cancel, end: func() {}}
	if _, _, err := f.connection(ctx, nil); err != nil {
		f.Close()
		return nil, fmt.Errorf("forward to service %s: %w", svc.Name, err)
	}
	context.AfterFunc(ctx, func() { listener.Close() })
	f.conns.Go(func() { f.accept(ctx) })
	return f, nil
}

// Close closes the port and all connections through it and waits for them.
func (f *Forward) Close() error {
	f.cancel()
	err := f.listener.Close()
	f.mu.Lock()
	if f.upstream != nil {
		f.upstream.Close()
	}
	f.mu.Unlock()
	f.conns.Wait()
	f.end()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

func (f *Forward) accept(ctx context.Context) {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		f.conns.Go(func() { f.serve(ctx, conn) })
	}
}

// serve connects conn to a pod. When the way to the pod turns out to be dead, it
// is opened once more: nothing has been read from conn by then.
func (f *Forward) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	var dead httpstream.Connection
	for range 2 {
		patience, cancel := context.WithTimeout(ctx, forwardPatience)
		upstream, pod, err := f.connection(patience, dead)
		cancel()
		if err != nil {
			return
		}
		streams, err := openUntil(ctx, upstream, pod.port, f.nextRequest())
		if err == nil {
			streams.copy(conn)
			return
		}
		dead = upstream
	}
}

func (f *Forward) nextRequest() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	return f.requests
}

// connection returns a connection to a pod, the current one unless it is dead.
func (f *Forward) connection(ctx context.Context, dead httpstream.Connection) (httpstream.Connection, podPort, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.upstream != nil && f.upstream != dead && !closed(f.upstream) && f.target.stillReady(f.pod) {
		return f.upstream, f.pod, nil
	}
	pod, err := f.target.readyPod(ctx)
	if err != nil {
		return nil, pod, err
	}
	upstream, err := f.target.dial(pod.name)
	if err != nil {
		return nil, pod, fmt.Errorf("pod %s: %w", pod.name, err)
	}
	f.upstream, f.pod = upstream, pod
	return upstream, pod, nil
}

func closed(c httpstream.Connection) bool {
	select {
	case <-c.CloseChan():
		return true
	default:
		return false
	}
}

// dial opens a connection for port-forwarding, over a websocket where the
// server knows that (Kubernetes 1.31), else SPDY.
func (t *forwardTarget) dial(pod string) (httpstream.Connection, error) {
	c := t.lease.cluster
	url := c.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(t.lease.Namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	websocket, err := portforward.NewSPDYOverWebsocketDialerForStreamingWithLogger(logr.Discard(), url, c.config)
	if err != nil {
		return nil, err
	}
	dialer := portforward.NewFallbackDialerForStreaming(websocket, spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url), func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	return conn, err
}

// streamPair is one forwarded connection: port-forwarding uses a stream for the
// data and one for an error message.
type streamPair struct {
	conn        httpstream.Connection
	data, fault httpstream.Stream
}

// openUntil is openStreams until ctx ends: a stream whose connection is closed
// while it is being made would keep its maker waiting for half a minute.
func openUntil(ctx context.Context, conn httpstream.Connection, port int32, request int) (*streamPair, error) {
	type opened struct {
		streams *streamPair
		err     error
	}
	result := make(chan opened, 1)
	go func() {
		streams, err := openStreams(conn, port, request)
		result <- opened{streams, err}
	}()
	select {
	case o := <-result:
		return o.streams, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func openStreams(conn httpstream.Connection, port int32, request int) (*streamPair, error) {
	h := http.Header{}
	h.Set(corev1.StreamType, corev1.StreamTypeError)
	h.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	h.Set(corev1.PortForwardRequestIDHeader, strconv.Itoa(request))
	fault, err := conn.CreateStream(h)
	if err != nil {
		return nil, err
	}
	_ = fault.Close() // nothing is written to it
	h.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := conn.CreateStream(h)
	if err != nil {
		conn.RemoveStreams(fault)
		return nil, err
	}
	return &streamPair{conn, data, fault}, nil
}

// copy moves bytes both ways until the pod's side ends or the local side fails.
func (p *streamPair) copy(local net.Conn) {
	defer p.conn.RemoveStreams(p.data, p.fault)
	done := make(chan struct{}, 2)
	go func() {
		if _, err := io.Copy(p.data, local); err != nil {
			done <- struct{}{}
		}
		_ = p.data.Close() // the pod sees the end of input, as over TCP
	}()
	go func() {
		_, _ = io.Copy(local, p.data)
		done <- struct{}{}
	}()
	<-done
	_ = p.data.Reset()
	local.Close()
	// A message means that the port was refused; the node closes the whole
	// connection then or soon, so do not use it again.
	if message, err := io.ReadAll(p.fault); err != nil || len(message) > 0 {
		_ = p.conn.Close()
	}
}
