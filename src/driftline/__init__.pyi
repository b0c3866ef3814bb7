"""The names that a plugin author types. The runtime module loads each at first use."""

from .contracts.decorated import (
    check as check,
)
from .contracts.hookspecs import (
    hookimpl as hookimpl,
)
from .contracts.plugin import (
    Action as Action,
)
from .contracts.plugin import (
    Check as Check,
)
from .contracts.plugin import (
    CheckContext as CheckContext,
)
from .contracts.plugin import (
    DecodeContext as DecodeContext,
)
from .contracts.plugin import (
    DiscoverContext as DiscoverContext,
)
from .contracts.plugin import (
    ExecutorFactory as ExecutorFactory,
)
from .contracts.plugin import (
    Format as Format,
)
from .contracts.plugin import (
    Plugin as Plugin,
)
from .contracts.plugin import (
    Sink as Sink,
)
from .contracts.plugin import (
    Source as Source,
)
from .contracts.rule import (
    Rule as Rule,
)
from .contracts.rule import (
    above as above,
)
from .contracts.rule import (
    below as below,
)
from .contracts.rule import (
    unusual as unusual,
)
from .contracts.start_context import (
    StartContext as StartContext,
)
from .profiles.batch import (
    Batch as Batch,
)
from .profiles.collector import (
    Collector as Collector,
)
from .profiles.window import (
    CategoricalColumn as CategoricalColumn,
)
from .profiles.window import (
    Column as Column,
)
from .profiles.window import (
    NumericColumn as NumericColumn,
)
from .profiles.window import (
    Window as Window,
)
from .types.action_request import (
    Order as Order,
)
from .types.action_request import (
    Request as Request,
)
from .types.errors import (
    DriftlineError as DriftlineError,
)
from .types.errors import (
    ObjectChanged as ObjectChanged,
)
from .types.errors import (
    ObjectGone as ObjectGone,
)
from .types.errors import (
    OutcomeUnknown as OutcomeUnknown,
)
from .types.errors import (
    Rejected as Rejected,
)
from .types.errors import (
    Retryable as Retryable,
)
from .types.errors import (
    SourceBusy as SourceBusy,
)
from .types.errors import (
    SourceError as SourceError,
)
from .types.errors import (
    Throttled as Throttled,
)
from .types.errors import (
    Unreadable as Unreadable,
)
from .types.message import (
    Markup as Markup,
)
from .types.message import (
    Message as Message,
)
from .types.model import (
    Field as Field,
)
from .types.model import (
    Kind as Kind,
)
from .types.model import (
    LogObject as LogObject,
)
from .types.model import (
    Measurement as Measurement,
)
from .types.model import (
    Schema as Schema,
)
from .types.model import (
    Severity as Severity,
)
from .types.model import (
    Verdict as Verdict,
)
from .types.notification import (
    AlertFact as AlertFact,
)
from .types.notification import (
    Event as Event,
)
from .types.notification import (
    Notification as Notification,
)
from .types.secret import (
    Secret as Secret,
)

__version__: str
__all__: list[str]
