"""One bar for a whole job, which never goes back, and a time left that can be believed: from recorded runs."""

import pytest

from paints_undo.progress import Course, Part, Progress
from paints_undo.time_left import Costs, TimeLeft

# Two runs of the small family one after the other, on two cores of a busy machine: when each report came, in seconds.
FIRST = [
    ("keyframes", "preparing", 1, [0.07, 0.57]),
    ("keyframes", "sampling", 2, [0.58, 0.7, 0.71, 0.81, 0.81, 0.9, 0.92, 1.01, 1.03, 1.09, 1.14, 1.19, 1.23]),
    ("keyframes", "decoding", 1, [1.24, 1.63, 1.89, 2.17, 2.44, 2.7, 2.99]),
    ("segments", "preparing", 1, [3.0, 3.3, 3.48, 3.65, 3.83, 3.99, 4.18, 4.37, 4.53]),
    ("segments", "conditions", 1, [4.53, 4.96]),
    ("segments", "sampling", 2, [5.2, 6.87, 6.99, 8.55, 8.7, 10.15, 10.33, 10.99]),
    ("segments", "decoding", 2, [11.0, 18.33, 19.47, 25.16, 26.1, 28.54, 29.22, 30.45]),
    ("video", "encoding", 1, [30.49, 30.63]),
]
SECOND = [
    ("keyframes", "preparing", 1, [0.03, 0.12]),
    ("keyframes", "sampling", 2, [0.12, 0.16, 0.19, 0.22, 0.23, 0.26, 0.27, 0.31, 0.33, 0.37, 0.38, 0.4, 0.43]),
    ("keyframes", "decoding", 1, [0.43, 1.77, 3.09, 4.55, 5.92, 6.89, 7.44]),
    ("segments", "preparing", 1, [7.45, 7.55, 7.58, 8.01, 8.18, 8.32, 8.48, 8.6, 8.86]),
    ("segments", "conditions", 1, [8.87, 9.2]),
    ("segments", "sampling", 2, [9.21, 10.28, 10.38, 11.52, 11.56, 12.66, 12.79, 13.29]),
    ("segments", "decoding", 2, [13.3, 18.14, 18.79, 23.75, 25.61, 29.3, 30.85, 32.2]),
    ("video", "encoding", 1, [32.22, 32.39]),
]
SIZES = {"keyframes": 0.0164, "segments": 0.2621, "video": 1.7}


def course_of(run, kind="mini cpu"):
    sizes = [0.0164 if detail in ("preparing", "conditions") else SIZES[stage] for stage, detail, _, _ in run]
    parts = zip(run, sizes, strict=True)
    return Course(kind, tuple(Part(s, d, len(times) - 1, size) for (s, d, _, times), size in parts))


def watched(run, costs, slower=1.0, kind="mini cpu"):
    """(seconds, share, seconds left) a hundred times on the way, and the outlook at the end."""
    course, now = course_of(run, kind), [0.0]
    reports = [
        (time * slower, Progress(stage, detail, done, len(times) - 1, at_once=at_once, course=course))
        for stage, detail, at_once, times in run
        for done, time in enumerate(times)
    ]
    left, seen, end = TimeLeft(costs, lambda: now[0]), [], reports[-1][0]
    for moment in (end * i / 100 for i in range(100)):
        while reports and reports[0][0] <= moment:
            now[0], progress = reports.pop(0)
            left(progress)
        now[0] = moment
        seen.append((moment, *left.now()))
    for now[0], progress in reports:
        assert left.now()[0] < 1, "not before the last report"
        left(progress)
    return seen, left.now(), end


def errors(seen, end):
    """How far share and seconds left were off, in the mean, as shares of the whole."""
    known = [(share - moment / end, (left - (end - moment)) / end) for moment, share, left in seen if left is not None]
    return [sum(abs(each) for each in column) / len(known) for column in zip(*known, strict=True)]


