/** Media types (RFC 9110 §8.3.1) as the checks compare them. */

/** `Application/JSON; charset=utf-8` as `application/json`. */
export const mediaType = (text: string): string => text.split(';', 1)[0]!.trim().toLowerCase()

/** JSON by RFC 8259 or a `+json` suffix (RFC 6839), but not a stream of documents. */
export const isJsonType = (type: string): boolean =>
  /^(application|text)\/json$|^[^/]+\/[^/]+\+json$/.test(type)

/** A form, with or without a charset. */
export const isFormType = (type: string): boolean =>
  type.startsWith('application/x-www-form-urlencoded')

/** True when the range `declared` (`image/*`, `*\/*`) covers `type`. */
export const typeCovers = (declared: string, type: string): boolean =>
  declared === type ||
  declared === '*/*' ||
  (declared.endsWith('/*') && type.startsWith(declared.slice(0, -1)))
