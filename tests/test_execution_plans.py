"""What plans need, against what full-size networks are counted to need; budgets become a plan or one sentence."""

import json
import math
from dataclasses import replace

import pytest
import torch
from live_bytes import LiveBytes
from reference import DATA
from torch.overrides import TorchFunctionMode

from paints_undo import PaintsUndo
from paints_undo.errors import InputError
from paints_undo.execution import plans
from paints_undo.execution.plan import GIB, LADDER, LEAST, NAMES, STAGE, Work, next_plan_down, one_by_one
from paints_undo.execution.plans import choose, plans_for
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import BUILD, count_weights
from paints_undo.models.attention import attention_backend
from paints_undo.models.pieces import feed_forward_pieces

CARD, MAC, CPU = torch.device("cuda"), torch.device("mps"), torch.device("cpu")


class Published:
    """The published family as far as plans look at it: configurations, and the shapes of the weights."""

    def config(self, part):
        return json.loads((DATA / "released" / "configs" / part / "config.json").read_text())


@pytest.fixture
def published(monkeypatch):
    def count(family, part):
        shapes = json.loads((DATA / "released" / "keys" / f"{part.replace('/', '_')}.json").read_text())
        return sum(math.prod(shape) for shape in shapes.values())

    monkeypatch.setattr(plans, "count_weights", count)
    monkeypatch.setattr(plans, "picture_vae_dtype", lambda device, dtype: torch.bfloat16)
    return Published()


def predicted(candidates):
    return {candidate.plan.name: candidate.peak / GIB for candidate in candidates}  # the last, smallest of a name


def test_published_family_stays_below_the_goals(published):
    peaks = predicted(plans_for(published, Work(), CARD, torch.float16))
    goals = {"resident": 8.6, "stage": 3.6, "sliced": 3.2, "streamed": 1.9, "least": 1.4}
    assert list(peaks) == list(NAMES) and all(peaks[name] <= goals[name] for name in NAMES)
    assert peaks["resident"] > 6.745 + 1.64 and peaks["stage"] > 2.68 + 0.82  # weights and activations as counted


def test_flop_of_the_default_run(published):
    [candidate, *_] = plans_for(published, Work(), CARD, torch.float16)
    assert candidate.flop == pytest.approx(10.24e15, rel=0.01)
    assert plans.plan_in_words(candidate, 50e12) == "plan resident, about 11.9 GiB, about 3 min"
    assert plans.plan_in_words(candidate, 1e18) == "plan resident, about 11.9 GiB, less than a minute"
    assert plans.plan_in_words(replace(candidate, flop=None), 50e12) == "plan resident, about 11.9 GiB"


class FusedAttention(TorchFunctionMode):
    """Attention as a GPU's kernels do it: without the matrix of weights, which the meta device would count."""

    def __torch_function__(self, function, types, arguments=(), options=None):
        if function is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(arguments[0])
        return function(*arguments, **(options or {}))


META = torch.device("meta")


def counted(call):
    with torch.inference_mode(), LiveBytes(META) as live, FusedAttention():
        call()
    return live.peak


def draw(*shape):
    return torch.empty(shape, dtype=torch.float16, device="meta")


def network_of(published, part):
    with torch.device("meta"):
        return BUILD[part](published.config(part)).half().eval().requires_grad_(False)


def activations(plan, published, work):
    return {part: 2 * count for part, count in plans.count_activations(plan, published, work).items()}


@pytest.mark.parametrize("pieces", [1, 4])
def test_activations_of_the_unets_at_full_size(published, pieces):
    work = Work(keyframes=2)
    plan = replace(STAGE, keyframes_at_once=2, feed_forward_pieces=pieces, guidance_batch=False)
    expected = activations(plan, published, work)
    unet, time = network_of(published, "multi_frame/unet"), torch.zeros(1, device="meta")
    latents, text, image = draw(1, 4, 16, 56, 48), draw(1, 77, 1024), draw(1, 16, 16, 1024)
    with feed_forward_pieces(pieces):
        found = counted(lambda: unet(latents, time, text, image, latents, time))
    assert expected["multi_frame/unet"] / 1.15 <= found <= expected["multi_frame/unet"] * 1.02

    unet, steps = network_of(published, "single_frame/unet"), torch.zeros(2, device="meta")
    with feed_forward_pieces(pieces):
        found = counted(lambda: unet(draw(2, 4, 80, 64), steps[0], draw(2, 77, 768), draw(1, 4, 80, 64), steps))
    assert expected["single_frame/unet"] / 1.15 <= found <= expected["single_frame/unet"] * 1.02


