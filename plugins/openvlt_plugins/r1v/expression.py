"""Expressions as SymPy's parser reads them, built without evaluating text as code."""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Callable
from functools import cache
from typing import Any

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_CONSTANTS = ("I", "nan", "oo", "pi", "zoo")
# Those the grader can reach with two letters, and those the parser inserts.
_FUNCTIONS = ("csc", "factorial", "factorial2", "ff", "im", "li", "ln", "re", "rf", "sqrt")
_LARGEST_POWER = 99
_LARGEST_FACTORIAL = 1_000


class Unreadable(Exception):
    """The text is not an expression."""


def vanishes(text: str) -> bool:
    """Whether an expression, with ``^`` for powers, simplifies to zero.

    Raises:
        Unreadable: it is not an expression, or SymPy cannot build or simplify it.
    """
    import sympy

    # `stringify_expr` rewrites tokens (``2x`` becomes ``Integer(2)*Symbol('x')``) and evaluates nothing.
    from sympy.parsing import sympy_parser as parser  # noqa: TID251

    rules = (*parser.standard_transformations, parser.implicit_multiplication_application)
    try:
        code = parser.stringify_expr(text.replace("^", "**"), {}, _names(), rules)
        return bool(sympy.simplify(_build(ast.parse(code.strip(), mode="eval").body)) == 0)
    except Exception as error:
        raise Unreadable(text) from error


@cache
def _names() -> dict[str, Any]:
    """The names ``parse_expr`` knows, so that these are not read as products of letters."""
    import sympy

    called = {name: each for name, each in vars(builtins).items() if isinstance(each, type(len))}
    return {**called, **{name: getattr(sympy, name) for name in sympy.__all__}}


def _build(node: ast.expr) -> Any:
    """The value of a syntax tree that consists only of numbers, symbols, operators and a few functions."""
    import sympy

    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name) if name in _CONSTANTS:
            return getattr(sympy, name)
        case ast.UnaryOp(op=sign, operand=operand):
            return _OPERATORS[type(sign)](_build(operand))
        case ast.BinOp(left=left, op=sign, right=right):
            return _combined(_build(left), sign, _build(right))
        case ast.Call(func=ast.Name(id="Symbol" | "Function" | "Float" as made), args=[ast.Constant(value=str(text))]):
            return getattr(sympy, made)(text)
        case ast.Call(func=ast.Name(id="Number"), args=[ast.Constant(value=str(digits))]):
            return sympy.Integer(ast.literal_eval(digits))  # which refuses leading zeros, as the parser does
        case ast.Call(func=ast.Name(id="Integer" | "Rational" as made), args=numbers):
            return getattr(sympy, made)(*map(_build, numbers))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
            return _called(name, [_build(argument) for argument in arguments])
        case ast.Call(func=ast.Call() as function, args=arguments):
            return _build(function)(*map(_build, arguments))
    raise Unreadable(ast.dump(node))


def _combined(left: Any, sign: ast.operator, right: Any) -> Any:
    if isinstance(sign, ast.Pow) and right.is_number and abs(right) > _LARGEST_POWER:
        raise Unreadable("a power out of range")
    return _OPERATORS[type(sign)](left, right)


def _called(name: str, arguments: list[Any]) -> Any:
    import sympy

    if name.startswith("factorial") and arguments[0].is_number and abs(arguments[0]) > _LARGEST_FACTORIAL:
        raise Unreadable("a factorial out of range")
    return getattr(sympy, name)(*arguments)
