// Package client is the demo client: one command for each method of the API.
// It shows what a consumer of the service needs: a connection, credentials, a
// deadline and the generated code.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cartv1 "gitlab.com/selfcontained/shop/cart/gen/cart/v1"
)

// Client runs the program.
type Client struct {
	// Stdout receives answers as JSON, Stderr errors.
	Stdout, Stderr io.Writer
	// Dial are additional options of the connection.
	Dial []grpc.DialOption
}

// New returns a Client that uses the network of the machine.
func New(stdout, stderr io.Writer) Client {
	return Client{Stdout: stdout, Stderr: stderr}
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
var errUsage = errors.New("see cart-client --help")

// Run does what args ask for and returns the exit code: 0 done, 1 the call
// failed, 2 wrong usage.
func (c Client) Run(ctx context.Context, args []string) int {
	err := c.run(ctx, args)
	if err == nil {
		return 0
	}
	fmt.Fprintln(c.Stderr, "cart-client:", err)
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
	return c.call(ctx, cfg, call)
}

func (c Client) call(ctx context.Context, cfg config, call call) error {
	conn, err := c.connect(cfg)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout)
	defer cancel()
	answer, err := call(ctx, cartv1.NewCartServiceClient(conn))
	if err != nil {
		return err
	}
	return c.print(answer)
}

func (c Client) connect(cfg config) (*grpc.ClientConn, error) {
	creds, err := cfg.credentials()
	if err != nil {
		return nil, err
	}
	opts := append([]grpc.DialOption{grpc.WithTransportCredentials(creds)}, c.Dial...)
	return grpc.NewClient("passthrough:///"+net.JoinHostPort(cfg.ip, strconv.Itoa(int(cfg.port))), opts...)
}

func (c Client) print(answer proto.Message) error {
	text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	_, err = fmt.Fprintln(c.Stdout, string(text))
	return err
}

func (c *config) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("cart-client", pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {} // Run reports a mistake once
	f.StringVar(&c.ip, "client-ip", "127.0.0.1", "address that the client dials: IP or host name")
	f.Uint16Var(&c.port, "client-port", 50052, "port that the client dials")
	f.BoolVarP(&c.useTLS, "usetls", "t", false, "dial with TLS")
	f.StringVarP(&c.caFile, "cafile", "a", "", "PEM file with the CA of the server's certificate;\nempty: the CAs of the machine")
	f.StringVarP(&c.certFile, "certfile", "c", "", "PEM file with a client's certificate")
	f.StringVarP(&c.keyFile, "privkeyfile", "k", "", "PEM file with the client's private key")
	f.DurationVar(&c.timeout, "timeout", 5*time.Second, "deadline of the call")
	f.BoolVarP(&c.help, "help", "h", false, "print this help")
	return f
}
