//! What needs no host to be answered: rules, read-only sessions, sessions where nobody answers.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::config::{HostTool, Requests as Handler, SessionOptions};
use crate::error::Error;
use crate::event::{RequestKind, ResolvedBy};
use crate::host_tools;
use crate::provider::Asked;
use crate::request::{Action, Answer, Decision, Rule, Subject, Verdict, decide};

/// What answers are decided by. Never changes.
pub(crate) struct Approvals {
    handler: Handler,
    rules: Vec<Rule>,
    read_only: bool,
    cwd: PathBuf,
    tools: HashMap<String, jsonschema::Validator>,
}

impl Approvals {
    /// Reads them out of a session's options.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for a tool whose schema is none, naming it.
    pub(crate) fn new(options: &SessionOptions) -> Result<Self, Error> {
        let tools = options
            .tools
            .iter()
            .map(|tool| Ok((tool.name.clone(), validator(tool)?)));
        Ok(Self {
            handler: options.requests,
            rules: options.rules.clone(),
            read_only: options.read_only,
            cwd: options.cwd.clone(),
            tools: tools.collect::<Result<_, Error>>()?,
        })
    }

    /// The answer that needs no host, if there is one.
    pub(super) fn settle(&self, asked: &Asked) -> Option<(Answer, ResolvedBy, Option<String>)> {
        let by_rule = match asked.kind {
            RequestKind::CommandApproval
            | RequestKind::FileChangeApproval
            | RequestKind::ToolApproval
            | RequestKind::PermissionEscalation => {
                decide(&self.rules, self.read_only, &self.cwd, &asked.subject)
            }
            // Only the host can give its tools' results, so it judges them too; but no means no.
            RequestKind::HostTool => {
                let subject = Subject {
                    mcp_server: Some(host_tools::SERVER.to_owned()),
                    ..asked.subject.clone()
                };
                decide(&self.rules, false, &self.cwd, &subject)
            }
            RequestKind::PlanApproval | RequestKind::UserQuestion | RequestKind::Elicitation => {
                None
            }
        };
        match by_rule {
            Some(Verdict {
                action: Action::Allow,
                rule,
            }) if asked.decisions.contains(&Decision::AllowOnce) => {
                let (scope, input) = Default::default();
                return Some((Answer::Allow { scope, input }, ResolvedBy::Rule, Some(rule)));
            }
            Some(Verdict {
                action: Action::Deny,
                rule,
            }) => {
                let answer = deny(format!("This is not allowed here (rule: {rule})."));
                return Some((answer, ResolvedBy::Rule, Some(rule)));
            }
            Some(_) | None => {}
        }
        if asked.kind == RequestKind::HostTool
            && let Err(why) = self.check_input(asked)
        {
            let (text, is_error) = (why, true);
            return Some((Answer::Result { text, is_error }, ResolvedBy::Schema, None));
        }
        match self.handler {
            Handler::Host => None,
            Handler::Deny => {
                let answer = deny("No one is there to approve this. Go on without it.".to_owned());
                Some((answer, ResolvedBy::NoHandler, None))
            }
        }
    }

    /// Whether a rule has a word in it, `read_only` among them.
    pub(super) fn rules_on(&self, subject: &Subject) -> bool {
        decide(&self.rules, self.read_only, &self.cwd, subject).is_some()
    }

    fn check_input(&self, asked: &Asked) -> Result<(), String> {
        let name = &asked.subject.tool;
        let Some(validator) = self.tools.get(name) else {
            return Err(format!("there is no tool {name:?}"));
        };
        let input = asked.input.as_ref().map_or("{}", |input| input.get());
        let input =
            serde_json::from_str(input).map_err(|e| format!("the input is no JSON: {e}"))?;
        let faults: Vec<_> = validator
            .iter_errors(&input)
            .take(3)
            .map(|e| format!("{}: {e}", e.instance_path()))
            .collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(format!(
            "the input does not fit the schema: {}",
            faults.join("; ")
        ))
    }
}

impl std::fmt::Debug for Approvals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Approvals")
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}

fn validator(tool: &HostTool) -> Result<jsonschema::Validator, Error> {
    let fail = |why: String| Error::invalid("tools", format!("{}: {why}", tool.name));
    let schema = serde_json::from_str(tool.input_schema.get()).map_err(|e| fail(e.to_string()))?;
    jsonschema::validator_for(&schema).map_err(|e| fail(e.to_string()))
}

pub(super) fn deny(message: String) -> Answer {
    Answer::Deny {
        message,
        interrupt: false,
    }
}
