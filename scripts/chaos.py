"""
``make chaos``: create group spaces while the sandbox injects faults, and count the outcomes.

Each order stands for an Airflow task: it is repeated after an error, up to ten times, with the journal that
Airflow would keep for it. The exit status is 0 only if each space was created exactly once and its caller got
it, or its caller got the error that the outcome is unknown.
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

CONCURRENCY = 8
PROCESSES = 2
FAULTY_SHARE = 0.3
MAX_ATTEMPTS = 10
TIMEOUT_SECONDS = 0.5

# Long enough for a client with this timeout to notice, short enough for thousands of creates.
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
    One space to create, the journal of its task, and the outcome.

    :param name: name of the space
    :param user_ids: its members
    :param if_exists: ``reuse`` or ``fail``
    :param entry: the journal's entry
    :param trace_ids: trace ids of all create calls
    :param space: result that the caller got
    :param errors: errors that the caller got
    """

    name: str
    user_ids: list[str]
    if_exists: str
    entry: dict[str, Any] | None = None
    trace_ids: set[str] = field(default_factory=set)
    space: CreatedGroupSpace | None = None
    errors: list[KooDriveError] = field(default_factory=list)

    def read(self) -> dict[str, Any] | None:
        """Return the last entry."""
        return self.entry

    def note(self, entry: dict[str, Any]) -> None:
        """Store an entry: what is about to be sent, or its outcome."""
        self.entry = entry

    def forget(self) -> None:
        """Remove the entry."""
        self.entry = None


class Client(KooDriveClient):
    """A client that records the trace ids of all create calls that it sends for an order."""

    order: Order

    def send(self, endpoint: Endpoint[Any], context: CallContext, **request: Any) -> Any:
        """Send one request, see :class:`KooDriveClient`."""
        if endpoint is CREATE_GROUP_SPACE:
            self.order.trace_ids.add(context.trace_id)
        return super().send(endpoint, context, **request)


