package connector

import (
	"runtime"
	"sync"

	"google.golang.org/protobuf/proto"
)

// Frames of the contract hold at most so much; an item that is larger alone travels alone.
const (
	frameItemsMax = 256
	frameBytesMax = 1 << 20
)

// queue gathers items into frames. While one frame is written the next items gather: frames grow by themselves under load, and
// nothing waits for a timer. One goroutine takes, any may add.
type queue[T proto.Message] struct {
	mu    sync.Mutex
	items []T
	added chan struct{}
}

func newQueue[T proto.Message]() *queue[T] {
	return &queue[T]{added: make(chan struct{}, 1)}
}

func (q *queue[T]) add(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	select {
	case q.added <- struct{}{}:
	default: // it is told already
	}
}

// next waits for the next frame. Once done is closed it gives what is left, and then nil.
func (q *queue[T]) next(done <-chan struct{}) []T {
	for {
		if frame := q.take(); frame != nil {
			return frame
		}
		select {
		case <-q.added:
			// Whoever waits for the processor first may have more for this frame. Otherwise each item would leave alone: the one that
			// takes is woken by the first item and runs next.
			runtime.Gosched()
		case <-done:
			return q.take()
		}
	}
}

func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	count, bytes := 0, 0
	for count < min(len(q.items), frameItemsMax) {
		bytes += proto.Size(q.items[count])
		if count > 0 && bytes > frameBytesMax {
			break
		}
		count++
	}
	if count == 0 {
		return nil
	}
	frame := q.items[:count:count]
	q.items = q.items[count:]
	return frame
}

func (q *queue[T]) clear() {
	q.mu.Lock()
	q.items = nil
	q.mu.Unlock()
}
