// SPDX-License-Identifier: Apache-2.0

// A SPIFFE Workload API that does what it is told: the service is the one of go-spiffe's published protobuf
// package, its answers come from standard input, one JSON command a line, each answered by one line of JSON.
//
//	{"do": "listen", "address": "unix:PATH" | "tcp:IP:PORT"}  serve; where it serves already, end that first
//	{"do": "die"}                                             cut every connection, stop listening
//	{"do": "x509", "message": BASE64}                         the X509BundlesResponse from now on, sent to all streams
//	{"do": "jwt", "message": BASE64}                          likewise the JWTBundlesResponse
//	{"do": "fail", "code": N, "text": T}                      streams end with this status, new ones too
//	{"do": "end"}                                             streams end with OK; new ones are served
//	{"do": "hang", "on": true | false}                        streams are accepted, and nothing is said on them
//	{"do": "count"}                                           streams opened, and those refused for their metadata
//
// A message is the bytes of a protobuf message, taken as they are: also such as no protobuf library would write.
// A call whose metadata is not exactly `workload.spiffe.io: true` ends with InvalidArgument, whatever else is said.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// raw is a message whose bytes are known.
type raw []byte

// codec sends raw messages as they are, and all others as protobuf does.
type codec struct{ encoding.CodecV2 }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if bytes, is := v.(*raw); is {
		return mem.BufferSlice{mem.SliceBuffer(*bytes)}, nil
	}
	return c.CodecV2.Marshal(v)
}

type state struct {
	x509, jwt raw
	isHung    bool
	failure   error
	end       int // streams opened under an earlier number end
}

type server struct {
	workload.UnimplementedSpiffeWorkloadAPIServer
	lock            sync.Mutex
	now             state
	changed         chan struct{} // closed by every change
	opened, refused int
	grpc            *grpc.Server
	connections     []net.Conn
}

func (s *server) change(do func(*state)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	do(&s.now)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) look() (state, chan struct{}) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.now, s.changed
}

func (s *server) admit(stream grpc.ServerStream) error {
	values := metadata.ValueFromIncomingContext(stream.Context(), "workload.spiffe.io")
	s.lock.Lock()
	defer s.lock.Unlock()
	s.opened++
	if len(values) == 1 && values[0] == "true" {
		return nil
	}
	s.refused++
	return status.Error(codes.InvalidArgument, "security header missing from request")
}

// serve sends what `pick` takes of the state, at once and whenever it is another.
func (s *server) serve(stream grpc.ServerStream, pick func(state) raw) error {
	if err := s.admit(stream); err != nil {
		return err
	}
	now, changed := s.look()
	end, sent := now.end, raw(nil)
	for {
		if now.failure != nil {
			return now.failure
		}
		if now.end != end {
			return nil
		}
		if message := pick(now); message != nil && !now.isHung && (sent == nil || &message[:1][0] != &sent[:1][0]) {
			if err := stream.SendMsg(&message); err != nil {
				return err
			}
			sent = message
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
		now, changed = s.look()
	}
}

func (s *server) FetchX509Bundles(_ *workload.X509BundlesRequest, stream grpc.ServerStreamingServer[workload.X509BundlesResponse]) error {
	return s.serve(stream, func(now state) raw { return now.x509 })
}

func (s *server) FetchJWTBundles(_ *workload.JWTBundlesRequest, stream grpc.ServerStreamingServer[workload.JWTBundlesResponse]) error {
	return s.serve(stream, func(now state) raw { return now.jwt })
}

// listener remembers its connections, so that they can be cut.
type listener struct {
	net.Listener
	server *server
}

func (l listener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err == nil {
		l.server.lock.Lock()
		l.server.connections = append(l.server.connections, connection)
		l.server.lock.Unlock()
	}
	return connection, err
}

func (s *server) die() {
	if s.grpc == nil {
		return
	}
	s.lock.Lock()
	for _, connection := range s.connections {
		connection.Close()
	}
	s.connections = nil
	s.lock.Unlock()
	s.grpc.Stop()
	s.grpc = nil
}

func (s *server) listen(address string) error {
	s.die()
	network, where, _ := strings.Cut(address, ":")
	if network == "unix" {
		os.Remove(where)
	}
	opened, err := net.Listen(network, where)
	if err != nil {
		return err
	}
	s.grpc = grpc.NewServer(grpc.ForceServerCodecV2(codec{encoding.GetCodecV2(proto.Name)}))
	workload.RegisterSpiffeWorkloadAPIServer(s.grpc, s)
	go s.grpc.Serve(listener{opened, s})
	return nil
}

type command struct {
	Do      string
	Address string
	Message []byte
	Code    codes.Code
	Text    string
	On      bool
}

func (s *server) obey(c command) (any, error) {
	// A copy of its own tells one message from the next, also where they are equal. An empty one has room to be told by.
	message := append(make(raw, 0, len(c.Message)+1), c.Message...)
	switch c.Do {
	case "listen":
		return nil, s.listen(c.Address)
	case "die":
		s.die()
	case "x509":
		s.change(func(now *state) { now.x509, now.failure = message, nil })
	case "jwt":
		s.change(func(now *state) { now.jwt, now.failure = message, nil })
	case "fail":
		s.change(func(now *state) { now.failure = status.Error(c.Code, c.Text) })
	case "end":
		s.change(func(now *state) { now.failure = nil; now.end++ })
	case "hang":
		s.change(func(now *state) { now.isHung = c.On })
	case "count":
		s.lock.Lock()
		defer s.lock.Unlock()
		return map[string]int{"opened": s.opened, "refused": s.refused}, nil
	default:
		return nil, fmt.Errorf("unknown command %q", c.Do)
	}
	return nil, nil
}

func main() {
	s := &server{changed: make(chan struct{})}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var c command
		err := json.Unmarshal(lines.Bytes(), &c)
		var value any
		if err == nil {
			value, err = s.obey(c)
		}
		answer := map[string]any{"value": value}
		if err != nil {
			answer["error"] = err.Error()
		}
		answers.Encode(answer)
	}
	s.die()
}