@dataclass
class Tally:
    """
    The outcomes of all orders.

    :param wanted: number of orders
    :param created: orders whose caller got the space as it is stored
    :param duplicates: second and further spaces of one name, of any owner, and second and further creates of
        one order that KooDrive carried out, even if the space was dismissed
    :param lost: orders whose caller got a space that is not stored, or not with its members, and orders whose
        last error is not that the outcome is unknown
    :param unknown: orders whose last error says that the outcome is unknown
    :param calls: calls that the sandbox received
    :param seconds: duration in seconds
    :param faulty: calls that met a fault
    :param kinds: kinds of faults that occurred
    :param errors: number of attempts that ended with each error
    """

    wanted: int
    created: int
    duplicates: int
    lost: int
    unknown: int
    calls: int
    seconds: float
    faulty: int
    kinds: int
    errors: Mapping[str, int]

    def __str__(self) -> str:
        errors = ", ".join(f"{count} {kind}" for kind, count in sorted(self.errors.items()))
        return (
            f"{self.kinds} kinds of faults in {self.faulty / max(self.calls, 1):.0%} of the calls; "
            f"failed attempts: {errors or 'none'}\n"
            f"wanted {self.wanted}, created {self.created}, duplicates {self.duplicates}, lost {self.lost}, "
            f"unknown {self.unknown}, calls {self.calls}, seconds {self.seconds:.0f}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creates", type=int, default=2000, help="spaces to create (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="seed of the faults (default: a random one)")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed  # noqa: S311 - no secret
    print(f"{arguments.creates} creates, {CONCURRENCY} at once, --seed {seed}", flush=True)
    try:
        tally = run(arguments.creates, seed)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    print(tally)
    return 1 if tally.duplicates or tally.lost else 0


def create_space(client: KooDriveClient, order: Order) -> CreatedGroupSpace:
    """Make one attempt, as the operator does."""
    spec = GroupSpaceSpec.checked(order.name, user_ids=order.user_ids)
    return create_group_space(client, spec, if_exists=order.if_exists, journal=order)


def run(creates: int, seed: int, create: Create = create_space) -> Tally:
    """
    Create spaces while the sandbox injects faults.

    :param creates: number of spaces
    :param seed: seed of the faults; which call meets a fault also depends on timing
    :param create: makes one attempt at one order
    """
    started = time.monotonic()
    with (
        Sandbox(groups_max=2 * creates, max_capacity=20 * creates) as sandbox,
        # In the sandbox's process the callers would compete with it for the interpreter.
        get_context("spawn").Pool(PROCESSES, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool,
    ):
        add_faults(sandbox, random.Random(seed))  # noqa: S311 - no secret
        members = sandbox.user_ids[1:2]
        orders = [
            Order(f"Department {number:05}", members, ("reuse", "fail")[number % 2])
            for number in range(creates)
        ]
        auth = AppAuth(sandbox.app_id, sandbox.app_secret, sandbox.admin_user_id)
        parts = pool.map(partial(carry_out, create, sandbox.url, auth), split(orders, PROCESSES))
        return count(sandbox, [order for part in parts for order in part], time.monotonic() - started)


def split(orders: list[Order], parts: int) -> list[list[Order]]:
    """Split the orders into parts of equal size."""
    return [orders[part::parts] for part in range(parts)]


def carry_out(create: Create, url: str, auth: AppAuth, orders: list[Order]) -> list[Order]:
    """Carry out the orders of one process in threads, and return them."""
    logging.getLogger("airflow_provider_koodrive").setLevel(logging.CRITICAL)
    threads = CONCURRENCY // PROCESSES
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(partial(carry_out_in_order, create, url, auth), split(orders, threads)))
    return orders


def carry_out_in_order(create: Create, url: str, auth: AppAuth, orders: list[Order]) -> None:
    """Carry out orders one after the other, with short timeouts, so that a fault costs little time."""
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
        while order.space is None and len(order.errors) < MAX_ATTEMPTS:
            try:
                order.space = create(client, order)
            except KooDriveError as err:
                order.errors.append(err)
    client.close()


def add_faults(sandbox: Sandbox, randomness: random.Random) -> None:
    """Add faults of all kinds to each operation; together they occur in FAULTY_SHARE of its calls."""
    for operation in OPERATION_NAMES:
        faults = [
            (kind, options)
            for kind, facts in KINDS.items()
            if operation in facts.operations
            for options in OPTIONS.get(kind, [{}])
        ]
        probability = 1 - (1 - FAULTY_SHARE) ** (1 / len(faults))
        for kind, options in faults:
            sandbox.faults.add(
                operation, kind, probability=probability, seed=randomness.getrandbits(32), **options
            )


def count(sandbox: Sandbox, orders: list[Order], seconds: float) -> Tally:
    """Compare what the callers got with what the sandbox has stored."""
    stored = {space["id"]: space for space in sandbox.spaces()}
    created = [order for order in orders if order.space is not None and is_stored(order, order.space, stored)]
    unknown = [
        order
        for order in orders
        if order.space is None and isinstance(order.errors[-1], KooDriveOutcomeUnknownError)
    ]
    names = Counter(str(space["name"]) for space in stored.values())
    # The larger number for each name: the sandbox refuses a creator's second space of one name.
    stored_or_carried_out = names | carried_out(sandbox, orders)
    return Tally(
        wanted=len(orders),
        created=len(created),
        duplicates=stored_or_carried_out.total() - len(stored_or_carried_out),
        lost=len(orders) - len(created) - len(unknown),
        unknown=len(unknown),
        calls=len(sandbox.calls),
        seconds=seconds,
        faulty=len([call for call in sandbox.calls if call.faults]),
        kinds=len({hit.kind for hit in sandbox.faults.hits}),
        errors=Counter(type(err).__name__ for order in orders for err in order.errors),
    )


def is_stored(order: Order, result: Mapping[str, Any], stored: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether the space is stored, with all members but those that ``failedList`` names."""
    space = stored.get(result["id"], {"name": None, "members": []})
    expected = set(order.user_ids) - set(result["failedList"])
    return space["name"] == order.name and expected <= set(space["members"])


def carried_out(sandbox: Sandbox, orders: list[Order]) -> Counter[str]:
    """Count the create calls that the sandbox has carried out, by name."""
    names = {trace_id: order.name for order in orders for trace_id in order.trace_ids}
    creates = [call for call in sandbox.calls if call.operation == "create" and call.committed]
    return Counter(names[str(call.trace_id)] for call in creates if call.trace_id in names)


if __name__ == "__main__":
    sys.exit(main())
