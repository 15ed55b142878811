package suite

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEnvironment looks at what a suite is told.
func TestEnvironment(t *testing.T) {
	for _, name := range []string{
		"PIPELINE_SYSTEM", "PIPELINE_COMBINATION", "PIPELINE_NAMESPACE", "PIPELINE_ADDR_STOCK", "PIPELINE_ADDR_CART", "PIPELINE_VERSION_STOCK", "PIPELINE_VERSION_CART",
	} {
		if os.Getenv(name) == "" {
			t.Errorf("%s is not set", name)
		}
	}
	if ns := os.Getenv("PIPELINE_NAMESPACE"); !strings.HasPrefix(ns, os.Getenv("PIPELINE_SYSTEM")+"-") {
		t.Errorf("the namespace is %s", ns)
	}
	ca, err := os.ReadFile(os.Getenv("PIPELINE_TLS_CA"))
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(ca) {
		t.Errorf("PIPELINE_TLS_CA: %v", err)
	}
	if config, err := os.ReadFile(os.Getenv("PIPELINE_KUBECONFIG")); err != nil || len(config) == 0 {
		t.Errorf("PIPELINE_KUBECONFIG: %v", err)
	}
	if err := os.WriteFile(filepath.Join(os.Getenv("PIPELINE_DATA"), "x"), nil, 0o600); err != nil {
		t.Error(err)
	}
}
