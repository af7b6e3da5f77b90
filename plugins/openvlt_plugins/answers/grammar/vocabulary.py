"""The names the grammar knows: functions, constants, relations, units, and the small words of prose."""

from __future__ import annotations

_split = str.split

FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "tg": "tan", "cot": "cot", "ctg": "cot", "sec": "sec", "csc": "csc",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctg": "atan", "asin": "asin", "acos": "acos",
    "atan": "atan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "exp": "exp", "ln": "ln", "log": "log", "lg": "lg",
    "abs": "abs", "sqrt": "sqrt", "cbrt": "cbrt",
}  # fmt: skip
INVERSE = {"sin": "asin", "cos": "acos", "tan": "atan"}
CONSTANT_NAMES = {"pi": "pi", "infty": "oo", "infinity": "oo", "inf": "oo", "oo": "oo"}
RELATIONS = {
    "=": "=", "==": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=",
    "le": "<=", "leq": "<=", "leqslant": "<=", "leqq": "<=", "lt": "<", "ge": ">=", "geq": ">=", "geqslant": ">=",
    "geqq": ">=", "gt": ">", "ne": "!=", "neq": "!=", "approx": "~", "thickapprox": "~", "simeq": "~", "equiv": "=",
    "in": "in",
}  # fmt: skip
JOINS = {"cup": "cup", "cap": "cap", "bigcup": "cup", "bigcap": "cap", "setminus": "minus", "backslash": "minus"}
GREEK = frozenset(
    _split(
        """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi omicron rho sigma
    tau upsilon phi varphi chi psi omega lamda Alpha Beta Gamma Delta Epsilon Zeta Eta Theta
    Iota Kappa Lambda Mu Nu Omicron Rho Tau Upsilon Chi Xi Pi Sigma Phi Psi Omega ell
    """
    )
)

