"""The launch configurations, read by accelerate itself."""

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from hf_vft.utils.resources import bundled

FILES = sorted((bundled("recipes") / "accelerate").glob("*.yaml"))


def test_the_ways_to_launch_are_there():
    assert {path.stem for path in FILES} == {"cpu", "fsdp", "multi_gpu", "multi_node"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_knows_every_key(path: Path):
    config = load_config_from_file(str(path))
    assert isinstance(config, ClusterConfig)
    assert config.num_processes > 1
    assert config.mixed_precision == "no", "the recipe's precision decides"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accelerate_launch_accepts_it_and_starts_several_processes(path: Path):
    words = ["--config_file", str(path), "-m", "hf_vft", "fit"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    assert arguments.multi_gpu or arguments.use_fsdp, "else a single process is started"
    assert arguments.use_fsdp == (path.stem == "fsdp")
    assert arguments.training_script_args == ["fit"]


def test_fsdp_keys_reach_the_launcher():
    path = next(path for path in FILES if path.stem == "fsdp")
    words = ["--config_file", str(path), "script.py"]
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    known = vars(launch_command_parser().parse_args(["script.py"]))
    config = load_config_from_file(str(path)).fsdp_config
    assert config
    assert set(config) <= set(known), "accelerate ignores what it does not know"
    assert arguments.fsdp_version == 2
