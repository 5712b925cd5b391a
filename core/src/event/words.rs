//! The small words in events: reasons, kinds, states.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A small enum of words, the same in JSON as in Rust.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant,)* }
    )*};
}

words! {
    /// Who ended a session.
    CloseReason {
        /// The host closed it.
        Host,
        /// The pool was shut down.
        Shutdown,
        /// A fault of this library.
        Internal,
    }
    /// Why a process ended.
    StopReason {
        /// Its session was evicted.
        Evicted,
        /// Its session was closed.
        Closed,
        /// It is replaced at a turn boundary.
        Recycled,
        /// It failed its session.
        Failed,
        /// It did not end an interrupted turn in time.
        Interrupted,
        /// It did its one turn.
        TurnDone,
        /// It ended by itself.
        Exited,
    }
    /// Why a session lost its process.
    EvictionReason {
        /// Another session needed the slot, and this one was idle longest.
        LeastRecentlyUsed,
        /// It was idle for `idle_timeout`.
        IdleTimeout,
        /// The process that it shared failed another session, and is replaced.
        ProcessRetired,
    }
    /// Who started a turn.
    TurnOrigin {
        /// The host, by `send`.
        Host,
        /// The agent, by itself: background work ended, a goal goes on.
        Agent,
    }
    /// What kind of tool it is, the same for every agent.
    ToolKind {
        /// Runs a command.
        Shell,
        /// Reads a file.
        Read,
        /// Changes files.
        Edit,
        /// Looks for files or text.
        Search,
        /// Goes to the network.
        Fetch,
        /// Starts a sub-agent.
        Agent,
        /// Keeps a plan or a list of things to do.
        Plan,
        /// A tool of an MCP server.
        Mcp,
        /// A tool that the host registered.
        Host,
        /// Anything else.
        Other,
    }
    /// How far a step of a plan is.
    PlanStatus {
        /// Not begun.
        Pending,
        /// Under way.
        InProgress,
        /// Done.
        Completed,
    }
    /// What happened to a file.
    FileChangeKind {
        /// It is new.
        Add,
        /// It has other content.
        Update,
        /// It is gone.
        Delete,
        /// It has another name.
        Move,
    }
    /// How far a compaction is.
    CompactionPhase {
        /// It began.
        Started,
        /// It is done.
        Completed,
        /// It failed; the conversation is as before.
        Failed,
    }
    /// What a warning is about.
    WarningCode {
        /// The agent said it.
        Agent,
        /// The agent printed something that is not its protocol.
        Noise,
        /// A line was longer than `max_line` and was skipped.
        LineTooLong,
        /// The last line ended before it was whole.
        TruncatedLine,
        /// Output for a turn that is over, or that never was.
        LateOutput,
        /// A lower level of containment is in force than a guard.
        Containment,
        /// The agent could not resume, and goes on as a new conversation.
        NotResumed,
        /// The turn runs in a process of its own, in which the agent asks nothing: no rule and no answer
        /// of the host decides what it does.
        Unasked,
        /// Processes could not be ended.
        Stuck,
        /// A descendant held the agent's output open after its end.
        LeakedOutput,
        /// The answer does not fit the schema that the message asked for; the result has no `structured`.
        OutputSchema,
    }
    /// What the agent asks.
    RequestKind {
        /// May this command run?
        CommandApproval,
        /// May these files be changed?
        FileChangeApproval,
        /// May this tool be used?
        ToolApproval,
        /// May the agent do more than its mode allows?
        PermissionEscalation,
        /// Is this plan good?
        PlanApproval,
        /// What does the user say?
        UserQuestion,
        /// What does the user give an MCP server?
        Elicitation,
        /// What does the host's tool give?
        HostTool,
    }
    /// How a question was settled.
    Resolution {
        /// Yes.
        Allowed,
        /// No.
        Denied,
        /// With content.
        Answered,
        /// The agent took it back, or its turn or process ended.
        Withdrawn,
    }
    /// When changed settings hold.
    Changed {
        /// From now on, in the running process.
        Live,
        /// From now on: the idle process is replaced.
        Recycled,
        /// From the next turn on: the process is replaced when the running turn is over.
        AfterTurn,
        /// From the next process on; none runs.
        NextProcess,
    }
    /// Who settled a question.
    ResolvedBy {
        /// The host.
        Host,
        /// A rule of the session.
        Rule,
        /// Nobody in time, and that means no.
        Deadline,
        /// The schema of the host's tool, which the input did not fit.
        Schema,
        /// Nobody: no handler is registered, and that means no.
        NoHandler,
        /// The agent itself.
        Agent,
        /// The end of the turn or of the process.
        TurnEnd,
    }
}
