"""Warm processes for programs that use `claude-agent-sdk`.

Change one line, and the processes come from a Remuda pool:

    from remuda.claude_sdk import ClaudeSDKClient, query   # instead of: from claude_agent_sdk import …

The SDK speaks to Claude Code as before, with its options, hooks, callbacks and messages. What changes is where the
process comes from. A conversation that was left between two turns keeps its process, idle, until it is gone on with
(`resume`), the pool needs the slot, or the idle time is over. A new conversation gets a process that was started ahead.

A process is used again only for its own conversation, with the same command, environment and `initialize` request, and
if nothing was under way when it was left. One whose settings or permissions were changed while it ran is not, nor one
of a `query` that failed or had several messages. One with in-process MCP servers is not either: they live in the
program that made them.

`Warm` is the same with a pool of your own. The SDK's `user` option is refused, and `session_store` together with
`resume` or `continue_conversation`: the SDK loads a store only for processes of its own. The `stderr` callback hears
the last of what the process wrote there.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import os
import threading
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import anyio
import claude_agent_sdk as sdk
from claude_agent_sdk._internal.transport.subprocess_cli import (
    _SDK_READS_SESSION_STATE_ENV,
    SubprocessCLITransport,
)

from remuda import _encode, _remuda
from remuda._asynchronous import Pool
from remuda._errors import RemudaError
from remuda._hub import MOST, answer, hub

_CLOSE = 20.0
"""How long closing a transport may take, in seconds."""
_PASSING = ("TRACEPARENT", "TRACESTATE")
"""Variables that differ from call to call and mean nothing to what the process is."""
_HARMLESS = ("initialize", "interrupt", "mcp_status", "get_context_usage")
"""Requests of the SDK that leave a process as its options made it."""


@dataclasses.dataclass
class _Kept:
    """What is to be known of a process that is kept."""

    name: str
    initialize: dict[str, Any]
    """The request that it was initialized with."""
    response: dict[str, Any]
    """What it answered."""


class Warm:
    """Transports for `claude-agent-sdk` over a pool.

    `spares` processes are started ahead for every way in which new conversations are begun.
    """

    def __init__(self, pool: Pool, *, spares: int = 1) -> None:
        self.pool = pool
        self.spares = spares
        self._kept: dict[str, _Kept] = {}

    def transport(self, options: sdk.ClaudeAgentOptions | None = None) -> Transport:
        """A transport for one `query` or one `ClaudeSDKClient`, which gets the same options."""
        return Transport(self, options or sdk.ClaudeAgentOptions())

    def query(
        self,
        *,
        prompt: str | AsyncIterable[dict[str, Any]],
        options: sdk.ClaudeAgentOptions | None = None,
    ) -> AsyncIterator[sdk.Message]:
        """`claude_agent_sdk.query` with a process of the pool."""
        transport = self.transport(options)
        return sdk.query(prompt=prompt, options=options, transport=transport)

    def _take(self, conversation: str | None, launch: str) -> tuple[_remuda.Lent, _Kept] | None:
        """The process of a conversation, if it is kept and would be started the same."""
        kept = self._kept.pop(conversation, None) if conversation else None
        if kept is None:
            return None
        lent = self.pool._native.take(kept.name)
        # One that was started otherwise is dropped, and so ends: two would write one history.
        if lent is None or not kept.name.startswith(launch):
            return None
        return lent, kept

    def _keep(self, lent: _remuda.Lent, conversation: str, kept: _Kept) -> None:
        """Keeps a process for its conversation."""
        native = self.pool._native
        lent.keep(kept.name)
        # What is known of those that the pool has ended since is of no use.
        for other, one in list(self._kept.items()):
            if not native.kept(one.name):
                self._kept.pop(other, None)
        self._kept[conversation] = kept

    def _start(self, options: str, launch: str, *, spare: bool) -> _remuda.Lent:
        """A process that has no conversation yet."""
        native = self.pool._native
        name = f"{launch}:spare"
        lent = (native.take(name) if spare else None) or native.lend(options)
        if spare and native.kept(name) < self.spares:
            native.lend(options).keep(name)
        return lent


class Transport(sdk.Transport):
    """Carries the SDK's lines to a process of the pool. Made by `Warm.transport`."""

    def __init__(self, warm: Warm, options: sdk.ClaudeAgentOptions) -> None:
        if options.user is not None:
            raise ValueError("user: a process of the pool runs as the host does")
        if options.session_store is not None and (options.resume or options.continue_conversation):
            raise ValueError("session_store: no conversation is loaded from it into a process of the pool")
        if options.can_use_tool is not None and options.permission_prompt_tool_name is None:
            options = dataclasses.replace(options, permission_prompt_tool_name="stdio")
        self._warm = warm
        self._options = options
        self._lent: _remuda.Lent | None = None
        self._kept: _Kept | None = None
        self._launch = ""
        self._start = ""
        self._talk = _Talk()
        self._said: list[dict[str, Any]] = []
        self._ended = False
        self._ready = False

    async def connect(self) -> None:
        """Gets a process: the one that has the conversation, or a new one."""
        if self._lent is not None:
            return
        # A client may connect again: what was before is over.
        self._talk, self._said = _Talk(), []
        self._kept, self._ended = None, False
        plain = SubprocessCLITransport(prompt="", options=self._options)
        try:
            if plain._cli_path is None:
                plain._cli_path = await anyio.to_thread.run_sync(plain._find_cli)
            command = plain._build_command()
            self._launch, self._start = self._plan(command)
            options = self._options
            found = None
            if not (options.continue_conversation or options.fork_session):
                found = self._warm._take(options.resume, self._launch)
            # One that has the conversation is past the point to go on from: it is dropped, and so ends.
            if options.resume_session_at is not None or options.resume_drops_turn is not None:
                found = None
            if found is None:
                self._lent = self._new()
            else:
                self._lent, self._kept = found
        except RemudaError as error:
            if error.code == "program_not_found":
                raise sdk.CLINotFoundError(error.message) from error
            raise sdk.CLIConnectionError(f"Failed to start Claude Code: {error}") from error
        self._ready = True

    def _new(self) -> _remuda.Lent:
        fresh = not (self._options.resume or self._options.continue_conversation or self._options.session_id)
        return self._warm._start(self._start, self._launch, spare=fresh)

    def _plan(self, command: list[str]) -> tuple[str, str]:
        """The name of all processes that are started so, and how to start this one."""
        variables = self._variables()
        cwd = str(self._options.cwd) if self._options.cwd else os.getcwd()
        start = {
            "program": command[0],
            "args": command[1:],
            "cwd": cwd,
            "environment": {"set": variables, "clear": True},
        }
        plain = copy.copy(self._options)
        plain.resume = plain.session_id = None
        plain.resume_session_at = plain.resume_drops_turn = None
        plain.continue_conversation = plain.fork_session = False
        bare = SubprocessCLITransport(prompt="", options=plain)
        bare._cli_path = command[0]
        stable = sorted((k, v) for k, v in variables.items() if k not in _PASSING)
        key = json.dumps([bare._build_command(), cwd, stable])
        digest = hashlib.sha256(key.encode()).hexdigest()
        return f"claude-sdk:{digest}", _encode.dumps(start)

    def _variables(self) -> dict[str, str]:
        """The environment, as the SDK's own transport makes it."""
        options = self._options
        variables = {k: v for k, v in os.environ.items() if k != "CLAUDECODE"}
        variables.update({"CLAUDE_CODE_ENTRYPOINT": "sdk-py", **options.env})
        variables["CLAUDE_AGENT_SDK_VERSION"] = sdk.__version__
        if options.client_app is not None:
            variables["CLAUDE_AGENT_SDK_CLIENT_APP"] = options.client_app
        if not any(name.upper() == _SDK_READS_SESSION_STATE_ENV for name in variables):
            variables[_SDK_READS_SESSION_STATE_ENV] = "1"
        if options.enable_file_checkpointing:
            variables["CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING"] = "true"
        if options.cwd:
            variables["PWD"] = str(options.cwd)
        return variables

    async def write(self, data: str) -> None:
        """Writes lines of the SDK to the process."""
        if not self._ready or self._lent is None or self._ended:
            raise sdk.CLIConnectionError("ProcessTransport is not ready for writing")
        for line in data.splitlines():
            message = json.loads(line)
            if self._kept is not None and _subtype(message) == "initialize":
                if self._answer_initialize(message):
                    continue
                # It was initialized in another way: that is for good, so another process goes on.
                self._poke()
                self._lent, self._kept = self._new(), None
            self._talk.wrote(message)
            try:
                self._lent.write(line + "\n")
            except RemudaError as error:
                self._ready = False
                raise sdk.CLIConnectionError(f"Failed to write to process stdin: {error}") from error

    def _answer_initialize(self, message: dict[str, Any]) -> bool:
        """Answers in the place of a process that answered the same before."""
        kept = self._kept
        if kept is None or message["request"] != kept.initialize:
            return False
        response = copy.deepcopy(kept.response)
        response["response"]["request_id"] = message["request_id"]
        self._talk.initialize, self._talk.initialized = kept.initialize, kept.response
        self._said.append(response)
        self._poke()
        return True

    def _poke(self) -> None:
        if self._lent is not None:
            hub().poke(self._lent.id)

    async def end_input(self) -> None:
        """The SDK has nothing more to say. The process stays where it can, and the messages end."""
        if self._lent is not None and not self._ended:
            self._ended = True
            # Only one message has surely one result: none has none, and several may be answered as one.
            if self._talk.asked != 1:
                self._talk.is_spent = True
            self._let_go(self._lent)
            self._poke()

    def _let_go(self, lent: _remuda.Lent) -> None:
        """Ends the input of a process that cannot stay, once the SDK has ended its own."""
        if self._ended and not self._is_keepable():
            # It may have ended by itself.
            with contextlib.suppress(RemudaError):
                lent.end_input()

    def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """The messages of the process."""
        return self._messages()

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        at = hub()
        while True:
            while self._said:
                yield self._said.pop(0)
            lent = self._lent
            if lent is None:
                return
            taken = lent.take(at.inbox, MOST)
            if taken is None:
                break
            for line in taken:
                message = json.loads(line)
                # Text that is no protocol.
                if isinstance(message, dict):
                    self._talk.read(message)
                    self._said.append(message)
            if taken or self._said:
                continue
            if self._ended and self._talk.is_quiet() and self._is_keepable():
                return
            # What it has just said may be why.
            self._let_go(lent)
            await at.wait(lent.id)
        self._tell_end(lent)

    def _tell_end(self, lent: _remuda.Lent) -> None:
        """What the SDK is told of the end of a process."""
        self._ready = False
        end = json.loads(lent.end() or "{}")
        if self._options.stderr is not None:
            for line in end.get("stderr", "").splitlines():
                self._options.stderr(line)
        if end.get("error"):
            raise sdk.CLIConnectionError(f"Failed to run Claude Code: {end['error']['message']}")
        code = (end.get("exit") or {}).get("code")
        if code != 0 and not (code is None and self._ended):
            raise sdk.ProcessError(f"Command failed with exit code {code}", exit_code=code, stderr=end.get("stderr"))

    def _is_keepable(self) -> bool:
        """Whether another transport could go on with the process."""
        servers = self._options.mcp_servers
        in_process = isinstance(servers, dict) and any(
            isinstance(one, dict) and one.get("type") == "sdk" for one in servers.values()
        )
        talk = self._talk
        # Of a failed turn the SDK hears by the exit code, once it has ended the input.
        failed = self._ended and talk.is_failed
        return talk.initialized is not None and not (in_process or talk.is_spent or failed)

    async def close(self) -> None:
        """Keeps the process for the conversation, or ends it."""
        self._ready = False
        lent, self._lent = self._lent, None
        if lent is None:
            return
        talk = self._talk
        if self._is_keepable() and talk.is_quiet() and talk.conversation:
            assert talk.initialize is not None
            assert talk.initialized is not None
            name = f"{self._launch}:{talk.conversation}"
            # It may have ended by itself.
            with contextlib.suppress(RemudaError):
                self._warm._keep(lent, talk.conversation, _Kept(name, talk.initialize, talk.initialized))
            return
        with anyio.move_on_after(_CLOSE):
            await answer(lent.close())

    def is_ready(self) -> bool:
        """Whether it can be written to."""
        return self._ready


