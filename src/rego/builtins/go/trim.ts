/** Trimming as Go does it: by code point, and white space by Unicode's White_Space property. */

const leadingSpace = /^[\p{White_Space}]+/u
const space = /^\p{White_Space}$/u

/** `text` without the code points of `characters` at the ends that `side` names. */
export function trimCharacters(
  text: string,
  characters: string,
  side: 'left' | 'right' | 'both',
): string {
  const cut = new Set(characters)
  return trimWhile(text, (character) => cut.has(character), side)
}

/** `text` without white space at both ends. */
export function trimSpace(text: string): string {
  return trimWhile(text.replace(leadingSpace, ''), (character) => space.test(character), 'right')
}

function trimWhile(
  text: string,
  isCut: (character: string) => boolean,
  side: 'left' | 'right' | 'both',
): string {
  const start = side === 'right' ? 0 : startAfter(text, isCut)
  return text.slice(start, side === 'left' ? text.length : endBefore(text, start, isCut))
}

function startAfter(text: string, isCut: (character: string) => boolean): number {
  let start = 0
  while (start < text.length) {
    const character = String.fromCodePoint(text.codePointAt(start)!)
    if (!isCut(character)) break
    start += character.length
  }
  return start
}

function endBefore(text: string, start: number, isCut: (character: string) => boolean): number {
  let end = text.length
  while (end > start) {
    const character = lastCharacter(text, start, end)
    if (!isCut(character)) break
    end -= character.length
  }
  return end
}

function lastCharacter(text: string, start: number, end: number): string {
  const pair = end - 2 >= start ? text.codePointAt(end - 2)! : 0
  return pair > 0xffff ? String.fromCodePoint(pair) : text.charAt(end - 1)
}
