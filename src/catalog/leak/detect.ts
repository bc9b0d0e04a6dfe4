/** Built-in detectors of data classes: card numbers, IBANs, e-mail addresses. They count; they keep nothing. */

/** Names of the detectors, as the configuration gives them. */
export type Detector = 'card-number' | 'iban' | 'email'

const digitsOf = (text: string): string => text.replaceAll(/\D/g, '')

/** Luhn's check (ISO/IEC 7812-1 Annex B). */
const passesLuhn = (digits: string): boolean => {
  let sum = 0
  for (let at = 0; at < digits.length; at++) {
    const digit = Number(digits[digits.length - 1 - at])
    const doubled = at % 2 === 0 ? digit : digit * 2
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** Major schemes by their first digits and lengths, so that order numbers are seldom taken for cards. */
const cardShape =
  /^(4\d{12}(\d{3})?(\d{3})?|5[1-5]\d{14}|2(2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|6(011|5\d\d)\d{12}|35\d{14})$/

const hasCardNumber = (text: string): boolean =>
  [...text.matchAll(/(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])/g)].some(
    ([match]) => cardShape.test(digitsOf(match)) && passesLuhn(digitsOf(match)),
  )

/** ISO 13616 with the check of ISO/IEC 7064 MOD 97-10. */
const isIban = (text: string): boolean => {
  const compact = text.replaceAll(' ', '')
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(compact)) return false
  const moved = compact.slice(4) + compact.slice(0, 4)
  let rest = 0
  for (const character of moved) {
    const value = Number.parseInt(character, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

const hasIban = (text: string): boolean =>
  [...text.matchAll(/\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b/g)].some(
    ([match]) => isIban(match),
  )

const hasEmail = (text: string): boolean =>
  /[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}/.test(text)

const detectors: Readonly<Record<Detector, (text: string) => boolean>> = {
  'card-number': hasCardNumber,
  iban: hasIban,
  email: hasEmail,
}

/** True when `text` holds what the detector looks for. */
export const detects = (detector: Detector, text: string): boolean => detectors[detector](text)
