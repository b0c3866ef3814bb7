"""The texts under settings reach descriptions and JSON Schemas."""

import pytest

from driftline.types.settings import Settings, field_descriptions


class Basket(Settings):
    size: int = 1
    """How much it holds.

    In litres.
    """
    color: str = "red"


class Trolley(Basket):
    wheels: int = 4
    """How many wheels it has."""
    color: str = "blue"
    """The color of its handle."""


def test_the_docstring_under_a_setting_is_its_description():
    assert field_descriptions(Basket) == {"size": "How much it holds.\n\nIn litres."}


def test_a_setting_keeps_the_description_of_the_class_that_declared_it():
    assert field_descriptions(Trolley) == {
        "size": "How much it holds.\n\nIn litres.",
        "wheels": "How many wheels it has.",
        "color": "The color of its handle.",
    }


@pytest.mark.parametrize("model", [Basket, Trolley])
def test_the_json_schema_has_every_description(model):
    properties = model.model_json_schema()["properties"]
    texts = {
        name: part["description"] for name, part in properties.items() if "description" in part
    }
    assert texts == field_descriptions(model)


def test_a_class_without_a_source_file_has_no_descriptions():
    space = {"Settings": Settings, "__name__": "nowhere"}
    exec('class Loose(Settings):\n    size: int = 1\n    """A text."""', space)
    assert field_descriptions(space["Loose"]) == {}
