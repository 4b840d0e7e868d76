"""A real client: version 1 of the Python `mcp` package, over stdio and HTTP, against the program given as argument.

It does what an agent's host does: lists the tools, writes and reads a key through static tools and the key's own,
reads resources and the prompt, follows resources and is told what a person changes. Over stdio it also kills the
server and finds in a second one what the first had acknowledged. A line for each case; exit code 0 when all passed.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE

import httpx
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl

STATIC_TOOLS = {"list_keys", "read_key", "write_key", "append_key", "edit_key", "delete_key"}
PROMPT_KEY, PROMPT_TEXT = "rules/été", "Answer in French. 🗝"
KEY_URI = "mindcache://default/rules%2F%C3%A9t%C3%A9"
PROMPT_URI = "mindcache://default/$system_prompt"
NOTES_URI = "mindcache://default/notes"


class Store:
    """A data folder of its own, and a person at the command line."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.pid_note = os.path.join(folder, "pid")
        self.data = os.path.join(folder, "data")

    def command(self, *args):
        """What to run on this store."""
        return [self.binary, "--data-dir", self.data, *args]

    async def person(self, *args):
        """Runs a command as a person does."""
        running = await asyncio.create_subprocess_exec(*self.command(*args), stdout=DEVNULL)
        assert await running.wait() == 0, args

    @contextlib.asynccontextmanager
    async def stdio(self):
        """A stdio server that notes its process id, which the package does not tell. `exec` keeps the id."""
        args = ["-c", 'echo $$ > "$1"; shift; exec "$@"', "sh", self.pid_note, *self.command("mcp")]
        async with stdio_client(StdioServerParameters(command="/bin/sh", args=args)) as (read, write):
            yield read, write

    def kill_stdio(self):
        """Kills the stdio server, as a crash would."""
        with open(self.pid_note, encoding="utf-8") as note:
            os.kill(int(note.read()), signal.SIGKILL)

    @contextlib.asynccontextmanager
    async def http(self):
        """An HTTP server, and a connection with its token."""
        command = self.command("serve", "--listen", "127.0.0.1:0")
        server = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
        try:
            first = (await asyncio.wait_for(server.stdout.readline(), 10)).decode()
            url = first.strip().split(" listening on ")[1] + "/mcp"
            with open(os.path.join(self.data, "token"), encoding="utf-8") as token:
                headers = {"Authorization": f"Bearer {token.read().strip()}"}
            async with (
                httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as client,
                streamable_http_client(url, http_client=client) as (read, write, _),
            ):
                yield read, write
        finally:
            server.terminate()
            _, log = await asyncio.wait_for(server.communicate(), 10)
        assert not log, f"the server logged: {log.decode()}"


class Heard:
    """What the server told of its own accord and no step has waited for yet."""

    def __init__(self):
        self.events, self.more = [], asyncio.Condition()

    async def __call__(self, message):
        """The package hands over each message here."""
        async with self.more:
            match getattr(message, "root", message):
                case types.ResourceUpdatedNotification(params=params):
                    self.events.append(str(params.uri))
                case types.ToolListChangedNotification(method=method):
                    self.events.append(method)
                case types.ResourceListChangedNotification(method=method):
                    self.events.append(method)
                case Exception() as error:
                    self.events.append(error)
            self.more.notify_all()

    async def until(self, *wanted):
        """Waits for each of the events, and takes them."""
        async with self.more:
            for event in wanted:
                here = self.more.wait_for(lambda event=event: event in self.events)
                try:
                    await asyncio.wait_for(here, 10)
                except TimeoutError:
                    raise AssertionError(f"waited 10 s for {event}, heard {self.events}") from None
                self.events.remove(event)


class Took:
    """How long the calls took, in whole milliseconds."""

    def __init__(self):
        self.times = {}

    async def of(self, what, *awaitables):
        """Waits for all and notes the time; answers with the first result."""
        start = time.perf_counter()
        results = await asyncio.gather(*awaitables)
        self.times[what] = f"{(time.perf_counter() - start) * 1000:.0f}"
        return results[0]

    def __str__(self):
        return ", ".join(f"{what} {ms}" for what, ms in self.times.items())


LISTS = ("notifications/tools/list_changed", "notifications/resources/list_changed")


async def call(session, tool, args):
    """The structured result of a call that must succeed."""
    result = await session.call_tool(tool, args)
    assert not result.isError, f"{tool} refused: {result.content}"
    return result.structuredContent


