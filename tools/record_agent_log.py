"""Record what a real LiveKit agent writes to its log and exports by OTLP, for the local stack and the tests.

    pip install livekit-agents==1.8.9 ./agent
    python tools/record_agent_log.py simulate/recordings

Runs livekit-agents in voice mode, offline, each session as a job in a process of its own: its turn taking,
interruptions, tool calls, retries, metrics, traces and production JSON logging over scripted speech, language and voice
models.
Two files per session. A line of the log is one line of the agent's standard output, so one event of CloudWatch Logs:
LiveKit's own log lines, and the `voice_metrics` and `session_analytics` lines of `turnscope_agent.observe`, as any
agent that uses it writes them. In `telemetry/`, a line is one OTLP export request of the same call
(`agent_telemetry.py`).

Scrubbed, so that a recording is the same wherever it is made: folders in `code.file.path`, process ids, tracebacks'
folders, and how busy the machine was.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent_telemetry import Receiver

TELEMETRY = "telemetry"
"""The folder, among the logs, of what the agent exported in the same calls."""
SPEECH_SECONDS = 0.6
TRANSCRIPT_SECONDS = 0.15
SECONDS_PER_WORD = 0.3
LLM_MODEL, STT_MODEL, TTS_MODEL = "gpt-4o-mini", "nova-3", "eleven_turbo_v2_5"
AGENT = "receptionist"
SESSION_VARIABLE = "RECORDED_SESSION"
TENANTS = {"healthy": "acme", "slow-llm": "globex", "failing-tools": "initech"}


@dataclass(frozen=True)
class Turn:
    """What the caller says and how the scripted providers react to it."""

    text: str
    answer: str
    llm_seconds: float = 0.25
    tts_seconds: float = 0.12
    tools: tuple[tuple[str, dict[str, Any]], ...] = ()
    fails: bool = False
    interrupted_after_seconds: float | None = None

    @property
    def gap_seconds(self) -> float:
        """From the end of the speech to the next one: the answer, spoken, and a pause."""
        waits = 0.7 + self.llm_seconds * (2 if self.tools else 1) + self.tts_seconds
        if self.fails:
            return 2.5
        if self.interrupted_after_seconds is not None:
            return waits + self.interrupted_after_seconds
        return waits + len(self.answer.split()) * SECONDS_PER_WORD + 0.9


SESSIONS: dict[str, tuple[Turn, ...]] = {
    "healthy": (
        Turn("hello what can you do", "I can answer questions about plans.", 0.24, 0.11),
        Turn("we are a team of eight", "Thank you, eight people.", 0.21, 0.12, (("note_team_size", {"team_size": 8}),)),
        Turn("about one hundred fifty documents", "Noted.", 0.19, 0.10, (("note_volume", {"monthly_volume": 150}),)),
        Turn("tell me everything about pricing", "Our plans differ in seats and features and support and more.", 0.41,
             0.14, interrupted_after_seconds=1.2),
        Turn("stop just the cheapest", "The starter plan.", 0.33, 0.12),
        Turn("does it have an api", "Yes it does.", 0.37, 0.15),
        Turn("can you check my account", "It is active.", 0.23, 0.13, (("look_up_account", {"email": "a@b.example"}),)),
        Turn("what does it cost for eight", "That depends on the plan.", 0.46, 0.16),
        Turn("book a demo for friday", "Friday it is.", 0.22, 0.12, (("book_demo", {"day": "friday"}),)),
        Turn("thanks bye", "Goodbye.", 0.26, 0.11),
    ),
    "slow-llm": (
        Turn("hi i have a question", "Sure.", 0.38, 0.13),
        Turn("how do i import templates", "Open the library.", 0.52, 0.14),
        Turn("we are three people", "Noted.", 0.61, 0.13, (("note_team_size", {"team_size": 3}),)),
        Turn("and for a whole team", "An admin can share them.", 1.08, 0.16),
        Turn("does that work for guests", "Guests can view.", 1.58, 0.17),
        Turn("what about signatures", "Those are included.", 1.79, 0.19),
        Turn("and payments", "Payments are an add on.", 1.63, 0.21),
        Turn("is there a limit", "No limit.", 1.71, 0.18),
        Turn("how many seats", "As many as you like.", 1.12, 0.15),
        Turn("ok thank you", "You are welcome.", 0.57, 0.13),
    ),
    "failing-tools": (
        Turn("look up my account", "I cannot reach it.", 0.28, 0.12, (("look_up_account", {"email": "down"}),)),
        Turn("try again please", "Still not.", 0.29, 0.13, (("look_up_account", {"email": "down"}),)),
        Turn("are you sure", "Let me see.", 0.25, 0.12, (("look_up_account", {"email": "a@b.example"}),)),
        Turn("book a demo then", "Booking failed.", 0.31, 0.14, (("book_demo", {"day": "monday"}),)),
        Turn("this is the broken one", "", 0.2, fails=True),
        Turn("are you there", "Yes sorry.", 0.44, 0.15),
        Turn("book it for tuesday", "It failed again.", 0.28, 0.13, (("book_demo", {"day": "tuesday"}),)),
        Turn("we are three people", "Noted.", 0.24, 0.12, (("note_team_size", {"team_size": 3}),)),
        Turn("can someone call me", "Someone will call you.", 0.39, 0.16),
        Turn("goodbye", "Goodbye.", 0.26, 0.12),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class ScriptedCall:
    """A session whose caller and providers follow a script, and how to run it inside a job."""

    session: Any
    agent: Any
    microphone: Any
    frame: Any
    length_seconds: float

    async def run(self) -> None:
        """From the start of the session until the caller has said everything and heard the answers."""
        await self.session.start(self.agent)
        self.microphone.frames.send_nowait(self.frame)
        await asyncio.sleep(self.length_seconds)


def scripted_call(turns: tuple[Turn, ...], behind: Callable[[Any], Any] = lambda model: model) -> ScriptedCall:
    """A call of `turns`; `behind` may put another language model in front of the scripted one.

    Imports LiveKit here, so that the recorder itself needs it only in the sessions' processes.
    """
    import turnscope_agent
    from livekit import rtc
    from livekit.agents import (
        Agent,
        AgentSession,
        APIConnectionError,
        LanguageCode,
        function_tool,
        llm,
        stt,
        tts,
        utils,
        vad,
    )
    from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
    from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

    speech: list[tuple[float, float, Turn]] = []
    at = 0.8
    for turn in turns:
        speech.append((at, at + SPEECH_SECONDS, turn))
        at += SPEECH_SECONDS + turn.gap_seconds
    by_text = {turn.text: turn for turn in turns}
    current: list[Turn] = [turns[0]]

    class LlmStream(llm.LLMStream):
        async def _run(self) -> None:
            last = self._chat_ctx.items[-1]
            asked = (last.text_content or "") if last.type == "message" else ""
            if asked in by_text:
                current[0] = by_text[asked]
            turn = current[0]
            await asyncio.sleep(turn.llm_seconds)
            if turn.fails:
                raise APIConnectionError("the provider closed the connection")
            request = f"req-{uuid.uuid4().hex[:6]}"

            def emit(**chunk: Any) -> None:
                self._event_ch.send_nowait(llm.ChatChunk(id=request, **chunk))

            if asked and turn.tools:
                calls = [
                    llm.FunctionToolCall(
                        name=tool, arguments=json.dumps(arguments), call_id=f"call_{uuid.uuid4().hex[:6]}"
                    )
                    for tool, arguments in turn.tools
                ]
                emit(delta=llm.ChoiceDelta(role="assistant", tool_calls=calls))
                written = 18
            else:
                for word in turn.answer.split():
                    emit(delta=llm.ChoiceDelta(role="assistant", content=f"{word} "))
                written = 2 * len(turn.answer.split())
            read = 180 + 14 * len(self._chat_ctx.items)
            usage = llm.CompletionUsage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)
            emit(usage=usage)

    class Llm(llm.LLM):
        model, provider = LLM_MODEL, "api.openai.com"

        def chat(self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = None, **_: Any) -> LlmStream:
            once = APIConnectOptions(max_retry=1, retry_interval=0.1)
            return LlmStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=once)

    class TtsStream(tts.SynthesizeStream):
        async def _run(self, output_emitter: Any) -> None:
            output_emitter.initialize(
                request_id=f"tts-{uuid.uuid4().hex[:6]}",
                sample_rate=24000,
                num_channels=1,
                mime_type="audio/pcm",
                stream=True,
            )
            text = ""
            async for data in self._input_ch:
                if isinstance(data, str):
                    text += data
                elif text:
                    self._mark_started()
                    output_emitter.start_segment(segment_id="s")
                    await asyncio.sleep(current[0].tts_seconds)
                    output_emitter.push(b"\0\0" * int(24000 * SECONDS_PER_WORD * len(text.split())))
                    output_emitter.end_segment()
                    text = ""

    class Tts(tts.TTS):
        model, provider = TTS_MODEL, "elevenlabs"

        def __init__(self) -> None:
            super().__init__(capabilities=tts.TTSCapabilities(streaming=True), sample_rate=24000, num_channels=1)

        def synthesize(self, text: str, *, conn_options: Any = None) -> Any:
            raise NotImplementedError

        def stream(self, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> TtsStream:
            return TtsStream(tts=self, conn_options=conn_options)

    class SttStream(stt.RecognizeStream):
        async def _run(self) -> None:
            await self._input_ch.recv()
            began = time.perf_counter()
            for _, end, turn in speech:
                await asyncio.sleep(max(0.0, end + TRANSCRIPT_SECONDS - (time.perf_counter() - began)))
                heard = stt.SpeechData(text=turn.text, language=LanguageCode("en"), confidence=0.95)
                for kind in (stt.SpeechEventType.INTERIM_TRANSCRIPT, stt.SpeechEventType.FINAL_TRANSCRIPT):
                    self._event_ch.send_nowait(stt.SpeechEvent(type=kind, request_id="stt", alternatives=[heard]))
                    await asyncio.sleep(0.02)
                used = stt.RecognitionUsage(audio_duration=SPEECH_SECONDS + turn.gap_seconds)
                self._event_ch.send_nowait(
                    stt.SpeechEvent(
                        type=stt.SpeechEventType.RECOGNITION_USAGE, request_id="stt", recognition_usage=used
                    )
                )
            async for _ in self._input_ch:
                pass

    class Stt(stt.STT):
        model, provider = STT_MODEL, "deepgram"

        def __init__(self) -> None:
            super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=True))

        async def _recognize_impl(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        def stream(self, *, language: Any = None, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> SttStream:
            return SttStream(stt=self, conn_options=conn_options)

    class VadStream(vad.VADStream):
        async def _main_task(self) -> None:
            await self._input_ch.recv()
            began = time.perf_counter()

            def seconds() -> float:
                return time.perf_counter() - began

            def send(kind: Any, start: float, end: float) -> None:
                at, speaking = seconds(), seconds() <= end
                self._event_ch.send_nowait(
                    vad.VADEvent(
                        type=kind, samples_index=0, timestamp=at, speech_duration=min(at, end) - start,
                        silence_duration=max(0.0, at - end), speaking=speaking, inference_duration=0.002,
                        raw_accumulated_speech=at - start if speaking else 0.0,
                        raw_accumulated_silence=0.0 if speaking else at - end,
                    )
                )  # fmt: skip

            for start, end, _ in speech:
                await asyncio.sleep(max(0.0, start + 0.05 - seconds()))
                send(vad.VADEventType.START_OF_SPEECH, start, end)
                while seconds() < end + 0.3:
                    await asyncio.sleep(0.05)
                    send(vad.VADEventType.INFERENCE_DONE, start, end)
                send(vad.VADEventType.END_OF_SPEECH, start, end)
            async for _ in self._input_ch:
                pass

    class Vad(vad.VAD):
        model, provider = "silero", "ONNX"

        def __init__(self) -> None:
            super().__init__(capabilities=vad.VADCapabilities(update_interval=0.1))

        def stream(self) -> VadStream:
            return VadStream(self)

    class Microphone(AudioInput):
        def __init__(self) -> None:
            super().__init__(label="scripted")
            self.frames: Any = utils.aio.Chan()

        async def __anext__(self) -> Any:
            return await self.frames.__anext__()

    class Loudspeaker(AudioOutput):
        """Plays in real time, into nothing."""

        def __init__(self) -> None:
            capabilities = AudioOutputCapabilities(pause=True)
            super().__init__(label="scripted", next_in_chain=None, sample_rate=24000, capabilities=capabilities)
            self.duration, self.began, self.timer = 0.0, None, None

        async def capture_frame(self, frame: Any) -> None:
            await super().capture_frame(frame)
            self.duration += frame.duration
            if self.began is None:
                self.began = time.time()
                self.on_playback_started(created_at=self.began)

        def _finish(self, interrupted: bool) -> None:
            if self.began is None:
                return
            played = min(time.time() - self.began, self.duration) if interrupted else self.duration
            if self.timer:
                self.timer.cancel()
            self.duration, self.began, self.timer = 0.0, None, None
            self.on_playback_finished(playback_position=played, interrupted=interrupted, synchronized_transcript=None)

        def flush(self) -> None:
            super().flush()
            if self.began:
                left = max(0.0, self.duration - (time.time() - self.began))
                self.timer = asyncio.get_event_loop().call_later(left, self._finish, False)

        def clear_buffer(self) -> None:
            self._finish(True)

    class Receptionist(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="You answer callers who ask about plans.")

        async def on_enter(self) -> None:
            self.session.say("Hello there.")

        @function_tool
        async def note_team_size(self, team_size: int) -> str:
            """Note how many people the caller's team has."""
            turnscope_agent.signals.note(team_size=team_size)
            await asyncio.sleep(0.03)
            return "noted"

        @function_tool
        async def note_volume(self, monthly_volume: int) -> str:
            """Note how many documents the caller sends a month."""
            turnscope_agent.signals.note(monthly_volume=monthly_volume)
            await asyncio.sleep(0.04)
            return "noted"

        @function_tool
        async def look_up_account(self, email: str) -> str:
            """Look the caller's account up."""
            await asyncio.sleep(0.12)
            if email == "down":
                raise ConnectionError("crm.example: connection refused")
            return "active"

        @function_tool
        async def book_demo(self, day: str) -> str:
            """Book a demo."""
            await asyncio.sleep(0.2)
            if day != "friday":
                raise TimeoutError("calendar.example: no answer within 0.2 s")
            return "booked"

    session: Any = AgentSession(
        llm=behind(Llm()),
        stt=Stt(),
        tts=Tts(),
        vad=Vad(),
        # A model that starts before the turn is over would make the stages overlap.
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"min_delay": 0.3},
            "preemptive_generation": {"enabled": False},
        },
        aec_warmup_duration=None,
    )
    microphone = Microphone()
    session.input.audio, session.output.audio = microphone, Loudspeaker()
    frame = rtc.AudioFrame(b"\0\0" * 1600, 16000, 1, 1600)
    return ScriptedCall(session, Receptionist(), microphone, frame, at + 1.0)


