//! A reader of the part of Bicep that infra/ is written in: declarations as a tree. It judges no types; what it does not
//! know it refuses, with the line.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a question about one kind of expression has no answer from others"
)]

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// A text: what is written, and what is put in between.
    Text(Vec<Part>),
    /// A number or a boolean, as it is written.
    Literal(String),
    Null,
    Name(String),
    Member(Box<Self>, String),
    Index(Box<Self>, Box<Self>),
    Call(Box<Self>, Vec<Self>),
    Array(Vec<Self>),
    Object(Object),
    /// One element for each: the names of element and index, what is gone through, the element.
    For(Vec<String>, Box<Self>, Box<Self>),
    /// One or the other.
    Choice(Box<Self>, Box<Self>, Box<Self>),
    /// Two sides of an operator.
    Sides(Box<Self>, Box<Self>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Plain(String),
    Hole(Expr),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Object {
    pub(crate) members: Vec<(Expr, Expr)>,
    /// Resources inside of a resource.
    pub(crate) nested: Vec<Declaration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scope,
    Using,
    Param,
    Var,
    Resource,
    Module,
    Output,
}

/// `kind name 'of' = body`, with what stands around it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Declaration {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// A resource's type and version, a module's file, a parameter's or output's type.
    pub(crate) of: String,
    pub(crate) existing: bool,
    pub(crate) condition: Option<Expr>,
    pub(crate) body: Option<Expr>,
    pub(crate) decorators: Vec<Expr>,
}

impl Expr {
    /// A text without holes.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(parts) => match parts.as_slice() {
                [] => Some(""),
                [Part::Plain(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// The member of an object; of a loop's element, too.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let object = self.object()?;
        object.members.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// Members one below the other.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |found, name| found.member(name))
    }

    pub(crate) fn object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            Self::For(_, _, element) => element.object(),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The expression as it might be written.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Text(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Plain(text) => text.clone(),
                    Part::Hole(hole) => format!("${{{}}}", hole.shown()),
                })
                .collect(),
            Self::Literal(text) | Self::Name(text) => text.clone(),
            Self::Null => "null".to_owned(),
            Self::Member(of, name) => format!("{}.{name}", of.shown()),
            Self::Index(of, at) => format!("{}[{}]", of.shown(), at.shown()),
            Self::Call(of, with) => {
                format!("{}({})", of.shown(), with.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Array(items) => {
                format!("[{}]", items.iter().map(Self::shown).collect::<Vec<_>>().join(", "))
            }
            Self::Object(_) => "{..}".to_owned(),
            Self::For(_, over, _) => format!("for {}", over.shown()),
            Self::Choice(_, one, other) => format!("{} or {}", one.shown(), other.shown()),
            Self::Sides(one, other) => format!("{} {}", one.shown(), other.shown()),
        }
    }
}

/// Reads a file.
pub(crate) fn read(text: &str) -> Result<Vec<Declaration>, String> {
    let mut reader = Reader { rest: text, whole: text };
    let mut all = Vec::new();
    loop {
        reader.lines();
        if reader.rest.is_empty() {
            return Ok(all);
        }
        let decorators = reader.decorators()?;
        all.push(reader.declaration(decorators)?);
    }
}

struct Reader<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl<'a> Reader<'a> {
    fn fault<T>(&self, wanted: &str) -> Result<T, String> {
        let line = self.whole[..self.whole.len() - self.rest.len()].lines().count().max(1);
        let here: String = self.rest.chars().take(30).collect();
        Err(format!("line {line}: {wanted} is wanted at {here:?}"))
    }

