"""Both stages as pipelines of diffusers, for tools that drive such: the same networks, the same pictures.

>>> from paints_undo.diffusers_pipelines import KeyframePipeline, SegmentPipeline
>>> draw = KeyframePipeline.from_pretrained("mini").to("cpu")
>>> keyframes = draw(artwork, "1girl", operation_steps=[400, 999], generator=torch.Generator().manual_seed(7)).images
"""

from paints_undo.diffusers_pipelines.keyframe_pipeline import KeyframePipeline
from paints_undo.diffusers_pipelines.schedulers import KeyframeScheduler, SegmentScheduler
from paints_undo.diffusers_pipelines.segment_pipeline import SegmentPipeline, SegmentPipelineOutput

__all__ = ["KeyframePipeline", "KeyframeScheduler", "SegmentPipeline", "SegmentPipelineOutput", "SegmentScheduler"]