def _subtype(message: dict[str, Any]) -> str | None:
    request = message.get("request")
    if message.get("type") != "control_request" or not isinstance(request, dict):
        return None
    subtype: str | None = request.get("subtype")
    return subtype


class _Talk:
    """What is under way between the SDK and a process, by the lines that passed."""

    def __init__(self) -> None:
        self.conversation: str | None = None
        self.initialize: dict[str, Any] | None = None
        self.initialized: dict[str, Any] | None = None
        self._initialize_id: str | None = None
        self.asked = 0
        self.is_failed = False
        """Whether the last turn was."""
        self.is_spent = False
        """Whether the process is no longer what its options made it, or may owe something: nobody goes on with it."""
        self._open: set[str] = set()
        self._answered = 0
        self._state = "idle"
        self._mode: str | None = None

    def is_quiet(self) -> bool:
        """Whether nothing is: no turn, no question of either side."""
        turns = self.asked <= self._answered and self._answered > 0
        return turns and not self._open and self._state == "idle"

    def wrote(self, message: dict[str, Any]) -> None:
        """The SDK said this."""
        kind = message.get("type")
        if kind == "user":
            self.asked += 1
        elif kind == "control_request":
            self._open.add(message["request_id"])
            self.is_spent |= _subtype(message) not in _HARMLESS
            if _subtype(message) == "initialize":
                self._initialize_id = message["request_id"]
                self.initialize = message["request"]
        elif kind == "control_response":
            response = message.get("response", {})
            self._open.discard(response.get("request_id"))
            # What a callback allowed for the session, the process would allow whoever goes on with it.
            self.is_spent |= "updatedPermissions" in json.dumps(response)

    def read(self, message: dict[str, Any]) -> None:
        """The process said this."""
        kind = message.get("type")
        if kind == "result":
            self._answered += 1
            self.is_failed = bool(message.get("is_error"))
            self.conversation = message.get("session_id", self.conversation)
        elif kind == "control_request":
            self._open.add(message["request_id"])
        elif kind == "control_cancel_request":
            self._open.discard(message.get("request_id", ""))
        elif kind == "control_response":
            response = message.get("response", {})
            self._open.discard(response.get("request_id"))
            if response.get("request_id") == self._initialize_id and "error" not in response:
                self.initialized = message
        elif kind == "system":
            if message.get("subtype") == "session_state_changed":
                self._state = message.get("state", "idle")
            # The first mode is that of the options. The agent may change it too: an approved plan does.
            mode = message.get("permissionMode") or self._mode
            self._mode = self._mode or mode
            self.is_spent |= mode != self._mode


_default: Warm | None = None
_lock = threading.Lock()


def warm() -> Warm:
    """The pool that `query` and `ClaudeSDKClient` of this module use. Made when it is first asked for."""
    global _default
    with _lock:
        if _default is None:
            _default = Warm(Pool())
        return _default


def _forget() -> None:
    global _default, _lock
    _default = None
    # Another thread may have held it at the fork: here nobody would release it.
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def query(
    *,
    prompt: str | AsyncIterable[dict[str, Any]],
    options: sdk.ClaudeAgentOptions | None = None,
) -> AsyncIterator[sdk.Message]:
    """`claude_agent_sdk.query` with a warm process."""
    return warm().query(prompt=prompt, options=options)


class ClaudeSDKClient(sdk.ClaudeSDKClient):
    """`claude_agent_sdk.ClaudeSDKClient` with a warm process."""

    def __init__(self, options: sdk.ClaudeAgentOptions | None = None) -> None:
        super().__init__(options, transport=warm().transport(options))


__all__ = ["ClaudeSDKClient", "Transport", "Warm", "query", "warm"]