    /// Goes over blanks and remarks of a line.
    fn blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            if !self.rest.starts_with("//") {
                return;
            }
            self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
        }
    }

    /// Goes over blanks, remarks and ends of lines.
    fn lines(&mut self) {
        loop {
            self.blanks();
            match self.rest.strip_prefix('\n') {
                Some(rest) => self.rest = rest,
                None => return,
            }
        }
    }

    fn took(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest.strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn must(&mut self, token: &str) -> Result<(), String> {
        if self.took(token) { Ok(()) } else { self.fault(token) }
    }

    fn peek_word(&mut self) -> &'a str {
        self.blanks();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        &self.rest[..end]
    }

    fn word(&mut self) -> Result<String, String> {
        let word = self.peek_word();
        if word.is_empty() {
            return self.fault("a name");
        }
        self.rest = &self.rest[word.len()..];
        Ok(word.to_owned())
    }

    fn decorators(&mut self) -> Result<Vec<Expr>, String> {
        let mut found = Vec::new();
        while self.took("@") {
            found.push(self.operand()?);
            self.lines();
        }
        Ok(found)
    }

    fn declaration(&mut self, decorators: Vec<Expr>) -> Result<Declaration, String> {
        let keyword = self.word()?;
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
            name = self.word()?;
        }
        match kind {
            Kind::Resource | Kind::Module => {
                of = self.plain_text()?;
                existing = self.peek_word() == "existing" && self.word().is_ok();
            }
            Kind::Param | Kind::Output => of = self.peek_word().to_owned(),
            Kind::Scope | Kind::Using | Kind::Var => {}
        }
        if matches!(kind, Kind::Param | Kind::Output) {
            self.rest = &self.rest[of.len()..];
        }
        let mut body = None;
        if self.took("=") {
            if matches!(kind, Kind::Resource | Kind::Module) && self.peek_word() == "if" {
                self.word()?;
                condition = Some(self.operand()?);
            }
            body = Some(self.expression()?);
        }
        Ok(Declaration { kind, name, of, existing, condition, body, decorators })
    }

    fn plain_text(&mut self) -> Result<String, String> {
        match self.operand()?.text() {
            Some(text) => Ok(text.to_owned()),
            None => self.fault("a plain text"),
        }
    }

    fn expression(&mut self) -> Result<Expr, String> {
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

    fn operand(&mut self) -> Result<Expr, String> {
        while self.took("!") {}
        let mut found = self.primary()?;
        loop {
            found = if self.rest.starts_with('.') {
                self.must(".")?;
                Expr::Member(Box::new(found), self.word()?)
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

    fn primary(&mut self) -> Result<Expr, String> {
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
            Some(c) if c.is_ascii_digit() => Ok(Expr::Literal(self.word()?)),
            _ => Ok(match self.word()?.as_str() {
                "null" => Expr::Null,
                literal @ ("true" | "false") => Expr::Literal(literal.to_owned()),
                name => Expr::Name(name.to_owned()),
            }),
        }
    }

    /// A text of one line, with holes.
    fn quoted(&mut self) -> Result<Expr, String> {
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

    /// Expressions up to a bracket, with commas or ends of lines between.
    fn list(&mut self, end: &str) -> Result<Vec<Expr>, String> {
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

    fn brackets(&mut self) -> Result<Expr, String> {
        self.must("[")?;
        if self.peek_word() != "for" {
            return Ok(Expr::Array(self.list("]")?));
        }
        self.word()?;
        let names = if self.took("(") {
            let names = vec![self.word()?, self.must(",").and_then(|()| self.word())?];
            self.must(")")?;
            names
        } else {
            vec![self.word()?]
        };
        if self.word()? != "in" {
            return self.fault("`in`");
        }
        let over = self.expression()?;
        self.must(":")?;
        let element = self.expression()?;
        self.lines();
        self.must("]")?;
        Ok(Expr::For(names, Box::new(over), Box::new(element)))
    }

    fn braces(&mut self) -> Result<Expr, String> {
        self.must("{")?;
        let mut object = Object::default();
        loop {
            self.lines();
            if self.took("}") {
                return Ok(Expr::Object(object));
            }
            let decorators = self.decorators()?;
            let before = self.rest;
            let word = self.peek_word();
            self.rest = &self.rest[word.len()..];
            if word == "resource" && !self.took(":") {
                self.rest = before;
                object.nested.push(self.declaration(decorators)?);
                continue;
            }
            self.rest = before;
            let key =
                if word.is_empty() { self.operand()? } else { Expr::Text(vec![Part::Plain(self.word()?)]) };
            self.must(":")?;
            object.members.push((key, self.expression()?));
            if !self.took(",") && !self.rest.starts_with(['\n', '}']) {
                return self.fault("a comma or the end of the line");
            }
        }
    }
}
