// go-control-plane as a peer of the fan-out benchmark: N services with a few endpoints each, served over ADS from its
// LinearCache or its SnapshotCache.
//
// Both are used in their cheapest usual way: the linear cache is the server's cache without a mux in between, and all
// nodes of the snapshot cache share one snapshot (a constant node hash), so that one change sets one snapshot.
//
// It prints {"port": N} once it serves. Each number on stdin becomes the weight of service-0000's first endpoint. The
// end of stdin is the end of the program.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	kind := flag.String("cache", "linear", "linear or snapshot")
	names := flag.Int("names", 10, "services")
	endpoints := flag.Int("endpoints", 10, "endpoints of each service")
	port := flag.Int("port", 0, "port to listen on, 0 for a free one")
	flag.Parse()

	var published published
	switch *kind {
	case "linear":
		published = newLinear(*names, *endpoints)
	case "snapshot":
		published = newSnapshots(*names, *endpoints)
	default:
		fail(fmt.Errorf("-cache is linear or snapshot, not %q", *kind))
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fail(err)
	}
	served := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(served, server.NewServer(context.Background(), published, nil))
	go func() { fail(served.Serve(listener)) }()
	fmt.Printf("{\"port\": %d}\n", listener.Addr().(*net.TCPAddr).Port)

	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		weight, err := strconv.ParseUint(lines.Text(), 10, 32)
		if err != nil {
			fail(err)
		}
		if err = published.flip(assignment(0, *endpoints, uint32(weight))); err != nil {
			fail(err)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "go-control-plane:", err)
	os.Exit(1)
}

// published is a cache, and the way to change one service in it.
type published interface {
	cache.Cache
	flip(changed *endpoint.ClusterLoadAssignment) error
}

type linear struct{ *cache.LinearCache }

func newLinear(names, endpoints int) linear {
	initial := make(map[string]types.Resource, names)
	for number := range names {
		initial[name(number)] = assignment(number, endpoints, 1)
	}
	return linear{cache.NewLinearCache(resource.EndpointType, cache.WithInitialResources(initial))}
}

func (l linear) flip(changed *endpoint.ClusterLoadAssignment) error {
	return l.UpdateResource(changed.GetClusterName(), changed)
}

// everybody gives all nodes one snapshot.
type everybody struct{}

func (everybody) ID(*core.Node) string { return "everybody" }

type snapshots struct {
	cache.SnapshotCache
	assignments []types.Resource
	version     int
}

func newSnapshots(names, endpoints int) *snapshots {
	s := &snapshots{SnapshotCache: cache.NewSnapshotCache(false, everybody{}, nil)}
	for number := range names {
		s.assignments = append(s.assignments, assignment(number, endpoints, 1))
	}
	if err := s.flip(assignment(0, endpoints, 1)); err != nil {
		fail(err)
	}
	return s
}

func (s *snapshots) flip(changed *endpoint.ClusterLoadAssignment) error {
	s.version++
	s.assignments[0] = changed
	resources := map[resource.Type][]types.Resource{resource.EndpointType: s.assignments}
	snapshot, err := cache.NewSnapshot(strconv.Itoa(s.version), resources)
	if err != nil {
		return err
	}
	return s.SetSnapshot(context.Background(), "everybody", snapshot)
}

func name(number int) string { return fmt.Sprintf("service-%04d", number) }

// assignment returns the endpoints of one service; weight is that of the first, all others weigh 1.
func assignment(number, endpoints int, weight uint32) *endpoint.ClusterLoadAssignment {
	listed := make([]*endpoint.LbEndpoint, endpoints)
	for at := range listed {
		socket := &core.SocketAddress{
			Address:       fmt.Sprintf("10.%d.%d.%d", number>>8, number&255, at),
			PortSpecifier: &core.SocketAddress_PortValue{PortValue: 8080},
		}
		address := &core.Address{Address: &core.Address_SocketAddress{SocketAddress: socket}}
		listed[at] = &endpoint.LbEndpoint{
			HostIdentifier:      &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: address}},
			HealthStatus:        core.HealthStatus_HEALTHY,
			LoadBalancingWeight: wrapperspb.UInt32(1),
		}
	}
	listed[0].LoadBalancingWeight = wrapperspb.UInt32(weight)
	locality := &endpoint.LocalityLbEndpoints{
		Locality:    &core.Locality{Region: "eu", Zone: "eu-1"},
		LbEndpoints: listed,
	}
	return &endpoint.ClusterLoadAssignment{
		ClusterName: name(number),
		Endpoints:   []*endpoint.LocalityLbEndpoints{locality},
	}
}
