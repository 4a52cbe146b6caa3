package insights

func (p *parser) or() (Expr, *SyntaxError) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	list, err := p.terms("or", p.and)
	if err != nil || len(list) == 1 {
		return first(list), err
	}
	return Or(list), nil
}

func (p *parser) and() (Expr, *SyntaxError) {
	list, err := p.terms("and", p.not)
	if err != nil || len(list) == 1 {
		return first(list), err
	}
	return And(list), nil
}

func first(list []Expr) Expr {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// terms reads what stands between the given operator.
func (p *parser) terms(op string, term func() (Expr, *SyntaxError)) ([]Expr, *SyntaxError) {
	var list []Expr
	for {
		e, err := term()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if !p.isWord(op) {
			return list, nil
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) not() (Expr, *SyntaxError) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	negated, err := p.take("not")
	if err != nil {
		return nil, err
	}
	if negated {
		x, err := p.not()
		return Not{x}, err
	}
	if p.isPunct("(") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	}
	if p.tok.kind == tokWord && !p.tok.quoted && isPredicate(p.tok.text) {
		return p.predicate()
	}
	return p.relation()
}

func isPredicate(s string) bool {
	return s == "ispresent" || s == "isempty" || s == "strcontains"
}

// predicate reads a function that yields true or false.
func (p *parser) predicate() (Expr, *SyntaxError) {
	fn := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	if fn.text != "strcontains" {
		return Is{fn.text, x}, p.expect(")")
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	if p.tok.kind != tokString {
		return nil, p.unexpected("a text")
	}
	e := Contains{x, p.tok.text}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return e, p.expect(")")
}

// relation reads value = value, value in [...], value like pattern.
func (p *parser) relation() (Expr, *SyntaxError) {
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	negated, err := p.take("not")
	if err != nil {
		return nil, err
	}
	var e Expr
	switch {
	case p.isWord("in"):
		e, err = p.in(x)
	case p.isWord("like"), p.isPunct("=~") && !negated:
		e, err = p.like(x)
	case p.tok.kind == tokPunct && isRelation(p.tok.text) && !negated:
		op := p.tok.text
		if err := p.advance(); err != nil {
			return nil, err
		}
		r, err := p.operand()
		return Compare{x, op, r}, err
	default:
		return nil, p.unexpected("an operator")
	}
	if negated && err == nil {
		e = Not{e}
	}
	return e, err
}

func isRelation(op string) bool {
	switch op {
	case "=", "!=", "<", "<=", ">", ">=":
		return true
	}
	return false
}

func (p *parser) in(x Operand) (Expr, *SyntaxError) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("["); err != nil {
		return nil, err
	}
	var list []Literal
	err := p.list(func() *SyntaxError {
		l, err := p.literal()
		list = append(list, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	return newIn(x, list), p.expect("]")
}

func (p *parser) like(x Operand) (Expr, *SyntaxError) {
	// =~ always takes a regular expression, also in quotes.
	match := p.isPunct("=~")
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind != tokRegex && p.tok.kind != tokString {
		return nil, p.unexpected("a text or a /regular expression/")
	}
	e, err := newLike(x, p.tok.text, match || p.tok.kind == tokRegex)
	if err != nil {
		return nil, p.fail(p.tok.start, err.Error())
	}
	return e, p.advance()
}
