// Package client is the demo client: one command for each operation of the HTTP
// API. It shows what a program needs to use the API: a deadline, escaped paths,
// and an eye on the type of a problem instead of its words.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"gitlab.com/selfcontained/shop/web/internal/problem"
	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

// maxAnswer bounds what an answer may take of the memory.
const maxAnswer = 1 << 20

// Client runs the program.
type Client struct {
	// Stdout receives answers as JSON, Stderr errors.
	Stdout, Stderr io.Writer
	// Dial opens the connections.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// New returns a Client that uses the network of the machine.
func New(stdout, stderr io.Writer) Client {
	return Client{Stdout: stdout, Stderr: stderr, Dial: new(net.Dialer).DialContext}
}

// config is what the command line says.
type config struct {
	ip       string
	port     uint16
	useTLS   bool
	certFile string
	keyFile  string
	caFile   string
	timeout  time.Duration
	help     bool
}

// errUsage marks mistakes in the command line.
var errUsage = errors.New("see web-client --help")

// Run does what args ask for and returns the exit code: 0 done, 1 the call
// failed, 2 wrong usage.
func (c Client) Run(ctx context.Context, args []string) int {
	err := c.run(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(c.Stderr, "web-client:", err)
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

func (c Client) run(ctx context.Context, args []string) error {
	var cfg config
	flags := cfg.flags()
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if cfg.help {
		_, err := fmt.Fprint(c.Stdout, usage())
		return err
	}
	call, err := parseCall(flags.Args())
	if err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	config, err := cfg.tls()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout)
	defer cancel()
	return c.do(ctx, cfg.baseURL(), config, call)
}

func (c Client) do(ctx context.Context, baseURL string, config *tls.Config, call call) error {
	request, err := http.NewRequestWithContext(ctx, call.method, baseURL+call.path, bytes.NewReader(call.body))
	if err != nil {
		return err
	}
	if call.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	// A transport of its own: no proxy, and nothing is kept for a next call.
	transport := &http.Transport{DialContext: c.Dial, TLSClientConfig: config, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return c.print(response)
}

// print writes the answer, or turns a problem into an error.
func (c Client) print(response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return failure(response, body)
	}
	_, err = c.Stdout.Write(body)
	return err
}

func failure(response *http.Response, body []byte) error {
	var p struct{ Type, Title, Detail string }
	if response.Header.Get("Content-Type") != problem.ContentType || json.Unmarshal(body, &p) != nil {
		return errors.New(response.Status)
	}
	return fmt.Errorf("%s: %s: %s (%s)", response.Status, p.Title, p.Detail, p.Type)
}

func (c *config) baseURL() string {
	scheme := "http"
	if c.useTLS {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(c.ip, strconv.Itoa(int(c.port)))
}

func (c *config) tls() (*tls.Config, error) {
	if !c.useTLS {
		if c.certFile+c.keyFile+c.caFile != "" {
			return nil, fmt.Errorf("--certfile, --privkeyfile and --cafile need --usetls; %w", errUsage)
		}
		return nil, nil
	}
	return tlsfiles.Client(c.certFile, c.keyFile, c.caFile)
}

func (c *config) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("web-client", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {} // Run reports a mistake once
	f.StringVar(&c.ip, "client-ip", "127.0.0.1", "address that the client dials: IP or host name")
	f.Uint16Var(&c.port, "client-port", 8080, "port that the client dials")
	f.BoolVarP(&c.useTLS, "usetls", "t", false, "dial with TLS")
	f.StringVarP(&c.caFile, "cafile", "a", "", "PEM file with the CA of the server's certificate;\nempty: the CAs of the machine")
	f.StringVarP(&c.certFile, "certfile", "c", "", "PEM file with a client's certificate")
	f.StringVarP(&c.keyFile, "privkeyfile", "k", "", "PEM file with the client's private key")
	f.DurationVar(&c.timeout, "timeout", 10*time.Second, "deadline of the call")
	f.BoolVarP(&c.help, "help", "h", false, "print this help")
	return f
}
