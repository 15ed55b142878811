package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"gitlab.com/selfcontained/pipeline/stages/module/rootfs"
)

// config is the first message to the init.
type config struct {
	Mode Mode
	Root string
	User rootfs.User
	// SetUser is false when the user namespace has no user but the image's.
	SetUser  bool
	Argv     []string // empty: only try whether all can be set up
	Env      []string
	WorkDir  string
	Writable []string
	// Parent are the parent's namespaces, kind -> "mnt:[4026531841]".
	Parent map[string]string
	Port   int
}

// request is every later message to the init.
type request struct {
	Dial   int `json:",omitempty"` // id of a wanted connection to the port
	Signal int `json:",omitempty"` // for the program
}

// event is a message from the init.
type event struct {
	Kind  string // started, failed, exited, dialed
	Error string `json:",omitempty"`
	// Program is set when the program is what failed, not the sandbox.
	Program bool `json:",omitempty"`
	// Code and Signal are those of the program that has exited.
	Code   int `json:",omitempty"`
	Signal int `json:",omitempty"`
	// Dial is the id of the request; a file descriptor comes with the message
	// unless there is an Error.
	Dial int `json:",omitempty"`
}

const (
	started = "started"
	failed  = "failed"
	exited  = "exited"
	dialed  = "dialed"
)

// maxMessage is the size of the largest message, in bytes. Only the
// environment makes a message long.
const maxMessage = 192 << 10

// control is one end of the socket between parent and init. A message is one
// packet of JSON. It may be sent by any goroutine and received by one.
type control struct {
	conn *net.UnixConn
	buf  []byte // of the receiver
}

// controlPair returns the parent's end and the file for the init.
func controlPair() (*control, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket for the sandbox: %w", err)
	}
	child := os.NewFile(uintptr(fds[1]), "sandbox-init")
	c, err := newControl(os.NewFile(uintptr(fds[0]), "sandbox"))
	if err != nil {
		child.Close()
		return nil, nil, err
	}
	return c, child, nil
}

// newControl takes over the file.
func newControl(f *os.File) (*control, error) {
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("socket of the sandbox: %w", err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, errors.New("socket of the sandbox: not a Unix socket")
	}
	return &control{conn: unixConn, buf: make([]byte, maxMessage)}, nil
}

// send sends a message, and a file descriptor when fd is not negative.
func (c *control) send(message any, fd int) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(data) > maxMessage {
		return fmt.Errorf("message to the sandbox: %d bytes, at most %d (is the environment that large?)", len(data), maxMessage)
	}
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	_, _, err = c.conn.WriteMsgUnix(data, rights, nil)
	return err
}

// receive reads the next message and the file that came with it, or nil.
func (c *control) receive(message any) (*os.File, error) {
	rights := make([]byte, unix.CmsgSpace(4))
	n, nrights, _, _, err := c.conn.ReadMsgUnix(c.buf, rights)
	if errors.Is(err, unix.ECONNRESET) {
		// The other end closed with a request of ours unread. The kernel says
		// so once, before what that end had sent: its last words are still there.
		n, nrights, _, _, err = c.conn.ReadMsgUnix(c.buf, rights)
	}
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, net.ErrClosed
	}
	file, err := receivedFile(rights[:nrights])
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(c.buf[:n], message); err != nil {
		return nil, fmt.Errorf("message of the sandbox: %w", err)
	}
	return file, nil
}

func receivedFile(rights []byte) (*os.File, error) {
	if len(rights) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("message of the sandbox: no single descriptor: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("message of the sandbox: no single descriptor: %w", err)
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "connection"), nil
}