@pytest.mark.parametrize("run", [FIRST, SECOND], ids=["first", "second"])
@pytest.mark.parametrize("slower", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("kind", ["mini cpu", "released cuda", ""])
def test_the_bar_never_goes_back_and_is_full_at_the_end_alone(run, slower, kind):
    seen, last, end = watched(run, Costs(), slower, kind)
    shares = [share for _, share, _ in seen]
    assert shares == sorted(shares) and shares[-1] < 1 and last == (1.0, 0.0)
    assert all(left is None or left >= 0 for _, _, left in seen)


@pytest.mark.parametrize("run", [FIRST, SECOND], ids=["first", "second"])
@pytest.mark.parametrize("slower", [0.5, 1.0, 3.0])
def test_bar_and_time_left_are_honest(run, slower):
    costs = Costs()
    for _ in range(2):
        seen, _, end = watched(run, costs, slower)
        share, left = errors(seen, end)
        assert share < 0.12 and left < 0.26
    assert share < 0.06 and left < 0.13, "what the first run took is remembered"
    short = [moment for moment, _, left in seen if left is not None and left < 0.02 * end]
    assert not short or end - short[0] < 0.1 * end, "it is not nearly done for long"


@pytest.mark.parametrize("run", [FIRST, SECOND], ids=["first", "second"])
@pytest.mark.parametrize("slower", [0.01, 1.0])
def test_a_family_of_which_nothing_is_known_is_soon_seen_for_what_it_is(run, slower):
    seen, _, end = watched(run, Costs(), slower, "somebody's cpu")  # expected to take hours
    share, left = errors(seen, end)
    assert share < 0.25 and left < 15, "where trusting what was expected would come to 0.48 and 200"


def test_other_kinds_of_work_learn_their_own_costs():
    costs = Costs()
    watched(FIRST, costs, kind="released cuda")
    share, left = errors(*watched(FIRST, costs, kind="released cuda")[::2])
    assert share < 0.06 and left < 0.13
    assert costs.of("mini cpu", course_of(FIRST).parts[0]) == Costs().of("mini cpu", course_of(FIRST).parts[0])


def test_what_is_found_done_and_what_comes_out_of_order():
    now = [0.0]
    left = TimeLeft(Costs(), lambda: now[0])
    course = Course("mini cpu", (Part("segments", "sampling", 7), Part("segments", "decoding", 7)))
    shares = []
    sampling, decoding = [(0, 0), (1, 2), (2, 4)], [(2, 1), (3, 3), (3, 2)]
    reports = [("sampling", *sampling[0]), ("sampling", *sampling[1]), ("decoding", *decoding[0])]
    reports += [("sampling", *sampling[2]), ("decoding", *decoding[1]), ("decoding", *decoding[2])]
    for detail, second, done in reports:
        now[0] = float(second)
        left(Progress("segments", detail, done, 4, course=course))
        shares.append(left.now()[0])
    assert shares == sorted(shares) and shares[-1] < 1
    now[0] = 4.0
    assert left(Progress("segments", "decoding", 4, 4, course=course)) == 0 and left.now() == (1.0, 0.0)


def test_several_processes_report_a_stage_as_one():
    now, shares = [0.0], []
    left = TimeLeft(Costs(), lambda: now[0])
    parts = (Part("segments", "sampling", 7), Part("segments", "decoding", 7), Part("video", "encoding", 105, 0.02))
    for done in (0, 100, 90, 500, 1000):
        now[0] += 5
        left(Progress("segments", "drawing", done, 1000, course=Course("mini cpu", parts)))
        shares.append(left.now()[0])
    assert shares == sorted(shares) and 0.9 < shares[-1] < 1
    left(Progress("video", "encoding", 105, 105, course=Course("mini cpu", parts)))
    assert left.now() == (1.0, 0.0)


def test_a_pause_says_nothing_about_the_speed():
    now, course = [0.0], Course("mini cpu", (Part("segments", "decoding", 10),))
    plain, paused = (TimeLeft(Costs(), lambda: now[0]) for _ in range(2))
    for done in range(6):
        now[0] = 2.0 * done
        for one in (plain, paused):
            one(Progress("segments", "decoding", done, 10, course=course))
    expected, now[0] = plain(Progress("segments", "decoding", 5, 10, course=course)), 500.0
    paused.go_on()
    assert paused.now()[1] == pytest.approx(expected, rel=0.01)
    now[0] = 502.0
    assert paused(Progress("segments", "decoding", 6, 10, course=course)) == pytest.approx(8, rel=0.2)


def test_a_course_gives_way_to_a_shorter_one_without_a_jump_back():
    now = [0.0]
    left = TimeLeft(Costs(), lambda: now[0])
    rest = Course("mini cpu", (Part("keyframes", "sampling", 10),))
    whole = Course("mini cpu", (Part("tags", "tagging", 1), Part("keyframes", "sampling", 20)))
    left(Progress("tags", "tagging", 0, 1, course=whole))
    now[0] = 2.0
    left(Progress("tags", "tagging", 1, 1, course=whole))
    before = left.now()[0]
    left(Progress("keyframes", "sampling", 0, 10, course=rest))
    assert 0 < before <= left.now()[0] < 1


def test_without_a_course_each_activity_is_a_whole():
    now = [0.0]
    left = TimeLeft(Costs(), lambda: now[0])
    for done in range(5):
        now[0] = 2.0 * done
        seconds = left(Progress("keyframes", "sampling", done, 10))
    assert seconds == pytest.approx(12, rel=0.2)
    left(Progress("keyframes", "decoding", 0, 6))
    assert left.now()[0] == 0
