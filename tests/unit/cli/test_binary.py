"""Which Envoy is run, and which is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds.cli.binary import check_version, find_envoy
from xds.cli.exits import Failed


def program(folder: Path, says: str) -> Path:
    path = folder / "envoy"
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_wheels_envoy_is_found_and_new_enough(envoy_binary: Path) -> None:
    assert find_envoy("", {}) == envoy_binary
    assert check_version(envoy_binary).startswith("1.40.")


def test_a_path_that_is_given_wins_over_the_environment_and_that_over_the_wheel(tmp_path: Path) -> None:
    mine = program(tmp_path, "")
    assert find_envoy(str(mine), {"FAIRLEAD_ENVOY": "elsewhere"}) == mine
    assert find_envoy("", {"FAIRLEAD_ENVOY": str(mine)}) == mine


@pytest.mark.parametrize(("given", "env"), [("none", {}), ("", {"FAIRLEAD_ENVOY": "none"})])
def test_a_missing_one_says_how_to_install_it(given: str, env: dict[str, str]) -> None:
    with pytest.raises(Failed, match=r"none: there is no program; install one with `pip install 'fairlead\[envoy\]'`"):
        find_envoy(given, env)


def test_an_envoy_that_is_too_old_is_refused_with_the_reason(tmp_path: Path) -> None:
    """1.39 is the first with refresh_cluster_on_retry."""
    old = program(tmp_path, "envoy  version: 0123456789abcdef/1.38.4/Clean/RELEASE/BoringSSL")
    with pytest.raises(Failed, match=r"is Envoy 1\.38\.4; 1\.39 or newer is needed.*refresh_cluster_on_retry"):
        check_version(old)


def test_the_oldest_that_will_do(tmp_path: Path) -> None:
    assert check_version(program(tmp_path, "envoy  version: 00/1.39.0/Clean/RELEASE/BoringSSL")) == "1.39.0"


@pytest.mark.parametrize("says", ["", "nginx version: nginx/1.29.0", "envoy version: new"])
def test_a_program_that_is_no_envoy_is_refused(tmp_path: Path, says: str) -> None:
    with pytest.raises(Failed, match="is no Envoy"):
        check_version(program(tmp_path, says))


def test_a_program_that_does_not_run_is_refused(tmp_path: Path) -> None:
    broken = program(tmp_path, "")
    broken.write_text("#!/nowhere\n", encoding="utf-8")
    with pytest.raises(Failed, match="does not run"):
        check_version(broken)


def test_a_program_in_the_working_directory_is_not_looked_for_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "envoy  version: 00/1.40.0/Clean/RELEASE/BoringSSL")
    monkeypatch.chdir(tmp_path)
    assert check_version(find_envoy("./envoy", {})) == "1.40.0"
