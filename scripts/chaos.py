"""
``make chaos``: create group spaces while faults strike, and count what became of each.

A caller is a task: it tries again after an error, with the journal that Airflow keeps for it, and up to
ten times, since somebody clears it where an error ends it for good. Ends with status 0 only where each space
was created exactly once and its caller told so, or its caller told that the outcome is unknown.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from airflow_provider_koodrive.api.auth import AppAuth
from airflow_provider_koodrive.api.client import KooDriveClient
from airflow_provider_koodrive.api.create.runner import create_group_space
from airflow_provider_koodrive.api.create.spec import GroupSpaceSpec
from airflow_provider_koodrive.api.endpoints import CREATE_GROUP_SPACE, Endpoint
from airflow_provider_koodrive.exceptions import KooDriveError, KooDriveOutcomeUnknownError
from airflow_provider_koodrive.sandbox.faults.kinds import KINDS
from airflow_provider_koodrive.sandbox.server import Sandbox
from airflow_provider_koodrive.sandbox.service.operations import OPERATION_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_koodrive.api.http.request import CallContext
    from airflow_provider_koodrive.types import CreatedGroupSpace

    Create = Callable[[KooDriveClient, "Order"], CreatedGroupSpace]

AT_ONCE = 8
PROCESSES = 2
STRUCK_SHARE = 0.3
TRIES = 10
TIMEOUT_SECONDS = 0.5

# Faults that a client with this time-out feels, short enough for thousands of creates.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "refuse_connection": [{"seconds": 0.05}],
    "error_503_retry_after": [{"seconds": 0}, {"date": True}],
    "throttle_429": [{"seconds": 0}, {"date": True}],
    "gateway_html": [{"committed": False}, {"committed": True}],
    "error_200": [{"committed": False}, {"committed": True}],
    "slow_body": [{"seconds": 0.8}],
    "stale_list": [{"seconds": 0.3}],
}


@dataclass
class Order:
    """
    One space that is ordered: what its task remembers from try to try, and is told in the end.

    :param name: name of the space
    :param user_ids: its members
    :param if_exists: ``reuse`` or ``fail``
    """

    name: str
    user_ids: list[str]
    if_exists: str
    noted: dict[str, Any] | None = None
    trace_ids: set[str] = field(default_factory=set)
    space: CreatedGroupSpace | None = None
    errors: list[KooDriveError] = field(default_factory=list)

    def read(self) -> dict[str, Any] | None:
        """Return what was noted last."""
        return self.noted

    def note(self, intent: dict[str, Any]) -> None:
        """Note what is about to be sent, or what came of it."""
        self.noted = intent

    def forget(self) -> None:
        """Forget what was noted."""
        self.noted = None


class Client(KooDriveClient):
    """A client that marks the creates which go out for an order, whatever its caller tells of them."""

    order: Order

    def send(self, endpoint: Endpoint[Any], context: CallContext, **request: Any) -> Any:
        """Send one request, see :class:`KooDriveClient`."""
        if endpoint is CREATE_GROUP_SPACE:
            self.order.trace_ids.add(context.trace_id)
        return super().send(endpoint, context, **request)


@dataclass
class Tally:
    """
    What became of the orders.

    :param wanted: spaces that were ordered
    :param created: spaces that are there as the caller was told
    :param duplicates: spaces of one name beyond the first, whoever owns them, and creates of one order beyond
        the first that KooDrive carried out, whatever became of the space
    :param lost: callers who were told of a space that is not there, or not with these members, and callers
        whose last word is an error that leaves nothing open, whether the space is there or not
    :param unknown: callers whose last word is that nothing tells whether the space was created
    :param calls: calls that the sandbox took
    :param seconds: duration
    :param struck: calls that a fault struck
    :param kinds: kinds of faults that struck
    :param errors: how often a try ended with which error
    """

    wanted: int
    created: int
    duplicates: int
    lost: int
    unknown: int
    calls: int
    seconds: float
    struck: int
    kinds: int
    errors: Mapping[str, int]

    def __str__(self) -> str:
        errors = ", ".join(f"{count} {kind}" for kind, count in sorted(self.errors.items()))
        return (
            f"{self.kinds} kinds of faults struck {self.struck / max(self.calls, 1):.0%} of the calls; "
            f"failed tries: {errors or 'none'}\n"
            f"wanted {self.wanted}, created {self.created}, duplicates {self.duplicates}, lost {self.lost}, "
            f"unknown {self.unknown}, calls {self.calls}, seconds {self.seconds:.0f}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creates", type=int, default=2000, help="spaces to create (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the faults' dice (default: a new one)")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed  # noqa: S311 - dice
    print(f"{arguments.creates} creates, {AT_ONCE} at once, --seed {seed}", flush=True)
    try:
        tally = run(arguments.creates, seed)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    print(tally)
    return 1 if tally.duplicates or tally.lost else 0


def create_space(client: KooDriveClient, order: Order) -> CreatedGroupSpace:
    """Try once, as the operator does."""
    spec = GroupSpaceSpec.checked(order.name, user_ids=order.user_ids)
    return create_group_space(client, spec, if_exists=order.if_exists, journal=order)


def run(creates: int, seed: int, create: Create = create_space) -> Tally:
    """
    Create spaces while faults strike.

    :param creates: how many
    :param seed: of the faults' dice; which call they hit is also a matter of timing
    :param create: one try at one order
    """
    started = time.monotonic()
    with (
        Sandbox(groups_max=2 * creates, max_capacity=20 * creates) as sandbox,
        # In the sandbox's own process the callers would keep it from its work.
        get_context("spawn").Pool(PROCESSES, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool,
    ):
        set_traps(sandbox, random.Random(seed))  # noqa: S311 - dice
        members = sandbox.user_ids[1:2]
        orders = [
            Order(f"Department {number:05}", members, ("reuse", "fail")[number % 2])
            for number in range(creates)
        ]
        auth = AppAuth(sandbox.app_id, sandbox.app_secret, sandbox.admin_user_id)
        shares = pool.map(partial(carry_out, create, sandbox.url, auth), shared_out(orders, PROCESSES))
        return count(sandbox, [order for share in shares for order in share], time.monotonic() - started)


def shared_out(orders: list[Order], parts: int) -> list[list[Order]]:
    """Give everybody the same share."""
    return [orders[part::parts] for part in range(parts)]


def carry_out(create: Create, url: str, auth: AppAuth, orders: list[Order]) -> list[Order]:
    """Carry out one process's share of the orders, in threads, and return them."""
    logging.getLogger("airflow_provider_koodrive").setLevel(logging.CRITICAL)
    threads = AT_ONCE // PROCESSES
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(partial(attend_to, create, url, auth), shared_out(orders, threads)))
    return orders


