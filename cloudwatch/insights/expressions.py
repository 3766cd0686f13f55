"""The grammar of expressions, by recursive descent."""

from __future__ import annotations

from collections.abc import Callable

from cloudwatch.insights import language, syntax
from cloudwatch.insights.reader import Reader, Refused
from cloudwatch.insights.syntax import COMPARISONS, Expression, Field

_JOINED_WITH_LITERAL = '{operator} joins conditions, not values: repeat the comparison (x like "a" or x like "b")'


class ExpressionParser(Reader):
    """Each method reads what it is named after; from the loosest binding to the tightest."""

    def _expression(self) -> Expression:
        return self._joined("or", self._conjunction)

    def _conjunction(self) -> Expression:
        return self._joined("and", self._negation)

    def _joined(self, operator: str, operand: Callable[[], Expression]) -> Expression:
        left = operand()
        while joint := self._take("word", operator):
            right = operand()
            for side in (left, right):
                if isinstance(side, syntax.Text | syntax.Number):
                    raise Refused(_JOINED_WITH_LITERAL.format(operator=operator), side.at)
            left = syntax.Binary(operator, left, right, at=joint.at)
        return left

    def _negation(self) -> Expression:
        if word := self._take("word", "not"):
            return syntax.Unary("not", self._negation(), at=word.at)
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._sum()
        compared = self._compared(left)
        if compared is left:
            return left
        again = self._peek()
        if again.text in (*COMPARISONS, "=~") or again.text.lower() in ("like", "in"):
            raise Refused("comparisons cannot be chained: join two with and", again.at)
        return compared

    def _compared(self, left: Expression) -> Expression:
        if mark := self._take_mark(*COMPARISONS):
            right = self._sum()
            for side in (left, right):
                if isinstance(side, syntax.Boolean):
                    raise Refused("JSON's true and false are 1 and 0 in Logs Insights: compare with 1 or 0", side.at)
            return syntax.Binary(mark.text, left, right, at=mark.at)
        if mark := self._take_mark("=~"):
            pattern = self._regex()
            if pattern is None:
                raise Refused("=~ takes a regular expression between slashes", self._peek().at)
            return syntax.Match("=~", left, pattern, at=mark.at)
        negation = self._take("word", "not")
        if word := self._take("word", "like"):
            return syntax.Match("not like" if negation else "like", left, self._pattern(), at=word.at)
        if word := self._take("word", "in"):
            return syntax.Membership("not in" if negation else "in", left, self._options(), at=word.at)
        if negation:
            raise Refused("after a value, not must be followed by like or in", negation.at)
        return left

    def _pattern(self) -> syntax.Text | syntax.Regex:
        if regex := self._regex():
            return regex
        if text := self._take("text"):
            return self._text_literal(text)
        token = self._peek()
        raise Refused(
            f"like takes a text in quotes or a regular expression between slashes; {self._unexpected(token)}", token.at
        )

    def _options(self) -> tuple[syntax.Text | syntax.Number, ...]:
        self._expect_mark("[", "and a list of values after in")
        options = self._listed(self._literal)
        self._expect_mark("]", "after the values")
        return options

    def _sum(self) -> Expression:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> Expression:
        return self._arithmetic(("*", "/", "%"), self._power)

    def _power(self) -> Expression:
        return self._arithmetic(("^",), self._negative)

    def _arithmetic(self, operators: tuple[str, ...], operand: Callable[[], Expression]) -> Expression:
        left = operand()
        while mark := self._take_mark(*operators):
            right = operand()
            for side in (left, right):
                if isinstance(side, syntax.Text):
                    raise Refused(f"{mark.text} takes numbers; texts are joined with concat(...)", side.at)
            left = syntax.Binary(mark.text, left, right, at=mark.at)
        return left

    def _negative(self) -> Expression:
        if mark := self._take_mark("-"):
            return syntax.Unary("-", self._negative(), at=mark.at)
        return self._primary()

    def _primary(self) -> Expression:
        token = self._peek()
        if self._take_mark("("):
            inner = self._expression()
            self._expect_mark(")", "for the ( before")
            return inner
        if token.kind == "number":
            self._next()
            return syntax.Number(token.text, at=token.at)
        if token.kind == "text":
            self._next()
            return self._text_literal(token)
        if word := self._take("word", "true", "false"):
            return syntax.Boolean(word.text.lower() == "true", at=word.at)
        if token.kind == "period":
            raise Refused(
                f"{token.text} is neither a number nor a name; a period is allowed only in bin(...)", token.at
            )
        if token.text == "/":
            raise Refused("a regular expression is allowed only after like or =~", token.at)
        name, at = self._name("a field, a value or a function")
        if self._take_mark("("):
            return self._call(name, at)
        return Field(name, at=at)

    def _call(self, name: str, at: int) -> Expression:
        function = language.FUNCTIONS.get(name.lower())
        if function is None:
            raise Refused(language.unknown_function(name), at)
        arguments: list[Expression] = []
        if not self._take_mark(")"):
            while True:
                arguments.append(self._argument(function, len(arguments)))
                if not self._take_mark(","):
                    break
            self._expect_mark(")", f"after the arguments of {function.name}")
        if not function.minimum <= len(arguments) <= (function.maximum or len(arguments)):
            page = f"{language.DOCUMENTATION}{function.documentation}"
            raise Refused(f"{function.name} takes {function.arity}, not {len(arguments)}; see {page}", at)
        call = syntax.Call(function.name, tuple(arguments), at=at)
        return self._member(call)

    def _argument(self, function: language.Function, index: int) -> Expression:
        if language.PERIOD_ARGUMENT.get(function.name) == index:
            return self._period()
        if function.name == "count" and (star := self._take_mark("*")):
            return syntax.Star(at=star.at)
        argument = self._expression()
        if function.name == "pct" and index == 1:
            self._check_percent(argument)
        return argument

    def _check_percent(self, argument: Expression) -> None:
        if not isinstance(argument, syntax.Number) or not 0 <= float(argument.digits) <= 100:
            raise Refused("pct takes a percentage from 0 to 100 after the field: pct(field, 95)", argument.at)

    def _member(self, call: syntax.Call) -> Expression:
        if not self._take_mark("."):
            return call
        path, _ = self._name("the name of a part")
        return syntax.Member(call, path, at=call.at)
