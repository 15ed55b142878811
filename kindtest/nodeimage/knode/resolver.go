//go:build linux

package main

import (
	"net"
	"os"
	"strings"
)

// podResolv is the resolv.conf that the kubelet gives to pods.
const podResolv = "/run/resolv.conf"

// giveResolver gives pods a name server that they can reach. The container
// engine's own is on the loopback of the node's network namespace, so that it
// is relayed from the node's address.
func giveResolver(log *logger) error {
	raw, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	conf := parseResolv(string(raw))
	server := conf.server
	if ip := addressOf("eth0"); ip != "" && onLoopback(server) {
		err := relay(net.JoinHostPort(ip, "53"), net.JoinHostPort(server, "53"), log)
		log.note(err) // the kubelet wants the file even so
		if err == nil {
			server = ip
		}
	}
	return os.WriteFile(podResolv, []byte(conf.render(server)), 0o644)
}

// resolv is a resolv.conf(5): the first name server, and the other lines.
type resolv struct {
	server string
	rest   []string
}

// parseResolv drops comments and every name server but the first: pods get
// one, and it stands for all. A file without any means Docker's own.
func parseResolv(text string) resolv {
	var c resolv
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0][0] == '#' || f[0][0] == ';':
		case f[0] != "nameserver":
			c.rest = append(c.rest, strings.Join(f, " "))
		case len(f) > 1 && c.server == "":
			c.server = f[1]
		}
	}
	if c.server == "" {
		c.server = "127.0.0.11"
	}
	return c
}

func (c resolv) render(server string) string {
	return strings.Join(append([]string{"nameserver " + server}, c.rest...), "\n") + "\n"
}

func onLoopback(server string) bool {
	ip := net.ParseIP(server)
	return ip != nil && ip.IsLoopback()
}

// addressOf returns the interface's first IPv4 address, or "".
func addressOf(name string) string {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return ""
	}
	addrs, err := ifc.Addrs()
	if err != nil {
		return ""
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}
