"""Where a container may be reached, for every network mode and way to publish (rows M09, M20)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.docker.engine_said import CART, facts
from xds.labels.describe import describe
from xds.model.instance import Address
from xds.sources.docker.addresses import Places, Standpoint, mapped_for_own, places
from xds.sources.docker.facts import Facts

LOCAL = Standpoint()
HOST = Standpoint(host="192.0.2.7")
REMOTE = Standpoint(host="192.0.2.7", remote=True)
EVERYWHERE = {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}]}


def found(known: Facts, stand: Standpoint = LOCAL, owner: Facts | None = None, **labels: str) -> Places:
    said = {"fairlead.service": "web", "fairlead.port": "8080"}
    said |= {f"fairlead.{name.replace('__', '.')}": value for name, value in labels.items()}
    described = describe(said, known.container)
    assert described.description is not None, described.problems
    return places(described.description, known, owner, stand)


def ways(there: Places) -> list[tuple[str, int, str]]:
    return [(each.address, each.ports["default"], each.way) for each in there.candidates]


def test_a_bridge_gives_the_containers_own_address() -> None:
    there = found(facts())
    assert ways(there) == [("172.17.0.2", 8080, "network bridge")]
    assert there.rejected == ("published: port 8080 is not",)


def test_of_several_networks_the_shared_ones_come_first_and_the_default_bridge_last() -> None:
    known = facts(networks={"bridge": "172.17.0.2", "back": "10.2.0.2", "front": "10.1.0.2", "zoo": "10.9.0.2"})
    assert [each.way for each in found(known, Standpoint(networks=("zoo", "front"))).candidates] == [
        "network zoo", "network front", "network back", "network bridge",
    ]  # fmt: skip


def test_the_labelled_network_is_the_only_one() -> None:
    known = facts(networks={"back": "10.2.0.2", "front": "10.1.0.2"}, ports=EVERYWHERE)
    there = found(known, network="back")
    assert ways(there) == [("10.2.0.2", 8080, "network back")]
    assert there.rejected == (
        "network front: fairlead.network says back",
        "published: fairlead.network says back",
    )


def test_the_hosts_network_is_the_hosts_address_and_nothing_else() -> None:
    known = facts(mode="host", networks={"host": ""})
    assert ways(found(known, HOST)) == [("192.0.2.7", 8080, "the host's network")]
    assert ways(found(known)) == [("127.0.0.1", 8080, "the host's network")]


def test_without_a_network_there_is_no_address() -> None:
    there = found(facts(mode="none", networks={"none": ""}))
    assert there == Places((), ("any address: it has no network",))


def test_a_network_without_an_address_is_said() -> None:
    assert "network bridge: it has no address there" in found(facts(networks={"bridge": ""})).rejected


def test_anothers_network_gives_anothers_addresses() -> None:
    known, owner = (
        facts(mode=f"container:{CART}", networks={}),
        facts(CART, networks={"front": "10.1.0.7"}, ports=EVERYWHERE),
    )
    assert ways(found(known, owner=owner)) == [
        ("10.1.0.7", 8080, "network front"),
        ("127.0.0.1", 18080, "published on 0.0.0.0:18080"),
    ]


@pytest.mark.parametrize("owner", [None, facts(CART, Running=False)])
def test_the_network_of_a_container_that_does_not_run_is_none(owner: Facts | None) -> None:
    there = found(facts(mode=f"container:{CART}", networks={}), owner=owner)
    assert there == Places((), (f"network of {CART[:12]}: that container does not run",))


def test_the_hosts_network_may_be_joined_through_another_container() -> None:
    owner = facts(CART, mode="host", networks={"host": ""})
    assert ways(found(facts(mode=f"container:{CART}", networks={}), HOST, owner)) == [
        ("192.0.2.7", 8080, "the host's network")
    ]


def test_from_other_hosts_only_what_is_published_can_be_reached() -> None:
    there = found(facts(ports=EVERYWHERE), REMOTE)
    assert ways(there) == [("192.0.2.7", 18080, "published on 0.0.0.0:18080")]
    assert there.rejected == ("its own address: Envoys are on other hosts, which do not reach it",)


def test_a_port_that_is_published_on_loopback_cannot_be_reached_from_other_hosts() -> None:
    known = facts(ports={"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]})
    assert ways(found(known)) == [
        ("172.17.0.2", 8080, "network bridge"), ("127.0.0.1", 18080, "published on 127.0.0.1:18080"),
    ]  # fmt: skip
    assert found(known, REMOTE).candidates == ()


def test_a_port_that_is_published_on_one_address_is_reached_there() -> None:
    known = facts(ports={"8080/tcp": [{"HostIp": "192.0.2.9", "HostPort": "80"}]})
    assert ways(found(known, REMOTE)) == [("192.0.2.9", 80, "published on 192.0.2.9:80")]


def test_all_its_ports_have_to_be_published_there() -> None:
    half = facts(ports=EVERYWHERE)
    both = facts(ports={**EVERYWHERE, "9000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "19000"}]})
    lacking = found(half, REMOTE, ports__admin="9000")
    assert lacking.candidates == ()
    assert "its port admin (9000) is not published there, too" in lacking.rejected[-1]
    assert found(both, REMOTE, ports__admin="9000").candidates[0].ports == {"default": 18080, "admin": 19000}


def test_a_check_on_a_port_of_its_own_is_asked_where_that_is_published() -> None:
    known = facts(ports={**EVERYWHERE, "9000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "19000"}]})
    own, published = found(known, health__http="/up", health__port="9000").candidates
    assert (own.asked.port, own.ports, own.relayed) == (9000, {"default": 8080}, False)
    assert (published.asked.port, published.ports, published.relayed) == (19000, {"default": 18080}, True)


def test_a_sidecars_port_is_where_envoys_and_its_check_go_and_its_own_has_to_be_reached_by_nobody() -> None:
    known = facts(networks={"front": "10.1.0.2"}, ports={"15006/tcp": [{"HostIp": "0.0.0.0", "HostPort": "25006"}]})
    own, published = found(known, ingress="15006").candidates
    for each, end in (own, Address("10.1.0.2", 15006)), (published, Address("127.0.0.1", 25006)):
        assert (each.ingress, each.asked, each.ports) == (end, end, {"default": 8080})
    assert own.way == "network front, its sidecar on port 15006"


def test_the_other_ports_of_one_behind_a_sidecar_are_reached_without_it() -> None:
    (own,) = found(facts(), ingress="15006", ports__admin="9000", health__http="/up", health__port="9000").candidates
    assert own.ends == {"default": Address("172.17.0.2", 15006), "admin": Address("172.17.0.2", 9000)}
    assert own.asked == Address("172.17.0.2", 9000)


@pytest.mark.parametrize(
    "known", [facts(), facts(mode="host", networks={"host": ""}), facts(mode="none", networks={"none": ""})]
)
def test_a_sidecar_with_an_address_of_its_own_is_all_that_has_to_be_reached(known: Facts) -> None:
    for stand in HOST, REMOTE:
        (only,) = found(known, stand, ingress="192.0.2.9:15006").candidates
        assert only.ends == {"default": Address("192.0.2.9", 15006)}
        assert (only.asked, only.address) == (
            only.ingress,
            "172.17.0.2" if known.attachments[0].addresses else stand.host,
        )


def test_a_udp_port_is_no_way_in() -> None:
    assert found(facts(ports={"8080/udp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}]}), REMOTE).candidates == ()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("container", ["172.17.0.2"]),
        ("published", ["192.0.2.7"]),
        ("host", []),
        ("10.9.9.9", ["10.9.9.9"]),
        ("auto", ["172.17.0.2", "192.0.2.7"]),
    ],
)
def test_the_labels_word_on_the_address_holds(said: str, expected: list[str]) -> None:
    there = found(facts(ports=EVERYWHERE), HOST, address=said)
    assert [each.address for each in there.candidates] == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_d3_a_label_opens_no_program_of_the_host_to_users(host: str) -> None:
    """On loopback listen an Envoy's admin and a control plane; only who shares the host's network is there, too."""
    end = f"[{host}]:15000" if ":" in host else f"{host}:15000"
    for labels in {"address": host}, {"ingress": end}:
        there = found(facts(ports=EVERYWHERE), LOCAL, None, **labels)
        assert there.candidates == ()
        assert "loopback is not open to calls, and it is not in the host's network" in there.rejected[0]
        assert found(facts(mode="host", networks={"host": ""}), LOCAL, None, **labels).candidates


def test_ipv6_addresses_come_after_ipv4_ones() -> None:
    said: dict[str, Any] = {"front": {"IPAddress": "10.1.0.2", "GlobalIPv6Address": "2001:db8::2"}}
    from tests.unit.docker.engine_said import inspection
    from xds.sources.docker.facts import read_facts

    document = inspection()
    document["NetworkSettings"]["Networks"] = said
    assert [each.address for each in found(read_facts(document)).candidates] == ["10.1.0.2", "2001:db8::2"]


def test_a_label_that_names_the_hosts_port_is_explained() -> None:
    known = facts(ports=EVERYWHERE)
    described = describe({"fairlead.service": "web", "fairlead.port": "18080"}, known.container).description
    assert described is not None
    assert mapped_for_own(described, known) == (
        "port default is 18080, which is the host's; inside the container it is 8080 (published 18080 to 8080)"
    )
    labels = {"fairlead.service": "web", "fairlead.port": "80", "fairlead.ingress": "18080"}
    described = describe(labels, known.container).description
    assert described is not None
    assert mapped_for_own(described, known).startswith("port ingress is 18080, which is the host's")
