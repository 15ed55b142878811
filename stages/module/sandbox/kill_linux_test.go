package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gitlab.com/selfcontained/pipeline/pipeline/proc"
	"gitlab.com/selfcontained/pipeline/stages/module/instance"
	"gitlab.com/selfcontained/pipeline/stages/module/moduletest"
	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"
	"gitlab.com/selfcontained/pipeline/stages/module/sandbox"
)

// hold is a process that dies while its sandbox runs: "MODE PORT ROOT".
func hold(arguments string) int {
	words := strings.SplitN(arguments, "|", 3)
	s, err := open(sandbox.Mode(words[0]), words[2], "")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var port int
	fmt.Sscan(words[1], &port)
	i, err := s.Start(context.Background(), instance.Spec{Argv: []string{"/stock", "-port", words[1]}, Port: port, Output: io.Discard})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if _, err := get(context.Background(), "http://"+i.Addr()+"/hello"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(i.Addr())
	<-i.Done()
	return 0
}

// TestKilled kills the parent with SIGKILL: neither processes nor mounts nor
// the port may be left.
func TestKilled(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, mode sandbox.Mode) {
		root := t.TempDir()
		img := moduletest.Image(t, programs.Static, "", nil)
		if _, err := rootfs.Unpack(t.Context(), img, root, rootfs.User{UID: 65532}, rootfs.Limits{}); err != nil {
			t.Fatal(err)
		}
		before := mounts(t)
		run := strings.ReplaceAll(t.Name(), " ", "-") + fmt.Sprint(os.Getpid())
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), proc.RunVariable+"="+run, fmt.Sprintf("%s=%s|%d|%s", holdVariable, mode, freePort(t), root))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		addr, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatalf("the process did not start its sandbox: %v", err)
		}
		if n := len(proc.Strays(run)); n != 3 {
			t.Errorf("%d processes, want the parent, the init and the program", n)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		deadline := time.Now().Add(10 * time.Second)
		for len(proc.Strays(run)) > 0 {
			if time.Now().After(deadline) {
				t.Fatalf("processes %v are left", proc.Strays(run))
			}
			time.Sleep(time.Millisecond)
		}
		if conn, err := net.Dial("tcp", strings.TrimSpace(addr)); err == nil {
			conn.Close()
			t.Error("the port still answers")
		}
		if after := mounts(t); after != before {
			t.Errorf("mounts are left:\n%s", after)
		}
	})
}
