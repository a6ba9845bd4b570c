//! The table in words, and the list of profiles.

use super::table::{Action, CodeMatch, Condition, Confidence, Range, Recipe, recipes};

/// The profiles, each with its first recipe.
pub fn profiles() -> Vec<(&'static str, &'static Recipe)> {
    let mut profiles: Vec<(&str, &Recipe)> = Vec::new();
    for recipe in recipes() {
        if let Some(profile) = &recipe.profile
            && !profiles.iter().any(|(name, _)| name == profile)
        {
            profiles.push((profile, recipe));
        }
    }
    profiles
}

impl Recipe {
    /// What it does, as a sentence.
    pub fn action_text(&self) -> String {
        let variables = || {
            let one = |(name, value): (&String, &String)| format!("`{name}={}`", value.replace('*', "..."));
            self.variables.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        match self.action {
            Action::Set => format!("Sets {}.", variables()),
            Action::Remove => format!("Removes {}.", variables()),
            Action::Leave => format!("Leaves {} as it is.", variables()),
            Action::Warn if self.variables.is_empty() => "Warns.".into(),
            Action::Warn => format!("Warns of {}.", variables()),
        }
    }

    /// Its reason, standing alone.
    pub fn sentence(&self) -> String {
        let mut text = self.why[..1].to_ascii_uppercase() + &self.why[1..];
        text.extend(self.fix.iter().flat_map(|fix| ["; ", fix]));
        if !text.ends_with('.') {
            text.push('.');
        }
        text
    }

    /// When it applies, in words.
    pub fn conditions(&self) -> String {
        let mut conditions = Vec::new();
        if let Some(profile) = &self.profile {
            conditions.push(format!("--profile {profile}"));
        }
        let list = |items: Vec<String>| items.join(", ");
        if !self.targets.is_empty() {
            conditions.push(list(self.targets.iter().map(ToString::to_string).collect()));
        }
        if !self.frameworks.is_empty() {
            let version = self.version.as_ref().map_or(String::new(), |range| format!(" {range}"));
            conditions.push(list(self.frameworks.iter().map(|it| it.title.into()).collect()) + &version);
        }
        if let Some(range) = &self.rocm {
            conditions.push(format!("ROCm {range}"));
        }
        if !self.packages.is_empty() {
            let package = |(name, range): (&String, &Range)| format!("`{}` {range}", name.replace('*', "..."));
            conditions.push(format!("one of {}", list(self.packages.iter().map(package).collect())));
        }
        conditions.extend(self.lacks.iter().map(|name| format!("no `{name}`")));
        let substitute = self.substitute.map_or_else(|| "another target".into(), |target| target.to_string());
        conditions.extend(self.code.map(|code| match code {
            CodeMatch::Native => "the program's libraries have code for the GPU".into(),
            CodeMatch::Substitute => format!("a library of the program has code for {substitute} and not for the GPU"),
            CodeMatch::Torn => format!("some libraries have code for the GPU only, others for {substitute} only"),
            CodeMatch::Partial if self.substitute.is_none_or(|target| self.targets == [target]) => {
                "some of the program's libraries have no code for the GPU".into()
            }
            CodeMatch::Partial => {
                format!("some of the program's libraries have code neither for the GPU nor for {substitute}")
            }
            CodeMatch::Missing if self.substitute.is_none() => {
                "the program's libraries have no code for the GPU".into()
            }
            CodeMatch::Missing => format!("the program's libraries have code neither for the GPU nor for {substitute}"),
        }));
        conditions.extend(self.condition.map(|when| when.description().into()));
        if !self.unless.is_empty() {
            conditions.push(format!("{} not set", self.unless.join(" and ")));
        }
        if conditions.is_empty() { "every program".into() } else { conditions.join("; ") }
    }
}

impl Confidence {
    /// What the letter means.
    pub fn description(self) -> &'static str {
        match self {
            Self::A => "confirmed by maintainers, source code or at least two users",
            Self::B => "one report, or disputed",
            Self::C => "an inference",
        }
    }
}

impl Condition {
    fn description(self) -> &'static str {
        match self {
            Self::BesideCard => {
                "integrated GPUs beside a card, one of them RDNA1 or RDNA2, and no variable that hides GPUs is set"
            }
            Self::OverrideUnreadable => {
                "an override that is not three numbers, on a machine with RDNA1 or RDNA2; written as three numbers where its \
                 meaning is certain"
            }
            Self::OverrideOtherMajor => "RDNA1 or RDNA2 under the override of another generation",
            Self::OverrideLacksCode => "an override to a target of which the program's libraries have no code",
            Self::PerNode => "an override that one GPU needs and another GPU of the machine must not have",
            Self::NoPerNode => {
                "an override that one GPU needs and another visible one must not have, in a release without numbers"
            }
            Self::WithoutRocm => "a framework that was built without ROCm, on RDNA1 or RDNA2",
            Self::BundledRuntime => "a program that brings its own ROCm, as a wheel does, on RDNA1 or RDNA2",
            Self::SaveArea => {
                "Linux 6.12 or later, and a card whose topology has more than 32 waves for each compute unit"
            }
            Self::ExecutableStack => "a library of its runtime wants an executable stack, and glibc is 2.41 or later",
            Self::TorchWithoutCode => "PyTorch's own library has no code for the GPU",
            Self::LibraryWithoutCode => {
                "a library of the program has code neither for the GPU nor for one that it may pass for"
            }
            Self::RegisterCoarse => "the option register is coarse",
        }
    }
}
