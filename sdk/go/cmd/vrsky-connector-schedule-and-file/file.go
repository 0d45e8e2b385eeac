package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"vrsky/sdk/go/connector"
)

// file appends messages to a row of files: path, path.1, path.2 and so on, of which the last is written to. Messages that come
// while a batch is written are the next batch, so that they share one wait for the disk.
type file struct {
	settings destinationSettings
	dataDir  string

	// after is closed when the file of the settings before these is; nil when there was none.
	after <-chan struct{}
	// released is closed when this one is closed and everything is written.
	released chan struct{}

	mu      sync.Mutex
	waiting []entry
	writing bool
	closed  bool

	// Of the goroutine that writes.
	root    *os.Root
	current *os.File
	number  int
	size    int64
}

type entry struct {
	line   []byte
	result chan<- error
}

func newFile(dataDir string, settings destinationSettings, after <-chan struct{}) *file {
	return &file{dataDir: dataDir, settings: settings, after: after, released: make(chan struct{})}
}

var notConfigured = connector.Result{
	Status: connector.ResultRetryable,
	Source: connector.ErrorPlugin,
	Code:   "not_configured",
	Reason: "This destination is not set up on the node yet, or no more.",
}

func (f *file) send(_ context.Context, delivery connector.Delivery) connector.Result {
	text, err := line(f.settings.Format, delivery.Payload)
	if err != nil {
		return connector.Result{
			Status: connector.ResultPermanent,
			Code:   "not_json",
			Reason: "The message is not JSON. Convert it before this destination, or choose the format raw.",
		}
	}
	result := make(chan error, 1)
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return notConfigured
	}
	f.waiting = append(f.waiting, entry{text, result})
	begin := !f.writing
	f.writing = true
	f.mu.Unlock()
	if begin {
		go f.write()
	}
	// Not given up with the node's stream: what is written is written, and drains wait for it.
	return toResult(<-result)
}

// close takes nothing more, and ends the file once what waits is written.
func (f *file) close() {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	f.closed = true
	begin := !f.writing
	f.writing = true
	f.mu.Unlock()
	if begin {
		go f.write()
	}
}

