package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"

	"vrsky/sdk/go/connector"
)

const (
	toFile   = "file"
	toStdout = "stdout"

	formatNDJSON = "ndjson"
	formatRaw    = "raw"

	fsyncBatch = "batch"
	fsyncNone  = "none"

	pathMost    = 200
	rotateLeast = 1024
	rotateMost  = 1 << 40
	keepMost    = 1000
)

type destinationSettings struct {
	To          string `json:"to"`
	Path        string `json:"path"`
	Format      string `json:"format"`
	RotateBytes int64  `json:"rotateBytes"`
	Keep        int    `json:"keep"`
	Fsync       string `json:"fsync"`
}

// Neither absolute nor with a dot at the beginning of a part: nothing in it leads out of the folder.
var pathPattern = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)

// readDestination reads settings, and says of each field what is wrong with it.
func readDestination(settings json.RawMessage) (destinationSettings, []connector.FieldError) {
	read := destinationSettings{To: toFile, Format: formatNDJSON, RotateBytes: 64 << 20, Keep: 10, Fsync: fsyncBatch}
	problems := connector.ReadSettings(settings, &read)
	if problems != nil {
		return read, problems
	}
	require := func(holds bool, path, message string) {
		if !holds {
			problems = append(problems, connector.FieldError{Path: path, Message: message})
		}
	}
	require(read.To == toFile || read.To == toStdout, "/to", "Choose file or stdout.")
	if read.To == toFile && read.Path == "" {
		require(false, "/path", "Enter the path of the file.")
	} else if read.Path != "" {
		require(len(read.Path) <= pathMost && pathPattern.MatchString(read.Path), "/path",
			"A path has letters, digits, _, - and ., parts of it are separated by /, and no part begins with a dot: orders/eu.ndjson.")
	}
	require(read.Format == formatNDJSON || read.Format == formatRaw, "/format", "Choose ndjson or raw.")
	require(read.RotateBytes >= rotateLeast && read.RotateBytes <= rotateMost, "/rotateBytes", "A file has from 1,024 to 1,099,511,627,776 bytes.")
	require(read.Keep >= 1 && read.Keep <= keepMost, "/keep", "From 1 to 1,000 files are kept.")
	require(read.Fsync == fsyncBatch || read.Fsync == fsyncNone, "/fsync", "Choose batch or none.")
	return read, problems
}

// checkPath says what keeps a path from being written to, as far as that can be seen without writing.
func (c *scheduleAndFile) checkPath(name string) []connector.FieldError {
	if c.dataDir == "" {
		return []connector.FieldError{{Path: "/to", Message: "This node gives connectors no folder for files. Choose stdout, or ask its operator."}}
	}
	root, err := os.OpenRoot(c.dataDir)
	if err != nil {
		// No fault of the settings: a new version gets the folder when the old one leaves it. Test and the messages tell.
		return nil
	}
	defer root.Close()
	if err := plainPath(root, name); err != nil {
		return []connector.FieldError{{Path: "/path", Message: err.Error()}}
	}
	return nil
}

// plainPath refuses a path with anything but folders before its end and a regular file there; what does not exist yet is fine.
func plainPath(root *os.Root, name string) error {
	for end := range len(name) + 1 {
		if end < len(name) && name[end] != '/' {
			continue
		}
		part := name[:end]
		info, err := root.Lstat(part)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return fmt.Errorf("%s cannot be looked at on the node.", part)
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a link on the node: links are not followed.", part)
		case end < len(name) && !info.IsDir():
			return fmt.Errorf("%s is not a folder on the node.", part)
		case end == len(name) && !info.Mode().IsRegular():
			return fmt.Errorf("%s is not a file on the node.", part)
		}
	}
	return nil
}

// testDestination tries whether the folder can be written to, and leaves nothing behind.
func (c *scheduleAndFile) testDestination(settings json.RawMessage) []connector.Check {
	read, _ := readDestination(settings) // it has passed Validate
	if read.To == toStdout {
		return []connector.Check{{Name: "Write to the node's log", Passed: true, Detail: "That is always possible."}}
	}
	return []connector.Check{connector.RunCheck("Write beside "+read.Path, func() (string, error) {
		root, err := os.OpenRoot(c.dataDir)
		if err != nil {
			return "", errors.New("The folder for files of this node cannot be opened. Tell its operator.")
		}
		defer root.Close()
		folder := path.Dir(read.Path)
		for folder != "." {
			if _, err := root.Stat(folder); err == nil {
				break
			}
			folder = path.Dir(folder)
		}
		probe := path.Join(folder, fmt.Sprintf(".probe-%d", os.Getpid()))
		made, err := root.OpenFile(probe, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return "", errors.New("The folder cannot be written to. Tell the operator of the node.")
		}
		made.Close()
		if err := root.Remove(probe); err != nil {
			return "", errors.New("What was written cannot be removed again. Tell the operator of the node.")
		}
		return "The folder can be written to.", nil
	})}
}

// printer writes to the log of the node.
type printer struct{}

func (printer) send(_ context.Context, delivery connector.Delivery) connector.Result {
	fmt.Printf("%s\n", bytes.TrimSuffix(delivery.Payload, []byte("\n")))
	return connector.Result{Status: connector.ResultOK}
}

// line is a message as it is in a file.
func line(format string, payload []byte) ([]byte, error) {
	if format == formatRaw {
		return append(bytes.Clone(payload), '\n'), nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, payload); err != nil {
		return nil, err
	}
	compact.WriteByte('\n')
	return compact.Bytes(), nil
}
