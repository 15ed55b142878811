package tlsfile_test

import (
	"crypto/tls"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/test/bufconn"

	"gitlab.com/selfcontained/shop/cart/internal/certtest"
	"gitlab.com/selfcontained/shop/cart/internal/tlsfile"
)

func TestHandshakes(t *testing.T) {
	t.Parallel()
	ours, strangers := certtest.New(t), certtest.New(t)
	for _, test := range []struct {
		name          string
		clientsCA     string
		ca, cert, key string
		refused       bool
	}{
		{"no certificate is asked for", "", ours.CA, "", "", false},
		{"a client may have no certificate", ours.CA, ours.CA, "", "", false},
		{"a client's certificate is known", ours.CA, ours.CA, ours.Cert, ours.Key, false},
		{"a client's certificate is not known", ours.CA, ours.CA, strangers.Cert, strangers.Key, true},
		{"the server is a stranger", "", strangers.CA, "", "", true},
		{"the machine does not know the server", "", "", "", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, err := tlsfile.Server(ours.Cert, ours.Key, test.clientsCA)
			if err != nil {
				t.Fatal(err)
			}
			client, err := tlsfile.Client(test.ca, test.cert, test.key)
			if err != nil {
				t.Fatal(err)
			}
			client.ServerName = "cart"
			if err := handshake(server, client); (err != nil) != test.refused {
				t.Errorf("error %v, want refused %v", err, test.refused)
			}
		})
	}
}

func TestOldVersionsAreRefused(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	server, err := tlsfile.Server(files.Cert, files.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	client, err := tlsfile.Client(files.CA, "", "")
	if err != nil {
		t.Fatal(err)
	}
	client.ServerName = "cart"
	old := client.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := handshake(server, old); err == nil {
		t.Error("the server takes TLS 1.2")
	}
	oldServer := server.Clone()
	oldServer.MinVersion, oldServer.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := handshake(oldServer, client); err == nil {
		t.Error("the client takes TLS 1.2")
	}
}

// handshake returns what either side has against the other. A client of TLS 1.3
// is done before the server has seen its certificate.
func handshake(server, client *tls.Config) error {
	listener := bufconn.Listen(1 << 16)
	defer listener.Close()
	refused := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = tls.Server(conn, server).Handshake()
		}
		refused <- err
	}()
	conn, err := listener.Dial()
	if err != nil {
		return err
	}
	if err = tls.Client(conn, client).Handshake(); err != nil {
		conn.Close() // the server would wait for a client that said nothing
	}
	return errors.Join(err, <-refused)
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	files, absent := certtest.New(t), filepath.Join(t.TempDir(), "absent")
	server := func(cert, key, ca string) error { _, err := tlsfile.Server(cert, key, ca); return err }
	client := func(ca, cert, key string) error { _, err := tlsfile.Client(ca, cert, key); return err }
	for _, test := range []struct {
		err  error
		want string
	}{
		{server(absent, files.Key, ""), absent},
		{server(files.Cert, absent, ""), absent},
		{server(files.Cert, certtest.New(t).Key, ""), "private key does not match"},
		{server(files.Cert, files.Key, absent), absent},
		{server(files.Cert, files.Key, files.Key), "holds no PEM certificate"},
		{client(absent, "", ""), absent},
		{client(files.Key, "", ""), "holds no PEM certificate"},
		{client("", files.Cert, ""), "load certificate"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", test.err, test.want)
		}
	}
}
