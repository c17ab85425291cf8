"""A class together: who may do what in a round, and what each sees of it."""

from __future__ import annotations

import pytest

from leukovision.demo import rounds
from leukovision.demo.teach import class_round
from leukovision.i18n import LANGUAGES


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kept(clock):
    return rounds.Rounds(clock)


def ready(kept: rounds.Rounds, members: int = 3) -> tuple[rounds.Round, list[str]]:
    """A round with members, before whom a cell stands that the ensemble has judged."""
    now = kept.open("teacher")
    who = [kept.join(now.code.lower(), "school") for _ in range(members)]
    for one in (now.opener, *who):
        kept.watch(one)
    put(kept, now)
    return now, who


def put(kept: rounds.Rounds, now: rounds.Round, truth: str = "ALL") -> None:
    cell = rounds.Cell("<img>", truth)
    kept.show(now, now.place, cell)
    kept.answer(now, cell, "healthy", 0.2)


def test_only_the_first_guess_of_a_member_counts_and_the_opener_does_not_guess(kept):
    now, (first, second, _) = ready(kept)
    for who, said in (
        (first, "ALL"),
        (first, "healthy"),
        (second, "monocyte"),
        (now.opener, "ALL"),
        ("x", "ALL"),
    ):
        kept.guess(who, said)
    assert (now.count("ALL"), now.count("healthy")) == (1, 0)


def test_only_the_opener_goes_on_and_only_to_the_next_step(kept):
    now, (member, *_) = ready(kept)
    other = kept.open("elsewhere")
    for who in (member, other.opener, "", "x"):
        assert kept.go(who, "truth", 0) is None
    assert kept.go(now.opener, "names", 0) is None
    assert kept.go(now.opener, "truth", 0) is now
    # A button that was pressed twice does nothing the second time.
    assert kept.go(now.opener, "guess", 0) and kept.go(now.opener, "guess", 0) is None
    assert (now.place, now.cell) == (1, None)
    kept.end(member)
    assert kept.at(member) is now
    kept.end(now.opener)
    assert kept.at(member) is None and kept.at(other.opener) is other


def test_after_the_truth_nobody_guesses_and_the_score_grows(kept):
    now, (first, second, third) = ready(kept)
    for who, said in ((first, "ALL"), (second, "ALL"), (third, "healthy")):
        kept.guess(who, said)
    kept.go(now.opener, "truth", 0)
    assert (now.right["class"], now.right["ensemble"], now.right["taps"]) == (1, 0, 2)
    assert (now.of["class"], now.of["taps"]) == (1, 3)
    kept.go(now.opener, "guess", 0)
    put(kept, now, "")
    kept.guess(first, "ALL")
    kept.go(now.opener, "truth", 1)
    kept.guess(second, "ALL")
    assert now.of["class"] == 1 and now.count("ALL") == 1


def test_a_vote_counts_once_and_only_while_maps_are_shown(kept):
    now, (first, second, _) = ready(kept)
    kept.vote(first, 0)
    for stage in ("truth", "maps"):
        kept.go(now.opener, stage, 0)
    kept.vote(first, 0)
    assert not now.cell.votes
    kept.offer(now, now.cell, (rounds.Map("adds_up", "", 0.4), rounds.Map("gradcam", "", 0.6)))
    for who, place in ((first, 1), (first, 0), (second, 2), (second, -1), (now.opener, 0)):
        kept.vote(who, place)
    assert now.cell.votes == {first: 1}


def test_a_round_is_gone_after_an_hour(kept, clock):
    now, (member, *_) = ready(kept)
    clock.now = rounds.LASTING - 1
    assert kept.at(member) is now
    clock.now = rounds.LASTING
    assert kept.at(member) is None
    with pytest.raises(rounds.RoundError, match="unknown"):
        kept.join(now.code, "school")


def test_codes_cannot_be_tried_one_after_the_other(kept, clock):
    now = kept.open("teacher")
    for number in range(rounds.WRONG):
        with pytest.raises(rounds.RoundError, match="unknown"):
            kept.join(f"{number}", "stranger")
    for code in ("x", now.code):
        with pytest.raises(rounds.RoundError, match="often"):
            kept.join(code, "stranger")
    assert kept.join(now.code, "school")
    clock.now = rounds.SPAN + 1
    assert kept.join(now.code, "stranger")


def test_rounds_and_members_have_bounds(kept):
    now, _ = ready(kept, rounds.MEMBERS)
    with pytest.raises(rounds.RoundError, match="crowded"):
        kept.join(now.code, "school")
    for number in range(rounds.ROUNDS + 3):
        kept.open(f"{number}")  # nobody looks at these: they make room for each other, not for this one
    assert kept.at(now.opener) is now
    with pytest.raises(rounds.RoundError, match="often"):
        for _ in range(rounds.OPENED + 1):
            kept.open("greedy")
    for number in range(rounds.ROUNDS - 1):
        kept.watch(kept.open(f"watched {number}").opener)
    with pytest.raises(rounds.RoundError, match="full"):
        kept.open("late")


def test_a_stream_that_took_the_place_of_another_is_not_ended_by_it(kept):
    now, (member, *_) = ready(kept)
    before, after = now.streams[member], kept.watch(member)
    kept.leave(member, before)
    assert now.here == 3
    kept.leave(member, after)
    assert now.here == 2


@pytest.mark.parametrize("texts", LANGUAGES.values(), ids=LANGUAGES)
def test_nobody_is_told_the_ensemble_s_answer_before_they_guessed_nor_names_of_maps_before_the_vote(
    kept, texts
):
    now, (first, second, _) = ready(kept)
    answer = texts("words.chance", p=0.2)

    def shown(who):
        return "".join(class_round.pieces(now, who, True, texts).values())

    kept.guess(first, "ALL")
    assert answer in shown(first) and answer not in shown(second) + shown(now.opener)
    assert "disabled" not in shown(now.opener) and "data-act" not in shown(first)
    kept.go(now.opener, "truth", 0)
    assert all(answer in shown(who) for who in (first, second, now.opener))
    assert texts("teach.drawn_positive") in shown(second)
    kept.go(now.opener, "maps", 0)
    assert "disabled" in shown(now.opener)
    kept.offer(now, now.cell, (rounds.Map("adds_up", "", 0.4), rounds.Map("gradcam", "", 0.6)))
    assert "Grad-CAM" not in shown(first)
    kept.go(now.opener, "names", 0)
    assert "Grad-CAM" in shown(first) and texts("teach.class.left", percent=40) in shown(first)
    # Nobody's secret is on another's page.
    assert not any(one in shown(first) for one in (now.opener, second))


def test_the_link_is_one_of_this_page_and_nothing_else():
    assert "https://me.hf.space/?round=ABC" in class_round.door_html("ABC", "https://me.hf.space/")
    assert "127.0.0.1" in class_round.door_html("ABC", "http://127.0.0.1:7860/")
    for address in ("javascript:alert(1)", 'https://a/"><script>', "https://a/" + "a" * 300, ""):
        assert class_round.door_html("ABC", address) == ""
