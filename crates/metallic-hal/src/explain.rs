//! What a device has to say about how it compiles a kernel, for people who want it to run faster.

/// How a kernel was compiled: sentences about all of it, and remarks about places in its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    pub summary: Vec<String>,
    /// In the order of the source.
    pub remarks: Vec<Remark>,
    /// By file and line: of the values computed there, how many are of which form (`uniform`, `varying`).
    pub values: Vec<LineValues>,
}

/// A decision of the code generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// `None` where nothing in the source corresponds.
    pub location: Option<msl_base::Location>,
    /// Stable, in kebab case.
    pub id: String,
    pub message: String,
    /// What to change, where the decision costs speed.
    pub help: Option<String>,
}

/// The values that a line computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineValues {
    pub file: String,
    pub line: u32,
    /// Form and number, in a fixed order, without zeros.
    pub forms: Vec<(String, usize)>,
}
