"""A whole model family of tiny networks in the published layout, with the reference parameters."""

import json
import shutil
from pathlib import Path

from reference_fill import reference_tensor
from safetensors.torch import save_file

DATA = Path(__file__).parent / "data"
SOURCE = DATA / "end_to_end"
FAMILY = {
    "name": "reference",
    "keyframe_size": {"width": 96, "height": 64},
    "video_sizes": [[64, 128], [96, 96], [128, 64]],
    "video_prompt": "1girl, masterpiece, best quality",
}
# huggingface_hub's mixin, which saved these parts, writes no metadata; the other savers write format=pt
WITHOUT_METADATA = {"multi_frame/unet", "multi_frame/vae", "multi_frame/image_projection"}


def write_tiny_family(folder: Path) -> Path:
    """Write the family to `folder`; returns the folder."""
    for checkpoint in ("single_frame", "multi_frame"):
        shutil.copytree(SOURCE / checkpoint, folder / checkpoint, ignore=shutil.ignore_patterns("*.keys.json"))
        for keys in sorted((SOURCE / checkpoint).rglob("*.keys.json")):
            part = f"{checkpoint}/{keys.parent.name}"
            tensors = {key: reference_tensor(key, shape) for key, shape in json.loads(keys.read_text()).items()}
            metadata = None if part in WITHOUT_METADATA else {"format": "pt"}
            save_file(tensors, folder / part / keys.name.removesuffix(".keys.json"), metadata)
    shutil.copytree(DATA / "tagger", folder / "tagger", ignore=shutil.ignore_patterns("expected.json"))
    (folder / "model_family.json").write_text(json.dumps(FAMILY, indent=2))
    return folder


if __name__ == "__main__":  # python tests/tiny_family.py DEST: something to try the program with
    import sys

    print(write_tiny_family(Path(sys.argv[1])))
