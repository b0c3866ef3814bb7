"""The names that a plugin author types. The runtime module loads each at first use."""

from .contracts.action import Action as Action
from .contracts.check import Check as Check, CheckContext as CheckContext
from .contracts.context import StartContext as StartContext
from .contracts.decorated import check as check
from .contracts.executor import ExecutorFactory as ExecutorFactory
from .contracts.format import DecodeContext as DecodeContext, Format as Format
from .contracts.hookspecs import hookimpl as hookimpl
from .contracts.metric import metric as metric
from .contracts.rule import (
    Rule as Rule,
    above as above,
    below as below,
    loss as loss,
    unusual as unusual,
)
from .contracts.sink import Sink as Sink
from .contracts.source import DiscoverContext as DiscoverContext, Source as Source
from .profiles.batch import Batch as Batch
from .profiles.collector import Collector as Collector
from .profiles.spec import ProfileSpec as ProfileSpec
from .profiles.window import (
    CategoricalColumn as CategoricalColumn,
    Column as Column,
    NumericColumn as NumericColumn,
    Window as Window,
)
from .types.action_request import (
    Order as Order,
    Request as Request,
)
from .types.errors import (
    DriftlineError as DriftlineError,
    ObjectChanged as ObjectChanged,
    ObjectGone as ObjectGone,
    OutcomeUnknown as OutcomeUnknown,
    Rejected as Rejected,
    Retryable as Retryable,
    SourceBusy as SourceBusy,
    SourceError as SourceError,
    Throttled as Throttled,
    Unreadable as Unreadable,
)
from .types.incident import Reason as Reason
from .types.message import (
    Markup as Markup,
    Message as Message,
)
from .types.model import (
    Field as Field,
    Kind as Kind,
    LogObject as LogObject,
    Measurement as Measurement,
    Schema as Schema,
    Severity as Severity,
    Verdict as Verdict,
)
from .types.notification import (
    AlertFact as AlertFact,
    Event as Event,
    Notification as Notification,
)
from .types.secret import Secret as Secret

from .client.connection import connect as connect
from .comparison.api import compare as compare
from .comparison.profile_table import profile as profile

__version__: str
__all__: list[str]
