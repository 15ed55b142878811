package secrets_test

import (
	"strings"
	"testing"

	"gitlab.com/selfcontained/pipeline/stages/container/secrets"
)

// body is the shape of a key's first lines.
var body = strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n", 1) + strings.Repeat("A", 64)

func words(parts ...string) string { return strings.Join(parts, "") }

func TestScan(t *testing.T) {
	t.Parallel()
	line := strings.Repeat("MIIEowIBAAKCAQEA", 4)
	begin := words("-----BEGIN ", "PRIVATE KEY-----")
	token := words("glpat", "-aB3dE5gH7jK9mN1pQ3sT")
	for name, test := range map[string]struct{ path, content, want string }{
		"key":                   {"k", "x\n" + begin + "\n" + line, "private key"},
		"rsa key":               {"k", words("-----BEGIN ", "RSA PRIVATE KEY-----\r\n", line), "private key"},
		"key with headers":      {"k", words("-----BEGIN ", "EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n", line), "private key"},
		"openssh key":           {"k", words("-----BEGIN ", "OPENSSH PRIVATE KEY-----\n", line), "private key"},
		"pgp key":               {"k", words("-----BEGIN ", "PGP PRIVATE KEY BLOCK-----\n\n", line), "private key"},
		"key in JSON":           {"k", `{"private_key": "` + begin + `\n` + line, "private key"},
		"indented key":          {"k", "key: |\n  " + begin + "\n  " + line, "private key"},
		"key in a program":      {"k", "\x7fELF....." + begin + "\n" + line, "private key"},
		"header alone":          {"k", begin + begin + "\nno key", ""},
		"header in a program":   {"k", "\x7fELF" + begin + "-----END CERTIFICATE-----" + line, ""},
		"public key":            {"k", words("-----BEGIN ", "PUBLIC KEY-----\n", line), ""},
		"certificate":           {"k", words("-----BEGIN ", "CERTIFICATE-----\n", line), ""},
		"gitlab":                {"k", "token=" + token, "GitLab token"},
		"gitlab in a program":   {"k", "\x7fELFabc" + token + "golang", "GitLab token"},
		"words in a program":    {"k", "\x7fELF" + words("glpat", "-golanggoroothashesheader"), ""},
		"part of a longer word": {"k", "x" + token, ""},
		"short":                 {"k", words("glpat", "-short"), ""},
		"aws":                   {"k", "id: " + words("AKIA", "Q3EGRD5CZ2JWAB7X") + "\n", "AWS access key"},
		"aws documentation":     {"k", "id: " + words("AKIA", "IOSFODNN7EXAMPLE"), ""},
		"netrc":                 {"/root/.netrc", "machine", "credentials of curl and git (netrc)"},
		"empty netrc":           {"/root/.netrc", "", ""},
		"git":                   {".git-credentials", "https://a:b@c", "credentials of git"},
		"ssh":                   {"/root/.ssh/id_rsa", "x", "private key of ssh"},
		"public ssh":            {"/root/.ssh/id_rsa.pub", "x", ""},
		"docker":                {"/root/.docker/config.json", `{"auths":{"r":{"auth":"eA=="}}}`, "credentials of docker"},
		"docker helper":         {"/root/.docker/config.json", `{"auths":{"r":{}},"credsStore":"x"}`, ""},
		"another config.json":   {"/etc/app/config.json", `{"auth":"basic"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := secrets.Scan(test.path, strings.NewReader(test.content))
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, f := range found {
				kinds = append(kinds, f.Kind)
			}
			if got := strings.Join(kinds, ", "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestAcrossWindows moves a key over the border of the scanner's window.
func TestAcrossWindows(t *testing.T) {
	t.Parallel()
	for _, before := range []int{1<<20 - 2000, 1<<20 - 100, 1<<20 - 30, 1<<20 - 5, 1 << 20, 1<<20 + 3} {
		content := strings.Repeat(" ", before) + words("-----BEGIN ", "PRIVATE KEY-----\n") + strings.Repeat("MIIEowIBAAKCAQEA", 4)
		found, err := secrets.Scan("k", strings.NewReader(content))
		if err != nil || len(found) != 1 {
			t.Errorf("at %d: %v, %v", before, found, err)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add("k", words("-----BEGIN ", "PRIVATE KEY-----\n", body), 3)
	f.Add(".netrc", "\x7fELF"+words("glpat", "-"), 1)
	f.Add("k", words("AKIA", "AKIAAKIAAKIA"), 2)
	f.Fuzz(func(t *testing.T, path, content string, cut int) {
		whole := secrets.Text(path, content)
		s := secrets.NewScanner(path)
		at := min(max(cut, 0), len(content))
		_, _ = s.Write([]byte(content[:at]))
		_, _ = s.Write([]byte(content[at:]))
		if got := s.Findings(); len(got) != len(whole) {
			t.Errorf("in one piece %v, in two %v", whole, got)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	content := []byte(strings.Repeat("a line of text without secrets in it\n", 15<<20/37))
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		s := secrets.NewScanner("k")
		_, _ = s.Write(content)
		s.Findings()
	}
}
