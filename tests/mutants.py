#!/usr/bin/python3
"""Breaks the code in small ways, one at a time, and says what no test notices.

usage: mutants.py [--most=N] [--work=FOLDER] FILE.c ... PROGRAM ...

Run it by hand in the source tree, as root:

        tests/mutants.py keys/keyd/request/request.c keys/keyd/htsign-keyd \
            keys/token/htsign-token tests/unit/test_keyd \
            tests/unit/test_keyd_content

Each mutant of each FILE is built, with sanitizers, in a copy of the tree in
FOLDER (build-mutants), as far as the PROGRAMs need it, and those that are tests
are built and run one after the other until one fails: name first the one that
kills most.  A mutant of which they all pass lives, and is printed.  Of more
than N mutants of a file N are drawn, always the same.

What was killed once is remembered in FOLDER and not run again, so that after a
new test only those run that lived.  Remove the folder after a test is changed.

Mutants that do not compile do not count.  Nor do those of which an optimizing
compiler makes the same program: there is nothing to be seen of them.
"""

import argparse
import filecmp
import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading
import time

# --- making mutants ---------------------------------------------------------

# What stands in the place of each comparison: shifted by one, and turned.
COMPARISONS = {'==': ['!='], '!=': ['=='], '<': ['<=', '>='], '<=': ['<', '>'],
               '>': ['>=', '<='], '>=': ['>', '<']}
OTHERS = {'&&': ['||'], '||': ['&&'], '+': ['-'], '-': ['+']}

# Neither a declaration nor a statement that decides where to go on.
STATEMENT = re.compile(r'(\(void\))?\*?[A-Za-z_][\w.>\-]*(\[[^]\n]*\][\w.>\-]*)*'
                       r'( (=|[-+*/|&^]=|<<=|>>=)\s|\(|\+\+;|--;)')
COMPARISON = re.compile(r'((?!&&|\|\|).)*\s(==|!=|<|>|<=|>=)\s((?!&&|\|\|).)*',
                        re.S)
# What is said to the log alone is not what tests are about.
KEYWORD = re.compile(r'(if|for|while|switch|return|sizeof|do|else|case|log_\w+)\b')


def blank(match):
    return re.sub(r'[^\n]', ' ', match.group())


def masked(text):
    """The text with nothing in its comments, literals and directives."""
    tokens = r'/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
    text = re.sub(tokens, blank, text, flags=re.S)
    return re.sub(r'^#(?:.*\\\n)*.*', blank, text, flags=re.M)


def bodies(code):
    """Where the functions begin and end."""
    for match in re.finditer(r'^\{\n.*?^\}', code, flags=re.S | re.M):
        yield match.start(), match.end()


def closing(code, at):
    """Where the parenthesis at that place is closed."""
    depth = 0
    while True:
        depth += {'(': 1, ')': -1}.get(code[at], 0)
        if depth == 0:
            return at
        at += 1


def operands(code, start, end):
    """What && and || join between start and end, and with which of them."""
    for word in '||', '&&':
        cuts, depth = [start], 0
        for at in range(start, end):
            depth += {'(': 1, ')': -1}.get(code[at], 0)
            if depth == 0 and code.startswith(word, at):
                cuts += [at, at + 2]
        cuts.append(end)
        if len(cuts) > 2:
            for a, b in zip(cuts[::2], cuts[1::2]):
                yield a, b, word
                yield from operands(code, a, b)
            return
    match = re.match(r'\s*\(', code[start:end])
    if match and closing(code, start + match.end() - 1) == \
            start + len(code[start:end].rstrip()) - 1:
        yield from operands(code, start + match.end(), closing(
            code, start + match.end() - 1))


def is_decision(code):
    return re.search(r'\s(==|!=|<|<=|>|>=|&&|\|\|)\s', code) is not None


