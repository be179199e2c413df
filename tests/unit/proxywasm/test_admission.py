"""What is refused before it reaches an Envoy, and in which words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import wasmtime

from tests.harness.repo import ROOT
from xds.proxywasm.admission import Admission, SmokeRequest, check
from xds.proxywasm.runtime import Limits
from xds.proxywasm.signatures import ENV_IMPORTS, ONLY_IN, WASI_IMPORTS, WASI_MODULES, Signature

HEALTH = (ROOT / "filters/health.wasm").read_bytes()
TRAP = (ROOT / "tests/modules/trap.wat").read_text()
MEMORY = '(memory (export "memory") 2)'
MALLOC = '(func (export "malloc") (param i32) (result i32) (i32.const 1024))'
ABI = '(func (export "proxy_abi_version_0_2_1"))'


@pytest.fixture(scope="module")
def admission() -> Iterator[Admission]:
    judge = Admission(Limits(call_seconds=0.3, memory_bytes=4 << 20))
    yield judge
    judge.close()


def module(*parts: str, abi: str = ABI, memory: str = MEMORY, malloc: str = MALLOC) -> bytes:
    imports = [part for part in parts if part.startswith("(import")]
    rest = [part for part in parts if not part.startswith("(import")]
    return bytes(wasmtime.wat2wasm("\n".join(["(module", *imports, abi, memory, malloc, *rest, ")"])))


def returning(name: str, value: int, parameters: int = 2) -> str:
    return f'(func (export "{name}") (param{" i32" * parameters}) (result i32) (i32.const {value}))'


LOOP = '(func (export "proxy_on_configure") (param i32 i32) (result i32) (loop (br 0)) (i32.const 1))'
RECURSION = '(func $f (export "proxy_on_configure") (param i32 i32) (result i32) (call $f (i32.const 1) (i32.const 1)))'


def test_the_shipped_filter_is_accepted_and_its_interface_listed(admission: Admission) -> None:
    verdict = admission.check(HEALTH, b'{"default_key":{"source":true}}')
    assert verdict.accepted, verdict.reason
    assert verdict.reason == ""
    assert "proxy_abi_version_0_2_1" in verdict.exports
    assert set(verdict.imports) == {
        "env.proxy_log",
        "env.proxy_get_property",
        "env.proxy_get_header_map_value",
        "env.proxy_replace_header_map_value",
        "env.proxy_get_buffer_bytes",
        "env.proxy_call_foreign_function",
        "env.proxy_send_local_response",
        "env.proxy_get_current_time_nanoseconds",
        "env.proxy_set_tick_period_milliseconds",
        "env.proxy_get_shared_data",
        "env.proxy_set_shared_data",
        "env.proxy_define_metric",
        "env.proxy_increment_metric",
        "env.proxy_record_metric",
        "wasi_snapshot_preview1.random_get",
    }


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        (b"{", "not JSON: a name in quotes is expected at byte 1"),
        (b'{"oops":1}', "unknown field `oops`"),
        (b'{"version":2}', "`version` is 2"),
        (b'{"default_key":{"header":"a","cookie":"b"}}', "`default_key` is not one of"),
        (b'{"header":"x","header":"y"}', "a name comes twice"),
        (b'{"default_salt":"' + b"s" * 70_000 + b'"}', "70019 bytes long, the most is 65536"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_configuration_is_refused_in_the_filters_own_words(
    admission: Admission, configuration: bytes, words: str
) -> None:
    verdict = admission.check(HEALTH, configuration)
    assert not verdict.accepted
    assert verdict.reason.startswith("the filter refuses its configuration: ")
    assert words in verdict.reason
    assert verdict.logs[-1].text in verdict.reason


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the module is not WebAssembly"),
        (b"#!/bin/sh\n", "the module is not WebAssembly"),
        (HEALTH[: len(HEALTH) // 2], "cut or damaged"),
        (HEALTH[:6], "cut or damaged"),
        (module(abi=""), "exports no proxy_abi_version_*"),
        (module(abi='(func (export "proxy_abi_version_9_9_9"))'), "an unknown Proxy-Wasm ABI: it exports proxy_abi"),
        (module(memory=""), "does not export its memory"),
        (module(malloc=""), "nothing can be handed to it"),
        (module('(import "env" "proxy_fly" (func))'), "imports env.proxy_fly, which Proxy-Wasm 0.2.1 does not have"),
        (module('(import "sky" "proxy_log" (func (param i32 i32 i32) (result i32)))'), "imports sky.proxy_log"),
        (module('(import "env" "proxy_log" (func (param i64) (result i32)))'), "in another form than the ABI's"),
        (module('(import "env" "proxy_done" (global i32))'), "in another form than the ABI's"),
        (module('(func (export "proxy_on_configure"))'), "exports proxy_on_configure in another form"),
        (module(returning("proxy_on_vm_start", 0)), "the filter does not start: it logged nothing"),
        (module(returning("proxy_on_configure", 0)), "refuses its configuration: it logged nothing"),
        (module('(func $s unreachable) (start $s)'), "its start function failed: it ran into `unreachable`"),
        (module('(func $s (loop (br 0))) (start $s)'), "its start function failed: it did not return within 0.3 s"),
        (module(LOOP), "proxy_on_configure failed: it did not return within 0.3 s"),
        (module(RECURSION), "its stack overflowed"),
        (module(memory='(memory (export "memory") 65)'), "cannot be instantiated within 4194304 bytes of memory"),
    ],
)  # fmt: skip
def test_a_module_is_refused_in_words_that_say_what_is_wrong_with_it(
    admission: Admission, content: bytes, words: str
) -> None:
    verdict = admission.check(content, b"")
    assert not verdict.accepted
    assert words in verdict.reason


def test_a_module_beyond_the_size_limit_is_not_even_compiled() -> None:
    judge = Admission(Limits(module_bytes=1000))
    try:
        assert judge.check(HEALTH, b"").reason == f"the module is {len(HEALTH)} bytes long, the most is 1000"
    finally:
        judge.close()


def test_memory_beyond_the_cap_is_not_given_to_a_guest_that_asks_for_it(admission: Admission) -> None:
    grow = """(func (export "proxy_on_configure") (param i32 i32) (result i32)
      (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)))"""
    assert admission.check(module(grow), b"").accepted


def test_a_trap_on_a_request_names_the_request(admission: Admission) -> None:
    trap = bytes(wasmtime.wat2wasm(TRAP))
    assert admission.check(trap, b"").accepted
    verdict = admission.check(trap, b"", vectors=[SmokeRequest("the trapping request", [(b"X-Trap", b"1")])])
    assert verdict.reason.startswith("the filter is faulty: on the trapping request, proxy_on_request_headers failed: ")


def test_a_request_that_ends_otherwise_than_it_must_refuses_the_module(admission: Admission) -> None:
    user = SmokeRequest("a user", [(b"x-user", b"user-1")], expect={b"x-fairlead-bucket": b"1"})
    verdict = admission.check(HEALTH, b'{"default_key":{"header":"x-user"}}', vectors=[user])
    assert "the filter is wrong: on a user, it left x-fairlead-bucket as [b'" in verdict.reason


def test_one_bad_module_leaves_the_next_verdict_alone(admission: Admission) -> None:
    assert not admission.check(module(LOOP), b"").accepted
    assert admission.check(HEALTH, b"").accepted


def test_a_single_verdict_needs_no_preparation() -> None:
    assert check(HEALTH, b"").accepted


def declared(space: str, name: str, signature: Signature) -> str:
    kinds = {"i": "i32", "I": "i64"}
    parameters = "".join(f" {kinds[letter]}" for letter in signature.parameters)
    result = "(result i32)" if signature.results else ""
    return f'(import "{space}" "{name}" (func (param{parameters}) {result}))'


def called(number: int, signature: Signature) -> str:
    """Calls import `number` with -1 everywhere: addresses and sizes that no memory has."""
    constants = "".join(f"({'i32' if letter == 'i' else 'i64'}.const -1)" for letter in signature.parameters)
    return f"(call {number} {constants})" if not signature.results else f"(drop (call {number} {constants}))"


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.2.1"])
def test_every_import_of_the_abi_links_and_survives_absurd_arguments(admission: Admission, version: str) -> None:
    env = {name: s for name, s in ENV_IMPORTS.items() if version in ONLY_IN.get(name, (version,))}
    every = [("env", name, s) for name, s in env.items()]
    every += [(space, name, s) for space in WASI_MODULES for name, s in WASI_IMPORTS.items() if name != "proc_exit"]
    body = "".join(called(number, signature) for number, (_, _, signature) in enumerate(every))
    configure = f'(func (export "proxy_on_configure") (param i32 i32) (result i32) {body} (i32.const 1))'
    marker = f'(func (export "proxy_abi_version_{version.replace(".", "_")}"))'
    imports = [declared(*one) for one in every]
    verdict = admission.check(module(*imports, configure, abi=marker), b"")
    assert verdict.accepted, verdict.reason
    assert len(verdict.imports) == len(every)


def test_an_import_of_another_version_is_refused_as_envoy_refuses_it(admission: Admission) -> None:
    wanted = declared("env", "proxy_get_log_level", ENV_IMPORTS["proxy_get_log_level"])
    verdict = admission.check(module(wanted, abi='(func (export "proxy_abi_version_0_2_0"))'), b"")
    assert "imports env.proxy_get_log_level, which Proxy-Wasm 0.2.0 does not have" in verdict.reason


def test_the_same_import_twice_is_no_obstacle(admission: Admission) -> None:
    """Compilers of Go import fd_write twice."""
    wanted = declared("wasi_snapshot_preview1", "fd_write", WASI_IMPORTS["fd_write"])
    assert admission.check(module(wanted, wanted), b"").accepted


def test_a_guest_that_exits_is_finished(admission: Admission) -> None:
    wanted = declared("wasi_snapshot_preview1", "proc_exit", WASI_IMPORTS["proc_exit"])
    configure = """(func (export "proxy_on_configure") (param i32 i32) (result i32)
      (call 0 (i32.const 3)) (i32.const 1))"""
    assert "it called proc_exit(3)" in admission.check(module(wanted, configure), b"").reason
