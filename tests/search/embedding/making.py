"""A small model, vectors in a file, and pictures of which the default search does not propose a pair that is one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tests.pictures import save


def colour_model(path: Path) -> Path:
    """A model of three numbers: mean red, green and blue of a picture of 8 x 8 pixels, minus a middle colour."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    middle = numpy_helper.from_array(np.array([0.6, 0.5, 0.75], np.float32), "middle")
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Sub", ["flat", "middle"], ["vector"]),
    ]
    picture_info = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 8, 8])
    vector_info = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(nodes, "colours", [picture_info], [vector_info], [middle])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, path)
    path.with_suffix(".toml").write_text("size = 8\nradius = 0.4\nneighbours = 5\n")
    return path


def parquet(path: Path, vectors) -> Path:
    """Vectors by key in a file."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    files.write_table(
        pyarrow.table({"key": list(vectors), "vector": [list(map(float, v)) for v in vectors.values()]}), path
    )
    return path


def tissue_and_others(root: Path) -> Path:
    """A tissue, a seventh of it, and four other pictures. The descriptor does not find the two."""
    tissue = np.asarray(Image.fromarray(data.immunohistochemistry()).resize((768, 768)))
    save(root / "tissue.png", tissue)
    save(root / "part.png", np.ascontiguousarray(tissue[96:384, 192:480]))
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        save(root / f"{name}.png", np.asarray(Image.fromarray(getattr(data, name)()).resize((256, 192))))
    return root
