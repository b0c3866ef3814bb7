"""What columns that are neither numbers nor categories are taken for."""

import base64
import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from driftline.ingest.columns.infer import infer_schema
from driftline.types.model import Field, Kind, Schema

DRAW = np.random.default_rng(3)
SENTENCE = "my order came late and broken please send another one or give the money back thanks for nothing"
PROSE = [" ".join(DRAW.choice(SENTENCE.split(), size=DRAW.integers(6, 25))) for _ in range(200)]
VECTORS = DRAW.normal(size=(200, 24))


def png():
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG")
    return stream.getvalue()


def inferred(**columns):
    arrays = {
        name: values if isinstance(values, pa.Array) else pa.array(values)
        for name, values in columns.items()
    }
    found = infer_schema([pa.RecordBatch.from_pydict(arrays)])
    return {name: part.kind for name, part in found.schema.features.items()}, found


def test_lists_of_numbers_are_embeddings():
    """Lists of one length are an embedding of that dimension: JSON text, Arrow lists, with holes
    and some of another length.
    """
    odd = [row.tolist() for row in VECTORS[:-3]] + [[1.0], None, [0.5] * 24]
    texts = [json.dumps(row.tolist()) for row in VECTORS]
    unit = (VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)).astype(np.float32)
    kinds, found = inferred(
        text=texts,
        list=odd,
        fixed=pa.array(list(unit), pa.list_(pa.float32(), 24)),
        coded=pa.array(texts).dictionary_encode(),
    )
    assert kinds == dict.fromkeys(("text", "list", "fixed", "coded"), Kind.EMBEDDING)
    assert {part.dimension for part in found.schema.features.values()} == {24}


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2, 3]] * 200,
        [row[:5].tolist() for row in VECTORS],
        [row[: n % 20].tolist() for n, row in enumerate(VECTORS)],
        [[int(value) for value in DRAW.integers(0, 2, 24)] for _ in range(200)],
        [["a"] * 24] * 200,
        ["[not a list"] * 200,
    ],
    ids=["three ids", "five numbers", "ragged", "one-hot", "words", "text"],
)
def test_other_lists_are_no_embeddings(values):
    """Short lists, lists of many lengths, of ids, of yes and no, of words are nobody's
    embedding.
    """
    for array in (pa.array(values), pa.array([json.dumps(value) for value in values])):
        assert Kind.EMBEDDING not in inferred(x=array)[0].values()


def test_numbered_columns_with_a_telling_name_are_one_embedding():
    """`emb_000` to `emb_023` are one embedding, not 24 features; `v1` to `v24`, or whole numbers,
    are features.
    """
    run = {f"emb_{place:03}": pa.array(VECTORS[:, place]) for place in range(24)}
    kinds, found = inferred(**run, age=[1.5, 2.0] * 100)
    assert kinds == {"emb": Kind.EMBEDDING, "age": Kind.NUMERIC}
    part = found.schema.features["emb"]
    assert (part.path, part.dimension, part.element_paths) == ("emb_{000..023}", 24, tuple(run))
    assert any("emb_{000..023}" in doubt for doubt in found.doubts)
    for name, cast in (("v{}", float), ("emb_{}", int)):
        columns = {
            name.format(place): [cast(value * 9) for value in VECTORS[:, place]]
            for place in range(24)
        }
        assert set(inferred(**columns)[0].values()) == {Kind.NUMERIC}
    gap = {name: array for name, array in run.items() if name != "emb_007"}
    assert set(inferred(**gap)[0].values()) == {Kind.NUMERIC}


def test_prose_is_text_and_names_and_links_are_not():
    """Sentences are text, with a doubt that says so; names, ids, links and a few sentences said
    again and again are not.
    """
    kinds, found = inferred(comment=PROSE)
    assert kinds == {"comment": Kind.TEXT}
    assert any("comment is taken as text" in doubt and "redact" in doubt for doubt in found.doubts)
    chinese = [
        "".join(DRAW.choice(list("你好世界我们今天天气很好吃饭没有"), size=30)) for _ in range(200)
    ]
    assert inferred(comment=chinese)[0] == {"comment": Kind.TEXT}
    names = [
        f"{first} {chr(97 + n)}{n} Braund"
        for n, first in enumerate(["Owen", "Laina", "Lily", "James"] * 50)
    ]
    links = [f"https://example.org/{n}" for n in range(200)]
    kinds, found = inferred(
        name=[name.replace("9", "x") for name in names],
        link=links,
        said=PROSE[:4] * 50,
        id=[str(n) for n in range(200)],
    )
    assert Kind.TEXT not in kinds.values()
    assert kinds["said"] is Kind.CATEGORICAL
    assert "name" not in kinds
    assert inferred(comment=PROSE[:10])[0] == {"comment": Kind.CATEGORICAL}


def test_images_are_left_out_and_named():
    """Bytes or base64 that begin like an image are no categories; other bytes are left out too."""
    data = png()
    text = base64.b64encode(data).decode()
    kinds, found = inferred(
        raw=[data] * 30,
        text=[text] * 30,
        url=[f"data:image/png;base64,{text}"] * 30,
        blob=[b"\xff\x00\x01"] * 30,
    )
    assert kinds == {}
    assert [doubt.split(" ")[0] for doubt in found.doubts if "images" in doubt] == [
        "raw",
        "text",
        "url",
    ]


def test_a_declared_embedding_gets_its_dimension():
    """What the configuration leaves open comes from the records; what it says stands; what nobody
    knows stays open.
    """
    features = {
        "open": Field("open", "deep.e", Kind.EMBEDDING),
        "said": Field("said", "deep.e", Kind.EMBEDDING, 7),
        "unseen": Field("unseen", "nowhere", Kind.EMBEDDING),
    }
    records = pa.RecordBatch.from_pydict({"deep.e": pa.array([[1.0] * 9, [1.0] * 9, [2.0]])})
    found = infer_schema([records], Schema(features=features)).schema
    assert {name: part.dimension for name, part in found.features.items()} == {
        "open": 9,
        "said": 7,
        "unseen": 0,
    }
    assert found.embeddings_without_dimension == ("unseen",)
