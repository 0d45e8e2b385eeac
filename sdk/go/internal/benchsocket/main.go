// Command benchsocket is the other end of a raw unix socket for `npm run bench:plugin`: what a connector carries, without a protocol.
// It listens on the socket that its argument names and says so on stdout. A line begins with nine bytes of the host: s when the host
// sends or r when it receives, the length of a message, and how many may be on the way. A message is its length in four bytes and
// itself; the answer to it is its number and a status, four bytes each. Numbers are big-endian.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
)

const (
	// Messages in one write, as in a frame of the connector protocol.
	frameItemsMax = 256
	bufferBytes   = 1 << 20
	lengthBytes   = 4
	answerBytes   = 8
	statusOK      = 1
)

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for {
		line, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go serve(line)
	}
}

func serve(line net.Conn) {
	defer line.Close()
	reader := bufio.NewReaderSize(line, bufferBytes)
	var head [9]byte
	if _, err := io.ReadFull(reader, head[:]); err != nil {
		return
	}
	length, window := binary.BigEndian.Uint32(head[1:]), binary.BigEndian.Uint32(head[5:])
	work := receive
	if head[0] == 'r' {
		work = send
	}
	// It ends when the host ends the line, be it in the middle of a message.
	_ = work(line, reader, int(length), int(window))
}

// receive answers every message; answers leave together once nothing more has been read.
func receive(line io.Writer, reader *bufio.Reader, length, _ int) error {
	message := make([]byte, length)
	answers := make([]byte, 0, frameItemsMax*answerBytes)
	for number := uint32(0); ; number++ {
		var size [lengthBytes]byte
		if _, err := io.ReadFull(reader, size[:]); err != nil {
			return err
		}
		if _, err := io.ReadFull(reader, message[:min(int(binary.BigEndian.Uint32(size[:])), length)]); err != nil {
			return err
		}
		answers = binary.BigEndian.AppendUint32(answers, number)
		answers = binary.BigEndian.AppendUint32(answers, statusOK)
		if reader.Buffered() < lengthBytes+length || len(answers) == cap(answers) {
			if _, err := line.Write(answers); err != nil {
				return err
			}
			answers = answers[:0]
		}
	}
}

// send keeps `window` messages on the way; what the answers make room for leaves together.
func send(line io.Writer, reader *bufio.Reader, length, window int) error {
	frame := make([]byte, frameItemsMax*(lengthBytes+length))
	for i := range frameItemsMax {
		binary.BigEndian.PutUint32(frame[i*(lengthBytes+length):], uint32(length))
	}
	for room := window; ; {
		for room > 0 {
			count := min(room, frameItemsMax)
			if _, err := line.Write(frame[:count*(lengthBytes+length)]); err != nil {
				return err
			}
			room -= count
		}
		if _, err := reader.Peek(answerBytes); err != nil {
			return err
		}
		room = reader.Buffered() / answerBytes
		if _, err := reader.Discard(room * answerBytes); err != nil {
			return err
		}
	}
}
