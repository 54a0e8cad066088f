#!/usr/bin/python3
"""Is a table of steps "FILE HOW" on stdin the order in which the code runs?

Prints one line for each step that is not.  A step is reached in one of these
ways:

    start       a program starts here
    name()      the step before calls name, which this file defines; name may
                be a table of functions as well
    later name() a step before has it as a callback
    loop name() the event loop calls name: this file does so beside loop_once()
    MESSAGE     a step before, in another file, sends it, and this file takes it
    return      the last step in this file goes on

A step calls what its function names, and what that names of its own file.  A
table of functions counts only where a step names it: thus a callback has to
come behind the step that calls it.
"""

import re
import sys

WORD = re.compile(r"[A-Za-z_]\w*")
NAME_LINE = re.compile(r"^(\w+)\(", re.M)
TABLE_LINE = re.compile(r"^(?:\w[\w *]*[ *])?(\w+)(?:\[\w*\])* = \{", re.M)
CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', re.S)


class File:
    def __init__(self, path):
        with open(path, encoding="utf-8") as source:
            text = CODE.sub("", source.read())
        self.functions = self.bodies(text, NAME_LINE, "\n{", "\n}")
        self.tables = self.bodies(text, TABLE_LINE, "{", "\n}")
        self.words = set(WORD.findall(text))

    @staticmethod
    def bodies(text, line, opening, closing):
        found = {}
        for match in line.finditer(text):
            start = text.find(opening, match.start())
            declared = text.find(";", match.start())
            end = text.find(closing, start)
            if start < 0 or end < 0 or -1 < declared < start:
                continue
            found[match[1]] = set(WORD.findall(text[start:end]))
        return found

    def names(self, names):
        """All that these functions or tables name, and what they call here."""
        words, left = set(), list(names)
        while left:
            name = left.pop()
            for word in self.functions.get(name, self.tables.get(name, ())):
                if word not in words:
                    words.add(word)
                    if word in self.functions:
                        left.append(word)
        return words

    def takes(self, message):
        """The functions that name a message."""
        return [name for name, words in self.functions.items()
                if message & words]


def check(steps):
    files, last, before, named = {}, {}, (), {}
    for path, how in steps:
        file = files.setdefault(path, None) or File(path)
        files[path] = file
        name = how.split()[-1]
        message = {"PROTOCOL_" + name, "PROTOCOL_TOKEN_" + name}
        if how == "start":
            at = list(file.functions)
        elif how == "return":
            at = last.get(path)
            if at is None:
                yield f"nothing returns to {path}"
        elif name.isupper():
            at = file.takes(message)
            if not any(message & words
                       for sender, words in named.items() if sender != path):
                yield f"no step before sends {name}, which {path} takes"
            if not at:
                yield f"{path} does not take {name}"
        else:
            at = [name]
            if name not in file.functions and name not in file.tables:
                yield f"{path} does not define {name}"
            if how.startswith("loop "):
                if not any({"loop_once", name} <= words
                           for words in file.functions.values()):
                    yield f"the loop of {path} does not call {name}"
            elif how.startswith("later "):
                if not any(name in words for words in named.values()):
                    yield f"no step before has {name} as a callback"
            elif name not in before:
                yield f"the step before {path} does not call {name}"
        last[path] = at or []
        before = file.names(last[path])
        named.setdefault(path, set()).update(before)


def main():
    wrong = list(check(line.rstrip("\n").split(" ", 1) for line in sys.stdin))
    print("".join(line + "\n" for line in wrong), end="")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
