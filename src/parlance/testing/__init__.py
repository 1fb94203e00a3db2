"""Doubles that ship with the package, for the tests of users too: scripted upstreams and providers, chaos."""

from parlance.testing.chaos import FaultAt as FaultAt
from parlance.testing.chaos import FaultyProvider as FaultyProvider
from parlance.testing.clock import FakeClock as FakeClock
from parlance.testing.models import FixedModels as FixedModels
from parlance.testing.models import FixedToolbox as FixedToolbox
from parlance.testing.models import FunctionTool as FunctionTool
from parlance.testing.provider import ScriptedProvider as ScriptedProvider
from parlance.testing.provider import answering as answering
from parlance.testing.provider import calling as calling
from parlance.testing.reply import Reply as Reply
from parlance.testing.reply import ScriptedCall as ScriptedCall
from parlance.testing.script import Script as Script
from parlance.testing.script import failing as failing
from parlance.testing.script import refusing as refusing
from parlance.testing.script import saying as saying
from parlance.testing.silent_port import SilentPort as SilentPort
from parlance.testing.upstream import ScriptedUpstream as ScriptedUpstream
from parlance.testing.upstream_connection import UpstreamRequest as UpstreamRequest
