package cli

import "testing"

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "5GB": 5e9, "5 gb": 5e9, "1.5GB": 15e8, "800MB": 8e8, "12kB": 12e3, "2TB": 2e12, "7B": 7, "42": 42, " 1MB ": 1e6,
		"": -1, "GB": -1, "-1GB": -1, "five": -1, "nan": -1, "inf": -1, "1GiB": -1, "1e30": -1, "5GBMB": -1,
	} {
		got, err := parseAmount(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("parseAmount(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
}
