/** placeholder */
export interface RevocationLists {
  readonly revision: string
}
