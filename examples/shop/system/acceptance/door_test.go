//go:build acceptance

package acceptance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// warmUp is how long the shop may take until it answers: that every service is
// ready does not mean that each has found its neighbours.
const warmUp = 15 * time.Second

// patience is how long a customer waits for an answer.
const patience = 10 * time.Second

// door is where the shop is entered. All tests share one HTTP/2 connection.
type door struct {
	url    string
	client http.Client
}

// theDoor finds the shop and waits until it is open, once for all tests.
var theDoor = sync.OnceValues(func() (*door, error) {
	address, err := setting("PIPELINE_ADDR_WEB")
	if err != nil {
		return nil, err
	}
	authorities, err := trusted()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}, ForceAttemptHTTP2: true} // and no proxy
	d := &door{"https://" + address, http.Client{Transport: transport, Timeout: patience}}
	return d, d.waitUntilOpen()
})

// setting returns what the pipeline says about the installed system.
func setting(variable string) (string, error) {
	value := os.Getenv(variable)
	if value == "" {
		return "", errors.New(variable + " is not set; `pipeline scs test` sets it, README.md says how to do without")
	}
	return value, nil
}

// trusted are the authorities that the shop's certificate is verified with.
func trusted() (*x509.CertPool, error) {
	file, err := setting("PIPELINE_TLS_CA")
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("PIPELINE_TLS_CA: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("PIPELINE_TLS_CA: %s holds no certificate", file)
	}
	return authorities, nil
}

// waitUntilOpen asks for an article until there is an answer that does not say
// that a part of the shop is away.
func (d *door) waitUntilOpen() error {
	ctx, cancel := context.WithTimeout(context.Background(), warmUp)
	defer cancel()
	for {
		status, body, err := d.send(ctx, http.MethodGet, "/api/articles?page_size=1", "")
		if err == nil && status != http.StatusServiceUnavailable && status != http.StatusGatewayTimeout {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the shop is not open after %v: status %d: %s: %w", warmUp, status, body, errors.Join(err, ctx.Err()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// send sends a request and returns status and body of the answer.
func (d *door) send(ctx context.Context, method, path, body string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, d.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := d.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}
