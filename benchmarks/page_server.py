"""A small, fast HTTP server that answers every request with one page of KooDrive's, for the benchmark."""

from __future__ import annotations

import asyncio
import json
from email.utils import formatdate

RECORDS = 100


def page() -> bytes:
    """Return one page of 100 spaces as KooDrive lists them."""
    spaces = [
        {
            "id": str(1417956457311344513 + number),
            "groupName": f"Department {number}",
            "status": 0,
            "capacity": 20,
            "spaceUsed": 0,
            "containerId": f"IAAE49hOR8LulgAAA{1417956457328121729 + number}",
            "userNum": 1,
            "ownerId": "1410172329509745795",
            "ownerName": "Administrator",
            "tenantId": "1300000000000000001",
            "creator": "1410172329509745795",
            "modifier": "1410172329509745795",
            "createTime": "2024-05-10T01:46:22.000Z",
            "updateTime": "2024-05-10T01:46:22.000Z",
            "bizRootFileId": f"R{number}",
            "bizSboxFileId": f"S{number}",
            "iconUrl": "1",
        }
        for number in range(RECORDS)
    ]
    numbers = {"total": RECORDS, "groupsTotal": RECORDS, "groupsMax": 500, "assignedCapacity": 100}
    return json.dumps(
        {"code": 0, "msg": "success", **numbers, "maxCapacity": 2048, "groups": spaces}
    ).encode()


class PageProtocol(asyncio.Protocol):
    """Answers each request without a body on a connection that is kept alive."""

    body = page()

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for _ in requests:
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                f"Date: {formatdate(usegmt=True)}\r\nContent-Length: {len(self.body)}\r\n\r\n"
            )
            self._transport.write(head.encode() + self.body)


async def main() -> None:
    """Print the port and serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(PageProtocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
