//! The parser of a Bicep file, token by token.

use super::*;

pub(super) struct Reader<'a> {
    pub(super) rest: &'a str,
    pub(super) whole: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn fault<T>(&self, expected: &str) -> Result<T, String> {
        let line = self.whole[..self.whole.len() - self.rest.len()].lines().count().max(1);
        let here: String = self.rest.chars().take(30).collect();
        Err(format!("line {line}: {expected} is expected at {here:?}"))
    }

    /// Skips blanks and comments within a line.
    pub(super) fn blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            if !self.rest.starts_with("//") {
                return;
            }
            self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
        }
    }

    /// Skips blanks, comments and ends of lines.
    pub(super) fn lines(&mut self) {
        loop {
            self.blanks();
            match self.rest.strip_prefix('\n') {
                Some(rest) => self.rest = rest,
                None => return,
            }
        }
    }

    pub(super) fn took(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest.strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    pub(super) fn must(&mut self, token: &str) -> Result<(), String> {
        if self.took(token) { Ok(()) } else { self.fault(token) }
    }

    pub(super) fn peek_token(&mut self) -> &'a str {
        self.blanks();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        &self.rest[..end]
    }

    pub(super) fn name(&mut self) -> Result<String, String> {
        let token = self.peek_token();
        if token.is_empty() {
            return self.fault("a name");
        }
        self.rest = &self.rest[token.len()..];
        Ok(token.to_owned())
    }

    pub(super) fn decorators(&mut self) -> Result<Vec<Expr>, String> {
        let mut found = Vec::new();
        while self.took("@") {
            found.push(self.operand()?);
            self.lines();
        }
        Ok(found)
    }

    pub(super) fn declaration(&mut self, decorators: Vec<Expr>) -> Result<Declaration, String> {
        let keyword = self.name()?;
        let (mut name, mut of, mut existing, mut condition) = (String::new(), String::new(), false, None);
        let kind = match keyword.as_str() {
            "targetScope" => Kind::Scope,
            "using" => Kind::Using,
            "param" => Kind::Param,
            "var" => Kind::Var,
            "resource" => Kind::Resource,
            "module" => Kind::Module,
            "output" => Kind::Output,
            other => return self.fault(&format!("a declaration instead of `{other}`")),
        };
        if kind == Kind::Using {
            of = self.plain_text()?;
        } else if kind != Kind::Scope {
            name = self.name()?;
        }
        match kind {
            Kind::Resource | Kind::Module => {
                of = self.plain_text()?;
                existing = self.peek_token() == "existing" && self.name().is_ok();
            }
            Kind::Param | Kind::Output => of = self.peek_token().to_owned(),
            Kind::Scope | Kind::Using | Kind::Var => {}
        }
        if matches!(kind, Kind::Param | Kind::Output) {
            self.rest = &self.rest[of.len()..];
        }
        let mut body = None;
        if self.took("=") {
            if matches!(kind, Kind::Resource | Kind::Module) && self.peek_token() == "if" {
                self.name()?;
                condition = Some(self.operand()?);
            }
            body = Some(self.expression()?);
        }
        Ok(Declaration { kind, name, of, existing, condition, body, decorators })
    }

    pub(super) fn plain_text(&mut self) -> Result<String, String> {
        match self.operand()?.text() {
            Some(text) => Ok(text.to_owned()),
            None => self.fault("a plain text"),
        }
    }

    pub(super) fn expression(&mut self) -> Result<Expr, String> {
        let mut left = self.operand()?;
        while ["||", "&&", "==", "!=", ">=", "<=", ">", "<", "??", "+", "-"].iter().any(|op| self.took(op)) {
            left = Expr::Sides(Box::new(left), Box::new(self.operand()?));
        }
        if !self.took("?") {
            return Ok(left);
        }
        let one = self.expression()?;
        self.must(":")?;
        Ok(Expr::Choice(Box::new(left), Box::new(one), Box::new(self.expression()?)))
    }

    pub(super) fn operand(&mut self) -> Result<Expr, String> {
        while self.took("!") {}
        let mut found = self.primary()?;
        loop {
            found = if self.rest.starts_with('.') {
                self.must(".")?;
                Expr::Member(Box::new(found), self.name()?)
            } else if self.rest.starts_with('[') {
                self.must("[")?;
                let at = self.expression()?;
                self.must("]")?;
                Expr::Index(Box::new(found), Box::new(at))
            } else if self.rest.starts_with('(') {
                self.must("(")?;
                Expr::Call(Box::new(found), self.list(")")?)
            } else {
                return Ok(found);
            };
        }
    }

    pub(super) fn primary(&mut self) -> Result<Expr, String> {
        self.blanks();
        if let Some(rest) = self.rest.strip_prefix("'''") {
            let Some((text, after)) = rest.split_once("'''") else { return self.fault("'''") };
            self.rest = after;
            return Ok(Expr::Text(vec![Part::Plain(text.to_owned())]));
        }
        match self.rest.chars().next() {
            Some('\'') => self.quoted(),
            Some('{') => self.braces(),
            Some('[') => self.brackets(),
            Some('(') => {
                self.must("(")?;
                self.lines();
                let inner = self.expression()?;
                self.lines();
                self.must(")")?;
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() => Ok(Expr::Literal(self.name()?)),
            _ => Ok(match self.name()?.as_str() {
                "null" => Expr::Null,
                literal @ ("true" | "false") => Expr::Literal(literal.to_owned()),
                name => Expr::Name(name.to_owned()),
            }),
        }
    }

    /// A string of one line, with interpolations.
    pub(super) fn quoted(&mut self) -> Result<Expr, String> {
        self.must("'")?;
        let (mut parts, mut plain) = (Vec::new(), String::new());
        loop {
            let mut chars = self.rest.chars();
            let Some(c) = chars.next().filter(|c| *c != '\n') else { return self.fault("'") };
            if self.rest.starts_with("${") {
                self.rest = &self.rest[2..];
                if !plain.is_empty() {
                    parts.push(Part::Plain(std::mem::take(&mut plain)));
                }
                parts.push(Part::Hole(self.expression()?));
                self.must("}")?;
                continue;
            }
            self.rest = chars.as_str();
            match c {
                '\'' => break,
                '\\' => {
                    plain.extend(chars.next());
                    self.rest = chars.as_str();
                }
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Ok(Expr::Text(parts))
    }

    /// Expressions up to a bracket, separated by commas or ends of lines.
    pub(super) fn list(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut items = Vec::new();
        loop {
            self.lines();
            if self.took(end) {
                return Ok(items);
            }
            items.push(self.expression()?);
            if !self.took(",") && !self.rest.starts_with('\n') && !self.rest.starts_with(end) {
                return self.fault("a comma or the end of the line");
            }
        }
    }

    pub(super) fn brackets(&mut self) -> Result<Expr, String> {
        self.must("[")?;
        if self.peek_token() != "for" {
            return Ok(Expr::Array(self.list("]")?));
        }
        self.name()?;
        let names = if self.took("(") {
            let names = vec![self.name()?, self.must(",").and_then(|()| self.name())?];
            self.must(")")?;
            names
        } else {
            vec![self.name()?]
        };
        if self.name()? != "in" {
            return self.fault("`in`");
        }
        let over = self.expression()?;
        self.must(":")?;
        let element = self.expression()?;
        self.lines();
        self.must("]")?;
        Ok(Expr::For(names, Box::new(over), Box::new(element)))
    }

    pub(super) fn braces(&mut self) -> Result<Expr, String> {
        self.must("{")?;
        let mut object = Object::default();
        loop {
            self.lines();
            if self.took("}") {
                return Ok(Expr::Object(object));
            }
            let decorators = self.decorators()?;
            let before = self.rest;
            let token = self.peek_token();
            self.rest = &self.rest[token.len()..];
            if token == "resource" && !self.took(":") {
                self.rest = before;
                object.nested.push(self.declaration(decorators)?);
                continue;
            }
            self.rest = before;
            let key =
                if token.is_empty() { self.operand()? } else { Expr::Text(vec![Part::Plain(self.name()?)]) };
            self.must(":")?;
            object.members.push((key, self.expression()?));
            if !self.took(",") && !self.rest.starts_with(['\n', '}']) {
                return self.fault("a comma or the end of the line");
            }
        }
    }
}
