"""A run in the original's order of work: what this program is measured against.

Every network is built with random values first and then loaded; each stage brings its networks to the device and takes
them back to the host; each pair encodes its text, pictures and conditions anew; guidance is two passes; both decoders
take everything at once.  The pictures are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from safetensors.torch import load_file
from torch import Tensor, nn

from memory_management import picture_vae_dtype, release_cache
from paints_undo.bench.original_networks import OriginalVideoDecoder, OriginalVideoUNet, attend
from paints_undo.bench.watch import Watch
from paints_undo.diffusion.denoisers import KeyframeDenoiser, SegmentDenoiser
from paints_undo.diffusion.samplers import ddim, dpm_solver_2m, draw_normal
from paints_undo.diffusion.schedules import karras_sigmas, keyframe_sigmas, video_steps
from paints_undo.family.model_family import PARTS, ModelFamily
from paints_undo.family.weights import BUILD, load_tokenizer
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.fit import crop_to, nearest_bucket
from paints_undo.pictures.tensors import pixels_to_tensor, tensor_to_pixels
from paints_undo.progress import Progress
from paints_undo.run.timelapse import join_timelapse, with_white_canvas
from paints_undo.stages.prompts import encode_prompt
from paints_undo.stages.segments import NEGATIVE_PROMPT, keyframe_hint

Load = Callable[[ModelFamily, str, torch.dtype], nn.Module]
RESCALE = 0.7


def build_then_load(family: ModelFamily, part: str, dtype: torch.dtype) -> nn.Module:
    """A network that draws its first values and then forgets them for those of the file."""
    recipe, folder = PARTS[part], family.part_folder(part)
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are no business of this
        network = BUILD[part](family.config(part))
    state = {key.removeprefix(recipe.prefix): value for key, value in load_file(folder / recipe.weights).items()}
    network.load_state_dict(state, strict=False)  # files of older transformers hold position numbers, too
    network = nn.Module.to(network, dtype)  # not the method of diffusers, which warns of every cast
    return network.eval().requires_grad_(False)


class CopyingAttention:
    """diffusers' attention layer on copies of queries, keys and values."""

    def __call__(
        self,
        layer: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: None = None,
    ) -> Tensor:
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = layer.to_q(hidden_states), layer.to_k(context), layer.to_v(context)
        return layer.to_out[0](attend(query, key, value, layer.heads))


