"""The base of all settings, and the texts under them.

The texts are read from the source only where someone asks for them: compiling the source of every
class again took longer than the rest of a start.
"""

from __future__ import annotations

import ast
import inspect
from textwrap import dedent
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class Settings(BaseModel):
    """A frozen set of settings, each with a sentence under it. Unknown names are mistakes."""

    # Most plugins that are found are not configured: their validators are built at first use.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_descriptions(cls).items():
            key = cls.model_fields[name].alias or name
            if key in properties:
                properties[key]["description"] = text
        return schema


def field_descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return the text of each setting that has one, by name.

    It is the description of the field, or else the docstring under it. A class without a source
    file has no docstrings.
    """
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Settings):
            texts |= _docstrings(base)
    texts |= {
        name: field.description for name, field in model.model_fields.items() if field.description
    }
    return {name: text for name, text in texts.items() if name in model.model_fields}


def _docstrings(model: type[Settings]) -> dict[str, str]:
    """Return the docstrings under the annotated names in the body of a class."""
    try:
        tree = ast.parse(dedent(inspect.getsource(model)))
    except (OSError, TypeError, SyntaxError):
        return {}
    definition = tree.body[0]
    if not isinstance(definition, ast.ClassDef):
        return {}
    texts: dict[str, str] = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            texts[field.target.id] = inspect.cleandoc(text.value.value)
    return texts
