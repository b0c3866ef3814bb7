import pytest
from facts import altered
from simulation import at, fact

from driftline import Verdict
from driftline.alerting import IgnoreReason
from driftline.alerting.observe import HORIZON, observe
from driftline.state.incident_json import dump_alert, parse_alert
from driftline.types.alert import Alert, AlertState

pytestmark = pytest.mark.postgres


def fold(
    verdicts: str, *, needed: int = 1, keep: int = 0, among: int | None = None
) -> Alert | None:
    """The alert after windows 0, 1, ... with verdicts c(hanged), o(k), u(nsure), e(rror)."""
    words = {"c": "changed", "o": "ok", "u": "unsure", "e": "error"}
    alert = None
    for hour, letter in enumerate(verdicts):
        alert, _ = observe(
            alert,
            fact(
                hour,
                verdict=words[letter],
                for_windows=needed,
                among_windows=among,
                keep_firing_windows=keep,
            ),
        )
    return alert


@pytest.mark.parametrize(
    ("verdicts", "needed", "keep", "state"),
    [
        ("c", 1, 0, "firing"),
        ("c", 2, 0, "pending"),
        ("cc", 2, 0, "firing"),
        ("coc", 2, 0, "pending"),
        ("cuc", 2, 0, "firing"),
        ("cec", 2, 0, "firing"),
        ("co", 2, 0, "quiet"),
        ("co", 1, 0, "resolved"),
        ("cu", 1, 0, "firing"),
        ("ce", 1, 0, "firing"),
        ("coo", 1, 2, "firing"),
        ("cooo", 1, 2, "resolved"),
        ("coocoo", 1, 2, "firing"),
        ("couoo", 1, 2, "resolved"),
        ("coc", 1, 0, "firing"),
    ],
)
def test_verdicts_move_an_alert(verdicts, needed, keep, state):
    """`for` windows in a row fire, `keep_firing` quiet ones more resolve, unsure and error neither
    advance nor resolve.
    """
    alert = fold(verdicts, needed=needed, keep=keep)
    assert alert is not None
    assert state == alert.phase.state


@pytest.mark.parametrize(
    ("verdicts", "keep", "state"),
    [
        ("coc", 0, "pending"),
        ("cococ", 0, "firing"),
        ("cuouuccu", 0, "firing"),
        ("coocooc", 0, "pending"),
        ("coooooo", 0, "quiet"),
        ("cocoo", 0, "pending"),
        ("ccco", 0, "firing"),
        ("cccoo", 0, "firing"),
        ("cccooo", 0, "resolved"),
        ("cccooo", 1, "firing"),
        ("cccoooo", 1, "resolved"),
        ("cccoooc", 0, "pending"),
        ("ccc" + "o" * 30 + "cc", 0, "pending"),
        ("ccc" + "o" * 30 + "coccc", 0, "firing"),
        ("co" * 30, 0, "firing"),
    ],
)
def test_three_of_five_windows_move_an_alert(verdicts, keep, state):
    """With `for: 3 of 5` it fires once three of the newest five judged windows are changed, and
    ends after three quiet ones in a row.
    """
    alert = fold(verdicts, needed=3, among=5, keep=keep)
    assert alert is not None
    assert state == alert.phase.state


def test_since_is_the_oldest_of_the_windows_that_count():
    """With `for: 3 of 5` the begin is the first changed window among the five."""
    alert = fold("coooccoc", needed=3, among=5)
    assert alert is not None
    assert at(4) == alert.phase.since


def test_the_newest_windows_survive_a_restart():
    """The state of an alert is the same after it was written and read."""
    alert = fold("co" * 20 + "oco", needed=3, among=5)
    assert alert is not None
    assert alert.base.newest
    assert parse_alert(dump_alert(alert)) == alert


@pytest.mark.parametrize("verdicts", ["", "o", "uu", "ooeeuo"])
def test_a_quiet_series_costs_nothing(verdicts):
    """A series that never changed has no alert."""
    assert fold(verdicts) is None


def test_since_is_the_first_window_of_the_run():
    """With `for: 3` the time told is that of the first of the three windows, not of the third."""
    alert = fold("ocoocuccc", needed=3)
    assert alert is not None
    assert at(4) == alert.phase.since


def test_a_revision_replaces_its_window():
    """Late data that turns the only changed window quiet takes the alert back, and turning it again
    brings it back.
    """
    alert = fold("cu")
    alert, _ = observe(alert, fact(0, verdict="ok", revision=2))
    assert alert.phase.state == AlertState.QUIET
    alert, _ = observe(alert, fact(0, revision=3))
    assert (AlertState.FIRING, at(0)) == (alert.phase.state, alert.phase.since)


def test_an_older_revision_is_ignored_with_its_reason():
    """A window's newer judgement is never undone by an older one."""
    alert, _ = observe(None, fact(0, revision=5))
    again, why = observe(alert, fact(0, verdict="ok", revision=4))
    assert (alert, IgnoreReason.OLDER_REVISION) == (again, why)


def test_beyond_the_horizon_a_revision_is_ignored():
    """Windows folded into the base stay as they are, and the reason says so."""
    alert = fold("c" * (HORIZON + 3))
    assert len(alert.recent) == HORIZON
    again, why = observe(alert, fact(2, verdict="ok", revision=9))
    assert (alert, IgnoreReason.TOO_OLD) == (again, why)


def test_the_fold_does_not_depend_on_the_horizon():
    """Sixty windows give the phase that one pass over all of them gives."""
    verdicts = "ccoouccccoccuo" * 5
    state, run = "quiet", 0
    for letter in verdicts:
        if letter == "c":
            run = run + 1 if state in ("pending", "firing") else 1
            state = "firing" if state == "firing" or run >= 3 else "pending"
        elif letter == "o":
            state = {"firing": "resolved", "pending": "quiet"}.get(state, state)
    assert state == fold(verdicts, needed=3).phase.state


def test_long_quiet_leaves_a_stone_with_the_last_evidence():
    """Once all remembered windows are quiet they are let go; the last changed one stays as
    evidence.
    """
    alert = fold("cc" + "o" * (HORIZON + 5))
    assert alert.recent == ()
    assert at(1) == alert.newest_change.start
    assert observe(alert, fact(40, verdict="ok")) == (alert, None)


def test_a_late_change_does_not_join_a_run_across_forgotten_quiet_windows():
    """Windows 0 and 4 changed, with quiet ones between that were not remembered, are not two in a
    row.
    """
    alert, _ = observe(None, fact(4, for_windows=2))
    alert, _ = observe(alert, fact(0, for_windows=2))
    assert alert.phase.state == AlertState.PENDING
    alert, _ = observe(alert, fact(3, for_windows=2))
    assert (AlertState.FIRING, at(3)) == (alert.phase.state, alert.phase.since)


def test_nan_never_enters():
    """A value that is not finite is remembered as none."""
    alert, _ = observe(
        None, altered(fact(0), value=float("nan"), was=float("inf"), interval=(0.0, float("inf")))
    )
    number = alert.newest_entry.measurement
    assert (number.value, number.was, number.interval) == (None, None, None)


def test_error_keeps_the_last_verdict():
    """A revision that could not be judged leaves the window's verdict as it was."""
    alert = fold("c")
    again, _ = observe(alert, fact(0, verdict=Verdict.ERROR, revision=7))
    assert alert == again