async def text(session, uri):
    """The text of a resource."""
    return (await session.read_resource(AnyUrl(uri))).contents[0].text


async def tools(session):
    """The names of the tools."""
    return {tool.name for tool in (await session.list_tools()).tools}


async def steps(store, connection):
    """All that a host does with a server."""
    took, heard = Took(), Heard()
    await store.person("set", PROMPT_KEY, PROMPT_TEXT)
    await store.person("attr", PROMPT_KEY, "--system-tags", "SystemPrompt,LLMRead")
    async with connection as (read, write), ClientSession(read, write, message_handler=heard) as session:
        hello = await took.of("connect", session.initialize())
        assert hello.serverInfo.name == "mindcache", hello

        # Static tools, by which a key is made.
        listed = await took.of("list", tools(session))
        assert listed >= STATIC_TOOLS, f"missing tools: {STATIC_TOOLS - listed}"
        made = await took.of("call", call(session, "write_key", {"key": "notes", "value": "one"}))
        assert made["created"] is True, made
        assert (await call(session, "read_key", {"key": "notes"}))["value"] == "one"
        refused = await session.call_tool("read_key", {"key": "nothing"})
        assert refused.isError and refused.structuredContent["error"]["code"] == "not_found", refused

        # The key's own tools, which the client is told of.
        await heard.until(*LISTS)
        assert await tools(session) - listed == {"write_notes", "read_notes"}
        written = await call(session, "write_notes", {"value": "two", "if_version": made["version"]})
        assert written["created"] is False, written
        assert (await call(session, "read_notes", {}))["value"] == "two"

        # Resources and the prompt.
        resources = (await session.list_resources()).resources
        assert [str(resource.uri) for resource in resources] == [PROMPT_URI, KEY_URI, NOTES_URI], resources
        assert await text(session, NOTES_URI) == "two"
        assert await text(session, KEY_URI) == PROMPT_TEXT
        prompt = await session.get_prompt("system_prompt")
        assert re.search(PROMPT_TEXT, prompt.messages[0].content.text), prompt

        # A person writes a key that the client follows.
        for uri in (KEY_URI, PROMPT_URI):
            await session.subscribe_resource(AnyUrl(uri))
        person = store.person("set", PROMPT_KEY, "Answer in Breton.")
        await took.of("updated", heard.until(KEY_URI, PROMPT_URI), person)
        assert await text(session, KEY_URI) == "Answer in Breton."

        # A person makes a key: told at once, although the agent's own was told a moment ago.
        await took.of("list_changed", heard.until(*LISTS), store.person("set", "fresh", "x"))
        assert "write_fresh" in await tools(session)
        assert heard.events == [], heard.events
    return took


async def agent_remembers(store):
    """What an agent wrote is there although its server was killed."""
    await store.person("ls")
    heard = Heard()
    async with store.stdio() as (read, write), ClientSession(read, write, message_handler=heard) as session:
        await session.initialize()
        written = await call(session, "write_key", {"key": "notes/été", "value": "kept: 42 🗝"})
        # The package raises an error when something is told to a session that is being closed.
        await heard.until(*LISTS)
        store.kill_stdio()
    async with store.stdio() as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        found = await call(session, "read_key", {"key": "notes/été"})
        assert (found["value"], found["version"]) == ("kept: 42 🗝", written["version"]), found
        listed = await call(session, "list_keys", {})
        assert [key["key"] for key in listed["keys"]] == ["notes/été"], listed
    return "kill -9, then all is there"


CASES = {
    "stdio legacy": lambda store: steps(store, store.stdio()),
    "http  legacy": lambda store: steps(store, store.http()),
    "stdio killed": agent_remembers,
}


async def run(binary):
    """Runs each case in a fresh store within a deadline; tells whether all passed."""
    passed = True
    for name, case in CASES.items():
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="mindcache-client-") as folder:
            try:
                outcome, note = "ok    ", await asyncio.wait_for(case(Store(binary, folder)), 60)
            except Exception as error:  # whatever it was, it is the failure to report
                outcome, note, passed = "FAILED", repr(error), False
        ms = (time.perf_counter() - start) * 1000
        print(f"python 1      {name:12} {outcome} {ms:5.0f} ms: {note}", flush=True)
    return passed


def main():
    """The command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python.py PATH/TO/mindcache")
    sys.exit(0 if asyncio.run(run(os.path.abspath(sys.argv[1]))) else 1)


if __name__ == "__main__":
    main()
