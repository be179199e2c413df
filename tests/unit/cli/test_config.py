"""The settings of a control plane: where they come from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from xds.config import Settings
from xds.model.instance import Address
from xds.model.problems import InvalidInput

FREE = {"FAIRLEAD_FILTER": "none"}


def read(env: dict[str, str] | None = None, /, **flags: str | bool | None) -> Settings:
    return Settings.read({**FREE, **(env or {})}, flags)


def refusal(env: dict[str, str] | None = None, /, **flags: str | bool | None) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(env, **flags)
    return caught.value


def test_nothing_said_means_loopback() -> None:
    settings = read()
    assert settings.api == Address("127.0.0.1", 15080)
    assert settings.ads == Address("127.0.0.1", 15010)
    assert settings.token == ""


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    env = {"FAIRLEAD_API": "127.0.0.1:1", "FAIRLEAD_ADS": "127.0.0.1:2", "FAIRLEAD_DATA_DIR": "there"}
    settings = read(env, api="127.0.0.1:3", ads=None)
    assert (settings.api.port, settings.ads.port, settings.data_dir) == (3, 2, Path("there"))


@pytest.mark.parametrize("name", ["api", "ads"])
@pytest.mark.parametrize("bind", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"])
def test_beyond_loopback_somebody_must_say_who_may_come(name: str, bind: str) -> None:
    """Fault A3."""
    error = refusal(**{name: bind})
    assert (error.pointer, error.code) == (f"/{name}", "insecure")
    assert "--insecure-non-loopback" in str(error)
    assert read({"FAIRLEAD_TOKEN": "sesame"}, **{name: bind}).token == "sesame"
    assert read(**{name: bind}, insecure_non_loopback=True).insecure_non_loopback
    assert read({"FAIRLEAD_INSECURE_NON_LOOPBACK": "true"}, **{name: bind}).insecure_non_loopback


@pytest.mark.parametrize("bind", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"])
def test_loopback_needs_nothing(bind: str) -> None:
    assert str(read(api=bind).api) == bind


def test_the_tokens_file_wins_over_the_token_and_is_trimmed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  sesame \n", encoding="utf-8")
    assert read({"FAIRLEAD_TOKEN": "other", "FAIRLEAD_TOKEN_FILE": str(file)}).token == "sesame"


def test_a_token_never_shows_in_what_is_printed() -> None:
    assert "sesame" not in repr(read({"FAIRLEAD_TOKEN": "sesame"}))
    assert "sesame" not in str(refusal({"FAIRLEAD_TOKEN": "open sesame"}))


def test_a_token_file_that_cannot_be_read_is_an_error_and_not_no_token(tmp_path: Path) -> None:
    assert "cannot be read" in str(refusal({"FAIRLEAD_TOKEN_FILE": str(tmp_path / "none")}))


@pytest.mark.parametrize(
    ("flags", "pointer"),
    [
        ({"api": "0"}, "/api"),
        ({"ads": "127.0.0.1:70000"}, "/ads"),
        ({"api": "127.0.0.1:7", "ads": "127.0.0.1:7"}, "/ads"),
        ({"filter_config": "/nowhere.json"}, "/filter_config"),
        ({"log_level": "loud"}, "/log_level"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(flags: dict[str, str | bool | None], pointer: str) -> None:
    assert refusal(**flags).pointer == pointer


def test_a_switch_is_true_or_false() -> None:
    assert refusal({"FAIRLEAD_INSECURE_NON_LOOPBACK": "perhaps"}).pointer == "/insecure_non_loopback"


def test_both_ports_may_be_left_to_chance() -> None:
    settings = read(api="127.0.0.1:0", ads="127.0.0.1:0")
    assert settings.api.port == settings.ads.port == 0


def test_without_a_word_the_filter_that_comes_along_is_used() -> None:
    found = Settings.read({}, {}).filter
    assert found is not None
    assert found.name == "health.wasm"


def test_the_rules_of_leases_and_the_quotas_are_variables() -> None:
    told = {"FAIRLEAD_LEASES_HARD_LIMIT": "120", "FAIRLEAD_LEASES_SHARE": "0.3", "FAIRLEAD_QUOTA_PER_SERVICE": "7"}
    found = read(told)
    assert (found.leases.hard_limit, found.leases.share, found.leases.window) == (120.0, 0.3, 60.0)
    assert (found.quotas.per_service, found.quotas.instances) == (7, 250_000)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("leases_share", "2", "FAIRLEAD_LEASES_SHARE 2.0 is more than all"),
        ("leases_window", "-1", "FAIRLEAD_LEASES_WINDOW -1.0 is not zero or more"),
        ("leases_limit", "1", "FAIRLEAD_LEASES_LIMIT is no rule of leases; there are share, window"),
        ("quota_instances", "0", "FAIRLEAD_QUOTA_INSTANCES is 0, and has to be 1 at least"),
        ("quota_instances", "1e3", "FAIRLEAD_QUOTA_INSTANCES is '1e3', not a whole number"),
    ],
)
def test_what_is_no_rule_and_no_quota_is_refused_with_the_field(name: str, text: str, words: str) -> None:
    error = refusal({f"FAIRLEAD_{name.upper()}": text})
    assert error.pointer == f"/{name}"
    assert words in error.message


def test_each_limit_of_ads_is_a_variable() -> None:
    limits = read({"FAIRLEAD_ADS_MAX_STREAMS": "7", "FAIRLEAD_ADS_CONNECTION_AGE": "0.5"}).ads_limits
    assert limits is not None
    assert (limits.max_streams, limits.connection_age, limits.max_names) == (7, 0.5, 100_000)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("max_streams", "many", "FAIRLEAD_ADS_MAX_STREAMS is 'many', not a whole number"),
        ("max_streams", "1.5", "FAIRLEAD_ADS_MAX_STREAMS is '1.5', not a whole number"),
        ("max_streams", "0", "FAIRLEAD_ADS_MAX_STREAMS is 0; it has to be a whole number from 1 to 2147483647"),
        ("write_deadline", "-1", "it has to be a number from 0.001 to 2147483"),
        ("write_deadline", "nan", "it has to be a number from 0.001 to 2147483"),
        ("stream_rate", "1e12", "it has to be a number from 0.001 to 2147483"),
        ("max_steams", "3", "FAIRLEAD_ADS_MAX_STEAMS is no limit of ADS; there are max_request, max_names"),
    ],
)
def test_what_is_no_limit_is_refused_with_the_field(name: str, text: str, words: str) -> None:
    error = refusal({f"FAIRLEAD_ADS_{name.upper()}": text})
    assert error.pointer == f"/ads_{name}"
    assert words in error.message
