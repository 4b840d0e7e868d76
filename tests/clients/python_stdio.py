"""A real client: the Python `mcp` package over stdio, against the program given as the first argument.

It initialises, lists the tools, writes a key, reads it, kills the server with SIGKILL, starts a second one on
the same data folder and reads the key back. The last line counts what passed; the exit code is 0 when all did.
Works with versions 1 and 2 of the package.
"""

import asyncio
import os
import signal
import sys
import tempfile

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

EXPECTED_TOOLS = {"list_keys", "read_key", "write_key", "append_key", "edit_key", "delete_key"}


def wire(result):
    """The result with the names it has on the wire, whatever the package calls them."""
    return result.model_dump(by_alias=True)


def server(binary, folder):
    """A server that notes its process id: the package does not tell it. `exec` keeps the id."""
    note = os.path.join(folder, "pid")
    script = 'echo $$ > "$1"; exec "$2" mcp'
    env = {"MINDCACHE_DATA_DIR": os.path.join(folder, "data"), "PATH": os.environ.get("PATH", "")}
    return StdioServerParameters(command="/bin/sh", args=["-c", script, "sh", note, binary], env=env), note


async def call(session, tool, args):
    """The structured result of a tool call that must succeed."""
    result = wire(await session.call_tool(tool, args))
    assert not result["isError"], f"{tool} refused: {result['content']}"
    return result["structuredContent"]


async def first_server(binary, folder):
    """Writes a key and reads it; then the server is killed. Returns the version of the key."""
    parameters, note = server(binary, folder)
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        hello = wire(await session.initialize())
        assert hello["serverInfo"]["name"] == "mindcache", hello
        tools = {tool["name"] for tool in wire(await session.list_tools())["tools"]}
        assert tools >= EXPECTED_TOOLS, f"missing tools: {EXPECTED_TOOLS - tools}"
        written = await call(session, "write_key", {"key": "notes/été", "value": "kept: 42 🗝"})
        assert written["created"] is True, written
        found = await call(session, "read_key", {"key": "notes/été"})
        assert found["value"] == "kept: 42 🗝", found
        with open(note, encoding="utf-8") as file:
            os.kill(int(file.read()), signal.SIGKILL)
    return written["version"]


async def second_server(binary, folder, version):
    """Reads in a new process what the killed one had acknowledged."""
    parameters, _ = server(binary, folder)
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        found = await call(session, "read_key", {"key": "notes/été"})
        assert (found["value"], found["version"]) == ("kept: 42 🗝", version), found
        listed = await call(session, "list_keys", {})
        assert [key["key"] for key in listed["keys"]] == ["notes/été"], listed


async def agent_remembers(binary):
    """What an agent wrote is there although its server was killed."""
    with tempfile.TemporaryDirectory(prefix="mindcache-py-") as folder:
        version = await first_server(binary, folder)
        await second_server(binary, folder, version)


async def run(binary):
    """Runs the tests within a deadline and counts them."""
    passed, failed = 0, 0
    for test in (agent_remembers,):
        try:
            await asyncio.wait_for(test(binary), timeout=60)
            passed += 1
        except Exception as error:  # whatever it was, it is the failure to report
            failed += 1
            print(f"{test.__name__}: {error!r}", file=sys.stderr)
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def main():
    """The command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python_stdio.py PATH/TO/mindcache")
    sys.exit(0 if asyncio.run(run(os.path.abspath(sys.argv[1]))) else 1)


if __name__ == "__main__":
    main()
