import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hf_vft.errors import RecipeError
from hf_vft.recipe.edit import flatten, set_value
from hf_vft.recipe.schema import Recipe, load_recipe, parse_recipe


def refusal(*overrides: str, recipe: str | Path = "gradual") -> str:
    """What is said about a wrong recipe; always one line."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_fields_are_set_by_dotted_name_and_read_as_yaml():
    recipe = load_recipe(
        "staged",
        [
            "data.path=photos=old",
            "image.size=160",
            "augment.trivial_augment=true",
            "model.candidates=[a/b, c]",
            "data.group_column=null",
            " seed = 7",
        ],
    )
    assert recipe.data.path == "photos=old"
    assert recipe.image.size == 160
    assert recipe.augment.trivial_augment is True
    assert recipe.model.candidates == ["a/b", "c"]
    assert recipe.data.group_column is None
    assert recipe.seed == 7


def test_exponents_without_a_point_are_numbers():
    assert load_recipe("staged", ["stages.all.learning_rate=3e-5"]).stages[-1].learning_rate == 3e-5


def test_an_entry_of_a_list_is_called_by_its_name_or_position():
    recipe = load_recipe("gradual", ["stages.all.epochs=3", "stages.0.epochs=2"])
    assert [recipe.stages[0].epochs, recipe.stages[-1].epochs] == [2, 3]


def test_a_section_that_is_not_there_is_made():
    lora = load_recipe("staged", ["model.lora.r=4"]).model.lora
    assert lora is not None
    assert (lora.r, lora.alpha) == (4, 16.0)


def test_default_stages_can_be_changed_by_name(tmp_path: Path):
    file = tmp_path / "short.yaml"
    file.write_text("seed: 1\n")
    recipe = load_recipe(file, ["stages.all.epochs=3"])
    assert recipe.stages[-1].epochs == 3
    assert len(recipe.stages) == len(Recipe().stages)


def test_a_recipe_without_stages_has_those_of_the_default_one(tmp_path: Path):
    file = tmp_path / "own.yaml"
    file.write_text("model: {candidates: [some/vit]}\n")
    assert load_recipe(file).stages == load_recipe("staged").stages


def test_an_empty_file_is_the_default_recipe(tmp_path: Path):
    (tmp_path / "empty.yaml").write_text("")
    assert load_recipe(tmp_path / "empty.yaml") == Recipe()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("image.size=big", "image.size: has to be a whole number or 'auto' (got 'big')"),
        ("image.fit=crop", "'auto', 'processor', 'squash' or 'pad' (got 'crop')"),
        ("stages.all.epochs=0", "stages.all.epochs: has to be greater than 0 (got 0)"),
        ("stages.all.train=top", "stages.all.train: has to match"),
        ("stages.nope.epochs=1", "no entry 'nope'; there are head, top, middle, all"),
        ("stages.all.epochs=.inf", "stages.all.epochs: has to be a finite number (got inf)"),
        ("stages.all.weight_decay=.inf", "has to be a finite number or 'auto' (got inf)"),
        ("search.time_budget=.inf", "search.time_budget: has to be a finite number"),
        (f"search.time_budget={'9' * 400}h", "search.time_budget: has to be a finite number"),
        (f"search.max_memory={'9' * 400}MB", "search.max_memory: has to be a finite size"),
        (f"training.batch_size={'9' * 400}", "training.batch_size: has to be"),
        (f"seed={'9' * 400}", "seed: has to be less than 4294967296"),
        (f"seed={'9' * 5000}", "is not YAML"),
        (f"seed={'[' * 5000}", "is not YAML"),
        ("stages.all.name=head", "every stage needs a name of its own"),
        ("data.validation_size=0.9", "leave nothing to train on"),
        ("augment=3", "augment: has to be a section"),
        ("model.candidates=5", "model.candidates: has to be a list, [a, b] or 'auto'"),
        ("augment.trivial_augment=maybe", "has to be true or false or 'auto' (got 'maybe')"),
        ("data.path.x=1", "data.path"),
        ("augment.erasing.x=1", "--set augment.erasing.x: augment.erasing is not a section"),
        ("data.path=[a", "'[a' is not YAML; put it in quotes"),
        ("data.path", "write it as section.field=value"),
        ("=3", "write it as section.field=value"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(override, message):
    assert message in refusal(override)


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("augment.erasng=0.1", "did you mean augment.erasing?"),
        ("stages.all.learning_rte=1", "did you mean stages.NAME.learning_rate?"),
        ("training.learning_rate=1", "did you mean stages.NAME.learning_rate?"),
        ("model.lora.dropuot=0", "did you mean model.lora.dropout?"),
        ("qwertz=1", "qwertz: no such field."),
    ],
)
def test_a_misspelt_field_is_refused_with_the_nearest(override, suggestion):
    assert suggestion in refusal(override)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_no_field_of_a_recipe_takes_a_number_without_end(number):
    """Also one that is added later, and one with a key of the user's."""
    whole = parse_recipe({"model": {"lora": {}}}).model_dump()
    for key, value in flatten(whole):
        if isinstance(value, int | float) and not isinstance(value, bool):
            tree = parse_recipe(whole).model_dump()
            set_value(tree, key, number)
            with pytest.raises(RecipeError, match=r"has to be"):
                parse_recipe(tree)


