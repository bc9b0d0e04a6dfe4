/** How one definition of a contract refers to another: by a keyword of our own, so that each is compiled by itself. */

/** The keyword that stands for a reference to another definition of the library. */
export const libraryReference = 'x-sallyport-definition'

/** The names of definitions that a schema refers to. */
export const referencesOf = (schema: unknown): readonly string[] => {
  if (typeof schema !== 'object' || schema === null) return []
  return Object.entries(schema).flatMap(([key, value]) =>
    key === libraryReference && typeof value === 'string' ? [value] : referencesOf(value),
  )
}