def test_activations_of_the_vaes_at_full_size(published):
    vae, work = network_of(published, "single_frame/vae"), Work()
    expected = activations(STAGE, published, work)["single_frame/vae"]
    assert expected / 1.15 <= counted(lambda: vae.decode(draw(1, 4, 80, 64))) <= expected * 1.02
    vae, references = network_of(published, "multi_frame/vae"), []

    def encode():
        states = vae.encode(draw(1, 3, 448, 384))[1]
        references[:] = [torch.stack([state, state], 1) for state in states]

    encoding = counted(encode)
    hidden = sum(state.nbytes for state in references)
    for frames in (None, 4):
        expected = activations(replace(STAGE, decoded_frames=frames), published, work)["multi_frame/vae"]
        found = counted(lambda frames=frames: vae.decode(draw(1, 4, 16, 56, 48), references, frames))
        found += hidden if frames is None else 0
        assert expected / 1.15 <= found <= expected * 1.02 and encoding <= expected


def test_where_scores_are_kept_they_are_counted_and_no_array_reaches_4_gib(published):
    work, plan = Work(keyframes=2), replace(STAGE, keyframes_at_once=2, guidance_batch=False, decoded_frames=1)
    expected = activations(plan, published, work)
    scores = plans.count_scores(LADDER[0], published, Work())["single_frame/unet"]
    assert 2 * scores > 4 * GIB > 4 * plans.MOST_SCORES, "more than Apple's GPUs hold in one array"
    unet, steps = network_of(published, "single_frame/unet"), torch.zeros(2, device="meta")
    with attention_backend("plain"), feed_forward_pieces(4):
        found = counted(lambda: unet(draw(2, 4, 80, 64), steps[0], draw(2, 77, 768), draw(1, 4, 80, 64), steps))
    kept = expected["single_frame/unet"] + 2 * 2 * plans.MOST_SCORES
    assert kept / 1.25 <= found <= kept * 1.02
    for gib, name in {48: "resident", 8: "stage", 4.5: "sliced", 3: "streamed"}.items():
        assert choose(plans_for(published, Work(), MAC, torch.float16), int(gib * GIB), CPU).plan.name == name


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_every_step_down_needs_less(published, device):
    work = Work(pairs=7)
    [largest, *_] = candidates = plans_for(published, work, torch.device(device), torch.float16)
    needs, plan = {candidate.plan: candidate.need for candidate in candidates}, largest.plan
    assert (plan.pairs_at_once, plan.decoded_frames) == (4, None)
    names = [plan.name]
    while (below := next_plan_down(plan)) is not None:
        assert needs[below] < needs[plan]
        plan = below
        names.append(plan.name)
    assert plan == LEAST and names == ["resident", *NAMES]
    assert sorted(needs.values(), reverse=True) == list(needs.values())


def test_a_single_pair_has_no_batches(published):
    candidates = plans_for(published, Work(pairs=1), CARD, torch.float16)
    assert [candidate.plan for candidate in candidates] == list(LADDER)


CARDS = {80: "resident", 12: "resident", 6: "stage", 4: "sliced", 3.5: "streamed", 3: "streamed", 2: "least"}


@pytest.mark.parametrize(("gib", "name"), CARDS.items())
def test_cards(published, gib, name):
    candidates = plans_for(published, Work(), CARD, torch.float16)
    assert choose(candidates, int(gib * GIB), CPU).plan.name == name


def card(monkeypatch, free, total):
    monkeypatch.setattr(plans, "device_memory", lambda device: (free * GIB, total * GIB))
    monkeypatch.setattr(plans, "device_in_words", lambda device: "cuda, a card")


@pytest.mark.parametrize(("free", "vram", "room"), [(20, "1", "1.0"), (0.3, "auto", "0.3")])
def test_too_little_memory_is_one_sentence(published, monkeypatch, free, vram, room):
    card(monkeypatch, free, 24)
    candidates = plans_for(published, Work(), CARD, torch.float16)
    message = rf"^cuda, a card: {room} GiB may be used, but the plan least needs 1.\d; close other programs [^\n]*$"
    with pytest.raises(InputError, match=message):
        choose(candidates, plans.budget(vram, CARD), CARD)