@pytest.mark.parametrize("text", ["a: " + "[" * 5000, "seed: " + "9" * 5000, "seed: 2001-13-01"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, text):
    file = tmp_path / "deep.yaml"
    file.write_text(text)
    assert "not readable as YAML" in refusal(recipe=file)


def test_a_long_value_does_not_fill_the_screen():
    assert len(refusal(f"image.fit={'x' * 5000}")) < 250


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "not readable as YAML"),
        (b"\xff\xfe\x00", "not readable as YAML"),
        (b"- a\n- b\n", "a mapping of sections, not a list"),
        (b"3\n", "a mapping of sections, not a int"),
        (b"stages:\n- name: a\n  epocs: 3\n", "stages.a.epocs: no such field"),
        (b"1: 2\n", "recipe"),
        (b"a: !!python/object/apply:os.getcwd []\n", "not readable as YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content, message):
    file = tmp_path / "recipe.yaml"
    file.write_bytes(content)
    assert message in refusal(recipe=file)


def test_a_recipe_that_is_not_there_names_those_that_are():
    assert "staged" in refusal(recipe="nope")


def test_a_recipe_round_trips_through_yaml():
    recipe = load_recipe("staged", ["model.lora.r=4", "data.path=bilder/größe"])
    assert parse_recipe(yaml.safe_load(recipe.to_yaml())) == recipe


def test_replacing_leaves_the_recipe_as_it_was_and_checks_again():
    recipe = load_recipe("staged")
    assert recipe.replaced({"image.size": 96}).image.size == 96
    assert recipe.image.size == "auto"
    with pytest.raises(RecipeError, match=r"image\.size"):
        recipe.replaced({"image.size": -1})


def test_what_is_still_open_is_listed():
    recipe = load_recipe("staged")
    assert "image.size" in recipe.unresolved()
    assert "image.size" not in recipe.replaced({"image.size": 96}).unresolved()


keys = st.text("abcdefgh", min_size=1, max_size=4)
trees = st.recursive(
    st.integers() | st.booleans() | keys,
    lambda children: st.dictionaries(keys, children, min_size=1, max_size=3),
    max_leaves=8,
).filter(lambda tree: isinstance(tree, dict))


@given(trees)
def test_a_flattened_tree_can_be_put_together_again(tree):
    built: dict = {}
    for key, value in flatten(tree):
        set_value(built, key, value)
    assert built == tree


def test_reading_a_recipe_needs_no_deep_learning_library():
    code = "import sys; import hf_vft.recipe.schema, hf_vft.run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("scheduler", ["plateau", "constant"])
def test_a_scheduler_that_cannot_warm_up_is_not_asked_to(scheduler: str):
    stage = {"name": "all", "scheduler": scheduler, "warmup": 0.1}
    with pytest.raises(RecipeError, match="does not warm up"):
        parse_recipe({"stages": [stage]})


def test_a_password_in_a_recipe_is_refused_without_being_shown() -> None:
    tree = {"data": {"path": "x"}, "search": {"storage": "postgresql://me:marker@host/x"}}
    with pytest.raises(RecipeError, match=r"search.storage: has to name its password") as caught:
        parse_recipe(tree)
    assert "marker" not in str(caught.value)
    tree["search"] = {"storage": "postgresql://me:${DB_PASSWORD}@host/x"}
    assert "${DB_PASSWORD}" in parse_recipe(tree).to_yaml()


def test_one_text_for_a_list_is_a_list_of_one():
    recipe = load_recipe("staged", ["model.candidates=google/vit", "data.slice_columns=camera"])
    assert recipe.model.candidates == ["google/vit"]
    assert recipe.data.slice_columns == ["camera"]
    assert load_recipe("staged", ["model.candidates=auto"]).model.candidates == "auto"


@pytest.mark.parametrize(
    ("change", "said"),
    [("probe.enabled=false", "nothing is learned"), ("search.trials=2", "empty")],
)
def test_without_stages_a_head_is_fitted_and_nothing_else_is_asked_for(change, said):
    assert load_recipe("few_shot").stages == []
    with pytest.raises(RecipeError, match=said):
        load_recipe("few_shot", [change])
