"""Danbooru-style tags for a picture, from any WD14 ONNX model (v1.4 and v3), without torch.

>>> from wd14_tagger import Tagger, download_tagger
>>> model, tags = download_tagger()
>>> Tagger(model, tags).prompt(picture)  # picture: uint8 (H, W, 3) RGB
'1girl, solo, long hair, smile'
"""

from wd14_tagger.models import DEFAULT_MODEL, MODELS, TaggerModel, download_tagger
from wd14_tagger.tagger import Tagger

__all__ = ["DEFAULT_MODEL", "MODELS", "Tagger", "TaggerModel", "download_tagger"]