async def entrypoint(context: Any) -> None:
    """Runs in the job's own process, which adds job and room to LiveKit's lines."""
    import turnscope_agent

    name = os.environ[SESSION_VARIABLE]
    call = scripted_call(SESSIONS[name])
    turnscope_agent.observe(call.session, tenant=TENANTS[name])
    await call.run()
    context.shutdown("done")


async def run_session() -> None:
    """A job of a real `AgentServer`, which needs no LiveKit server for it."""
    import turnscope_agent
    from livekit.agents import AgentServer

    server = turnscope_agent.setup(AgentServer(num_idle_processes=1, host="127.0.0.1", port=0))
    server.rtc_session()(entrypoint)
    running = asyncio.create_task(server.run(devmode=False, unregistered=True))
    while not hasattr(server, "_proc_pool") or not server._proc_pool._started:
        await asyncio.sleep(0.05)
    await server.simulate_job(f"call-{os.environ[SESSION_VARIABLE]}", fake_job=True)
    while server.active_jobs:
        await asyncio.sleep(0.1)
    await server._proc_pool.aclose()
    running.cancel()


def of_the_call(output: str) -> list[str]:
    """The lines of a job in the order of their times, up to the session's last word; not those of the worker around
    it, nor of the job's process while it ends, nor those that tell how busy the recording machine was."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    lines = [line for line in lines if "_event_type" in line or "room" in line]
    lines = [line for line in lines if not line.get("message", "").startswith("event loop blocked")]
    lines.sort(key=lambda line: line.get("_timestamp") or line["timestamp"])
    (last,) = (index for index, line in enumerate(lines) if line.get("_event_type") == "session_analytics")
    return [json.dumps(line) for line in lines[: last + 1]]


def scrub(line: str) -> str:
    """A log line without what belongs to the machine that recorded it."""
    document = json.loads(line)
    if "pid" in document:
        document["pid"] = 1
    text = re.sub(r"(?:/[\w.@+-]+)+/record_agent_log\.py", "agent.py", json.dumps(document))
    return re.sub(r"(?:/[\w.@+-]+)+/(?:site-packages|lib/python3\.\d+)/", "", text)


def main() -> None:
    if sys.argv[1] == "--session":
        from livekit.agents.cli.log import setup_logging

        setup_logging("INFO", devmode=False, console=False)
        asyncio.run(run_session())
        return
    record(Path(sys.argv[1]))


def record(folder: Path) -> None:
    """Every session at the same time, each into its files in `folder`."""
    receivers = {name: Receiver() for name in SESSIONS}
    foreign = ("OTEL_", "LANGFUSE_", "LIVEKIT_")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    running = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--session"],
            stdout=subprocess.PIPE,
            text=True,
            env=clean | receivers[name].environment() | {"OTEL_SERVICE_NAME": AGENT, SESSION_VARIABLE: name},
        )
        for name in SESSIONS
    }
    for name, process in running.items():
        out, _ = process.communicate()
        if process.returncode:
            sys.exit(f"session {name} failed")
        found = {"": [scrub(line) for line in of_the_call(out)], TELEMETRY: receivers[name].lines()}
        for below, lines in found.items():
            path = folder / below / f"{name}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            print(f"{path}: {len(lines)} lines, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
