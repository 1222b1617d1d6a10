"""The rules of creating exactly once: row by row, in all reachable states, and as the documents have them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.scripts import PROJECT, load_script

from airflow_provider_koodrive.api.create import protocol
from airflow_provider_koodrive.api.create.protocol import (
    Absent,
    Claim,
    Created,
    Earlier,
    Exhausted,
    Finish,
    Found,
    GiveUp,
    Incomplete,
    Look,
    LookFailed,
    Phase,
    Progress,
    Send,
    SendFailed,
    WaitAndLook,
    advance,
    group_id_of,
    leaves_outcome_unknown,
    may_mean_exists,
)
from airflow_provider_koodrive.exceptions import (
    KooDriveAuthenticationError,
    KooDriveConflictError,
    KooDriveConnectionError,
    KooDriveError,
    KooDriveGatewayError,
    KooDrivePermissionError,
    KooDriveQuotaError,
    KooDriveResponseError,
    KooDriveServerError,
    KooDriveThrottledError,
)

states = load_script("protocol_states")

SPACE = {"id": "17"}
LACKING = KooDriveResponseError("the lists lack records")
BROKEN = KooDriveServerError("HTTP 500")
THROTTLED = KooDriveThrottledError("HTTP 429")
UNSENT = KooDriveConnectionError("no route", sent=False)
LOST = KooDriveConnectionError("connection lost")
PAGE = KooDriveResponseError("a page")
EXISTS = KooDriveConflictError("exists")
STRANGE = KooDriveError("a code of unknown meaning")
FULL = KooDriveQuotaError("no room")
EXPIRED = KooDriveAuthenticationError("HTTP 401")
GROUP_ID = {"id": "17", "failedList": []}
OTHER_ID = {"id": "c17", "failedList": []}
NO_ID = {"id": None, "failedList": []}


def at(phase: Phase, **known) -> Progress:
    return Progress(**{"reuse": False, "phase": phase, **known})


FIRST, SENDING, NOW = Phase.FIRST_LOOK, Phase.SENDING, Phase.LOOK_NOW
BEFORE, AFTER, CONFIRMING = Phase.LOOK_BEFORE_RESEND, Phase.LOOK_AFTER_REFUSAL, Phase.CONFIRMING
OPEN = {"earlier": Earlier.UNKNOWN}
MADE = {"earlier": Earlier.CREATED}
SENT = {"lost": True, "error": LOST}
WAIT, UNTIL_DEADLINE = WaitAndLook(), WaitAndLook(until_deadline=True)

# Phase and what is known, event, what changes, step.
ROWS = [
    *((phase, {}, Found(SPACE), {}, Claim(SPACE)) for phase in (FIRST, NOW, BEFORE, AFTER)),
    *((phase, {}, Absent(), {"phase": SENDING}, Send()) for phase in (FIRST, BEFORE)),
    (FIRST, OPEN, Absent(), {"phase": SENDING}, Send()),
    *(
        (FIRST, known, Absent(True), {"phase": SENDING, "earlier": Earlier.NOTHING}, Send())
        for known in (OPEN, MADE)
    ),
    *(
        (phase, {}, Incomplete(LACKING), {"phase": SENDING, "absence_shown": False}, Send())
        for phase in (FIRST, BEFORE)
    ),
    *((FIRST, known, Incomplete(LACKING), {}, GiveUp(LACKING)) for known in (OPEN, MADE)),
    *((FIRST, {}, LookFailed(error), {}, GiveUp(error)) for error in (BROKEN, EXPIRED)),
    (SENDING, SENT, Created(NO_ID), {"phase": CONFIRMING, "answer": NO_ID, "error": None}, Look()),
    *(
        (SENDING, known, SendFailed(error), {"phase": BEFORE, "error": error}, WAIT)
        for error in (THROTTLED, UNSENT)
        for known in ({}, SENT, OPEN)
    ),
    *(
        (SENDING, known, SendFailed(error), {"phase": NOW, "lost": True, "error": error}, Look())
        for error in (LOST, BROKEN, PAGE)
        for known in ({}, SENT)
    ),
    *(
        (SENDING, {}, SendFailed(error), {"phase": AFTER, "error": error}, Look())
        for error in (EXISTS, STRANGE)
    ),
    *(
        (SENDING, SENT, SendFailed(error), {"phase": AFTER, "error": error}, Look())
        for error in (FULL, EXISTS)
    ),
    *((SENDING, known, SendFailed(FULL), {"error": FULL}, GiveUp(FULL)) for known in ({}, OPEN, MADE)),
    *(
        (phase, SENT, LookFailed(error), {}, GiveUp(error))
        for phase in (NOW, BEFORE)
        for error in (EXPIRED, FULL)
    ),
    (NOW, SENT, Absent(), {"phase": BEFORE}, WAIT),
    *(
        (phase, SENT, event(error), {"phase": BEFORE, "error": error}, WAIT)
        for phase in (NOW, BEFORE)
        for event, error in ((Incomplete, LACKING), (LookFailed, BROKEN), (LookFailed, PAGE))
    ),
    (BEFORE, OPEN, Incomplete(LACKING), {"phase": BEFORE, "error": LACKING}, WAIT),
    *(
        (AFTER, {"error": refusal, **known}, event, {}, step)
        for event in (Absent(), Incomplete(LACKING), LookFailed(BROKEN))
        for refusal, known, step in (
            (EXISTS, {}, GiveUp(EXISTS)),
            (STRANGE, {"reuse": True}, GiveUp(STRANGE)),
            (EXISTS, {"reuse": True}, WAIT),
            (EXISTS, {"lost": True}, UNTIL_DEADLINE),
            (STRANGE, {"lost": True}, UNTIL_DEADLINE),
            (FULL, {"lost": True}, WAIT),
            (EXISTS, OPEN, UNTIL_DEADLINE),
            (EXISTS, MADE, WAIT),
        )
    ),
    *(
        (AFTER, {"error": EXISTS, "lost": True}, LookFailed(error), {}, GiveUp(EXISTS))
        for error in (EXPIRED, FULL)
    ),
    *(
        (CONFIRMING, {"answer": answer, "error": BROKEN}, event, {"error": error}, step)
        for answer, step in ((GROUP_ID, WAIT), (OTHER_ID, UNTIL_DEADLINE), (NO_ID, UNTIL_DEADLINE))
        for event, error in ((Absent(), None), (Incomplete(LACKING), LACKING), (LookFailed(PAGE), PAGE))
    ),
    *((CONFIRMING, {"answer": answer}, Found(SPACE), {}, Finish(SPACE)) for answer in (GROUP_ID, NO_ID)),
    *(
        (CONFIRMING, {"answer": answer}, LookFailed(error), {"error": error}, step)
        for error in (BROKEN, EXPIRED)
        for answer, step in (
            (GROUP_ID, Finish({"id": "17"})),
            (OTHER_ID, GiveUp(error)),
            (NO_ID, GiveUp(error)),
        )
    ),
    (CONFIRMING, {"answer": GROUP_ID, "error": PAGE}, Exhausted(), {}, Finish({"id": "17"})),
    (CONFIRMING, {"answer": NO_ID, "error": PAGE}, Exhausted(), {}, GiveUp(PAGE)),
    (CONFIRMING, {"answer": NO_ID}, Exhausted(), {}, GiveUp(None)),
    *((phase, SENT, Exhausted(), {}, GiveUp(LOST)) for phase in (BEFORE, AFTER)),
]  # fmt: skip


@pytest.mark.parametrize(("phase", "known", "event", "changes", "step"), ROWS)
def test_row(phase, known, event, changes, step):
    progress = at(phase, **known)
    assert advance(progress, event) == (replace(progress, **changes), step)


@pytest.mark.parametrize(
    ("phase", "event"),
    [
        (SENDING, Found(SPACE)),
        (SENDING, Absent()),
        (SENDING, Exhausted()),
        (FIRST, Created(GROUP_ID)),
        (FIRST, SendFailed(LOST)),
        (AFTER, SendFailed(LOST)),
        (CONFIRMING, SendFailed(LOST)),
        (CONFIRMING, Created(GROUP_ID)),
    ],
)
def test_an_event_that_cannot_answer_the_step_before_it(phase, event):
    with pytest.raises(ValueError, match=f"{type(event).__name__} cannot happen in phase {phase.name}"):
        advance(at(phase), event)


@pytest.mark.parametrize(
    ("phase", "known", "error", "unknown"),
    [
        (FIRST, {}, BROKEN, False),
        (FIRST, OPEN, BROKEN, True),
        (FIRST, OPEN, LACKING, True),
        (FIRST, OPEN, EXPIRED, False),
        (FIRST, MADE, BROKEN, False),
        (SENDING, {}, FULL, False),
        (SENDING, OPEN, FULL, True),
        (SENDING, MADE, FULL, True),
        (BEFORE, {}, THROTTLED, False),
        (BEFORE, SENT, EXPIRED, True),
        (AFTER, {}, EXISTS, False),
        (AFTER, {"lost": True}, EXISTS, True),
        (CONFIRMING, {}, None, True),
        (CONFIRMING, {}, EXPIRED, True),
    ],
)
def test_giving_up_leaves_the_outcome_unknown(phase, known, error, unknown):
    assert leaves_outcome_unknown(at(phase, **known), error) is unknown


def test_a_try_begins_with_nothing_known():
    assert Progress(False) == Progress(False, Earlier.NOTHING, FIRST, False, True, None, None)
    assert (Absent(), WaitAndLook()) == (Absent(False), WaitAndLook(False))


@pytest.mark.parametrize(
    ("answer", "group_id"), [(None, None), (NO_ID, None), (OTHER_ID, None), (GROUP_ID, "17")]
)
def test_a_number_is_the_groups_id(answer, group_id):
    assert group_id_of(answer) == group_id


@pytest.mark.parametrize(
    ("error", "may"),
    [(EXISTS, True), (STRANGE, True), (FULL, False), (KooDrivePermissionError(""), False), (None, False)],
)
def test_a_refusal_that_may_mean_exists(error, may):
    assert may_mean_exists(error) is may


def test_all_reachable_states_keep_the_invariants(record_testsuite_property):
    report = states.check()
    assert report.broken == {}
    assert report.states > 1000
    assert report.transitions > 5000
    record_testsuite_property("protocol", str(report))


def send_at_once(progress, event):
    after, step = advance(progress, event)
    return (replace(after, phase=SENDING), Send()) if isinstance(event, LookFailed) else (after, step)


def send_again_though_created(progress, event):
    if progress.phase is CONFIRMING and isinstance(event, Absent):
        return replace(progress, phase=SENDING), Send()
    return advance(progress, event)


def changed(**changes):
    def wrong(progress, event):
        after, step = advance(progress, event)
        return replace(after, **changes), step

    return wrong


def wait_in_vain(progress, event):
    after, step = advance(progress, event)
    return after, Look() if isinstance(step, WaitAndLook) else step


def step_instead(kind, other):
    def wrong(progress, event):
        after, step = advance(progress, event)
        return after, other(step) if isinstance(step, kind) else step

    return wrong


def look_on(progress, event):
    after, step = advance(progress, event)
    refused = isinstance(event, LookFailed) and isinstance(step, GiveUp) and after.lost
    return (after, WaitAndLook()) if refused else (after, step)


def forget_how_to_answer(progress, event):
    if isinstance(event, Exhausted):
        raise ValueError("no rule")
    return advance(progress, event)


BROKEN_RULES = [
    (send_at_once, "a create is sent only after a listing without the space"),
    (send_again_though_created, "nothing is sent after KooDrive said 'created'"),
    (changed(lost=False), "a create whose outcome is unknown is never forgotten"),
    (changed(earlier=Earlier.NOTHING), "an earlier try is forgotten only if it is over"),
    (changed(absence_shown=True), "a create on incomplete lists is never forgotten"),
    (
        step_instead(Claim, lambda step: GiveUp(None)),
        "a found space ends in Claim or Finish",
    ),
    (
        step_instead(GiveUp, lambda step: Finish(SPACE)),
        "only what KooDrive confirmed is finished",
    ),
    (look_on, "a look that is refused for good ends the looking"),
    (
        step_instead(WaitAndLook, lambda step: WaitAndLook(until_deadline=True)),
        "looks go on until the deadline only with a reason",
    ),
    (wait_in_vain, "no cycle without a wait"),
    (forget_how_to_answer, "each event has a transition"),
]
WRONG_KIND = "the outcome is unknown exactly if a create may have been carried out"


@pytest.mark.parametrize(("wrong", "invariant"), BROKEN_RULES)
def test_the_check_finds_a_broken_rule(wrong, invariant):
    assert invariant in states.check(wrong).broken


def test_the_check_finds_a_wrong_kind_of_error(monkeypatch):
    monkeypatch.setattr(protocol, "leaves_outcome_unknown", lambda progress, error: progress.lost)
    assert list(states.check().broken) == [WRONG_KIND]


def test_each_invariant_is_broken_once():
    of_the_graph = {"no cycle without a wait", "each event has a transition"}
    assert {name for _, name in BROKEN_RULES} | {WRONG_KIND} == {*states.INVARIANTS} | of_the_graph


def between(file: str, name: str) -> str:
    """Return what stands between two markers of a document."""
    text = (PROJECT / file).read_text(encoding="utf-8")
    return text.partition(f"<!-- {name}:start -->\n")[2].partition(f"<!-- {name}:end -->")[0].strip()


def test_the_document_has_the_diagram():
    assert between("docs/exactly-once.md", "protocol") == f"```mermaid\n{states.diagram()}\n```"


@pytest.mark.parametrize("file", ["README.md", "docs/exactly-once.md"])
def test_the_documents_have_the_truth_table(file):
    assert between(file, "truth-table") == states.truth_table()


def test_a_row_of_the_table_whose_errors_differ_is_found():
    with pytest.raises(ValueError, match="lead to"):
        states.cells((BROKEN, FULL))


def test_a_gateway_error_leaves_the_outcome_unknown():
    assert states.cells((KooDriveGatewayError("", http_status=502),)) == states.cells((BROKEN,))
