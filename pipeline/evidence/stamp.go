package evidence

import (
	"io/fs"
	"syscall"
)

// Stamp is what the file system says of a file. A program cannot set the
// change time, so equal stamps mean equal content; a stamp that is not Known
// equals nothing.
type Stamp struct {
	Known bool        `json:"known"`
	Dev   uint64      `json:"dev"`
	Ino   uint64      `json:"ino"`
	Size  int64       `json:"size"`
	Mode  fs.FileMode `json:"mode"`
	Mtime int64       `json:"mtime"` // nanoseconds since 1970
	Ctime int64       `json:"ctime"` // nanoseconds since 1970
}

// StampOf returns the stamp of a file from its Lstat.
func StampOf(info fs.FileInfo) Stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Stamp{}
	}
	return Stamp{
		Known: true, Dev: uint64(st.Dev), Ino: st.Ino, Size: info.Size(), Mode: info.Mode(),
		Mtime: info.ModTime().UnixNano(), Ctime: changeTime(st),
	}
}

// Same reports whether the file is certainly the same as when other was taken.
func (s Stamp) Same(other Stamp) bool { return s.Known && s == other }
