package tlsfiles_test

import (
	"cmp"
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/test/bufconn"

	"gitlab.com/selfcontained/shop/web/internal/certtest"
	"gitlab.com/selfcontained/shop/web/internal/tlsfiles"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	files, strangers := certtest.New(t), certtest.New(t)
	for name, test := range map[string]struct {
		cert, key, ca string // of the client
		good          bool
	}{
		"no certificate":       {"", "", files.CA, true},
		"known certificate":    {files.Cert, files.Key, files.CA, true},
		"unknown certificate":  {strangers.Cert, strangers.Key, files.CA, false},
		"server is a stranger": {"", "", strangers.CA, false},
		"machine's CAs":        {"", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := tlsfiles.Server(files.Cert, files.Key, files.CA)
			if err != nil {
				t.Fatal(err)
			}
			client, err := tlsfiles.Client(test.cert, test.key, test.ca)
			if err != nil {
				t.Fatal(err)
			}
			client.ServerName = "web"
			if err := handshake(server, client); (err == nil) != test.good {
				t.Errorf("error %v, want good: %v", err, test.good)
			}
		})
	}
}

// handshake returns the first error of the two sides. With TLS 1.3 a client
// learns that its certificate was refused after its own handshake.
func handshake(server, client *tls.Config) error {
	l := bufconn.Listen(1 << 16) // both sides may write at once, unlike with net.Pipe
	defer l.Close()
	failed := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = tls.Server(conn, server).Handshake()
		}
		failed <- err
	}()
	conn, err := l.Dial()
	if err == nil {
		err = tls.Client(conn, client).Handshake()
	}
	return cmp.Or(err, <-failed)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	files, absent := certtest.New(t), filepath.Join(t.TempDir(), "absent")
	for _, test := range []struct {
		cert, key, ca string
		want          string
	}{
		{absent, files.Key, "", absent},
		{files.Cert, absent, "", absent},
		{files.Cert, certtest.New(t).Key, "", "private key does not match"},
		{files.Cert, files.Key, absent, absent},
		{files.Cert, files.Key, files.Key, "holds no PEM certificate"},
	} {
		_, server := tlsfiles.Server(test.cert, test.key, test.ca)
		_, client := tlsfiles.Client(test.cert, test.key, test.ca)
		for side, err := range map[string]error{"server": server, "client": client} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: error %v, want one with %q", side, err, test.want)
			}
		}
	}
}
