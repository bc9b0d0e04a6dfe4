/**
 * Hints for mistakes that people make often, seen from the engine's message and the line of the source. For the
 * command line. A hint never changes what is an error; when in doubt there is none.
 */

import type { RegoError } from '../errors.ts'

/** What the message says, and what would mend it; `$1` is the first group of the pattern. */
const messages: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /`if` keyword is required/,
    'write `if` before the body, `allow if { … }`; a file from before Rego v1 is read with --v0-compatible',
  ],
  [
    /`contains` keyword is required/,
    'write a set as `names contains name if { … }`; a file from before Rego v1 is read with --v0-compatible',
  ],
  [/^illegal default rule \(must have a value\)/, 'give it one: `default allow := false`'],
  [/^multiple default rules/, 'keep one of them'],
  [/^package expected/, 'begin the file with `package name`'],
  [/^var (\S+) assigned above/, '`:=` declares a new $1; compare with `==`'],
  [/^var (\S+) referenced above/, 'declare $1 before it is used'],
  [/^cannot assign to ref/, '`:=` gives a new name a value; compare with `==`'],
  [/^undefined function (data\.\S+)/, 'compare $1 with the package and the imports'],
  [
    /^undefined function \S+/,
    'no built-in and no function of this package has that name; one of another package needs `import data.…`',
  ],
  [/^assigned var (\S+) unused/, 'remove $1, or use it'],
  [/^import \S+ unused/, 'remove the import'],
  [/^rules must not shadow/, 'give the rule another name'],
]

/** What a line that does not parse looks like, and what would mend it. */
const lines: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^[^"`#]*'[^']*'/, 'write strings in double quotes'],
  [/!\s*[A-Za-z_(]/, 'write `not` instead of `!`'],
  [/[^=!<>:]===[^=]/, 'compare with `==`'],
  [/&&|\|\|/, 'put conditions on lines of their own for "and"; write a second rule for "or"'],
  [/^\s*(?:if\b|let\s|const\s|var\s|function\s)/, 'a rule has the form `name := value if { … }`'],
  [/\bevery\b(?!.*\{)|\bevery\b.*\bin\b.*\]\s+\w/, 'write `every x in xs { … }`'],
  [
    /^\s*[A-Za-z_]\w*\s*=[^=].*\{|\{\s*[A-Za-z_]\w*\s*=\s*\}/,
    'write `:=` to give a name a value, `==` to compare, and `if` before the body',
  ],
  [/\bif\s*$/, 'write the body behind `if`'],
]

/** What would mend a mistake, when it is one of the common ones. `text` is the module that has it. */
export function hintFor(error: RegoError, text: string): string | undefined {
  const line = text.split('\n')[error.location.row - 1] ?? ''
  if (error.code === 'rego_unsafe_var_error') return unsafeHint(error.message, line)
  if (error.code === 'rego_recursion_error') return 'break the circle: no rule may need itself'
  for (const [pattern, hint] of messages) {
    const match = pattern.exec(error.message)
    if (match !== null) return hint.replace('$1', match[1] ?? '')
  }
  if (error.code !== 'rego_parse_error') return undefined
  return lines.find(([pattern]) => pattern.test(line))?.[1]
}

function unsafeHint(message: string, line: string): string | undefined {
  const name = /^var (\w+) is unsafe/.exec(message)?.[1]
  if (name === undefined) return undefined
  if (['if', 'contains', 'in', 'every'].includes(name))
    return `${name} is a keyword since Rego v1; read the file without --v0-compatible, or add \`import rego.v1\``
  if (new RegExp(`(?:^|[{;\\s])${name}\\s*==?[^=]`).test(line))
    return `\`${name} := …\` gives it a value; \`=\` and \`==\` compare`
  if (new RegExp(`\\b${name}\\.`).test(line))
    return `write \`input.${name}\` for what the request brings, or import what ${name} is`
  return `give it a value in the same body: \`${name} := …\` or \`some ${name} in …\``
}
