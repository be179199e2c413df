"""A file of settings: overlays, variables, mistakes with their place, versions of the format (rows M35, M40, M65)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from xds.agent.settings import AgentSettings
from xds.cli.config.file import Configuration, read
from xds.cli.config.keys import keys
from xds.cli.config.settings import configured_agent
from xds.cli.main import app
from xds.config import Settings
from xds.model.problems import InvalidInput

BASE = """\
# the shop's control plane
version: 1
api: ${API:-127.0.0.1:15081}
log_level: info
check_networks: [10.0.0.0/8, fd00::/8]
quota:
  instances: 500
"""


OLD = "quota_instances is called quota.instances since version 1: `fairlead config migrate` rewrites it"
NO_VARIABLE = "${HOST-x} is no variable: write ${NAME}, ${NAME:-default}, or $$ for a dollar"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    file = tmp_path / "fairlead.yaml"
    file.write_text(BASE)
    return file


def settings(found: Configuration, env: dict[str, str] | None = None) -> Settings:
    assert not found.findings
    return Settings.read({"FAIRLEAD_FILTER": "none", **found.variables(env or {})}, {})


def findings(file: Path, text: str, env: dict[str, str] | None = None) -> list[str]:
    file.write_text(text)
    found = read(file, env or {})
    return [f"{each.place.line}:{each.place.column} {each.level}: {each.message}" for each in found.findings]


def config(*words: str, env: dict[str, str] | None = None) -> Result:
    unset = {"FAIRLEAD_CONFIG": None, "FAIRLEAD_CONFIG_ENV": None}
    return CliRunner().invoke(app, ["config", *words], env={**unset, **(env or {})})


def test_a_file_is_read_with_variables_and_their_defaults(base: Path) -> None:
    plain = settings(read(base, {}))
    assert (str(plain.api), plain.quotas.instances) == ("127.0.0.1:15081", 500)
    assert [str(each) for each in plain.check_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert str(settings(read(base, {"API": "127.0.0.1:1"})).api) == "127.0.0.1:1"


def test_an_overlay_is_laid_over_it_and_the_environment_over_both(base: Path) -> None:
    base.with_name("fairlead.staging.yaml").write_text("version: 1\nlog_level: debug\nquota: {per_service: 7}\n")
    staging = settings(read(base, {}, "staging"))
    assert (staging.log_level, staging.quotas.instances, staging.quotas.per_service) == ("debug", 500, 7)
    assert settings(read(base, {}, "staging"), {"FAIRLEAD_LOG_LEVEL": "error"}).log_level == "error"
    with pytest.raises(InvalidInput, match=r"fairlead\.prod\.yaml cannot be read: no such file"):
        read(base, {}, "prod")
    with pytest.raises(InvalidInput, match="no name of an overlay"):
        read(base, {}, "../prod")


def test_a_token_of_the_environment_hides_one_of_the_file_said_either_way(base: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-file")
    base.write_text(f"version: 1\ntoken_file: {tmp_path}/token\n")
    assert settings(read(base, {})).token == "of-the-file"
    assert settings(read(base, {}), {"FAIRLEAD_TOKEN": "of-the-environment"}).token == "of-the-environment"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version: 1\nlogg_level: info\n", "2:1 error: logg_level is no setting; did you mean log_level?"),
        ("version: 1\nquota:\n  instnces: 5\n", "3:3 error: quota.instnces is no setting; did you mean instances?"),
        ("version: 1\nleasess: {share: 0.1}\n", "2:1 error: leasess is no setting; did you mean leases?"),
        ("version: 1\nagent:\n  zne: a\n", "3:3 error: agent.zne is no setting; did you mean zone?"),
        ("version: 1\napi: {port: 1}\n", "2:1 error: api is one value, not a section"),
        ("version: 9\n", "1:1 error: version 9 is not one of 0 to 1: this Fairlead is older than the file"),
        ("api: ${HOST}:1\n", "1:1 error: HOST is not set, and has no default"),
        ("api: ${HOST:?say where}\n", "1:1 error: HOST is not set: say where"),
        ("api: ${HOST-x}\n", f"1:1 error: {NO_VARIABLE}"),
        ("quota_instances: 5\n", f"1:1 warning: {OLD}"),
        ("version: 1\nquota_instances: 5\n", f"2:1 error: {OLD}"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_outdated_is_told_with_its_place(base: Path, text: str, told: str) -> None:
    assert findings(base, text) == [told]


def test_a_dollar_is_written_twice(base: Path) -> None:
    base.write_text("version: 1\nlog_level: $$HOME\n")
    assert read(base, {}).values["log_level"].text == "$HOME"


def test_a_broken_file_is_told_with_its_line(base: Path) -> None:
    base.write_text("api: [1\nads: 2\n")
    with pytest.raises(InvalidInput, match=r"fairlead\.yaml:2:"):
        read(base, {})


def test_an_old_file_works_until_it_is_migrated_and_the_new_one_means_the_same(base: Path) -> None:
    old = "api: 127.0.0.1:1  # here\nads_max_streams: 50  # enough\njournal_rows: 5000\n"
    base.write_text(old)
    before = read(base, {})
    assert config("migrate", str(base), "--write").exit_code == 0
    after = read(base, {})
    assert {path: each.text for path, each in before.values.items()} == {
        path: each.text for path, each in after.values.items()
    }
    assert not after.findings
    assert "ads_limits:\n  max_streams: 50" in base.read_text()
    assert "# enough" in base.read_text()
    assert base.with_name("fairlead.yaml.bak").read_text() == old
    assert config("migrate", str(base), "--to", "0").stdout.replace("  #", " #").split() == old.split()
    assert config("migrate", str(base), "--to", "7").exit_code == 2


def test_check_says_also_what_a_control_plane_would_refuse_at_the_line_that_says_it(base: Path) -> None:
    base.write_text("version: 1\nleases:\n  patience: soon\nagent:\n  ttl: 1s\n")
    result = config("check", str(base), "--format", "json")
    told = {(each["line"], each["level"]): each["message"] for each in json.loads(result.stdout)["findings"]}
    assert result.exit_code == 2
    assert "FAIRLEAD_LEASES_PATIENCE is 'soon'" in told[3, "error"]
    assert "ttl 1 is not between" in told[5, "error"]
    base.write_text(BASE)
    assert config("check", str(base)).exit_code == 0


def test_settings_of_an_agent_are_checked_together_and_each_mistake_is_told(tmp_path: Path) -> None:
    """What one setting asks for may be said by another."""
    file = tmp_path / "fairlead.yaml"
    file.write_text("version: 1\nagent: {remote: true, address: 10.0.0.7}\n")
    assert config("check", str(file)).exit_code == 0
    file = tmp_path / "agent.yaml"
    file.write_text("remote: true\nttl: 1s\n")
    result = config("check", "--agent", str(file))
    assert result.exit_code == 2
    assert "agent.yaml:1:1: error: address: Envoys on other hosts need this host's address" in result.output
    file.write_text("zone: Not A Name\nttl: 1s\naddress: 10.0.0.7\nremote: true\n")
    told = [line for line in config("check", "--agent", str(file)).output.splitlines() if ": error: " in line]
    assert [line.partition("agent.yaml:")[2][:3] for line in told] == ["2:1", "1:1"]
    file.with_name("agent.prod.yaml").write_text("zone: eu-1a\nttl: 15s\n")
    assert config("check", "--agent", str(file), "--env", "prod").exit_code == 0


def test_show_tells_where_each_value_comes_from_and_hides_secrets(base: Path) -> None:
    base.write_text(f"{BASE}token: hunter2\nalarm: {{webhook: 'https://hooks.example/T0/secret'}}\n")
    result = config("show", str(base), "--origin", "-o", "json", env={"FAIRLEAD_ADS": "127.0.0.1:9"})
    said = json.loads(result.stdout)
    assert said["api"] == {"value": "127.0.0.1:15081", "origin": f"{base}:3:1"}
    assert said["ads"] == {"value": "127.0.0.1:9", "origin": "environment FAIRLEAD_ADS"}
    assert said["quota.per_service"] == {"value": "20000", "origin": "default"}
    assert said["token"]["value"] == said["alarm.webhook"]["value"] == "(hidden)"
    assert "hunter2" not in result.output + config("show", str(base)).output + config("check", str(base)).output


def test_every_setting_has_one_place_and_one_variable() -> None:
    assert len({key.variable for key in keys().values()}) == len(keys())
    assert {"ads_limits.max_streams", "leases.share", "quota.instances", "journal.age"} <= keys().keys()


# ------------------------------------------------------------------------------------------------------ an agent's file
def test_an_agents_file_has_overlays_and_variables_as_well(tmp_path: Path) -> None:
    """M28, M65."""
    base = tmp_path / "agent.yaml"
    base.write_text("zone: ${ZONE:-eu-1a}\nnetworks: ['${NETWORK}']\nremote: ${REMOTE:-false}\nttl: 15s\n")
    base.with_name("agent.prod.yaml").write_text("ttl: 30s\naddress: ${HOST_ADDRESS}\n")
    env = {"NETWORK": "front", "HOST_ADDRESS": "10.0.0.7", "REMOTE": "true"}
    plain = AgentSettings.read({}, {}, configured_agent(base, "", env | {"REMOTE": ""}))
    assert (plain.zone, plain.networks, plain.remote, plain.ttl) == ("eu-1a", ("front",), False, 15.0)
    laid = AgentSettings.read({}, {}, configured_agent(base, "prod", env | {"ZONE": "eu-1b"}))
    assert (laid.zone, laid.remote, laid.ttl, laid.address) == ("eu-1b", True, 30.0, "10.0.0.7")
    assert AgentSettings.read({}, {}, configured_agent(Path("compose/agent.yaml"), "", {})).networks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour: blue", "agent.yaml:1:1: colour is no setting"),
        ("ttl: 15s\nzon: a", "agent.yaml:2:1: zon is no setting; did you mean zone?"),
        ("zone: ${ZONE}", "agent.yaml:1:1: ZONE is not set, and has no default"),
        ("- a", "holds no settings"),
        ("a: [", "agent.yaml:"),
        (None, "cannot be read: no such file"),
    ],
)
def test_an_agents_file_that_cannot_be_is_refused_at_its_place(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "agent.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidInput) as refused:
        configured_agent(file, "", {})
    assert words in refused.value.message
    assert refused.value.pointer == "/config"


def test_an_overlay_lies_over_a_file(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["agent", "--config-env", "prod", "--status"], env={"FAIRLEAD_AGENT_CONFIG": None})
    assert (done.exit_code, "name that with --config" in done.output) == (2, True)