def attend_to(create: Create, url: str, auth: AppAuth, orders: list[Order]) -> None:
    """Attend to one order after the other; the client gives up soon, so that a fault costs little time."""
    client = Client(
        url,
        auth,
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        deadline=100 * TIMEOUT_SECONDS,
        backoff=0.05,
    )
    for order in orders:
        client.order = order
        while order.space is None and len(order.errors) < TRIES:
            try:
                order.space = create(client, order)
            except KooDriveError as err:
                order.errors.append(err)
    client.close()


def set_traps(sandbox: Sandbox, dice: random.Random) -> None:
    """Give each operation faults of all kinds, which together strike the wanted share of its calls."""
    for operation in OPERATION_NAMES:
        faults = [
            (kind, options)
            for kind, facts in KINDS.items()
            if operation in facts.operations
            for options in OPTIONS.get(kind, [{}])
        ]
        probability = 1 - (1 - STRUCK_SHARE) ** (1 / len(faults))
        for kind, options in faults:
            sandbox.faults.add(operation, kind, probability=probability, seed=dice.getrandbits(32), **options)


def count(sandbox: Sandbox, orders: list[Order], seconds: float) -> Tally:
    """Hold what the callers were told against what the sandbox has stored."""
    stored = {space["id"]: space for space in sandbox.spaces()}
    created = [
        order for order in orders if order.space is not None and is_as_told(order, order.space, stored)
    ]
    unknown = [
        order
        for order in orders
        if order.space is None and isinstance(order.errors[-1], KooDriveOutcomeUnknownError)
    ]
    names = Counter(str(space["name"]) for space in stored.values())
    # The larger number for each name: the sandbox refuses a creator's second space of one name.
    there = names | carried_out(sandbox, orders)
    return Tally(
        wanted=len(orders),
        created=len(created),
        duplicates=there.total() - len(there),
        # Whoever is neither served nor warned.
        lost=len(orders) - len(created) - len(unknown),
        unknown=len(unknown),
        calls=len(sandbox.calls),
        seconds=seconds,
        struck=len([call for call in sandbox.calls if call.faults]),
        kinds=len({hit.kind for hit in sandbox.faults.hits}),
        errors=Counter(type(err).__name__ for order in orders for err in order.errors),
    )


def is_as_told(order: Order, told: Mapping[str, Any], stored: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the space that the caller was told of is there, with all members but those named as missing."""
    space = stored.get(told["id"], {"name": None, "members": []})
    expected = set(order.user_ids) - set(told["failedList"])
    return space["name"] == order.name and expected <= set(space["members"])


def carried_out(sandbox: Sandbox, orders: list[Order]) -> Counter[str]:
    """Count the creates that the sandbox has carried out, by name."""
    names = {trace_id: order.name for order in orders for trace_id in order.trace_ids}
    creates = [call for call in sandbox.calls if call.operation == "create" and call.committed]
    return Counter(names[str(call.trace_id)] for call in creates if call.trace_id in names)


if __name__ == "__main__":
    sys.exit(main())
