package doctor

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// proxies looks whether requests to this machine, and to an engine elsewhere,
// go past the proxy. Go's own client knows loopback addresses without being
// told; curl, and what is written in other languages, does not.
func (d *patient) proxies(context.Context) []Finding {
	return []Finding{proxyLine(os.Getenv)}
}

func proxyLine(getenv func(string) string) Finding {
	var set []string
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		for _, name := range []string{name, strings.ToLower(name)} {
			if value := getenv(name); value != "" {
				set = append(set, name+"="+value)
			}
		}
	}
	if len(set) == 0 {
		return Finding{State: OK, Found: "none in the environment"}
	}
	except := getenv("NO_PROXY")
	if except == "" {
		except = getenv("no_proxy")
	}
	l := Finding{State: OK, Found: strings.Join(set, ", ")}
	missing := notExcepted(except, remoteEngine(getenv("DOCKER_HOST")))
	if len(missing) == 0 {
		return l
	}
	l.State = Warning
	l.Found += "; NO_PROXY lacks " + strings.Join(missing, ", ")
	l.Consequence = "tests that speak with a service under test, or with the cluster, may ask the proxy instead"
	all := strings.Join(missing, ",")
	if except != "" {
		all = except + "," + all
	}
	l.Remedy = fmt.Sprintf("`export NO_PROXY=%s no_proxy=%s`", all, all)
	return l
}

// notExcepted returns the hosts that NO_PROXY must have and has not.
func notExcepted(except, engine string) []string {
	hosts := []string{"localhost", "127.0.0.1"}
	if engine != "" {
		hosts = append(hosts, engine)
	}
	var entries []string
	for _, e := range strings.Split(except, ",") {
		entries = append(entries, strings.TrimSpace(e))
	}
	if slices.Contains(entries, "*") {
		return nil
	}
	return slices.DeleteFunc(hosts, func(host string) bool {
		return slices.Contains(entries, host) || host == "127.0.0.1" && slices.Contains(entries, "127.0.0.0/8")
	})
}

// remoteEngine returns the host of an engine that is not on this machine; its
// published ports, and the cluster's API server, are there.
func remoteEngine(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.Scheme != "tcp" || u.Hostname() == "localhost" || strings.HasPrefix(u.Hostname(), "127.") {
		return ""
	}
	return u.Hostname()
}
