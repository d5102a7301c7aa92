"""A program that makes one of several calls and prints what it gives, in languages other than Python: for a vote.

Calls are expressions of the language, as its unit tests hold them (`f(std::vector<long>({1, 2}))`), and in Bash
commands. They stand behind the program as MultiPL-E's tests do, so that a program is compiled once; standard input says
which one is made. What is printed by the way doesn't count: a value stands between two marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vlrl.code_execution.outcome import Program
from vlrl.verify.code.code_tests import Judging, UnitTests
from vlrl.verify.code.unit_assembly import assembled


@dataclass(frozen=True)
class CallPrinter:
    """How calls are written in one language.

    call     one of them: {number} in their order, {call} its text
    program  all of it, behind what is called: {calls} as above, {mark} before the value and {end} behind it
    """

    call: str
    program: str


_CPP = r"""}
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>
template <class T> std::string vlrl_shown(const T& value) {
    std::ostringstream to;
    if constexpr (std::is_same_v<T, bool>) to << (value ? "true" : "false");
    else if constexpr (std::is_convertible_v<const T&, std::string_view>) to << std::quoted(std::string(value));
    else if constexpr (requires { value.begin(); value.end(); }) {
        std::vector<std::string> parts;
        for (const auto& one : value) parts.push_back(vlrl_shown(one));
        if constexpr (requires { typename T::hasher; }) std::sort(parts.begin(), parts.end());
        to << "[";
        for (const auto& one : parts) to << one << ",";
        to << "]";
    }
    else if constexpr (requires { value.has_value(); *value; }) to << (value ? vlrl_shown(*value) : "none");
    else if constexpr (requires { std::tuple_size<T>::value; })
        std::apply([&to](const auto&... one) { ((to << vlrl_shown(one) << ";"), ...); }, value);
    else to << std::setprecision(17) << value;
    return to.str();
}
int main() {
    int number = -1;
    std::cin >> number;
    std::string said;
    switch (number) {
{calls}
    }
    std::cout << "{mark}" << said << "{end}" << std::endl;
}
"""
_JAVA = r"""    }
    static String vlrlShown(Object value) {
        java.util.List<String> parts = new java.util.ArrayList<>();
        if (value instanceof java.util.Map) {
            ((java.util.Map<?, ?>) value).forEach((key, held) -> parts.add(vlrlShown(key) + ":" + vlrlShown(held)));
            java.util.Collections.sort(parts);
        } else if (value instanceof Iterable) {
            for (Object one : (Iterable<?>) value) parts.add(vlrlShown(one));
            if (value instanceof java.util.Set) java.util.Collections.sort(parts);
        } else if (value != null && value.getClass().isArray()) {
            int length = java.lang.reflect.Array.getLength(value);
            for (int i = 0; i < length; i++) parts.add(vlrlShown(java.lang.reflect.Array.get(value, i)));
        } else {
            return value instanceof String ? "\"" + value + "\"" : String.valueOf(value);
        }
        return parts.toString();
    }
    public static void main(String[] args) throws Exception {
        String said = "";
        switch (new java.util.Scanner(System.in).nextInt()) {
{calls}
        }
        System.out.println("{mark}" + said + "{end}");
    }
}
"""
_CSHARP = r"""    }
    static string VlrlShown(object value) {
        if (value == null) return "null";
        if (value is string) return "\"" + value + "\"";
        var entries = value as System.Collections.IDictionary;
        var items = value as System.Collections.IEnumerable;
        var parts = new System.Collections.Generic.List<string>();
        if (entries != null) {
            foreach (System.Collections.DictionaryEntry one in entries)
                parts.Add(VlrlShown(one.Key) + ":" + VlrlShown(one.Value));
            parts.Sort(System.StringComparer.Ordinal);
        } else if (items != null) {
            foreach (object one in items) parts.Add(VlrlShown(one));
            if (value.GetType().Name.StartsWith("HashSet")) parts.Sort(System.StringComparer.Ordinal);
        } else {
            var number = value as System.IFormattable;
            var culture = System.Globalization.CultureInfo.InvariantCulture;
            string form = value is double || value is float ? "R" : null;
            return number == null ? value.ToString() : number.ToString(form, culture);
        }
        return "[" + string.Join(",", parts.ToArray()) + "]";
    }
    public static void Main(string[] args) {
        string said = "";
        switch (int.Parse(System.Console.In.ReadLine())) {
{calls}
        }
        System.Console.WriteLine("{mark}" + said + "{end}");
    }
}
"""
_NODE = r"""
const vlrlCalls = [
{calls}
];
const vlrlMade = vlrlCalls[Number(require("fs").readFileSync(0, "utf8"))]();
const vlrlWhole = {depth: null, maxArrayLength: null, maxStringLength: null, breakLength: Infinity, sorted: true};
console.log("{mark}" + require("util").inspect(vlrlMade, vlrlWhole) + "{end}");
"""
_PHP = r"""
$vlrl_calls = [
{calls}
];
$vlrl_made = $vlrl_calls[(int) fgets(STDIN)]();
echo "{mark}", json_encode($vlrl_made, JSON_PRESERVE_ZERO_FRACTION | JSON_PARTIAL_OUTPUT_ON_ERROR), "{end}", PHP_EOL;
"""
_BASH = r"""
read -r vlrl_number
printf '%s' '{mark}'
case "$vlrl_number" in
{calls}
esac
printf '%s\n' '{end}'
"""
PRINTERS: Mapping[str, CallPrinter] = {
    "cpp": CallPrinter("        case {number}: said = vlrl_shown({call}); break;", _CPP),
    "java": CallPrinter("            case {number}: said = vlrlShown({call}); break;", _JAVA),
    "csharp": CallPrinter("            case {number}: said = VlrlShown({call}); break;", _CSHARP),
    "javascript": CallPrinter("    () => ({call}),", _NODE),
    "typescript": CallPrinter("    (): any => ({call}),", _NODE),
    "php": CallPrinter("    function () { return {call}; },", _PHP),
    "bash": CallPrinter("    {number}) {call} ;;", _BASH),
}


def printing_program(source: str, unit: UnitTests, calls: Sequence[str], mark: str, judging: Judging) -> Program:
    """The program that reads the number of a call, from 0, and prints its value (`shown_value`), once it has ended.

    Raises KeyError for a language that PRINTERS doesn't hold.
    """
    printer = PRINTERS[judging.language]
    lines = [printer.call.replace("{number}", str(number)).replace("{call}", call) for number, call in enumerate(calls)]
    text = printer.program.replace("{mark}", f"{mark}<").replace("{end}", f">{mark}")
    behind = replace(unit, tests=text.replace("{calls}", "\n".join(lines)), check=False)
    return Program(judging.language, assembled(judging.language, source, behind, mark), judging.files)


def shown_value(stdout: bytes, mark: str) -> str | None:
    """What stands between the marks; None where the program ended before, or wrote them more than once."""
    parts = stdout.decode("utf-8", "replace").split(f"{mark}<")
    value, closed, _ = parts[-1].rpartition(f">{mark}")
    return value if len(parts) == 2 and closed else None
