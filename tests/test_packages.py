"""The versions that a run records."""

import numpy as np

from paints_undo.run.packages import package_versions


def test_package_versions_name_what_can_change_pixels():
    versions = package_versions()
    assert set(versions) == {"paints_undo", "torch", "diffusers", "transformers", "onnxruntime", "numpy", "opencv"}
    assert versions["numpy"] == np.__version__
    assert "not installed" not in versions.values()
