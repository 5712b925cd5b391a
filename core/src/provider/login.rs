//! Where an agent's login lies, as data: what can be seen of it without a request.

/// The signs of one agent's login.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginSigns {
    /// Variables whose value is a key or a token.
    pub variables: &'static [&'static str],
    /// Files that are there when somebody logged in.
    pub files: &'static [AgentFile],
    /// Variables that name another service, or say that the login comes from elsewhere.
    pub other_variables: &'static [&'static str],
    /// Settings that may do the same.
    pub other_files: &'static [AgentFile],
    /// Whether it may keep its login where this cannot be seen, or needs none.
    pub hidden: bool,
}

/// A file of an agent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgentFile {
    /// The variable that names the folder.
    pub variable: &'static str,
    /// The folder's place in the user's home where that variable is not set.
    pub below_home: &'static str,
    /// Its place in that folder.
    pub path: &'static str,
}

impl LoginSigns {
    /// Nothing is known of it.
    pub(crate) const NONE: Self = Self {
        variables: &[],
        files: &[],
        other_variables: &[],
        other_files: &[],
        hidden: true,
    };
}
