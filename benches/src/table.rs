//! The table: what was to be reached beside what was measured.

/// One line of it.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) measured: String,
    /// `None`: there is no target, or it could not be measured.
    pub(crate) met: Option<bool>,
    pub(crate) beside: String,
}

impl Row {
    pub(crate) fn new(name: &str, target: &str, measured: String, met: bool, beside: String) -> Row {
        Row { name: name.into(), target: target.into(), measured, met: Some(met), beside }
    }

    pub(crate) fn without_target(name: &str, measured: String) -> Row {
        Row { name: name.into(), target: String::new(), measured, met: None, beside: String::new() }
    }

    fn verdict(&self) -> &'static str {
        match self.met {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        }
    }

    fn cells(&self) -> [&str; 5] {
        [&self.name, &self.target, &self.measured, self.verdict(), &self.beside]
    }

    pub(crate) fn markdown(&self) -> String {
        format!("| {} |", self.cells().join(" | "))
    }

    pub(crate) fn json(&self) -> String {
        let names = ["row", "target", "measured", "met", "beside"];
        let field = |(name, text): (&str, &str)| format!("{name:?}: {text:?}");
        format!("{{{}}}", names.into_iter().zip(self.cells()).map(field).collect::<Vec<_>>().join(", "))
    }

    pub(crate) fn plain(&self) -> String {
        let met = self.met.map_or("     ", |met| if met { "met  " } else { "MISSED" });
        let mut text = format!("{met:<6} {:<38} {}", self.name, self.measured);
        if !self.target.is_empty() {
            text += &format!("\n       {:<38} target: {}", "", self.target);
        }
        if !self.beside.is_empty() {
            text += &format!("\n       {:<38} beside: {}", "", self.beside);
        }
        text
    }
}

pub(crate) const HEAD: &str = "| row | target | measured | met | beside |\n| --- | --- | --- | --- | --- |";
