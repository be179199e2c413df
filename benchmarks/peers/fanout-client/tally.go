package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// tally counts over all streams and prints a line whenever the last of them has something.
type tally struct {
	streams, subscribers int
	started              int64
	refuse               atomic.Bool
	responses, broken    atomic.Int64

	lock     sync.Mutex
	ready    []int64
	arrivals map[uint64][]int64
	reason   error
}

func newTally(streams, subscribers int) *tally {
	return &tally{streams: streams, subscribers: subscribers, arrivals: map[uint64][]int64{}}
}

func (t *tally) say(line map[string]any) {
	printed, err := json.Marshal(line)
	if err != nil {
		t.fail(err)
	}
	os.Stdout.Write(append(printed, '\n'))
}

func (t *tally) fail(err error) {
	fmt.Fprintln(os.Stderr, "fanout-client:", err)
	os.Exit(1)
}

// complete notes that one stream has every name it asked for.
func (t *tally) complete(at int64) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.ready = append(t.ready, at)
	if len(t.ready) == t.streams {
		t.spread("ready", 0, t.ready)
	}
}

// flipped notes that one stream has the change with this marker.
func (t *tally) flipped(marker uint64, at int64) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.arrivals[marker] = append(t.arrivals[marker], at)
	if len(t.arrivals[marker]) == t.subscribers {
		t.spread("flip", marker, t.arrivals[marker])
		delete(t.arrivals, marker)
	}
}

func (t *tally) spread(event string, marker uint64, times []int64) {
	sorted := slices.Sorted(slices.Values(times))
	t.say(map[string]any{
		"event": event, "marker": marker, "started": t.started,
		"p50": sorted[len(sorted)/2], "p99": sorted[len(sorted)*99/100], "last": sorted[len(sorted)-1],
	})
}

// broke notes the end of a stream, which will be opened again.
func (t *tally) broke(wasComplete bool, err error) {
	t.broken.Add(1)
	t.lock.Lock()
	defer t.lock.Unlock()
	t.reason = err
	if wasComplete {
		t.ready = t.ready[:len(t.ready)-1]
	}
}

func (t *tally) count() {
	t.lock.Lock()
	defer t.lock.Unlock()
	reason := ""
	if t.reason != nil {
		reason = t.reason.Error()
	}
	t.say(map[string]any{
		"event": "count", "responses": t.responses.Load(), "broken": t.broken.Load(), "reason": reason,
	})
}

// queued returns the bytes that lie unread in a socket.
func queued(socket *net.TCPConn) int {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	waiting := 0
	_ = raw.Control(func(descriptor uintptr) { waiting, _ = unix.IoctlGetInt(int(descriptor), unix.TIOCINQ) })
	return waiting
}