def test_budgets(monkeypatch, caplog):
    card(monkeypatch, 20, 24)
    assert plans.budget("auto", CARD) == 20 * GIB and plans.budget("4.5", CARD) == 4.5 * GIB and not caplog.text
    assert plans.budget("22", CARD) == 20 * GIB
    assert "vram is 22.0 GiB, but 20.0 GiB are free on cuda" in caplog.text
    assert plans.budget("40", CARD) == 20 * GIB
    assert "vram is 40.0 GiB, but cuda has 24.0 GiB; planning with those" in caplog.text
    monkeypatch.setattr(plans, "device_memory", lambda device: (None, None))
    assert plans.budget("auto", CARD) is None and plans.budget("4", CARD) == 4 * GIB


def test_several_workers_on_a_card_share_its_memory(monkeypatch, tiny_family):
    monkeypatch.setattr(plans, "device_memory", lambda device: (20 * GIB, 24 * GIB))
    assert [plans.shared("auto", CARD, users) for users in (1, 2, 4)] == ["auto", "10.0000", "5.0000"]
    assert plans.shared("8", CARD, 2) == "4.0000" and plans.shared("40", CARD, 2) == "10.0000"
    engine = PaintsUndo.load(tiny_family, device="cpu", workers=2)
    assert [load.keywords["vram"] for _, load in engine.workers.loads] == ["10.0000"] * 2


@pytest.mark.parametrize("value", ["", "much", "0", "-1", "nan", "inf", "4GB"])
def test_no_budget(value):
    with pytest.raises(InputError, match=f"vram is '{value}'; use auto, or the GiB"):
        plans.parse_budget(value)


def test_where_nobody_knows_the_memory(published):
    candidates = plans_for(published, Work(), CARD, torch.float16)
    assert choose(candidates, None, CARD).plan == STAGE
    candidates = plans_for(published, Work(), CPU, torch.float32)
    assert choose(candidates, None, CPU).plan.decoded_frames is None


def test_on_a_cpu_all_stays_and_only_pieces_shrink(published, caplog):
    candidates = plans_for(published, Work(), CPU, torch.float32)
    assert all(c.plan.keep and c.plan.ring is None and c.plan.pairs_at_once == 1 for c in candidates)
    chosen = [choose(candidates, int(gib * GIB), CPU).plan.decoded_frames for gib in (64, 10.2, 2)]
    assert chosen == [None, 1, 1] and "the run may be slow" in caplog.text


def test_the_host_holds_what_stays_after_use(published):
    whole = predicted(plans_for(published, Work(keyframes=1, pairs=2), CPU, torch.bfloat16))["resident"]
    assert whole == pytest.approx(10.31, rel=0.05), "a whole run as it was measured; see docs/performance.md"
    longer = predicted(plans_for(published, Work(), CPU, torch.bfloat16))["resident"]
    assert longer - whole == pytest.approx(5 * 0.115, rel=0.01), "and the hidden states of five more pictures"
    weights = {part: 2 * plans.count_weights(published, part) for part in set(plans.USES)}
    held = list(plans.host_weights(weights))
    assert set(weights) == set(PARTS) and held[-2][1] > 6 * GIB > held[-1][1], "networks that are let go"


def test_small_networks_run_side_by_side_and_large_ones_alone(two_cores, published, tiny_family):
    tiny, work = open_family(tiny_family), Work(keyframe_size=(96, 64), video_size=(64, 96))
    several, alone, *_ = (candidate.plan for candidate in plans_for(tiny, work, CPU, torch.float32))
    assert (several.lanes, alone.lanes) == (2, 1) and one_by_one(several).lanes == 1
    assert {candidate.plan.lanes for candidate in plans_for(published, Work(), CPU, torch.float32)} == {1}
    assert {candidate.plan.lanes for candidate in plans_for(published, Work(), CARD, torch.float16)} == {1}


def test_lanes_need_memory_each(two_cores, tiny_family):
    tiny = open_family(tiny_family)
    work = Work(keyframe_size=(96, 64), video_size=(64, 96))
    several, alone, *_ = plans_for(tiny, work, CPU, torch.float32)
    numbers = sum(count_weights(tiny, part) for part in PARTS) + plans.count_hidden_states(tiny, work)
    weights = plans.PROCESS + 4 * numbers
    assert several.peak - weights == pytest.approx(2 * (alone.peak - weights), rel=0.01)


def test_a_family_on_disk(tiny_family):
    family = open_family(tiny_family)
    work = Work(keyframe_size=family.keyframe_size, video_size=family.video_sizes[0])
    candidates = plans_for(family, work, CPU, torch.float32)
    weights = sum(count_weights(family, part) for part in PARTS)
    assert all(candidate.flop is None and 4 * weights < candidate.peak < 1.2 * GIB for candidate in candidates)


def test_speed_is_measured():
    assert 1e6 < plans.measure_speed(CPU, torch.float32, size=256) < 1e16