# Canonical name (as in pint) to its spellings.
_UNITS = {
    "mm": "mm millimeter millimeters millimetre millimetres",
    "cm": "cm cms centimeter centimeters centimetre centimetres",
    "dm": "dm decimeter decimeters decimetre decimetres",
    "m": "m meter meters metre metres",
    "km": "km kms kilometer kilometers kilometre kilometres",
    "um": "um micrometer micrometers micron microns",
    "nm": "nm nanometer nanometers",
    "inch": "in inch inches",
    "foot": "ft foot feet",
    "yard": "yd yds yard yards",
    "mile": "mi mile miles",
    "mg": "mg milligram milligrams",
    "g": "g gram grams gm gms",
    "kg": "kg kgs kilogram kilograms kilos",
    "pound": "lb lbs",
    "ounce": "oz ounce ounces",
    "ton": "ton tons",
    "tonne": "tonne tonnes",
    "ms": "ms millisecond milliseconds",
    "s": "s sec secs second seconds",
    "minute": "min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "yr yrs year years",
    "decade": "decade decades",
    "century": "century centuries",
    "millennium": "millennium millennia millenniums",
    "liter": "l L liter liters litre litres",
    "mL": "mL ml milliliter milliliters millilitre millilitres",
    "gallon": "gal gallon gallons",
    "N": "N newton newtons",
    "J": "J joule joules",
    "kJ": "kJ kilojoule kilojoules",
    "W": "W watt watts",
    "kW": "kW kilowatt kilowatts",
    "Pa": "Pa pascal pascals",
    "kPa": "kPa",
    "V": "V volt volts",
    "mV": "mV",
    "kV": "kV",
    "kN": "kN",
    "MJ": "MJ",
    "MW": "MW",
    "GHz": "GHz",
    "kcal": "kcal",
    "cal": "cal",
    "A": "A amp amps ampere amperes",
    "mA": "mA",
    "ohm": "ohm ohms Omega",
    "Hz": "Hz hertz",
    "kHz": "kHz",
    "MHz": "MHz",
    "K": "K kelvin kelvins",
    "mol": "mol moles",
    "eV": "eV",
    "degree": "deg degs degree degrees",
    "radian": "rad rads radian radians",
    "mph": "mph",
    "kph": "kph kmh kmph",
    "hectare": "ha hectare hectares",
    "acre": "acre acres",
    "dollar": "dollar dollars USD usd",
    "cent": "cent cents",
    "euro": "euro euros EUR",
    "sterling": "GBP",
    "yen": "yen JPY",
    "yuan": "yuan RMB CNY",
    "percent": "percent pct",
    "unit": "unit units",
}
_CHINESE_UNITS = {
    "mm": "毫米", "cm": "厘米 公分", "dm": "分米", "m": "米", "km": "千米 公里", "g": "克", "kg": "千克 公斤",
    "tonne": "吨", "s": "秒", "minute": "分钟 分", "hour": "小时 时", "day": "天 日", "week": "周 星期",
    "month": "月 个月", "year": "年 岁", "liter": "升", "mL": "毫升", "degree": "度", "dollar": "美元",
    "yuan": "元 人民币",
    "unit": "个 只 条 块 本 人 张 件 种 次 位 名 棵 支 辆 颗 头 匹 杯 瓶 盒 箱 朵 枚 粒 层 间 页 步",
}  # fmt: skip
UNITS = {name: unit for units in (_UNITS, _CHINESE_UNITS) for unit, names in units.items() for name in names.split()}
# In capitals too, where no other unit differs by case alone, as megawatt and milliwatt do.
UNITS |= {
    spelling: unit
    for name, unit in UNITS.items()
    if name.isascii() and (len(name) > 3 or name in {"kg", "cm", "km", "ft", "min"})
    for spelling in (name.capitalize(), name.upper())
    if spelling not in UNITS
}
SQUARED = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
GLUED_UNITS = {
    f"{prefix}{name}": (unit, power)
    for prefix, power in (("square", 2), ("cubic", 3))
    for name, unit in UNITS.items()
    if len(name) > 2 and name.isascii()
} | {
    f"{prefix}{name}": (unit, power)
    for prefix, power in (("平方", 2), ("立方", 3))
    for unit, names in _CHINESE_UNITS.items()
    for name in names.split()
}
# A single letter may also be a variable: these are units only at the end of a value.
LETTER_UNITS = frozenset("mgshlLNJWVAK")
CURRENCIES = {
    "$": "dollar", "USD": "dollar", "euro": "euro", "EUR": "euro", "pounds": "sterling", "GBP": "sterling",
    "yen": "yen", "yensign": "yen or yuan",
}  # fmt: skip
# A unit, the smaller unit that may continue it, and the number of smaller ones in it.
SMALLER = {
    "week": ("day", 7), "day": ("hour", 24), "hour": ("minute", 60), "minute": ("s", 60), "year": ("month", 12),
    "foot": ("inch", 12), "pound": ("ounce", 16), "m": ("cm", 100), "km": ("m", 1000), "cm": ("mm", 10),
    "kg": ("g", 1000), "dollar": ("cent", 100), "euro": ("cent", 100),
}  # fmt: skip

SEPARATORS = frozenset({"and", "or"})
# Adjacent letters that are words even where letters are multiplied.
SHORT_WORDS = frozenset(
    _split(
        """
    an as at be by do go he if in is it me my no of on or so to up us we am and are all any but can day did for
    get had has her him his how its may new not now old one our out own put say see she ten the too top two use
    was way who why yes you six mon tue wed thu fri sat sun nan inf red big low off
    """
    )
)
NUMBER_WORDS = {
    name: value
    for value, name in enumerate(
        _split(
            """
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen
        """
        )
    )
} | {
    name: 10 * value
    for value, name in enumerate(_split("twenty thirty forty fifty sixty seventy eighty ninety"), start=2)
}
SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
PARTS = {
    name + plural: value
    for plural in ("", "s")
    for name, value in {
        "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
        "ninth": 9, "tenth": 10, "hundredth": 100, "thousandth": 1000,
    }.items()
} | {"halves": 2}  # fmt: skip
# Words of a phrase that do not affect its mathematics.
FILLERS = frozenset(
    _split(
        """
    a an the is are was be it its of on in at to for with when where if then and or that this function value
    values has have answer equals equal complete statement every approximately about roughly around point points
    """
    )
)
