package server_test

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/mock/gomock"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"gitlab.com/selfcontained/shop/stock/internal/certtest"
	"gitlab.com/selfcontained/shop/stock/internal/server"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	files, strangers := certtest.New(t), certtest.New(t)
	config, err := server.LoadTLS(files.Cert, files.Key, files.CA)
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, NewMockStore(gomock.NewController(t)), server.Config{Log: quiet, TLS: config})
	tests := []struct {
		name  string
		creds credentials.TransportCredentials
		want  codes.Code
	}{
		{"no certificate", client(t, files.CA), codes.OK},
		{"known certificate", client(t, files.CA, files), codes.OK},
		{"unknown certificate", client(t, files.CA, strangers), codes.Unavailable},
		{"server is a stranger", client(t, strangers.CA), codes.Unavailable},
		{"plain text", insecure.NewCredentials(), codes.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := healthv1.NewHealthClient(r.dialWith(t, test.creds)).Check(t.Context(), &healthv1.HealthCheckRequest{})
			if status.Code(err) != test.want {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// client trusts the certificates in caFile and shows the first of own.
func client(t *testing.T, caFile string, own ...certtest.Files) credentials.TransportCredentials {
	t.Helper()
	pool, err := server.LoadCAs(caFile)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: pool, ServerName: "stock"}
	for _, files := range own {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
			return &pair, err
		}
	}
	return credentials.NewTLS(config)
}

func TestLoadTLSErrors(t *testing.T) {
	t.Parallel()
	files := certtest.New(t)
	absent := filepath.Join(t.TempDir(), "absent")
	tests := []struct {
		cert, key, ca string
		want          string
	}{
		{absent, files.Key, "", absent},
		{files.Cert, absent, "", absent},
		{files.Cert, certtest.New(t).Key, "", "private key does not match"},
		{files.Cert, files.Key, absent, absent},
		{files.Cert, files.Key, files.Key, "holds no PEM certificate"},
	}
	for _, test := range tests {
		_, err := server.LoadTLS(test.cert, test.key, test.ca)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
}
