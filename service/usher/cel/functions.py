"""`STANDARD`: every function that an expression may call, gathered from the modules that define them.

Also the signatures of the special forms, which `calls` implements, and of the contextual functions, whose
implementations come with each evaluation.
"""

from usher.cel.core_functions import CORE_FUNCTIONS
from usher.cel.format_function import FORMAT_FUNCTIONS
from usher.cel.math_functions import MATH_FUNCTIONS
from usher.cel.people_functions import PEOPLE_FUNCTIONS
from usher.cel.regex_functions import REGEX_FUNCTIONS
from usher.cel.signatures import BOOL, LIST, MAP, STRING, Function, Overload, merged
from usher.cel.text_functions import TEXT_FUNCTIONS
from usher.cel.time_functions import TIME_FUNCTIONS
from usher.cel.values import ANY

SPECIAL_FORMS = (
    Function("get", (Overload((MAP, STRING, ANY), ANY),)),
    Function("blank", (Overload((ANY,), BOOL),)),
)
CONTEXTUAL = (
    Function("directory", (Overload((STRING, ANY), LIST),), contextual=True),
    Function("taken", (Overload((STRING, ANY), BOOL),), contextual=True),
)
_BY_MODULE = (
    CORE_FUNCTIONS,
    TIME_FUNCTIONS,
    TEXT_FUNCTIONS,
    FORMAT_FUNCTIONS,
    MATH_FUNCTIONS,
    REGEX_FUNCTIONS,
    PEOPLE_FUNCTIONS,
    SPECIAL_FORMS,
    CONTEXTUAL,
)
STANDARD = merged(_BY_MODULE)
