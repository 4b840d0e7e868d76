"""A client in Python, with the `mcp` package: it lists the tools, writes a key, and is told when someone else does.

    python examples/client.py [PATH/TO/mindcache]
"""

import asyncio
import subprocess
import sys
import tempfile

from mcp import Client, StdioServerParameters

MINDCACHE = sys.argv[1] if len(sys.argv) > 1 else "mindcache"
# Each key is a resource; this is the URI of the key `notes` in the default instance.
NOTES = "mindcache://default/notes"


async def call(client, tool, **arguments):
    """Calls a tool and gives its structured result. A refusal is a result too: it says what to do about it."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(f"{tool} refused: {result.structured_content['error']['message']}")
    return result.structured_content


async def tool_names(client):
    """The names of the tools that the server has now."""
    return [tool.name for tool in (await client.list_tools()).tools]


async def main(data_dir):
    # The client runs the server, and speaks to it on its standard input and output.
    # Without --data-dir, the memory is your own, the one that all your other clients share.
    server = StdioServerParameters(command=MINDCACHE, args=["--data-dir", data_dir, "mcp"])
    async with Client(server) as client:
        # 1. What can this server do?
        tools = await tool_names(client)
        print(f"{len(tools)} tools: {', '.join(tools)}")
        assert "write_key" in tools

        # 2. Make a key. From then on it has tools of its own, here write_notes and read_notes.
        made = await call(client, "write_key", key="notes", value="Ask Mira.")
        print(f"write_key made notes: {made}")
        new = [name for name in await tool_names(client) if name not in tools]
        print(f"new tools: {', '.join(new)}")
        assert new == ["write_notes", "read_notes"], new

        # 3. Write through the key's own tool. if_version: only if nobody changed it since we wrote it.
        written = await call(client, "write_notes", value="Mira says yes.", if_version=made["version"])
        print(f"write_notes: {written}")

        # 4. Follow the key. What happens from here on is heard, also while we do something else.
        async with client.listen(resource_subscriptions=[NOTES]) as events:
            # Someone else, in another process, writes.
            subprocess.run([MINDCACHE, "--data-dir", data_dir, "set", "notes", "Mira says no."], check=True)
            event = await asyncio.wait_for(anext(events), 10)
            print(f"told: {event.uri} was updated")
            assert event.uri == NOTES, event

        # 5. The notification says that, not what: read it.
        now = (await client.read_resource(NOTES)).contents[0].text
        print(f"it is now: {now}")
        assert now == "Mira says no.", now


if __name__ == "__main__":
    # A folder of its own, so that the example leaves your memory alone.
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))
