//! What a page shows of a bot: its greeting, questions to begin with, colours and labels. All of it is public.

pub mod routes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::{named, text};
use crate::error::{Error, Result};

/// Limits in characters; the schema knows the first of them, too.
pub const GREETING_LIMIT: usize = 1_000;
pub const SUGGESTION_LIMIT: usize = 200;
pub const TITLE_LIMIT: usize = 80;
pub const PLACEHOLDER_LIMIT: usize = 120;
pub const LAUNCHER_LIMIT: usize = 40;
/// Questions to begin with: more would be read by nobody.
pub const MOST_SUGGESTIONS: usize = 8;

/// What a bot's keeper lets everybody see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    pub greeting: String,
    pub suggestions: Vec<String>,
    pub widget: Widget,
}

/// How the widget looks. What is empty is the widget's own choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Widget {
    /// `#rrggbb`.
    pub color: Option<String>,
    pub position: Position,
    pub theme: Theme,
    /// Over the conversation.
    pub title: String,
    /// In the field where questions are written.
    pub placeholder: String,
    /// On the button that opens the conversation.
    pub launcher: String,
}

/// The corner of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    #[default]
    BottomRight,
    BottomLeft,
    TopRight,
    TopLeft,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the visitor's system has it.
    #[default]
    Auto,
    Light,
    Dark,
}

/// The parts that a request names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "WidgetFields")]
pub struct Change {
    /// Null: the widget's own.
    #[serde(default, deserialize_with = "named")]
    color: Option<Option<String>>,
    position: Option<Position>,
    theme: Option<Theme>,
    title: Option<String>,
    placeholder: Option<String>,
    launcher: Option<String>,
}

impl Change {
    pub fn over(self, widget: Widget) -> Widget {
        Widget {
            color: self.color.unwrap_or(widget.color).map(|color| color.to_ascii_lowercase()),
            position: self.position.unwrap_or(widget.position),
            theme: self.theme.unwrap_or(widget.theme),
            title: self.title.unwrap_or(widget.title),
            placeholder: self.placeholder.unwrap_or(widget.placeholder),
            launcher: self.launcher.unwrap_or(widget.launcher),
        }
    }
}

impl Shown {
    pub fn check(&self) -> Result<()> {
        text("greeting", &self.greeting, 0, GREETING_LIMIT)?;
        if self.suggestions.len() > MOST_SUGGESTIONS {
            return Err(Error::invalid(format!("`suggestions` holds at most {MOST_SUGGESTIONS} questions.")));
        }
        for suggestion in &self.suggestions {
            text("suggestions", suggestion, 1, SUGGESTION_LIMIT)?;
        }
        let Widget { color, title, placeholder, launcher, .. } = &self.widget;
        if color.as_deref().is_some_and(|color| !is_color(color)) {
            return Err(Error::invalid("`widget.color` is a colour such as `#1a73e8`.")
                .hint("Write `#` and six hexadecimal digits, or send null."));
        }
        text("widget.title", title, 0, TITLE_LIMIT)?;
        text("widget.placeholder", placeholder, 0, PLACEHOLDER_LIMIT)?;
        text("widget.launcher", launcher, 0, LAUNCHER_LIMIT)
    }
}

/// Nothing else: the page writes it into a style.
fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_at_their_edges() {
        type Set = fn(&mut Shown, String);
        let texts: [(&str, Set, usize, usize); 5] = [
            ("greeting", |shown, text| shown.greeting = text, 0, GREETING_LIMIT),
            ("suggestions", |shown, text| shown.suggestions = vec![text], 1, SUGGESTION_LIMIT),
            ("widget.title", |shown, text| shown.widget.title = text, 0, TITLE_LIMIT),
            ("widget.placeholder", |shown, text| shown.widget.placeholder = text, 0, PLACEHOLDER_LIMIT),
            ("widget.launcher", |shown, text| shown.widget.launcher = text, 0, LAUNCHER_LIMIT),
        ];
        for (field, set, least, most) in texts {
            let with = |text: String| {
                let mut shown = Shown::default();
                set(&mut shown, text);
                shown.check()
            };
            assert!(with("é".repeat(most)).is_ok() && with("é".repeat(least)).is_ok(), "{field}");
            assert!(with("é".repeat(most + 1)).unwrap_err().detail.contains(field), "{field}");
            assert_eq!(with(" ".to_owned()).is_ok(), least == 0, "{field}");
        }
        let many = |count| Shown { suggestions: vec!["Why?".to_owned(); count], ..Shown::default() }.check().is_ok();
        assert!(many(MOST_SUGGESTIONS) && !many(MOST_SUGGESTIONS + 1));
    }

    #[test]
    fn a_colour_is_six_digits_and_nothing_else() {
        for (text, lawful) in [
            ("#1a73e8", true),
            ("#1A73E8", true),
            ("", false),
            ("#fff", false),
            ("1a73e8", false),
            ("#1a73e8;", false),
            ("#1a73eg", false),
            ("red;background:url(https://evil.example)", false),
            ("#éééa", false),
        ] {
            let widget = Widget { color: Some(text.to_owned()), ..Widget::default() };
            assert_eq!(Shown { widget, ..Shown::default() }.check().is_ok(), lawful, "{text}");
        }
    }

    #[test]
    fn a_change_leaves_alone_what_it_does_not_name() {
        let before = Widget { color: Some("#1a73e8".to_owned()), title: "Shop".to_owned(), ..Widget::default() };
        let change = |json: &str| serde_json::from_str::<Change>(json).unwrap().over(before.clone());
        assert_eq!(change("{}"), before);
        assert_eq!(change(r#"{"color":null}"#), Widget { color: None, ..before.clone() });
        let moved = change(r##"{"color":"#ABCDEF","position":"top-left","theme":"dark"}"##);
        assert_eq!(
            (moved.color.as_deref(), moved.position, moved.theme),
            (Some("#abcdef"), Position::TopLeft, Theme::Dark)
        );
        assert_eq!(moved.title, "Shop");
        assert!(serde_json::from_str::<Change>(r#"{"colour":"x"}"#).is_err());
        // What an older or newer release stored is read as far as it is known.
        let stored: Widget = serde_json::from_str(r#"{"title":"Shop","sparkles":true}"#).unwrap();
        assert_eq!(stored.title, "Shop");
    }
}
