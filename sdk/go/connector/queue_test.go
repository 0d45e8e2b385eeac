package connector

import (
	"runtime"
	"testing"

	pb "vrsky/sdk/go/gen/vrsky/connector/v1"
)

func TestAFrameHasAtMostSoManyItems(t *testing.T) {
	q := newQueue[*pb.SendResult]()
	for range frameItemsMax + 1 {
		q.add(&pb.SendResult{})
	}
	expectFrames(t, q, frameItemsMax, 1)
}

func TestAFrameHasAtMostSoManyBytesUnlessOneItemIsLarger(t *testing.T) {
	q := newQueue[*pb.SendResult]()
	for _, size := range []int{frameBytesMax / 2, frameBytesMax / 2, 2 * frameBytesMax, 1} {
		q.add(&pb.SendResult{PeerAnswer: make([]byte, size)})
	}
	expectFrames(t, q, 1, 1, 1, 1)
}

func TestWhatManyAddAtTheSameTimeLeavesTogether(t *testing.T) {
	// On one processor the one that takes would otherwise run after each that adds.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const count = 200
	q := newQueue[*pb.SendResult]()
	frames := make(chan int)
	go func() {
		for items, taken := 0, 1; items < count; taken++ {
			items += len(q.next(nil))
			if items >= count {
				frames <- taken
			}
		}
	}()
	for range count {
		go q.add(&pb.SendResult{})
	}
	if taken := <-frames; taken > count/10 {
		t.Fatalf("%d items left in %d frames", count, taken)
	}
}

// expectFrames takes everything, and then nil.
func expectFrames(t *testing.T, q *queue[*pb.SendResult], counts ...int) {
	t.Helper()
	done := make(chan struct{})
	close(done)
	for i, count := range append(counts, 0) {
		if frame := q.next(done); len(frame) != count {
			t.Fatalf("frame %d has %d items, not %d", i, len(frame), count)
		}
	}
}
