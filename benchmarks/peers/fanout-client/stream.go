package main

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

const (
	window     = 16 << 20 // larger than any answer here, so that no flow control is measured
	maxMessage = 256 << 20
	service    = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
)

// plain hands bytes through: requests are encoded and responses are read by wire.go.
type plain struct{}

func (plain) Name() string { return "proto" }

func (plain) Marshal(message any) (mem.BufferSlice, error) { return message.(mem.BufferSlice), nil }

func (plain) Unmarshal(data mem.BufferSlice, to any) error {
	s := to.(*stream)
	s.arrived = time.Now().UnixNano()
	body := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer body.Free()
	return s.latest.read(body.ReadOnlyData(), s.asked.delta)
}

// stream is one client: a connection of its own, one ADS stream on it, opened again whenever it breaks.
type stream struct {
	number  int
	address string
	asked   *question
	facts   *tally

	latest   response
	arrived  int64
	accepted []byte // the version that was confirmed last
	marker   uint64
	have     []bool
	missing  int
}

func newStream(number int, address string, asked *question, facts *tally) *stream {
	return &stream{number: number, address: address, asked: asked, facts: facts}
}

func (s *stream) run(ctx context.Context) {
	retry := backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.2, Jitter: 0.2, MaxDelay: 200 * time.Millisecond}
	connection, err := grpc.NewClient("passthrough:///"+s.address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(window),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(plain{}), grpc.MaxCallRecvMsgSize(maxMessage), grpc.WaitForReady(true)),
	)
	if err != nil {
		s.facts.fail(err)
	}
	defer connection.Close()
	for ctx.Err() == nil {
		err = s.converse(ctx, connection)
		s.facts.broke(s.missing == 0, err)
	}
}

// converse holds one stream until it breaks.
func (s *stream) converse(ctx context.Context, connection *grpc.ClientConn) error {
	s.have, s.missing, s.accepted = make([]bool, s.asked.names), s.asked.names, nil
	call, err := s.open(ctx, connection)
	if err != nil {
		return err
	}
	if err = call.SendMsg(s.asked.first(s.number)); err != nil {
		return call.RecvMsg(s)
	}
	for {
		if err = call.RecvMsg(s); err != nil {
			return err
		}
		s.note()
		words := ""
		if s.facts.refuse.Load() {
			words = "refused, as the benchmark wants it"
		} else {
			s.accepted = s.latest.version
		}
		if err = call.SendMsg(s.asked.confirmed(s.accepted, s.latest.nonce, words)); err != nil {
			return call.RecvMsg(s)
		}
	}
}

func (s *stream) open(ctx context.Context, connection *grpc.ClientConn) (grpc.ClientStream, error) {
	method := "StreamAggregatedResources"
	if s.asked.delta {
		method = "DeltaAggregatedResources"
	}
	description := &grpc.StreamDesc{StreamName: method, ServerStreams: true, ClientStreams: true}
	return connection.NewStream(ctx, description, service+method)
}

// note tells what the latest response brought.
func (s *stream) note() {
	s.facts.responses.Add(1)
	if s.missing > 0 {
		for _, number := range s.latest.names {
			if at := number - s.asked.from; at >= 0 && at < len(s.have) && !s.have[at] {
				s.have[at] = true
				s.missing--
			}
		}
		if s.missing == 0 {
			s.marker = s.latest.marker
			s.facts.complete(s.arrived)
		}
		return
	}
	if s.latest.marker != 0 && s.latest.marker != s.marker {
		s.marker = s.latest.marker
		s.facts.flipped(s.marker, s.arrived)
	}
}

// deaf is a connection whose reader stops for good after it was told to.
type deaf struct {
	net.Conn
	stopped atomic.Bool
}

func (d *deaf) Read(into []byte) (int, error) {
	if d.stopped.Load() {
		select {}
	}
	return d.Conn.Read(into)
}

// stop asks for everything and reads nothing any more. Its window is HTTP/2's own, 64 KiB, so a longer answer stays in
// the server.
func (s *stream) stop(ctx context.Context) {
	var socket *deaf
	connection, err := grpc.NewClient("passthrough:///"+s.address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(plain{}), grpc.WaitForReady(true)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			opened, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			socket = &deaf{Conn: opened}
			return socket, err
		}),
	)
	if err != nil {
		s.facts.fail(err)
	}
	call, err := s.open(ctx, connection)
	if err != nil {
		s.facts.fail(err)
	}
	socket.stopped.Store(true)
	if err = call.SendMsg(s.asked.first(s.number)); err != nil {
		s.facts.fail(err)
	}
	s.facts.say(map[string]any{"event": "stopped", "unread": s.unread(socket)})
}

// unread waits until bytes lie in the socket that nobody reads, and returns how many.
func (s *stream) unread(socket *deaf) int {
	for range 500 {
		if waiting := queued(socket.Conn.(*net.TCPConn)); waiting > 32<<10 {
			return waiting
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.facts.fail(os.ErrDeadlineExceeded)
	return 0
}