class OriginalOrder:
    """All networks of a family on the host, brought to the device and back stage by stage."""

    def __init__(
        self,
        family: ModelFamily,
        device: torch.device,
        dtype: torch.dtype,
        noise_device: torch.device,
        watch: Watch | None = None,
        load: Load = build_then_load,
    ):
        self.family, self.device, self.dtype, self.noise_device = family, device, dtype, noise_device
        self.watch = watch or Watch()
        self.loads = self.unloads = 0  # networks brought to the device, and taken back
        self._there: list[str] = []
        self.vae_dtype = picture_vae_dtype(device, dtype)
        self.networks: dict[str, nn.Module] = {}
        for part in PARTS:
            self.networks[part] = load(family, part, self.vae_dtype if part == "single_frame/vae" else dtype)
            self.watch.loaded(part)
        self.networks["single_frame/unet"].set_attn_processor(CopyingAttention())
        self.tokenizers = {name: load_tokenizer(family, f"{name}/tokenizer") for name in family.folders}

    @contextmanager
    def on_device(self, *parts: str) -> Iterator[nn.Module]:
        """Only these networks on the device; all others go back to the host, by a copy."""
        with self.watch.stay(parts[-1]) as span:
            for part in self._there:
                self.networks[part].to("cpu")
                self.unloads += 1
            release_cache(self.device)
            self._there = list(parts)
            for part in parts:
                self.networks[part].to(self.device)
                self.loads += 1
            self.watch.ready(span)
            yield self.networks[parts[0]]

    def undo(self, artwork: np.ndarray, options: UndoOptions) -> np.ndarray:
        """The frames of the timelapse, uint8 (15 (n + 1), h, w, 3); the prompt must be given."""
        drawn = self.draw_keyframes(artwork, options.keyframes)
        crop = crop_to(artwork, options.keyframes.width, options.keyframes.height)
        return join_timelapse(self.fill_segments(with_white_canvas(crop, drawn), options.segments))

    def draw_keyframes(self, artwork: np.ndarray, options: KeyframeOptions) -> np.ndarray:
        """Keyframes, uint8 (n, height, width, 3), as PaintsUndo.draw_keyframes."""
        with torch.inference_mode():
            with self.on_device("single_frame/text_encoder") as text_encoder:
                texts = [self.text("single_frame", text_encoder, p) for p in (options.prompt, options.negative_prompt)]
            with self.on_device("single_frame/vae") as vae:
                pixels = pixels_to_tensor(crop_to(artwork, options.width, options.height))
                mode = vae.encode(pixels.to(self.device, self.vae_dtype)).latent_dist.mode()
                latent = (mode * vae.config.scaling_factor).to(self.dtype)
            with self.on_device("single_frame/unet") as unet:
                latents = self.sample_keyframes(unet, latent, texts, options)
            with self.on_device("single_frame/vae") as vae:
                decoded = vae.decode(latents.to(self.vae_dtype) / vae.config.scaling_factor).sample
                self.report("keyframes", "decoding", 1, 1)
                return tensor_to_pixels(decoded.float())

    def sample_keyframes(
        self, unet: nn.Module, latent: Tensor, texts: list[Tensor], options: KeyframeOptions
    ) -> Tensor:
        steps = torch.tensor(options.operation_steps, device=self.device)
        generator = torch.Generator(self.noise_device).manual_seed(options.seed)
        noise = draw_normal(latent.shape, generator, self.dtype, self.device).repeat(len(steps), 1, 1, 1)
        sigmas = karras_sigmas(keyframe_sigmas(), options.sampling_steps).tolist()

        def told(text: Tensor, x: Tensor, timestep: int) -> Tensor:
            joined = torch.cat([x, latent.repeat(len(x), 1, 1, 1)], dim=1)
            return UNet2DConditionModel.forward(
                unet,
                joined,
                torch.tensor(timestep, device=self.device),
                text.repeat(len(x), 1, 1),
                added_cond_kwargs={"operation_steps": steps},
                return_dict=False,
            )[0]

        def predict(x: Tensor, timestep: int) -> Tensor:
            toward = told(texts[0], x, timestep)
            if options.guidance_scale == 1:
                return toward
            away = told(texts[1], x, timestep)
            return away + options.guidance_scale * (toward - away)

        denoise = partial(KeyframeDenoiser(self.family.keyframe_prediction), predict)
        return dpm_solver_2m(denoise, noise, sigmas, partial(self.report, "keyframes", "sampling"))

    def fill_segments(self, pictures: np.ndarray, options: SegmentOptions) -> np.ndarray:
        """Frames uint8 (n - 1, 16, h, w, 3), pair by pair, each from scratch."""
        height, width = nearest_bucket(pictures[0].shape[0], pictures[0].shape[1], self.family.video_sizes)
        with torch.inference_mode():
            pixels = [pixels_to_tensor(crop_to(p, width, height)).to(self.dtype) for p in pictures]
            return np.stack(
                [
                    self.fill_segment(pixels[pair], pixels[pair + 1], options, pair, len(pixels) - 1)
                    for pair in range(len(pixels) - 1)
                ]
            )

    def fill_segment(self, first: Tensor, last: Tensor, options: SegmentOptions, number: int, pairs: int) -> np.ndarray:
        both = torch.cat([first, last]).to(self.device)
        with self.on_device("multi_frame/text_encoder") as encoder:
            texts = [self.text("multi_frame", encoder, prompt) for prompt in (options.prompt, NEGATIVE_PROMPT)]
        with self.on_device("multi_frame/image_encoder", "multi_frame/image_projection") as encoder:
            project = self.networks["multi_frame/image_projection"]
            images = [project(encoder(pair).unsqueeze(0)) for pair in (both, torch.zeros_like(both))]
        with self.on_device("multi_frame/vae") as vae:
            encoded, hidden_states = vae.encode(both)
        with self.on_device("multi_frame/unet") as unet:
            latents = self.denoise(OriginalVideoUNet(unet), encoded, texts, images, options, number, pairs)
        with self.on_device("multi_frame/vae") as vae:
            video = OriginalVideoDecoder(vae)(latents, [state.unsqueeze(0) for state in hidden_states])[0]
            self.report("segments", "decoding", number + 1, pairs)
            return tensor_to_pixels(video.float().transpose(0, 1))

    def denoise(
        self,
        unet: OriginalVideoUNet,
        encoded: Tensor,
        texts: list[Tensor],
        images: list[Tensor],
        options: SegmentOptions,
        number: int,
        pairs: int,
    ) -> Tensor:
        frames = unet.unet.config.temporal_length
        hint = keyframe_hint(encoded[0], encoded[1], frames, self.family.segment_hint)
        stride = torch.tensor([options.frame_stride], device=self.device)
        generator = torch.Generator(self.noise_device).manual_seed(options.seed + number)

        def draw_noise() -> Tensor:
            return draw_normal(hint.shape, generator, self.dtype, self.device)

        def predict(x: Tensor, timestep: int) -> Tensor:
            at = torch.tensor([timestep], device=self.device)
            toward = unet(x, at, texts[0], images[0], hint, stride)
            if options.guidance_scale == 1:
                return toward
            away = unet(x, at, texts[1], images[1], hint, stride)
            v = away + options.guidance_scale * (toward - away)
            axes = tuple(range(1, v.ndim))
            contrast = toward.std(dim=axes, keepdim=True) / v.std(dim=axes, keepdim=True)
            return RESCALE * (v * contrast) + (1 - RESCALE) * v

        def on_step(done: int, total: int, latents: Tensor) -> None:
            self.report("segments", "sampling", number * total + done, pairs * total)

        steps = video_steps(options.sampling_steps)
        return ddim(partial(SegmentDenoiser(), predict), draw_noise(), steps, draw_noise, on_step)

    def text(self, checkpoint: str, encoder: nn.Module, prompt: str) -> Tensor:
        return encode_prompt(self.tokenizers[checkpoint], encoder, prompt)

    def report(self, stage: str, detail: str, done: int, total: int, latents: Tensor | None = None) -> None:
        self.watch.on_progress(Progress(stage, detail, done, total))