// write runs while there is something to write.
func (f *file) write() {
	for {
		f.mu.Lock()
		batch := f.waiting
		f.waiting = nil
		if len(batch) == 0 {
			if f.closed {
				f.release()
				close(f.released)
			}
			f.writing = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		for len(batch) > 0 {
			batch = f.append(batch)
		}
	}
}

// append writes as many entries as the current file takes, answers them, and gives back the others.
func (f *file) append(batch []entry) []entry {
	var part bytes.Buffer
	count := 0
	err := f.open()
	if err == nil && f.size > 0 && f.size+int64(len(batch[0].line)) > f.settings.RotateBytes {
		err = f.rotate()
	}
	for _, each := range batch {
		if count > 0 && f.size+int64(part.Len()+len(each.line)) > f.settings.RotateBytes {
			break
		}
		part.Write(each.line)
		count++
	}
	if err == nil {
		err = f.put(part.Bytes())
	}
	for _, each := range batch[:count] {
		each.result <- err
	}
	return batch[count:]
}

func (f *file) put(data []byte) error {
	_, err := f.current.Write(data)
	if err == nil && f.settings.Fsync == fsyncBatch {
		err = f.current.Sync()
	}
	if err == nil {
		f.size += int64(len(data))
		return nil
	}
	// None of it counts: the messages come again, and half a line would spoil the next one. After a failed sync nobody knows what the
	// file has; opened anew it tells.
	undo := f.current.Truncate(f.size)
	f.release()
	return errors.Join(err, undo)
}

// open finds the last file of the row, or makes the first one.
func (f *file) open() error {
	if f.current != nil {
		return nil
	}
	if f.after != nil {
		<-f.after
	}
	root, err := os.OpenRoot(f.dataDir)
	if err != nil {
		return err
	}
	f.root = root
	numbers, err := f.numbers()
	if err == nil && len(numbers) > 0 {
		f.number = numbers[len(numbers)-1]
	}
	if err == nil {
		err = f.openNumber(f.number)
	}
	if err != nil {
		f.release()
	}
	return err
}

// rotate begins the next file and removes those that are too many.
func (f *file) rotate() error {
	if err := f.current.Close(); err != nil {
		log.Warn("a full file could not be closed", "path", f.settings.Path, "error", err)
	}
	f.current = nil
	if err := f.openNumber(f.number + 1); err != nil {
		f.release()
		return err
	}
	numbers, err := f.numbers()
	if err != nil {
		return err
	}
	for _, old := range numbers[:max(0, len(numbers)-f.settings.Keep)] {
		if err := f.root.Remove(f.name(old)); err != nil {
			log.Warn("an old file could not be removed", "path", f.name(old), "error", err)
		}
	}
	return nil
}

var errNotPlain = errors.New("there is something else than a file in the place of the file")

// openNumber opens or makes one file of the row for appending. Links are refused here as well: they may be made at any time.
func (f *file) openNumber(number int) error {
	name := f.name(number)
	if err := plainPath(f.root, name); err != nil {
		return errors.Join(errNotPlain, err)
	}
	if err := f.makeFolders(path.Dir(name)); err != nil {
		return err
	}
	opened, err := f.root.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	there, err := f.root.Lstat(name)
	info, statErr := opened.Stat()
	if err = errors.Join(err, statErr); err == nil && !os.SameFile(there, info) {
		err = errNotPlain
	}
	if err == nil {
		// Not beside the process before this one: it would be mended while it is written.
		err = syscall.Flock(int(opened.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err == nil {
		f.size, err = mend(opened, info.Size(), f.settings.Format)
	}
	if err != nil {
		opened.Close()
		return err
	}
	f.current, f.number = opened, number
	return nil
}

func (f *file) makeFolders(folder string) error {
	if folder == "." {
		return nil
	}
	if err := f.makeFolders(path.Dir(folder)); err != nil {
		return err
	}
	if err := f.root.Mkdir(folder, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// mend ends a file with a whole line: a crash may have left half of one, of a message that got no result and comes again. Answers
// how long the file is then.
func mend(opened *os.File, size int64, format string) (int64, error) {
	const chunk = 64 << 10
	buffer := make([]byte, chunk)
	for end := size; end > 0; {
		begin := max(0, end-chunk)
		part := buffer[:end-begin]
		if _, err := opened.ReadAt(part, begin); err != nil && err != io.EOF {
			return 0, err
		}
		last := bytes.LastIndexByte(part, '\n')
		if end == size && last == len(part)-1 {
			return size, nil
		}
		if format == formatRaw {
			// A message of its own may have line breaks: where it began nobody knows.
			_, err := opened.Write([]byte{'\n'})
			return size + 1, err
		}
		if last >= 0 {
			size = begin + int64(last) + 1
			return size, opened.Truncate(size)
		}
		end = begin
	}
	return 0, opened.Truncate(0)
}

// numbers are those of the files that there are, ascending.
func (f *file) numbers() ([]int, error) {
	if err := plainPath(f.root, f.settings.Path); err != nil {
		return nil, errors.Join(errNotPlain, err)
	}
	folder, err := f.root.Open(path.Dir(f.settings.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	var numbers []int
	base := path.Base(f.settings.Path)
	for _, there := range entries {
		if there.Name() == base {
			numbers = append(numbers, 0)
		} else if rest, ok := strings.CutPrefix(there.Name(), base+"."); ok {
			if number, err := strconv.Atoi(rest); err == nil && number > 0 && strconv.Itoa(number) == rest {
				numbers = append(numbers, number)
			}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (f *file) name(number int) string {
	if number == 0 {
		return f.settings.Path
	}
	return f.settings.Path + "." + strconv.Itoa(number)
}

func (f *file) release() {
	if f.current != nil {
		f.current.Close()
		f.current = nil
	}
	if f.root != nil {
		f.root.Close()
		f.root = nil
	}
}

func toResult(err error) connector.Result {
	result := connector.Result{Status: connector.ResultRetryable, Code: "write_failed", Reason: "The file could not be written on the node."}
	switch {
	case err == nil:
		return connector.Result{Status: connector.ResultOK}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		result.Code, result.Reason = "disk_full", "The disk of the node is full."
	case errors.Is(err, syscall.EWOULDBLOCK):
		result.Code, result.Reason = "file_in_use", "Another process writes to the file."
	case errors.Is(err, errNotPlain):
		result.Status, result.Code = connector.ResultPermanent, "not_a_file"
		result.Reason = "In the place of the file there is a link or a folder on the node. Choose another path."
	}
	log.Error("messages could not be written", "code", result.Code, "error", err)
	return result
}
