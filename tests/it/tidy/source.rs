//! Rust source taken apart far enough to tell code from comments and strings.

/// A source file without what does not count.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// The code: comments and the contents of literals are gone.
    pub(super) code: String,
    /// The contents of the string literals, escapes as written.
    pub(super) strings: Vec<String>,
}

/// The part of a source that goes into the program: unit tests stand last, behind `#[cfg(test)]`.
pub(super) fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("#[cfg(test)]")) {
        let end = from + at + "#[cfg(test)]".len();
        if text.get(end..).is_some_and(|rest| rest.trim_start().starts_with("mod ")) {
            return text.get(..from + at).unwrap_or_default();
        }
        from = end;
    }
    text
}

/// Takes a source apart.
pub(super) fn lex(text: &str) -> Source {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, out: Source::default() };
    while let Some(c) = lexer.peek(0) {
        lexer.step(c);
    }
    lexer.out
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    out: Source,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn step(&mut self, c: char) {
        match (c, self.peek(1)) {
            ('/', Some('/')) => self.skip_while(|c| c != '\n'),
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(),
            ('r', Some('"' | '#')) if self.starts_raw_string() => self.raw_string(),
            ('\'', _) => self.quote(),
            _ => {
                self.out.code.push(c);
                self.at += 1;
            }
        }
    }

    fn skip_while(&mut self, accepts: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&accepts) {
            self.at += 1;
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => (depth, self.at) = (depth + 1, self.at + 2),
                (Some('*'), Some('/')) => (depth, self.at) = (depth - 1, self.at + 2),
                (Some(_), _) => self.at += 1,
                (None, _) => return,
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.at += 1;
        let start = self.at;
        while let Some(c) = self.peek(0).filter(|c| *c != '"') {
            self.at += if c == '\\' { 2 } else { 1 };
        }
        self.finish_string(start);
        self.at += 1;
    }

    fn starts_raw_string(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.chars.get(at));
        let is_own_word = before.is_none_or(|c| !c.is_alphanumeric() && *c != '_' || *c == 'b');
        let hashes = self.chars.iter().skip(self.at + 1).take_while(|c| **c == '#').count();
        is_own_word && self.peek(1 + hashes) == Some('"')
    }

    fn raw_string(&mut self) {
        self.at += 1;
        let opening = self.at;
        self.skip_while(|c| c == '#');
        let hashes = self.at - opening;
        self.at += 1;
        let start = self.at;
        while let Some(c) = self.peek(0) {
            if c == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                break;
            }
            self.at += 1;
        }
        self.finish_string(start);
        self.at += 1 + hashes;
    }

    fn finish_string(&mut self, start: usize) {
        let content = self.chars.iter().take(self.at).skip(start).collect();
        self.out.strings.push(content);
        self.out.code.push_str("\"\"");
    }

    /// A character literal is dropped; the quote of a lifetime is kept.
    fn quote(&mut self) {
        let length = match (self.peek(1), self.peek(2)) {
            (Some('\\'), _) => self.chars.iter().skip(self.at + 3).position(|c| *c == '\'').map_or(1, |at| at + 4),
            (Some(_), Some('\'')) => 3,
            _ => {
                self.out.code.push('\'');
                1
            }
        };
        self.at += length;
    }
}

#[test]
fn comments_and_literals_are_told_from_code() {
    let text = r##"use a::b; // crate::x
/* crate::y /* "nested" */ */ fn f<'a>(c: &'a str) { g("crate::z \" \\", '"', '\'', r#"raw "q" "#, br"bytes") }"##;
    let source = lex(text);
    assert_eq!(source.code, "use a::b; \n fn f<'a>(c: &'a str) { g(\"\", , , \"\", b\"\") }");
    assert_eq!(source.strings, ["crate::z \\\" \\\\", "raw \"q\" ", "bytes"]);
}

#[test]
fn unit_tests_at_the_end_are_not_the_program() {
    let text = "#[cfg(test)]\nuse a;\nfn f() {}\n#[cfg(test)]\nmod tests { use b; }\n";
    assert_eq!(without_tests(text), "#[cfg(test)]\nuse a;\nfn f() {}\n");
    assert_eq!(without_tests("fn f() {}"), "fn f() {}");
}