def replacements(code, start, end):
    """(from, to, new text) of all that can be changed in a function."""
    part = code[start:end]
    for match in re.finditer(r'(?<=\s)(==|!=|<=?|>=?|&&|\|\||\+|-)(?=\s)', part):
        word = match.group(1)
        for new in COMPARISONS.get(word, []) + OTHERS.get(word, []):
            yield start + match.start(), start + match.end(), new
    for match in re.finditer(r'(?<![\w.])(?<!return -)(?<!calloc\()[1-9]\d{0,2}'
                             r'(?![\w.]|\];)', part):
        yield (start + match.start(), start + match.end(),
               str(int(match.group()) + 1))
    for match in re.finditer(r'\b(if|while) \(', part):
        a = start + match.end()
        b = closing(code, a - 1)
        yield a, b, 'false'
        if not COMPARISON.fullmatch(code, a, b):
            yield a, b, None
        for c, d, word in operands(code, a, b):
            yield c, d, ' true ' if word == '&&' else ' false '
    for match in re.finditer(r'([^=(,?:]*)\s\? ', part):
        if not is_decision(match.group(1)):
            yield start + match.end() - 2, start + match.end(), '== 0 ? '
    for match in re.finditer(r'\breturn ([^;]*);', part):
        value = match.group(1)
        a, b = start + match.start(1), start + match.end(1)
        known = {'0': '-1', 'true': 'false', 'false': 'true', 'NULL': None}
        if value in known:
            if known[value]:
                yield a, b, known[value]
        elif not is_decision(value):
            yield a, b, '0'
        else:
            for c, d, word in operands(code, a, b):
                yield c, d, ' true ' if word == '&&' else ' false '
    for match in re.finditer(r'\b(break|continue|goto \w+|return);', part):
        yield start + match.start(), start + match.end(), ';'
    for match in re.finditer(r'^\t+', part, flags=re.M):
        a = start + match.end()
        if STATEMENT.match(code, a) and not KEYWORD.match(code, a):
            b = code.index(';', a) + 1
            checked = re.match(r'(rc|ret|n) =\s+[\w>.\-]+\(', code[a:b])
            yield a, b, checked.group(1) + ' = 0;' if checked else ';'


def mutants(text):
    """(line, what was, what is now, the whole text) of each mutant."""
    code = masked(text)
    seen = {text}
    for start, end in bodies(code):
        for a, b, new in replacements(code, start, end):
            if new is None:
                new = '!(' + text[a:b] + ')'
            # Line numbers stay.
            new += '\n' * (text.count('\n', a, b) - new.count('\n'))
            changed = text[:a] + new + text[b:]
            if changed not in seen:
                seen.add(changed)
                yield text.count('\n', 0, a) + 1, a, b, new, changed


def describe(text, a, b, new):
    """The change, with a little of what stands around it."""
    left = max(text.rfind('\n', 0, a), a - 24) + 1
    right = text.find('\n', b)
    right = min(right if right >= 0 else b, b + 24)
    said = [text[left:a] + middle + text[b:right] for middle in (text[a:b], new)]
    return ' → '.join(' '.join(words.split()) for words in said)


# --- trying them ------------------------------------------------------------

# Alone with what it starts and with what it leaves in /tmp, so that neither is
# there afterwards.
CELL = ['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child',
        '--mount-proc', 'sh', '-c',
        'ip link set lo up && mount -t tmpfs none /tmp && "$@"; exit $?', '-']
OPTIMIZED = ['CC=cc', 'CFLAGS=-O2 -g0', 'HT_CFLAGS=-std=c11']


