/**
 * Where a command writes: results on standard output, everything else on standard error, colour only where a person
 * sees it.
 *
 * Errors are a line that begins with `sallyport: error:` and lines that begin with `sallyport: hint:`.
 */
import type { Environment } from '../config/environment.ts'

/** A stream to write to; the standard streams are such. */
export interface Output {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** How a command writes. */
export interface Terminal {
  /** A line of the result. */
  print(line: string): void
  /** A line that says what happens. */
  tell(line: string): void
  error(message: string): void
  hint(message: string): void
  /** The text in a colour, where colour is wanted. */
  paint(colour: Colour, text: string): string
}

/** The colours in use. */
export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'faint'

const codes: Readonly<Record<Colour, number>> = {
  red: 31,
  green: 32,
  yellow: 33,
  bold: 1,
  faint: 2,
}

/** Writes to two streams. `NO_COLOR` set to anything turns colour off (no-color.org). */
export const terminalOn = (out: Output, err: Output, environment: Environment): Terminal => {
  const wanted = (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
  const colourful = wanted && out.isTTY === true && err.isTTY === true
  const paint = (colour: Colour, text: string): string =>
    colourful ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text
  return {
    print: (line) => void out.write(`${line}\n`),
    tell: (line) => void err.write(`${line}\n`),
    error: (message) => void err.write(`sallyport: ${paint('red', 'error')}: ${message}\n`),
    hint: (message) => void err.write(`sallyport: ${paint('yellow', 'hint')}: ${message}\n`),
    paint,
  }
}
