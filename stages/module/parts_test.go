package module

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"gitlab.com/selfcontained/pipeline/stages/gotool"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
)

func TestParseHelp(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]help{
		"  -version\n    \tprint the version\n  -dry-run\n":        {version: true, dryRun: true},
		"Flags:\n  -h, --help\n  -v, --version   version for x\n":  {version: true},
		"usage: x [--dry-run|--version]":                           {version: true, dryRun: true},
		"  -n\tdry run: change nothing\n":                          {dryRunShort: true},
		"  -n int\n    \tnumber of things\n":                       {},
		"  --version-file FILE, --no-dry-run, see --api-version\n": {version: true},
		"": {},
	} {
		if text == "  --version-file FILE, --no-dry-run, see --api-version\n" {
			want = help{} // longer flags are other flags
		}
		if got := parseHelp(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestHasVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"0.1.0": true, "stock version 0.1.0 (go1.26)": true, "v0.1.0\n": true, "It is 0.1.0.": true, "stock/0.1.0": true,
		"10.1.0": false, "0.1.01": false, "0.1.0-dev.h1": false, "0.1.0+x": false, "0.1": false, "dev": false, "": false,
	} {
		if got := hasVersion(text, "0.1.0"); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("noise\n", 100)
	panics := long + "stock flag redefined: port\npanic: stock flag redefined: port\n\ngoroutine 1 [running]:\n" + long
	got := cause("what", panics)
	if lines := strings.Split(got, "\n"); lines[0] != "what" || !strings.HasPrefix(lines[4], "stock flag redefined") && !strings.HasPrefix(lines[3], "stock flag redefined") || len(lines) > gotool.CauseLines {
		t.Errorf("cause:\n%s", got)
	}
	if got := cause("what", long+"last\n"); !strings.HasSuffix(got, "\nlast") || strings.Count(got, "\n") != lastLines {
		t.Errorf("cause:\n%s", got)
	}
	if got := cause("what", "\n"); got != "what\n(no output)" {
		t.Errorf("cause: %q", got)
	}
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	o := &output{w: &strings.Builder{}}
	for range 100 {
		if _, err := o.Write(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(o.String()); n != keepOutput {
		t.Errorf("%d bytes are kept", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("panic: x\n", "1.2.3")
	f.Add("  -n\tdry\n v1.2.3.", "+.[")
	f.Fuzz(func(t *testing.T, text, version string) {
		parseHelp(text)
		hasVersion(text, version)
		if n := strings.Count(cause("what", text), "\n"); n >= gotool.CauseLines {
			t.Errorf("%d lines", n+1)
		}
	})
}

func TestProbeGRPC(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, status := grpc.NewServer(), health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, status)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	if err := grpcServing(t.Context(), l.Addr().String()); err != nil {
		t.Errorf("serving: %v", err)
	}
	status.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if err := grpcServing(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "not SERVING") {
		t.Errorf("not serving: %v", err)
	}
}

func TestProbeGRPCUnimplemented(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	go server.Serve(l)
	t.Cleanup(server.Stop)
	if err := grpcServing(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "does not implement") {
		t.Errorf("no health service: %v", err)
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	for setting, ok := range map[string]bool{"": true, "tcp": true, "http:/healthz": true, "http:/other": false, "grpc": false} {
		p, err := probeOf(setting)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.check(t.Context(), addressed{addr: addr}); (err == nil) != ok {
			t.Errorf("%q: %v", setting, err)
		}
	}
	if _, err := probeOf("https:/x"); err == nil {
		t.Error("an unknown probe was taken")
	}
}

// TestAnswersRelay: a relay that takes connections for a program which is not
// there must not count as the program.
func TestAnswersRelay(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	if err := answers(t.Context(), addressed{addr: l.Addr().String()}, likely); err == nil {
		t.Error("a connection that is closed at once counts")
	}
}

// addressed is an instance that is nothing but its address.
type addressed struct {
	instance.Instance
	addr string
}

func (a addressed) Addr() string { return a.addr }