class Trial:
    def __init__(self, work, programs):
        self.source = work / 'source'
        self.build = work / 'build'
        self.tests = [p for p in programs if '/test_' in p]
        self.others = [p for p in programs if p not in self.tests]
        if not self.tests:
            sys.exit('none of the programs is a test')
        self.remembered = work / 'killed'
        self.build.mkdir(parents=True, exist_ok=True)
        self.remembered.touch()
        self.killed = set(self.remembered.read_text().split())
        self.limits = {}

    def make(self, *arguments):
        return subprocess.run(['make', '-s', *arguments], cwd=self.build,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def prepare(self):
        """Copy what has changed, and build it as it is."""
        tree = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'],
                              check=True, capture_output=True, text=True)
        for name in tree.stdout.splitlines():
            copy = self.source / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists() or not filecmp.cmp(name, copy, shallow=False):
                shutil.copy(name, copy)
        if not (self.build / 'Makefile').exists():
            subprocess.run(['autoreconf', '-fi'], cwd=self.source, check=True)
            subprocess.run([self.source.resolve() / 'configure', '-q',
                            '--prefix=/usr', '--sysconfdir=/etc', 'CC=clang',
                            'CFLAGS=-O1', '--enable-sanitizers'],
                           cwd=self.build, check=True)
        if not self.make(*self.others, *self.tests):
            sys.exit('the programs cannot be built')
        for test in self.tests:
            started = time.monotonic()
            if not self.passes(test, 600):
                sys.exit(f'{test} fails as it is')
            self.limits[test] = 30 + 5 * (time.monotonic() - started)

    def passes(self, test, limit):
        environment = os.environ | {'srcdir': str(self.source.resolve()),
                                    'builddir': str(self.build.resolve())}
        process = subprocess.Popen(
            [*CELL, (self.build / test).resolve()], env=environment,
            cwd=self.build, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors='replace')
        timer = threading.Timer(limit, process.kill)
        timer.start()
        for line in process.stdout:
            if line.startswith('[  FAILED  ]'):
                process.kill()
        self.late = not timer.is_alive()
        timer.cancel()
        return process.wait() == 0

    def optimized(self, file):
        """What the compiler makes of the file as it is now."""
        out = self.build / pathlib.Path(file).with_suffix('.o')
        out.unlink(missing_ok=True)
        self.make(*OPTIMIZED, str(pathlib.Path(file).with_suffix('.o')))
        program = out.read_bytes()
        out.unlink()
        return program

    def outcome(self, file, changed, original):
        name = hashlib.sha256((file + changed).encode()).hexdigest()
        if name in self.killed:
            return 'killed'
        (self.source / file).write_text(changed)
        if not self.make(str(pathlib.Path(file).with_suffix('.o'))):
            return 'not compiled'
        if all(self.make(*self.others, test) and
               self.passes(test, self.limits[test]) for test in self.tests):
            same = self.optimized(file) == original
            return 'the same' if same else 'lived'
        with self.remembered.open('a') as killed:
            killed.write(name + '\n')
        return 'late' if self.late else 'killed'

    def run(self, file, most):
        text = (self.source / file).read_text()
        every = list(mutants(text))
        if most and len(every) > most:
            drawn = random.Random(1).sample(range(len(every)), most)
            every = [every[i] for i in sorted(drawn)]
        counts = dict.fromkeys(['killed', 'late', 'lived', 'the same',
                                'not compiled'], 0)
        original = self.optimized(file)
        try:
            for line, a, b, new, changed in every:
                what = self.outcome(file, changed, original)
                counts[what] += 1
                if what == 'lived':
                    print(f'{file}:{line}: {describe(text, a, b, new)}',
                          flush=True)
        finally:
            (self.source / file).write_text(text)
        dead = counts['killed'] + counts['late']
        print(f'{file}: {dead + counts["lived"]} mutants, {dead} killed, of '
              f'these {counts["late"]} by the clock, {counts["lived"]} lived; '
              f'{counts["the same"]} make the same program, '
              f'{counts["not compiled"]} none', flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split('\n')[2][7:])
    parser.add_argument('--most', type=int)
    parser.add_argument('--work', type=pathlib.Path,
                        default=pathlib.Path('build-mutants'))
    parser.add_argument('names', nargs='+')
    given = parser.parse_args()
    trial = Trial(given.work, [n for n in given.names if n[-2:] != '.c'])
    trial.prepare()
    for file in given.names:
        if file.endswith('.c'):
            trial.run(file, given.most)


if __name__ == '__main__':
    main()
